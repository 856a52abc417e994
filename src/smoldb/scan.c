#include "smoldb/scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/banned.h"

struct scanner {
	const unsigned char *text;
	size_t n, at;
	int depth;
	const char *wanted; /* the key to find in the outermost object */
	struct scan *found;
	struct err *err;
};

static int scan_value(struct scanner *s);

static int bad(struct scanner *s, const char *what)
{
	return fail(s->err, ERR_INPUT, "not strict JSON at byte %zu: %s", s->at, what);
}

/* -1 at the end, which no grammar rule accepts. */
static int peek(const struct scanner *s)
{
	return s->at < s->n ? s->text[s->at] : -1;
}

static void skip_blank(struct scanner *s)
{
	int c;

	while (c = peek(s), c == ' ' || c == '\t' || c == '\n' || c == '\r')
		s->at++;
}

static bool take(struct scanner *s, const char *word)
{
	size_t len = strlen(word);

	if (s->n - s->at < len || memcmp(s->text + s->at, word, len) != 0)
		return false;
	s->at += len;
	return true;
}

static int hex4(struct scanner *s, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++, s->at++) {
		int c = peek(s);
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (uint32_t)(c - 'A' + 10);
		else
			return bad(s, "\\u needs four hexadecimal digits");
	}
	*out = v;
	return 0;
}

static void add_utf8(struct str *out, uint32_t c)
{
	if (c < 0x80) {
		str_addc(out, (char)c);
	} else if (c < 0x800) {
		str_addc(out, (char)(0xc0 | c >> 6));
		str_addc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		str_addc(out, (char)(0xe0 | c >> 12));
		str_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		str_addc(out, (char)(0xf0 | c >> 18));
		str_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		str_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* Behind "\u". A surrogate must have its other half: readers differ on lone ones, and where
 * they differ two keys can look different to us and equal to the program that acts. */
static int scan_unicode_escape(struct scanner *s, struct str *out)
{
	uint32_t c, low;

	if (hex4(s, &c) != 0)
		return -1;
	if (c >= 0xdc00 && c <= 0xdfff)
		return bad(s, "a low surrogate without its high one");
	if (c >= 0xd800 && c <= 0xdbff) {
		if (!take(s, "\\u"))
			return bad(s, "a high surrogate without its low one");
		if (hex4(s, &low) != 0)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return bad(s, "a high surrogate without its low one");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	if (out)
		add_utf8(out, c);
	return 0;
}

static int scan_escape(struct scanner *s, struct str *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	s->at++;
	int c = peek(s);
	s->at++;
	if (c == 'u')
		return scan_unicode_escape(s, out);
	const char *known = c > 0 ? strchr(from, c) : NULL;
	if (!known) {
		s->at--;
		return bad(s, "an unknown escape");
	}
	if (out)
		str_addc(out, to[known - from]);
	return 0;
}

/* One well-formed UTF-8 sequence of two to four bytes (RFC 3629 section 4). */
static int scan_multibyte(struct scanner *s, struct str *out)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t more;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 1 }, { 0xe0, 0xe0, 0xa0, 0xbf, 2 }, { 0xe1, 0xec, 0x80, 0xbf, 2 },
		{ 0xed, 0xed, 0x80, 0x9f, 2 }, { 0xee, 0xef, 0x80, 0xbf, 2 }, { 0xf0, 0xf0, 0x90, 0xbf, 3 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 3 }, { 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};
	const unsigned char *p = s->text + s->at;
	size_t left = s->n - s->at;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last)
			continue;
		bool ok = left > forms[i].more && p[1] >= forms[i].low && p[1] <= forms[i].high;
		for (size_t k = 2; ok && k <= forms[i].more; k++)
			ok = p[k] >= 0x80 && p[k] <= 0xbf;
		if (!ok)
			break;
		if (out)
			str_addn(out, p, forms[i].more + 1);
		s->at += forms[i].more + 1;
		return 0;
	}
	return bad(s, "not UTF-8");
}

/* At the opening quote. @out, if given, gets the string that is denoted. */
static int scan_string(struct scanner *s, struct str *out)
{
	s->at++;
	for (;;) {
		int c = peek(s);
		int rc = 0;
		if (c < 0)
			return bad(s, "a string without its end");
		if (c < 0x20)
			return bad(s, "a control character in a string");
		if (c == '"')
			break;
		if (c == '\\') {
			rc = scan_escape(s, out);
		} else if (c >= 0x80) {
			rc = scan_multibyte(s, out);
		} else {
			if (out)
				str_addc(out, (char)c);
			s->at++;
		}
		if (rc != 0)
			return -1;
	}
	s->at++;
	return 0;
}

static bool scan_digits(struct scanner *s)
{
	size_t before = s->at;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	return s->at > before;
}

static int scan_number(struct scanner *s)
{
	if (peek(s) == '-')
		s->at++;
	if (peek(s) == '0')
		s->at++;
	else if (!scan_digits(s))
		return bad(s, "not a value");
	if (peek(s) == '.') {
		s->at++;
		if (!scan_digits(s))
			return bad(s, "digits are missing behind the point");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		if (!scan_digits(s))
			return bad(s, "digits are missing in the exponent");
	}
	return 0;
}

