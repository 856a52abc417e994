#include "wire/tls.h"

#include <stdint.h>
#include <string.h>
#include "wire/fields.h"

#include "base/banned.h"

enum {
	RECORD_HANDSHAKE = 22,
	RECORD_HEAD = 5,
	RECORD_MAX = 16384,
	HELLO_CLIENT = 1,
	HELLO_HEAD = 4,
	EXTENSION_NAME = 0,
	EXTENSION_ALPN = 16,
	EXTENSION_VERSIONS = 43,
	EXTENSION_ECH = 0xfe0d,
	EXTENSION_ESNI = 0xffce, /* its draft ancestor */
	EXTENSIONS_MAX = 64,
};

int tls_looks_so(struct slice in)
{
	if (in.n == 0)
		return -1;
	if (in.at[0] != RECORD_HANDSHAKE)
		return 0;
	return in.n == 1 ? -1 : in.at[1] == 3;
}

/* Bounded reading: over the end is noted, gives zeros, and is judged once at the end. */
struct cursor {
	const unsigned char *at;
	size_t n;
	bool bad;
};

static struct cursor take(struct cursor *c, size_t n)
{
	struct cursor part = { c->at, n, false };

	if (c->bad || n > c->n) {
		c->bad = true;
		return (struct cursor){ c->at, 0, true };
	}
	c->at += n;
	c->n -= n;
	return part;
}

static unsigned number(struct cursor *c, size_t bytes)
{
	struct cursor part = take(c, bytes);
	unsigned value = 0;

	for (size_t i = 0; i < part.n; i++)
		value = value << 8 | part.at[i];
	return value;
}

/* A vector with a length of @bytes in front. */
static struct cursor vector(struct cursor *c, size_t bytes)
{
	return take(c, number(c, bytes));
}

static int name_parse(struct cursor body, struct tls_hello *out, enum wire_fault *fault)
{
	struct cursor list = vector(&body, 2);
	unsigned type = number(&list, 1);
	struct cursor name = vector(&list, 2);

	/* One list of one host_name, and nothing behind it. */
	if (body.bad || list.bad || name.bad || body.n || list.n || type != 0 || name.n == 0 ||
	    name.n > TLS_NAME_MAX)
		return wire_refuse(fault, WIRE_SNI);
	for (size_t i = 0; i < name.n; i++)
		if (name.at[i] <= ' ' || name.at[i] > '~')
			return wire_refuse(fault, WIRE_SNI);
	memcpy(out->sni, name.at, name.n);
	out->sni[name.n] = '\0';
	out->sni_n = name.n;
	out->has_sni = true;
	return 0;
}

static int alpn_parse(struct cursor body, struct tls_hello *out, enum wire_fault *fault)
{
	struct cursor list = vector(&body, 2);

	out->has_alpn = true;
	while (list.n && !list.bad) {
		struct cursor name = vector(&list, 1);
		struct slice text = { (const char *)name.at, name.n };

		if (name.bad || name.n == 0)
			return wire_refuse(fault, WIRE_CLIENT_HELLO);
		out->alpn_h2 |= slice_is(text, "h2");
		out->alpn_http1 |= slice_is(text, "http/1.1");
	}
	return body.bad || list.bad || body.n ? wire_refuse(fault, WIRE_CLIENT_HELLO) : 0;
}

static int versions_parse(struct cursor body, struct tls_hello *out, enum wire_fault *fault)
{
	struct cursor list = vector(&body, 1);

	while (list.n && !list.bad)
		out->tls13 |= number(&list, 2) == 0x0304;
	return body.bad || list.bad || body.n ? wire_refuse(fault, WIRE_CLIENT_HELLO) : 0;
}

static int extension_parse(unsigned type, struct cursor body, struct tls_hello *out, enum wire_fault *fault)
{
	switch (type) {
	case EXTENSION_NAME:
		return name_parse(body, out, fault);
	case EXTENSION_ALPN:
		return alpn_parse(body, out, fault);
	case EXTENSION_VERSIONS:
		return versions_parse(body, out, fault);
	case EXTENSION_ECH:
	case EXTENSION_ESNI:
		out->ech = true;
		return 0;
	default:
		return 0;
	}
}

