#include "policy/path.h"

#include "base/own.h"
#include "wire/chars.h"
#include "wire/percent.h"

#include "base/banned.h"

/* Has a "." or ".." segment? Parameters (";x") don't hide one: some origins drop them first. */
static bool has_dots(const char *text, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && text[i] != '/' && text[i] != '\\')
			continue;
		size_t end = from;
		while (end < i && text[end] != ';')
			end++;
		if ((end - from == 1 && text[from] == '.') ||
		    (end - from == 2 && text[from] == '.' && text[from + 1] == '.'))
			return true;
		from = i + 1;
	}
	return false;
}

/* Control bytes, and UTF-8 that spells an ASCII character in more bytes than it needs. */
static bool has_trick(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i], next = i + 1 < n ? (unsigned char)text[i + 1] : 0;

		if (c < 0x20 || c == 0x7f || c == 0xc0 || c == 0xc1)
			return true;
		if ((c == 0xe0 && next >= 0x80 && next < 0xa0) || (c == 0xf0 && next >= 0x80 && next < 0x90))
			return true;
	}
	return false;
}

static int judge(const char *text, size_t n, enum wire_fault *fault)
{
	if (has_trick(text, n)) {
		*fault = WIRE_PATH;
		return -1;
	}
	if (has_dots(text, n)) {
		*fault = WIRE_PATH_DOTS;
		return -1;
	}
	return 0;
}

static int judge_decoded(struct slice raw, enum wire_fault *fault)
{
	if (!memchr(raw.at, '%', raw.n))
		return judge(raw.at, raw.n, fault);
	own_mem char *text = xstrndup(raw.at, raw.n);
	size_t n = raw.n;
	for (unsigned layer = 0; layer <= PERCENT_LAYERS; layer++) {
		if (judge(text, n, fault) < 0)
			return -1;
		size_t shorter = percent_decode(text, n);
		if (shorter == n)
			return 0;
		n = shorter;
	}
	*fault = WIRE_PATH;
	return -1;
}

int path_canonical(struct slice raw, struct str *out, enum wire_fault *fault)
{
	static const char digits[] = "0123456789ABCDEF";

	*fault = WIRE_PATH;
	if (raw.n == 0 || raw.at[0] != '/' || memchr(raw.at, '\0', raw.n))
		return -1;
	for (size_t i = 0; i < raw.n; i++)
		if (raw.at[i] == '%' && char_escape(slice_cut(raw, i, raw.n)) < 0)
			return -1;
	if (judge_decoded(raw, fault) < 0)
		return -1;
	str_reserve(out, raw.n * 3);
	for (size_t i = 0; i < raw.n; i++) {
		int byte = char_escape(slice_cut(raw, i, raw.n));
		char c = byte >= 0 ? (char)byte : raw.at[i];

		if (byte >= 0)
			i += 2;
		if (char_is(c, byte >= 0 ? CHAR_UNRESERVED : CHAR_PATH)) {
			str_addc(out, c);
			continue;
		}
		char escape[3] = { '%', digits[(unsigned char)c >> 4], digits[(unsigned char)c & 15] };
		str_addn(out, escape, sizeof escape);
	}
	return 0;
}
