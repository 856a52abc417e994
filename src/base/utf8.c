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

int32_t utf8_next(const unsigned char **p, const unsigned char *end)
{
	const unsigned char *at = *p;
	size_t length = utf8_length(at, (size_t)(end - at));
	int32_t letter;

	if (length == 0) {
		++*p;
		return UTF8_BAD;
	}
	letter = length == 1 ? at[0] : at[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++)
		letter = letter << 6 | (at[i] & 0x3f);
	*p += length;
	return letter;
}

bool utf8_is_hidden(int32_t letter)
{
	/* Unicode's default ignorable code points, direction marks, line separators, tags,
	 * noncharacters that terminals swallow, and private use, which shows as anything. */
	static const struct {
		int32_t first, last;
	} hidden[] = {
		{ 0x00ad, 0x00ad },   { 0x034f, 0x034f },   { 0x061c, 0x061c },    { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 },   { 0x180b, 0x180f },   { 0x200b, 0x200f },    { 0x2028, 0x202e },
		{ 0x2060, 0x206f },   { 0x3164, 0x3164 },   { 0xe000, 0xf8ff },    { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },    { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff }, { 0xf0000, 0x10ffff },
	};

	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		if (letter >= hidden[i].first && letter <= hidden[i].last)
			return true;
	return false;
}
