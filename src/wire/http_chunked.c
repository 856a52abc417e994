#include "wire/http.h"

#include "base/own.h"
#include "wire/chars.h"
#include "wire/fields.h"

#include "base/banned.h"

enum { DIGITS_MAX = 15 }; /* 60 bits: a size can't wrap */

/* One byte of what stands between the pieces of data. 0, or -1 for a byte that may not be
 * there. */
static int framing_byte(struct http_chunked *c, char byte)
{
	switch (c->state) {
	case HTTP_CHUNK_SIZE:
	case HTTP_CHUNK_SIZE_DIGITS:
		if (char_hex(byte) >= 0 && c->digits < DIGITS_MAX) {
			c->left = c->left << 4 | (uint64_t)char_hex(byte);
			c->digits++;
			c->state = HTTP_CHUNK_SIZE_DIGITS;
			return 0;
		}
		if (c->state == HTTP_CHUNK_SIZE || byte != '\r')
			return -1;
		c->state = HTTP_CHUNK_SIZE_LF;
		return 0;
	case HTTP_CHUNK_SIZE_LF:
		c->state = c->left ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILERS;
		return byte == '\n' ? 0 : -1;
	case HTTP_CHUNK_DATA_CR:
		c->state = HTTP_CHUNK_DATA_LF;
		return byte == '\r' ? 0 : -1;
	case HTTP_CHUNK_DATA_LF:
		c->state = HTTP_CHUNK_SIZE;
		c->digits = 0;
		return byte == '\n' ? 0 : -1;
	case HTTP_CHUNK_DATA:
	case HTTP_CHUNK_TRAILERS:
		break;
	}
	return -1;
}

ssize_t http_chunked_take(struct http_chunked *c, struct slice in, struct slice *data, enum wire_fault *fault)
{
	size_t at = 0;

	*data = (struct slice){ 0 };
	while (at < in.n && c->state != HTTP_CHUNK_DATA && c->state != HTTP_CHUNK_TRAILERS)
		if (framing_byte(c, in.at[at++]) < 0)
			return wire_refuse(fault, WIRE_CHUNK);
	if (c->state != HTTP_CHUNK_DATA || at == in.n)
		return (ssize_t)at;
	size_t n = in.n - at < c->left ? in.n - at : (size_t)c->left;
	*data = slice_cut(in, at, at + n);
	c->left -= n;
	if (c->left == 0)
		c->state = HTTP_CHUNK_DATA_CR;
	return (ssize_t)(at + n);
}

/* A trailer comes after the decision about its message was made and its body was read. */
static bool may_trail(struct slice name)
{
	static const char *const heads_only[] = {
		"transfer-encoding",
		"content-length",
		"host",
		"connection",
		"trailer",
		"te",
		"upgrade",
		"expect",
		"keep-alive",
		"content-encoding",
		"content-type",
		"content-range",
		"authorization",
		"cookie",
		"set-cookie",
		"www-authenticate",
		"x-api-key",
		"api-key",
		"x-goog-api-key",
		"private-token",
		"job-token",
		"deploy-token",
		"x-auth-token",
		"cache-control",
		"max-forwards",
		"range",
		"location",
		"vary",
		"age",
		"expires",
		"date",
		"retry-after",
		"alt-svc",
		"x-http-method-override",
		"x-http-method",
		"x-method-override",
	};

	if (http_name_forwards(name))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(heads_only); i++)
		if (http_name_is(name, heads_only[i]))
			return false;
	return true;
}

int http_trailers_parse(struct slice section, const struct http_limits *limits, struct http_fields *out,
                        enum wire_fault *fault)
{
	struct field_facts facts = { 0 };

	if (section.n > limits->head)
		return wire_refuse(fault, WIRE_HEAD_SIZE);
	if (fields_parse(section, limits, out, &facts, fault) < 0)
		return -1;
	for (size_t i = 0; i < out->n; i++)
		if (!may_trail(out->at[i].name))
			return wire_refuse(fault, WIRE_TRAILER);
	return 0;
}

size_t http_chunk_head(uint64_t n, char out[HTTP_CHUNK_HEAD])
{
	return (size_t)snprintf(out, HTTP_CHUNK_HEAD, "%llx\r\n", (unsigned long long)n);
}
