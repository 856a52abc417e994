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

void sha256_text(const void *bytes, size_t n, char out[SHA256_TEXT])
{
	unsigned char sum[SHA256_SIZE];

	sha256(bytes, n, sum);
	for (size_t i = 0; i < sizeof sum; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}
