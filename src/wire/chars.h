#pragma once
/* What each byte may be, as one table: the parsers ask nothing of the locale. */
#include <stdbool.h>
#include <stdint.h>
#include "base/slice.h"

enum {
	CHAR_TOKEN = 1,  /* tchar of RFC 9110 */
	CHAR_VALUE = 2,  /* may stand in a field value: visible, blank, TAB, obs-text */
	CHAR_TARGET = 4, /* may stand in a request target: visible ASCII but "#" */
	CHAR_DIGIT = 8,
	CHAR_HEX = 16,
	CHAR_ALPHA = 32,
	CHAR_UNRESERVED = 64, /* of RFC 3986 */
	CHAR_PATH = 128,      /* pchar and "/", but "%" */
};
extern const uint8_t char_classes[256];

static inline bool char_is(char c, unsigned classes)
{
	return (char_classes[(unsigned char)c] & classes) != 0;
}

/* Value of a hexadecimal digit, -1 for another byte. */
static inline int char_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that a text begins with as "%XX", -1 where it does not begin so. */
static inline int char_escape(struct slice text)
{
	if (text.n < 3 || text.at[0] != '%' || char_hex(text.at[1]) < 0 || char_hex(text.at[2]) < 0)
		return -1;
	return char_hex(text.at[1]) << 4 | char_hex(text.at[2]);
}
