#pragma once
#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_TEXT = 65, SHA256_BLOCK = 64 };

void sha256(const void *bytes, size_t n, unsigned char out[SHA256_SIZE]);
void sha256_text(const void *bytes, size_t n, char out[SHA256_TEXT]); /* lower-case hex, NUL */

/* Of bytes that come in parts. Ended, or cleared, it holds nothing. */
struct sha256_stream {
	uint32_t state[SHA256_SIZE / 4];
	uint64_t n; /* bytes so far; what is no whole block yet: */
	unsigned char block[SHA256_BLOCK];
};
void sha256_begin(struct sha256_stream *s);
void sha256_add(struct sha256_stream *s, const void *bytes, size_t n);
void sha256_end_text(struct sha256_stream *s, char out[SHA256_TEXT]);
void sha256_clear(struct sha256_stream *s);
#define own_sha256 __attribute__((cleanup(sha256_clear)))
