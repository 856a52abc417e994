#include "base/sha256.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

_Static_assert(sizeof(struct sha256_ctx) <= SHA256_CONTEXT, "the library's context has its room");
_Static_assert(SHA256_SIZE == SHA256_DIGEST_SIZE, "a digest is a digest");

static struct sha256_ctx *context_of(struct sha256_stream *s)
{
	return (struct sha256_ctx *)(void *)s->context;
}

void sha256_begin(struct sha256_stream *s)
{
	sha256_init(context_of(s));
}

void sha256_add(struct sha256_stream *s, const void *bytes, size_t n)
{
	sha256_update(context_of(s), n, bytes);
}

static void end(struct sha256_stream *s, unsigned char out[SHA256_SIZE])
{
	sha256_digest(context_of(s), SHA256_SIZE, out);
	sha256_clear(s);
}

void sha256(const void *bytes, size_t n, unsigned char out[SHA256_SIZE])
{
	struct sha256_stream s;

	sha256_begin(&s);
	sha256_add(&s, bytes, n);
	end(&s, out);
}

static void as_text(const unsigned char sum[SHA256_SIZE], char out[SHA256_TEXT])
{
	for (size_t i = 0; i < SHA256_SIZE; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

void sha256_text(const void *bytes, size_t n, char out[SHA256_TEXT])
{
	unsigned char sum[SHA256_SIZE];

	sha256(bytes, n, sum);
	as_text(sum, out);
}

void sha256_end_text(struct sha256_stream *s, char out[SHA256_TEXT])
{
	unsigned char sum[SHA256_SIZE];

	end(s, sum);
	as_text(sum, out);
}

void sha256_clear(struct sha256_stream *s)
{
	explicit_bzero(s, sizeof *s);
}
