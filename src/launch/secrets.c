#include "launch/launch.h"

#include <string.h>

#include "base/msg.h"
#include "base/banned.h"

enum { SECRETS_MAX = 4096 };

static void clear_list(struct secret **list, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		secret_clear(&(*list)[i]);
	mem_drop(list);
	*n = 0;
}

void launch_credentials_clear(struct launch_secrets *s)
{
	clear_list(&s->credentials, &s->ncredentials);
}

void launch_secrets_clear(struct launch_secrets *s)
{
	clear_list(&s->env, &s->nenv);
	launch_credentials_clear(s);
}

static void encode_list(const struct secret *list, size_t n, struct str *out)
{
	pack_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		pack_bytes(out, secret_expose(&list[i]), secret_len(&list[i]));
}

void launch_secrets_encode(const struct launch_secrets *s, struct str *out)
{
	size_t bytes = 8;

	for (size_t i = 0; i < s->nenv; i++)
		bytes += 4 + secret_len(&s->env[i]);
	for (size_t i = 0; i < s->ncredentials; i++)
		bytes += 4 + secret_len(&s->credentials[i]);
	/* At once: growing would leave copies behind in freed memory. */
	str_reserve(out, bytes);
	encode_list(s->env, s->nenv, out);
	encode_list(s->credentials, s->ncredentials, out);
}

static void decode_list(struct unpack *u, struct secret **list, size_t *count)
{
	size_t n = unpack_u32(u);

	if (u->bad || n > SECRETS_MAX) {
		u->bad = true;
		return;
	}
	*list = xcalloc(n + 1, sizeof **list);
	for (; *count < n && !u->bad; ++*count) {
		size_t len;
		const void *value = unpack_bytes(u, &len);
		secret_set(&(*list)[*count], value, len);
	}
}

int launch_secrets_decode(const struct str *bytes, struct launch_secrets *out, struct err *err)
{
	own_launch_secrets struct launch_secrets s = LAUNCH_SECRETS_INIT;
	struct unpack u = unpack_of(bytes->data, bytes->len);

	decode_list(&u, &s.env, &s.nenv);
	decode_list(&u, &s.credentials, &s.ncredentials);
	if (!unpack_ok(&u))
		return fail(err, ERR_INPUT, "the launch's secrets do not decode");
	*out = s;
	s = (struct launch_secrets)LAUNCH_SECRETS_INIT;
	return 0;
}
