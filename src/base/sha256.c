/* FIPS 180-4, section 6.2. By hand, since a library that brings it brings its own start with
 * it: more than all else that these programs do before their first line. */
#include "base/sha256.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

enum { LENGTH = 8, WORDS = SHA256_SIZE / 4, ROUNDS = 64 };

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t k[ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
/* Of the square roots of the first eight. */
static const uint32_t start[WORDS] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

static uint32_t turn(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void expand(const unsigned char *block, uint32_t w[ROUNDS])
{
	for (size_t i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (size_t i = 16; i < ROUNDS; i++) {
		uint32_t s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
		uint32_t s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
}

static void add_block(uint32_t state[WORDS], const unsigned char *block)
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
	uint32_t w[ROUNDS];

	expand(block, w);
	for (size_t i = 0; i < ROUNDS; i++) {
		uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
		uint32_t one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + k[i] + w[i];
		uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority;
		h = g, g = f, f = e, e = d + one;
		d = c, c = b, b = a, a = one + two;
	}
	const uint32_t sums[WORDS] = { a, b, c, d, e, f, g, h };
	for (size_t i = 0; i < WORDS; i++)
		state[i] += sums[i];
}

void sha256_begin(struct sha256_stream *s)
{
	memcpy(s->state, start, sizeof s->state);
	s->n = 0;
}

void sha256_add(struct sha256_stream *s, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t held = s->n % SHA256_BLOCK; n > 0; held = 0) {
		size_t part = n < SHA256_BLOCK - held ? n : SHA256_BLOCK - held;
		if (part < SHA256_BLOCK)
			memcpy(s->block + held, p, part);
		if (held + part == SHA256_BLOCK)
			add_block(s->state, held ? s->block : p);
		s->n += part;
		p += part;
		n -= part;
	}
}

static void end(struct sha256_stream *s, unsigned char out[SHA256_SIZE])
{
	static const unsigned char one[2 * SHA256_BLOCK] = { 0x80 };
	const uint64_t bits = s->n * 8;
	size_t rest = s->n % SHA256_BLOCK;
	unsigned char length[LENGTH];

	/* One bit, zeros, and how many bits there were. */
	sha256_add(s, one, (rest < SHA256_BLOCK - LENGTH ? SHA256_BLOCK : 2 * SHA256_BLOCK) - LENGTH - rest);
	for (size_t i = 0; i < LENGTH; i++)
		length[i] = (unsigned char)(bits >> 8 * (LENGTH - 1 - i));
	sha256_add(s, length, LENGTH);
	for (size_t i = 0; i < SHA256_SIZE; i++)
		out[i] = (unsigned char)(s->state[i / 4] >> (24 - 8 * (i % 4)));
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
