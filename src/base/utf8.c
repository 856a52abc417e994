#include "base/utf8.h"

#include "base/own.h"
#include "base/banned.h"

size_t utf8_length(const unsigned char *p, size_t n)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t length;
	} forms[] = {
		{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last)
			continue;
		if (forms[i].length > n)
			return 0;
		for (size_t k = 1; k < forms[i].length; k++) {
			unsigned char low = k == 1 ? forms[i].low : 0x80,
				      high = k == 1 ? forms[i].high : 0xbf;
			if (p[k] < low || p[k] > high)
				return 0;
		}
		return forms[i].length;
	}
	return 0;
}

bool utf8_is_valid(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_length(p + i, n - i);
		if (len == 0)
			return false;
	}
	return true;
}
