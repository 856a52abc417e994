#include "base/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/err.h"
#include "base/banned.h"

void sha256(const void *bytes, size_t n, unsigned char out[SHA256_SIZE])
{
	unsigned got = 0;

	if (EVP_Digest(bytes, n, out, &got, EVP_sha256(), NULL) != 1 || got != SHA256_SIZE)
		bug("SHA-256 is not available");
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

void sha256_begin(struct sha256_stream *s)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
		bug("SHA-256 is not available");
	s->context_ = context;
}

void sha256_add(struct sha256_stream *s, const void *bytes, size_t n)
{
	if (EVP_DigestUpdate(s->context_, bytes, n) != 1)
		bug("SHA-256 does not go on");
}

void sha256_end_text(struct sha256_stream *s, char out[SHA256_TEXT])
{
	unsigned char sum[SHA256_SIZE];

	if (EVP_DigestFinal_ex(s->context_, sum, NULL) != 1)
		bug("SHA-256 does not end");
	as_text(sum, out);
	sha256_clear(s);
}

void sha256_clear(struct sha256_stream *s)
{
	EVP_MD_CTX_free(s->context_);
	s->context_ = NULL;
}
