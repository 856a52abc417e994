#pragma once
#include <stddef.h>

enum { SHA256_SIZE = 32, SHA256_TEXT = 65 };

void sha256(const void *bytes, size_t n, unsigned char out[SHA256_SIZE]);
void sha256_text(const void *bytes, size_t n, char out[SHA256_TEXT]); /* lower-case hex, NUL */
