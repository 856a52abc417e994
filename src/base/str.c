#include "base/str.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "base/banned.h"

void str_clear(struct str *s)
{
	mem_drop(&s->data);
	s->len = s->cap = 0;
}

void str_reset(struct str *s)
{
	s->len = 0;
	if (s->data)
		s->data[0] = '\0';
}

void str_reserve(struct str *s, size_t more)
{
	if (more > SIZE_MAX / 4 || s->len > SIZE_MAX / 4)
		bug("string of %zu + %zu bytes", s->len, more);
	if (s->data && s->cap - s->len > more)
		return;
	size_t cap = s->cap ? s->cap : 32;
	while (cap - s->len <= more)
		cap *= 2;
	s->data = xrealloc(s->data, cap, 1);
	s->cap = cap;
}

/* Mostly there is room; what looks no further then is most of what printing costs. */
void str_addn(struct str *s, const void *bytes, size_t n)
{
	if (!s->data || s->cap - s->len <= n)
		str_reserve(s, n);
	if (n)
		memcpy(s->data + s->len, bytes, n);
	s->len += n;
	s->data[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
	str_addn(s, &c, 1);
}

void str_add_number(struct str *s, uint64_t n)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	str_addn(s, digits + at, sizeof digits - at);
}

void str_vaddf(struct str *s, const char *fmt, va_list ap)
{
	va_list again;

	/* Mostly there is room: then once is enough. */
	va_copy(again, ap);
	int n = vsnprintf(s->data ? s->data + s->len : NULL, s->cap - s->len, fmt, again);
	va_end(again);
	if (n < 0)
		bug("bad format %s", fmt);
	if ((size_t)n >= s->cap - s->len) {
		str_reserve(s, (size_t)n);
		vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
	}
	s->len += (size_t)n;
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(s, fmt, ap);
	va_end(ap);
}

void str_cut_front(struct str *s, size_t n)
{
	if (n > s->len)
		bug("cutting %zu of %zu bytes", n, s->len);
	if (n == 0)
		return;
	memmove(s->data, s->data + n, s->len - n);
	s->len -= n;
	s->data[s->len] = '\0';
}

char *str_steal(struct str *s)
{
	if (!s->data)
		str_addn(s, "", 0);
	char *data = s->data;
	*s = (struct str)STR_INIT;
	return data;
}

const char *str_c(const struct str *s)
{
	return s->data ? s->data : "";
}

void str_add_escaped(struct str *s, const void *bytes, size_t n, size_t limit)
{
	const unsigned char *p = bytes;
	size_t shown = n < limit ? n : limit;

	for (size_t i = 0; i < shown; i++) {
		if (p[i] == '\\')
			str_add(s, "\\\\");
		else if (p[i] >= 0x20 && p[i] < 0x7f)
			str_addc(s, (char)p[i]);
		else
			str_addf(s, "\\x%02x", p[i]);
	}
	if (shown < n)
		str_add(s, "...");
}

const char *str_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

bool str_is(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_number(const char *s, unsigned long min, unsigned long max, unsigned long *out)
{
	unsigned long n = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		unsigned long digit = (unsigned long)(*s - '0');
		if (n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n < min || n > max)
		return false;
	*out = n;
	return true;
}

enum { DISTANCE_MAX = 64 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned str_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned row[3][DISTANCE_MAX + 1];

	if (n > DISTANCE_MAX || m > DISTANCE_MAX)
		return UINT32_MAX;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *now = row[i % 3], *before = row[(i - 1) % 3], *earlier = row[(i + 1) % 3];
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned cost = a[i - 1] != b[j - 1];
			now[j] = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], earlier[j - 2] + 1);
		}
	}
	return row[n % 3][m];
}

const char *str_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	/* A third of a short word is no longer a typing error. */
	unsigned limit = strlen(word) < 4 ? 2 : 3;

	for (size_t i = 0; i < n; i++) {
		unsigned distance = str_distance(word, names[i]);

		if (distance < limit) {
			best = names[i];
			limit = distance;
		}
	}
	return best;
}

void hex_encode(struct str *out, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		str_addf(out, "%02x", p[i]);
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct str *out, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)p[i] << 16;
		if (left > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			v |= p[i + 2];
		str_addc(out, base64_digits[v >> 18]);
		str_addc(out, base64_digits[v >> 12 & 63]);
		str_addc(out, left > 1 ? base64_digits[v >> 6 & 63] : '=');
		str_addc(out, left > 2 ? base64_digits[v & 63] : '=');
	}
}

static int base64_value(char c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	if (c == (url ? '_' : '/'))
		return 63;
	return -1;
}

bool base64_decode(struct str *out, const char *text, size_t n, bool url)
{
	size_t before = out->len;
	uint32_t bits = 0;
	unsigned have = 0;

	size_t pad = 0;
	while (n > 0 && pad < 2 && text[n - 1] == '=') {
		n--;
		pad++;
	}
	if (n % 4 == 1 || (pad && (n + pad) % 4))
		return false;
	for (size_t i = 0; i < n; i++) {
		int v = base64_value(text[i], url);
		if (v < 0)
			goto bad;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			str_addc(out, (char)(bits >> have));
		}
	}
	/* Bits left over must be zero: one byte string, one spelling. */
	if (bits & ((1u << have) - 1))
		goto bad;
	return true;
bad:
	if (out->data) {
		out->len = before;
		out->data[before] = '\0';
	}
	return false;
}
