/* What json-c does not do: refuse duplicate keys, print bytes that may not be UTF-8, and leave
 * out what a terminal obeys. All of it works on the text alone. */
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "base/banned.h"

/* How many bytes from here on stand for themselves. */
static size_t plain_length(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

void json_print_text(struct str *out, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	str_addc(out, '"');
	for (size_t i = 0; i < n;) {
		size_t plain = plain_length(p + i, n - i);
		str_addn(out, p + i, plain);
		i += plain;
		if (i == n)
			break;
		size_t len = utf8_length(p + i, n - i);
		if (len == 0)
			str_add(out, "\\ufffd");
		else if (p[i] == '"' || p[i] == '\\')
			str_addf(out, "\\%c", p[i]);
		else if (p[i] < 0x20 || p[i] == 0x7f)
			str_addf(out, "\\u%04x", p[i]);
		else
			str_addn(out, p + i, len);
		i += len ? len : 1;
	}
	str_addc(out, '"');
}

/* Where a string ends is all that counting keys needs to know of JSON. */
struct counter {
	const unsigned char *p, *end;
};

/* True where the string holds a NUL, which the parser accepts in this spelling alone. */
static bool skip_string(struct counter *c)
{
	static const char nul[] = "u0000";
	bool found = false;

	for (c->p++; c->p < c->end && *c->p != '"'; c->p++) {
		if (*c->p != '\\')
			continue;
		c->p++;
		size_t left = (size_t)(c->end - c->p);
		found = found || (left >= strlen(nul) && memcmp(c->p, nul, strlen(nul)) == 0);
	}
	c->p++;
	return found;
}

static void skip_blank(struct counter *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

/* Keys of all objects. The text was accepted by the parser, so a string before a colon is a key.
 * The parser ends a key at a NUL, and so takes it for another one: *@cut says that there is one. */
static size_t count_keys(const unsigned char *p, const unsigned char *end, bool *cut)
{
	struct counter c = { p, end };
	size_t keys = 0;

	*cut = false;
	while (c.p < c.end) {
		if (*c.p != '"') {
			c.p++;
			continue;
		}
		bool nul = skip_string(&c);
		skip_blank(&c);
		if (c.p >= c.end || *c.p != ':')
			continue;
		keys++;
		*cut = *cut || nul;
	}
	return keys;
}

static size_t count_members(const json *j);

static bool add_member(void *arg, const char *key, json *value)
{
	(void)key;
	*(size_t *)arg += 1 + count_members(value);
	return true;
}

static size_t count_members(const json *j)
{
	size_t n = 0;

	json_each(j, add_member, &n);
	if (json_kind(j) == JSON_ARRAY)
		for (size_t i = 0; i < json_count(j); i++)
			n += count_members(json_at(j, i));
	return n;
}

int json_parse_unique(const void *bytes, size_t n, int max_depth, json **out, struct err *err)
{
	own_json json *j = NULL;

	if (json_parse(bytes, n, max_depth, &j, err) != 0)
		return -1;
	/* A key that was there twice is in the text once more than in the tree. (The lost value's
	 * own keys are missing too: the counts differ all the more.) */
	bool cut;
	size_t in_text = count_keys(bytes, (const unsigned char *)bytes + n, &cut);
	if (cut)
		return fail(err, ERR_INPUT, "a key holds a NUL");
	if (in_text != count_members(j))
		return fail(err, ERR_INPUT, "an object has a key twice");
	*out = mem_steal(&j);
	return 0;
}

static void add_unit(struct str *out, unsigned unit)
{
	str_addf(out, "\\u%04x", unit);
}

void json_add_visible(struct str *out, const struct str *text)
{
	const unsigned char *p = (const unsigned char *)str_c(text), *end = p + text->len;

	while (p < end) {
		const unsigned char *at = p;
		int32_t letter = utf8_next(&p, end);

		if (letter == UTF8_BAD) {
			add_unit(out, 0xfffd);
		} else if (letter != 0x7f && (letter < 0x80 || letter > 0x9f) && !utf8_is_hidden(letter)) {
			str_addn(out, at, (size_t)(p - at));
		} else if (letter < 0x10000) {
			add_unit(out, (unsigned)letter);
		} else {
			add_unit(out, 0xd800 + ((unsigned)(letter - 0x10000) >> 10));
			add_unit(out, 0xdc00 + ((unsigned)(letter - 0x10000) & 0x3ff));
		}
	}
}