static int extensions_parse(struct cursor list, struct tls_hello *out, enum wire_fault *fault)
{
	unsigned seen[EXTENSIONS_MAX];
	size_t n = 0;

	while (list.n) {
		unsigned type = number(&list, 2);
		struct cursor body = vector(&list, 2);

		if (body.bad || list.bad || n == EXTENSIONS_MAX)
			return wire_refuse(fault, WIRE_CLIENT_HELLO);
		for (size_t i = 0; i < n; i++)
			if (seen[i] == type)
				return wire_refuse(fault, WIRE_CLIENT_HELLO);
		seen[n++] = type;
		if (extension_parse(type, body, out, fault) < 0)
			return -1;
	}
	return 0;
}

static int hello_parse(struct cursor c, struct tls_hello *out, enum wire_fault *fault)
{
	number(&c, 2); /* legacy_version */
	take(&c, 32);  /* random */
	struct cursor session = vector(&c, 1);
	struct cursor suites = vector(&c, 2);
	struct cursor compression = vector(&c, 1);

	if (c.bad || session.n > 32 || suites.n < 2 || suites.n % 2 || compression.n < 1)
		return wire_refuse(fault, WIRE_CLIENT_HELLO);
	if (c.n == 0)
		return 0; /* before extensions there were none */
	struct cursor extensions = vector(&c, 2);
	if (c.bad || c.n)
		return wire_refuse(fault, WIRE_CLIENT_HELLO);
	return extensions_parse(extensions, out, fault);
}

/* Joins the records' bodies until the hello is whole. Returns the bytes of input used, as
 * tls_hello_parse(); @hello_n is how many bytes of @hello are there. */
static ssize_t join(struct slice in, unsigned char *hello, size_t *hello_n, enum wire_fault *fault)
{
	struct cursor c = { (const unsigned char *)in.at, in.n, false };
	size_t have = 0;

	while (c.n >= RECORD_HEAD) {
		unsigned type = number(&c, 1), version = number(&c, 2), length = number(&c, 2);

		if (type != RECORD_HANDSHAKE || version >> 8 != 3 || length == 0 || length > RECORD_MAX)
			return wire_refuse(fault, WIRE_CLIENT_HELLO);
		size_t n = length < c.n ? length : c.n;
		if (have + n > TLS_HELLO_MAX)
			return wire_refuse(fault, WIRE_CLIENT_HELLO);
		struct cursor part = take(&c, n);
		memcpy(hello + have, part.at, n);
		have += n;
		if (have >= 1 && hello[0] != HELLO_CLIENT)
			return wire_refuse(fault, WIRE_CLIENT_HELLO);
		if (have >= HELLO_HEAD) {
			size_t whole =
				HELLO_HEAD + ((size_t)hello[1] << 16 | (size_t)hello[2] << 8 | hello[3]);
			/* Nothing may follow a ClientHello in its record: the client waits now. */
			if (whole > TLS_HELLO_MAX || have > whole || (have == whole && n < length))
				return wire_refuse(fault, WIRE_CLIENT_HELLO);
			if (have == whole) {
				*hello_n = have;
				return (ssize_t)(in.n - c.n);
			}
		}
		if (n < length)
			return 0;
	}
	return 0;
}

ssize_t tls_hello_parse(struct slice in, struct tls_hello *out, enum wire_fault *fault)
{
	unsigned char hello[TLS_HELLO_MAX];
	struct tls_hello found = { 0 };
	size_t n = 0;

	/* An alert or plain text is told from TLS at the first byte, not after five. */
	if (in.n && tls_looks_so(in) == 0)
		return wire_refuse(fault, WIRE_CLIENT_HELLO);
	ssize_t used = join(in, hello, &n, fault);
	if (used <= 0)
		return used;
	struct cursor body = { hello + HELLO_HEAD, n - HELLO_HEAD, false };
	if (hello_parse(body, &found, fault) < 0)
		return -1;
	*out = found;
	return used;
}
