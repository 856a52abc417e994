#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the well-formed UTF-8 sequence (RFC 3629) that @p begins with, 0 if there is none.
 * @n is at least 1. */
size_t utf8_length(const unsigned char *p, size_t n);
bool utf8_is_valid(const void *bytes, size_t n);

enum { UTF8_BAD = -1 };
/* The next code point and @p moved past it; UTF8_BAD moves one byte. @p is below @end. */
int32_t utf8_next(const unsigned char **p, const unsigned char *end);

/* Invisible, or changes how its neighbours are shown. */
bool utf8_is_hidden(int32_t letter);
