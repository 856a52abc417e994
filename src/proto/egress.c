#include "proto/egress.h"

#include <string.h>

#include "base/msg.h"
#include "base/banned.h"

enum {
	NAME_MAX_ = 1024,
	FILE_MAX = 4 * 1024 * 1024,
	SERVERS_MAX = 16,
	FORMAT = 1, /* first byte: both ends are of one build, this only catches a mix-up */
};

const struct egress_limits egress_limits_default = {
	.head_bytes = 64 * 1024,
	.headers = 128,
	.head_ms = 30 * 1000,
	.idle_ms = 10 * 60 * 1000,
	.total_ms = 6 * 60 * 60 * 1000,
	.connect_ms = 15 * 1000,
	.connections = 256,
	.pool = 32,
	.pool_ms = 30 * 1000,
	.decoded_bytes = 256 * 1024 * 1024,
	.frame_bytes = 16 * 1024 * 1024,
	.audit_queue = 1024,
};

/* The texts of a configuration, in the order in which they are encoded. */
/* clang-format off */
#define TEXT(name, max)                                   \
	{                                                 \
		offsetof(struct egress_config, name), max \
	}
/* clang-format on */
static const struct {
	size_t offset;
	size_t max;
} texts[] = {
	TEXT(slug, NAME_MAX_),  TEXT(routes, FILE_MAX),      TEXT(canary, NAME_MAX_),
	TEXT(roots, FILE_MAX),  TEXT(extra_ca, FILE_MAX),    TEXT(resolv_conf, FILE_MAX),
	TEXT(hosts, FILE_MAX),  TEXT(fixed_hosts, FILE_MAX), TEXT(proxy_host, NAME_MAX_),
	TEXT(nonce, NAME_MAX_),
};

static char **text_of(const struct egress_config *c, size_t i)
{
	return (char **)((char *)c + texts[i].offset);
}

void egress_config_init(struct egress_config *c)
{
	*c = (struct egress_config){ .log = EGRESS_LOG_BLOCKS, .limits = egress_limits_default };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*text_of(c, i) = xstrdup("");
}

static void wipe_credential(struct egress_credential *c)
{
	mem_drop(&c->host);
	mem_drop(&c->header);
	mem_drop(&c->placeholder);
	secret_clear(&c->value);
}

void egress_config_clear(struct egress_config *c)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		mem_drop(text_of(c, i));
	for (size_t i = 0; i < c->ncredentials; i++)
		wipe_credential(&c->credentials[i]);
	mem_drop(&c->credentials);
	c->ncredentials = 0;
	strv_clear(&c->resolver);
	secret_clear(&c->proxy_login);
}

struct egress_credential *egress_config_add_credential(struct egress_config *c)
{
	c->credentials = xrealloc(c->credentials, c->ncredentials + 1, sizeof *c->credentials);
	c->credentials[c->ncredentials] = (struct egress_credential){ 0 };
	return &c->credentials[c->ncredentials++];
}

static void pack_secret(struct str *out, const struct secret *s)
{
	pack_bytes(out, secret_expose(s), secret_len(s));
}

static void unpack_secret(struct unpack *u, size_t min, struct secret *s)
{
	size_t n;
	const void *bytes = unpack_bytes(u, &n);

	if (n < min || n > EGRESS_SECRET_MAX || (n && memchr(bytes, 0, n)))
		u->bad = true;
	else
		secret_set(s, bytes, n);
}

void egress_config_encode(const struct egress_config *c, struct str *out)
{
	pack_u8(out, FORMAT);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		pack_text(out, *text_of(c, i));
	pack_strv(out, &c->resolver);
	pack_u32(out, c->proxy_port);
	pack_secret(out, &c->proxy_login);
	pack_u32(out, c->log);
	pack_bytes(out, &c->limits, sizeof c->limits);
	pack_u32(out, (uint32_t)c->ncredentials);
	for (size_t i = 0; i < c->ncredentials; i++) {
		const struct egress_credential *row = &c->credentials[i];
		pack_text(out, row->host);
		pack_u32(out, row->port);
		pack_u32(out, row->scheme);
		pack_text(out, row->header);
		pack_secret(out, &row->value);
		pack_text(out, row->placeholder);
	}
}

static void unpack_credential(struct unpack *u, struct egress_credential *row)
{
	row->host = unpack_text(u, NAME_MAX_);
	row->port = unpack_u32(u);
	row->scheme = (enum egress_scheme)unpack_u32(u);
	row->header = unpack_text(u, NAME_MAX_);
	unpack_secret(u, EGRESS_SECRET_MIN, &row->value);
	row->placeholder = unpack_text(u, NAME_MAX_);
	if ((unsigned)row->scheme >= EGRESS_SCHEMES || !row->placeholder || strlen(row->placeholder) < 8)
		u->bad = true;
	if (row->scheme == EGRESS_HEADER && (!row->header || !*row->header))
		u->bad = true;
}

static void unpack_limits(struct unpack *u, struct egress_limits *limits)
{
	size_t n;
	const void *bytes = unpack_bytes(u, &n);

	if (n == sizeof *limits)
		memcpy(limits, bytes, n);
	else
		u->bad = true;
}

int egress_config_decode(const void *bytes, size_t n, struct egress_config *out, struct err *err)
{
	own_egress_config struct egress_config c = EGRESS_CONFIG_INIT;
	struct unpack u = unpack_of(bytes, n);

	if (n > EGRESS_CONFIG_MAX || unpack_u8(&u) != FORMAT)
		return fail(err, ERR_INPUT, "no gateway configuration of at most %d bytes",
		            EGRESS_CONFIG_MAX);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*text_of(&c, i) = unpack_text(&u, texts[i].max);
	unpack_strv(&u, SERVERS_MAX, NAME_MAX_, &c.resolver);
	c.proxy_port = unpack_u32(&u);
	unpack_secret(&u, 0, &c.proxy_login);
	c.log = (enum egress_log)unpack_u32(&u);
	unpack_limits(&u, &c.limits);
	uint32_t count = unpack_u32(&u);
	if (count > EGRESS_CREDENTIALS_MAX || (unsigned)c.log >= EGRESS_LOGS)
		u.bad = true;
	for (uint32_t i = 0; i < count && !u.bad; i++)
		unpack_credential(&u, egress_config_add_credential(&c));
	if (!unpack_ok(&u))
		return fail(err, ERR_INPUT, "the gateway's configuration does not decode");
	*out = c;
	c = (struct egress_config)EGRESS_CONFIG_INIT;
	return 0;
}

void egress_ca_encode(const char *pem, struct str *out)
{
	pack_u8(out, EGRESS_CA);
	pack_text(out, pem);
}

int egress_ca_decode(const struct str *bytes, char **out, struct err *err)
{
	struct unpack u = unpack_of(bytes->data, bytes->len);
	uint8_t type = unpack_u8(&u);
	own_mem char *pem = unpack_text(&u, 64 * 1024);

	if (type != EGRESS_CA || !unpack_ok(&u) || !str_starts(pem, "-----BEGIN CERTIFICATE-----"))
		return fail(err, ERR_INPUT, "no certificate in the gateway's message");
	*out = mem_steal(&pem);
	return 0;
}
