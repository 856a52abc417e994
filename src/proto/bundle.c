#include "proto/bundle.h"

#include <string.h>

#include "base/msg.h"
#include "base/banned.h"

enum { FORMAT = 2 };

void bundle_config_clear(struct bundle_config *c)
{
	secret_clear(&c->token);
	mem_drop(&c->address);
	mem_drop(&c->device);
	mem_drop(&c->program);
	strv_clear(&c->listeners);
	if (c->sidecar.data)
		explicit_bzero(c->sidecar.data, c->sidecar.len);
	str_clear(&c->sidecar);
}

void bundle_config_encode(const struct bundle_config *c, struct str *out)
{
	/* At once: growing would leave copies of the secrets behind. */
	str_reserve(out, c->sidecar.len + 4096 + c->listeners.n * BUNDLE_NAME_MAX);
	pack_u8(out, FORMAT);
	pack_bytes(out, secret_expose(&c->token), secret_len(&c->token));
	pack_text(out, c->address);
	pack_u32(out, c->port);
	pack_text(out, c->device);
	pack_text(out, c->program);
	pack_strv(out, &c->listeners);
	pack_bytes(out, str_c(&c->sidecar), c->sidecar.len);
}

int bundle_config_decode(const void *bytes, size_t n, struct bundle_config *out, struct err *err)
{
	own_bundle_config struct bundle_config c = BUNDLE_CONFIG_INIT;
	struct unpack u = unpack_of(bytes, n);
	size_t length;

	if (unpack_u8(&u) != FORMAT)
		return fail(err, ERR_INPUT, "the bundle's configuration is of another build");
	const void *token = unpack_bytes(&u, &length);
	if (u.bad || length != BUNDLE_TOKEN)
		return fail(err, ERR_INPUT, "the bundle's configuration has no token");
	secret_set(&c.token, token, length);
	c.address = unpack_text(&u, BUNDLE_NAME_MAX);
	c.port = unpack_u32(&u);
	c.device = unpack_text(&u, BUNDLE_NAME_MAX);
	c.program = unpack_text(&u, BUNDLE_NAME_MAX);
	unpack_strv(&u, BUNDLE_LISTENERS, BUNDLE_NAME_MAX, &c.listeners);
	const void *sidecar = unpack_bytes(&u, &length);
	if (!unpack_ok(&u) || c.port == 0 || c.port > 65535 || c.listeners.n == 0)
		return fail(err, ERR_INPUT, "the bundle's configuration does not decode");
	str_reserve(&c.sidecar, length);
	str_addn(&c.sidecar, sidecar, length);
	*out = c;
	c = (struct bundle_config)BUNDLE_CONFIG_INIT;
	return 0;
}

void bundle_frame_add(struct str *out, enum bundle_frame kind, const void *bytes, size_t n)
{
	size_t length = n + 1;

	str_reserve(out, length + 4);
	for (int shift = 24; shift >= 0; shift -= 8)
		str_addc(out, (char)(length >> shift & 0xff));
	str_addc(out, (char)kind);
	str_addn(out, bytes, n);
}

int bundle_frame_look(const struct str *in, size_t limit, enum bundle_frame *kind, struct str *body,
                      struct err *err)
{
	const unsigned char *p = (const unsigned char *)in->data;

	if (in->len < 4)
		return 0;
	size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	/* The kind, and something: an empty message can't be sent on. */
	if (length < 2 || length - 1 > limit)
		return fail(err, ERR_INPUT, "a frame of %zu bytes; 2 to %zu are possible", length, limit + 1);
	if (in->len >= BUNDLE_FRAME_HEAD && p[4] != FRAME_CONFIG && p[4] != FRAME_MESSAGE)
		return fail(err, ERR_INPUT, "a frame of kind %d", p[4]);
	if (in->len < 4 + length)
		return 0;
	*kind = (enum bundle_frame)p[4];
	*body = (struct str){ in->data + BUNDLE_FRAME_HEAD, length - 1, 0 };
	return 1;
}

size_t bundle_frame_size(const struct str *body)
{
	return BUNDLE_FRAME_HEAD + body->len;
}

bool bundle_token_is(const struct secret *token, const void *bytes)
{
	const unsigned char *a = (const unsigned char *)secret_expose(token);
	const unsigned char *b = bytes;
	unsigned char differs = 0;

	if (secret_len(token) != BUNDLE_TOKEN)
		return false;
	for (size_t i = 0; i < BUNDLE_TOKEN; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return differs == 0;
}
