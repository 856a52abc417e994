#pragma once
/* Borrowed bytes: a view into somebody's buffer, not NUL-terminated, valid as long as the
 * buffer is. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *at; /* may be NULL while n is 0 */
	size_t n;
};

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ text, text ? strlen(text) : 0 };
}

static inline struct slice slice_cut(struct slice s, size_t from, size_t to)
{
	/* An empty slice may point nowhere, and nowhere has no offset. */
	return (struct slice){ s.n ? s.at + from : s.at, to - from };
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

static inline bool slice_is(struct slice s, const char *text)
{
	return slice_equal(s, slice_of(text));
}

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Equal but for the case of ASCII letters; the locale has no say. */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	return true;
}

static inline bool slice_is_nocase(struct slice s, const char *text)
{
	return slice_equal_nocase(s, slice_of(text));
}
