#pragma once
/* SHA-256 (FIPS 180-4), by Nettle: it brings nothing else with it, so a program that needs one
 * digest does not first start a whole library of TLS. */
#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_TEXT = 65, SHA256_CONTEXT = 128 };

void sha256(const void *bytes, size_t n, unsigned char out[SHA256_SIZE]);
void sha256_text(const void *bytes, size_t n, char out[SHA256_TEXT]); /* lower-case hex, NUL */

/* Of bytes that come in parts. Ended, or cleared, it holds nothing. */
struct sha256_stream {
	_Alignas(uint64_t) unsigned char context[SHA256_CONTEXT]; /* the library's own */
};
void sha256_begin(struct sha256_stream *s);
void sha256_add(struct sha256_stream *s, const void *bytes, size_t n);
void sha256_end_text(struct sha256_stream *s, char out[SHA256_TEXT]);
void sha256_clear(struct sha256_stream *s);
#define own_sha256 __attribute__((cleanup(sha256_clear)))
