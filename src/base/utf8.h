#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Length of the well-formed UTF-8 sequence (RFC 3629) that @p begins with, 0 if there is none.
 * @n is at least 1. */
size_t utf8_length(const unsigned char *p, size_t n);
bool utf8_is_valid(const void *bytes, size_t n);
