#pragma once
#include <stddef.h>

void random_bytes(void *out, size_t n); /* getrandom(2); aborts without entropy */
/* @n characters of [a-z0-9], uniformly, and a NUL. */
void random_name(char *out, size_t n);