/* The keys of one object, to find equal ones. */
struct keys {
	struct str *v;
	size_t n, cap;
};

static void keys_clear(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		str_clear(&k->v[i]);
	mem_drop(&k->v);
	k->n = k->cap = 0;
}

static struct str *keys_add(struct keys *k)
{
	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 16;
		k->v = xrealloc(k->v, k->cap, sizeof *k->v);
	}
	k->v[k->n] = (struct str)STR_INIT;
	return &k->v[k->n++];
}

static int compare_keys(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return strcmp(str_c(x), str_c(y));
}

static int no_key_twice(struct scanner *s, struct keys *k)
{
	if (k->n)
		qsort(k->v, k->n, sizeof *k->v, compare_keys);
	for (size_t i = 1; i < k->n; i++) {
		if (compare_keys(&k->v[i - 1], &k->v[i]) != 0)
			continue;
		own_str struct str shown = STR_INIT;
		str_add_escaped(&shown, str_c(&k->v[i]), k->v[i].len, 60);
		return fail(s->err, ERR_INPUT,
		            "the key \"%s\" stands twice in the object that ends at byte %zu", str_c(&shown),
		            s->at);
	}
	return 0;
}

/* At a key. */
static int scan_member(struct scanner *s, struct keys *keys)
{
	if (peek(s) != '"')
		return bad(s, "a key in quotes is expected");
	struct str *key = keys_add(keys);
	if (scan_string(s, key) != 0)
		return -1;
	/* Readers in C end the key there: two keys of ours would be one to them, and one is another. */
	if (memchr(str_c(key), '\0', key->len))
		return bad(s, "a key holds a NUL");
	bool wanted = s->depth == 1 && str_is(str_c(key), s->wanted);
	skip_blank(s);
	if (peek(s) != ':')
		return bad(s, "a colon is expected");
	s->at++;
	skip_blank(s);
	size_t start = s->at;
	if (scan_value(s) != 0)
		return -1;
	if (wanted)
		s->found->value = (struct span){ start, s->at - start };
	skip_blank(s);
	return 0;
}

static int scan_members(struct scanner *s)
{
	__attribute__((cleanup(keys_clear))) struct keys keys = { 0 };

	s->at++;
	skip_blank(s);
	for (bool first = true; !(first && peek(s) == '}'); first = false) {
		if (scan_member(s, &keys) != 0)
			return -1;
		if (peek(s) == '}')
			break;
		if (peek(s) != ',')
			return bad(s, "a comma or a closing brace is expected");
		s->at++;
		skip_blank(s);
	}
	if (s->depth == 1) {
		s->found->close = s->at;
		s->found->empty = keys.n == 0;
	}
	s->at++;
	return no_key_twice(s, &keys);
}

static int scan_elements(struct scanner *s)
{
	s->at++;
	skip_blank(s);
	for (bool first = true; !(first && peek(s) == ']'); first = false) {
		if (scan_value(s) != 0)
			return -1;
		skip_blank(s);
		if (peek(s) == ']')
			break;
		if (peek(s) != ',')
			return bad(s, "a comma or a closing bracket is expected");
		s->at++;
		skip_blank(s);
	}
	s->at++;
	return 0;
}

static int scan_value(struct scanner *s)
{
	int c = peek(s), rc;

	if (c == '{' || c == '[') {
		if (++s->depth > SCAN_DEPTH)
			return fail(s->err, ERR_INPUT, "the JSON is nested deeper than %d levels",
			            SCAN_DEPTH);
		rc = c == '{' ? scan_members(s) : scan_elements(s);
		s->depth--;
		return rc;
	}
	if (c == '"')
		return scan_string(s, NULL);
	if (take(s, "true") || take(s, "false") || take(s, "null"))
		return 0;
	return scan_number(s);
}

int scan_object(const void *bytes, size_t n, const char *key, struct scan *out, struct err *err)
{
	struct scan found = { 0 };
	struct scanner s = { .text = bytes, .n = n, .wanted = key, .found = &found, .err = err };

	skip_blank(&s);
	if (peek(&s) != '{')
		return bad(&s, "an object is expected");
	if (scan_value(&s) != 0)
		return -1;
	skip_blank(&s);
	if (s.at != n)
		return bad(&s, "something follows the object");
	*out = found;
	return 0;
}

void scan_splice(const void *bytes, size_t n, const struct scan *where, const char *key, const char *value,
                 struct str *out)
{
	const char *text = bytes;
	size_t cut = where->value.len ? where->value.at : where->close;

	str_addn(out, text, cut);
	if (where->value.len == 0) {
		if (!where->empty)
			str_addc(out, ',');
		json_print_text(out, key, strlen(key));
		str_addc(out, ':');
	}
	str_add(out, value);
	str_addn(out, text + cut + where->value.len, n - cut - where->value.len);
}
