#include "egress/echo.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "base/banned.h"

enum { MASK = '*', PAIR = 2 };

/* ---- the patterns ---- */

static void add_pattern(struct echo_set *set, const char *bytes, size_t n)
{
	if (n < ECHO_SHORTEST)
		return;
	for (size_t i = 0; i < set->n; i++)
		if (secret_len(&set->patterns[i]) == n &&
		    memcmp(secret_expose(&set->patterns[i]), bytes, n) == 0)
			return;
	set->patterns = xrealloc(set->patterns, set->n + 1, sizeof *set->patterns);
	set->patterns[set->n] = (struct secret)SECRET_INIT;
	secret_set(&set->patterns[set->n++], bytes, n);
}

static void wipe(struct str *s)
{
	if (s->data)
		explicit_bzero(s->data, s->cap);
	str_clear(s);
}

/* A text of Base64 as it stands inside JSON and inside a query: "/" and "+" are escaped there. */
static void add_base64_text(struct echo_set *set, const char *at, size_t n)
{
	static const struct {
		const char *slash, *plus;
	} spellings[] = {
		{ "/", "+" },   { "_", "-" },   { "\\/", "+" },     { "%2F", "%2B" },   { "%2f", "%2b" },
		{ "/", "%2B" }, { "/", "%2b" }, { "/", "\\u002B" }, { "/", "\\u002b" },
	};

	for (size_t k = 0; k < ARRAY_LEN(spellings); k++) {
		struct str text = STR_INIT;
		for (size_t i = 0; i < n; i++) {
			if (at[i] == '/' || at[i] == '+')
				str_add(&text, at[i] == '/' ? spellings[k].slash : spellings[k].plus);
			else
				str_addc(&text, at[i]);
		}
		add_pattern(set, str_c(&text), text.len);
		wipe(&text);
	}
}

/* Inside a longer Base64 text the value begins at one of three places of a group; the
 * characters that it shares with its neighbours can't be known and are left out. */
static void add_base64(struct echo_set *set, const void *value, size_t n)
{
	for (size_t lead = 0; lead < 3; lead++) {
		struct str padded = STR_INIT, text = STR_INIT;
		str_addn(&padded, "\0\0", lead);
		str_addn(&padded, value, n);
		base64_encode(&text, padded.data, padded.len);
		size_t from = lead == 0 ? 0 : lead + 1;
		size_t to = padded.len * 8 / 6;
		add_base64_text(set, text.data + from, to - from);
		wipe(&padded);
		wipe(&text);
	}
}

static bool is_one_of(char c, const char *chars)
{
	return c && strchr(chars, c);
}

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Percent-encoded, in upper and lower case. Encoders differ in what they leave as it is. */
static void add_percent(struct echo_set *set, const char *value, size_t n)
{
	static const struct {
		const char *kept, *blank;
	} encoders[] = {
		{ "-._~", "%20" },                 /* RFC 3986 */
		{ "-._~/", "%20" },                /* of paths: quote() of Python */
		{ "-._~!*'()", "%20" },            /* encodeURIComponent() */
		{ "-._~!*'();,/?:@&=+$#", "%20" }, /* encodeURI() */
		{ "-._*", "+" },                   /* URLSearchParams, and so for each form below */
		{ "-._", "+" },                    /* urlencode() of PHP */
		{ "-._~", "+" },                   /* quote_plus() of Python */
	};

	for (size_t k = 0; k < 2 * ARRAY_LEN(encoders); k++) {
		const char *kept = encoders[k / 2].kept;
		struct str text = STR_INIT;
		for (size_t i = 0; i < n; i++) {
			if (value[i] == ' ')
				str_add(&text, encoders[k / 2].blank);
			else if (is_alphanumeric(value[i]) || is_one_of(value[i], kept))
				str_addc(&text, value[i]);
			else
				str_addf(&text, k % 2 ? "%%%02x" : "%%%02X", (unsigned char)value[i]);
		}
		add_pattern(set, str_c(&text), text.len);
		wipe(&text);
	}
}

/* As a JSON string, by number in upper and lower case. Encoders differ in what they name so, and
 * in whether they escape a slash. */
static void add_json(struct echo_set *set, const char *value, size_t n)
{
	static const struct {
		const char *numbered, *backslashed;
	} encoders[] = {
		{ "", "\"\\" },       /* what JSON itself asks for */
		{ "", "\"\\/" },      /* PHP */
		{ "&<>", "\"\\" },    /* Go, Rails */
		{ "&'<=>", "\"\\" },  /* Gson */
		{ "\"&'<>", "\\" },   /* Json.NET for HTML */
		{ "\"&'<>", "\\/" },  /* PHP for HTML */
		{ "\"&'+<>`", "\\" }, /* System.Text.Json */
	};

	for (size_t k = 0; k < 2 * ARRAY_LEN(encoders); k++) {
		struct str text = STR_INIT;
		for (size_t i = 0; i < n; i++) {
			if (is_one_of(value[i], encoders[k / 2].numbered)) {
				str_addf(&text, k % 2 ? "\\u00%02x" : "\\u00%02X", (unsigned char)value[i]);
				continue;
			}
			str_add(&text, is_one_of(value[i], encoders[k / 2].backslashed) ? "\\" : "");
			str_addc(&text, value[i]);
		}
		add_pattern(set, str_c(&text), text.len);
		wipe(&text);
	}
}

void echo_set_add_bare(struct echo_set *set, const void *value, size_t n)
{
	add_pattern(set, value, n);
}

void echo_set_add_plain(struct echo_set *set, const void *value, size_t n)
{
	add_pattern(set, value, n);
	add_base64(set, value, n);
}

void echo_set_add(struct echo_set *set, const void *value, size_t n)
{
	echo_set_add_plain(set, value, n);
	add_percent(set, value, n);
	add_json(set, value, n);
}

static unsigned pair_slot(const char *p)
{
	return (((unsigned char)p[0] << 4) ^ (unsigned char)p[1]) % ECHO_SHIFTS;
}

void echo_set_ready(struct echo_set *set)
{
	set->shortest = SIZE_MAX;
	set->longest = 0;
	for (size_t i = 0; i < set->n; i++) {
		size_t n = secret_len(&set->patterns[i]);
		set->shortest = n < set->shortest ? n : set->shortest;
		set->longest = n > set->longest ? n : set->longest;
	}
	if (set->n == 0)
		return;
	size_t furthest = set->shortest - PAIR + 1;
	memset(set->shift, furthest < 255 ? (int)furthest : 255, sizeof set->shift);
	for (size_t i = 0; i < set->n; i++) {
		const char *p = secret_expose(&set->patterns[i]);
		for (size_t at = 0; at + PAIR <= set->shortest; at++) {
			size_t shift = set->shortest - PAIR - at;
			unsigned char *slot = &set->shift[pair_slot(p + at)];
			if (shift < *slot)
				*slot = (unsigned char)shift;
		}
	}
}

void echo_set_clear(struct echo_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		secret_clear(&set->patterns[i]);
	mem_drop(&set->patterns);
	set->n = 0;
}

/* ---- the search ---- */

/* Length of the longest pattern that begins at @p; 0: none. */
static size_t match_at(const struct echo_set *set, const char *p, size_t n)
{
	size_t longest = 0;

	for (size_t i = 0; i < set->n; i++) {
		size_t len = secret_len(&set->patterns[i]);
		if (len > longest && len <= n && memcmp(p, secret_expose(&set->patterns[i]), len) == 0)
			longest = len;
	}
	return longest;
}

struct run { /* bytes [from, to) are to be overwritten once no later match can begin in them */
	size_t from, to, total;
};

static void overwrite(struct run *run, char *text)
{
	if (run->to > run->from) {
		memset(text + run->from, MASK, run->to - run->from);
		run->total += run->to - run->from;
	}
	run->from = run->to = 0;
}

/* Matches that begin before @end, in order. Overlapping ones count too, so a run is
 * overwritten only when it is complete; the last one is left to the caller. */
static void search(const struct echo_set *set, char *text, size_t n, size_t end, struct run *run)
{
	size_t at = 0;

	while (set->n && at < end && n - at >= set->shortest) {
		unsigned skip = set->shift[pair_slot(text + at + set->shortest - PAIR)];
		if (skip) {
			at += skip;
			continue;
		}
		size_t len = match_at(set, text + at, n - at);
		if (len) {
			if (at > run->to || run->to == 0) {
				overwrite(run, text);
				run->from = at;
				run->to = at + len;
			} else if (at + len > run->to) {
				run->to = at + len;
			}
		}
		at++;
	}
}

size_t echo_scrub(const struct echo_set *set, char *text, size_t n)
{
	struct run run = { 0 };

	search(set, text, n, n, &run);
	overwrite(&run, text);
	return run.total;
}

/* The longest suffix that is a proper beginning of a pattern. */
static size_t open_suffix(const struct echo_set *set, const char *text, size_t n)
{
	size_t most = set->n == 0 ? 0 : set->longest - 1;

	for (size_t len = n < most ? n : most; len > 0; len--) {
		const char *p = text + n - len;
		for (size_t i = 0; i < set->n; i++)
			if (len < secret_len(&set->patterns[i]) &&
			    memcmp(p, secret_expose(&set->patterns[i]), len) == 0)
				return len;
	}
	return 0;
}

/* The longest suffix that is more than half of a value, though not all of it: with what can be
 * guessed that is as good as the value. */
static size_t telling_suffix(const struct echo_set *set, const char *text, size_t n)
{
	size_t longest = 0;

	for (size_t i = 0; i < set->n; i++) {
		size_t len = secret_len(&set->patterns[i]);
		const char *p = secret_expose(&set->patterns[i]);
		for (size_t part = n < len - 1 ? n : len - 1; part > longest && part * 2 > len; part--)
			if (memcmp(text + n - part, p, part) == 0)
				longest = part;
	}
	return longest;
}

void echo_begin(struct echo *e, const struct echo_set *set)
{
	e->set = set;
	e->condemned = e->overwritten = e->gone = 0;
	str_reset(&e->held);
}

void echo_end(struct echo *e)
{
	wipe(&e->held);
	e->set = NULL;
}

void echo_feed(struct echo *e, struct slice bytes, bool last, struct str *out)
{
	str_addn(&e->held, bytes.at, bytes.n);
	size_t n = e->held.len;
	if (n == 0)
		return;
	char *text = e->held.data;
	size_t go = last ? n : n - open_suffix(e->set, text, n);
	size_t telling = last ? telling_suffix(e->set, text, n) : 0;
	struct run run = { .from = 0, .to = e->condemned };
	search(e->set, text, n, go, &run);
	/* What is held stays as it came, for the search that goes on; that its front belongs to a
	 * match is remembered. */
	e->condemned = run.to > go ? run.to - go : 0;
	if (run.to > go)
		run.to = go;
	overwrite(&run, text);
	e->overwritten += run.total;
	memset(text + n - telling, MASK, telling);
	e->overwritten += telling;
	size_t gone = e->gone < go ? e->gone : go;
	str_addn(out, text + gone, go - gone);
	e->gone -= gone;
	str_cut_front(&e->held, go);
}

void echo_pause(struct echo *e, struct str *out)
{
	if (e->held.len == e->gone)
		return;
	size_t from = out->len, n = e->held.len - e->gone;
	size_t telling = telling_suffix(e->set, e->held.data, e->held.len);
	size_t condemned = e->condemned > e->gone ? e->condemned - e->gone : 0;
	str_addn(out, e->held.data + e->gone, n);
	memset(out->data + from, MASK, condemned);
	if (telling > n)
		telling = n;
	memset(out->data + from + n - telling, MASK, telling);
	e->overwritten += telling;
	e->gone = e->held.len;
}

/* ---- only looking ---- */

bool echo_finds(const struct echo_set *set, struct slice text, const char *except)
{
	size_t at = 0;

	while (set->n && at < text.n && text.n - at >= set->shortest) {
		unsigned skip = set->shift[pair_slot(text.at + at + set->shortest - PAIR)];
		if (skip) {
			at += skip;
			continue;
		}
		size_t len = match_at(set, text.at + at, text.n - at);
		if (len && !slice_is(slice_cut(text, at, at + len), except))
			return true;
		at++;
	}
	return false;
}

void sight_begin(struct sight *s, const struct echo_set *set, const char *except)
{
	str_reset(&s->tail);
	s->set = set;
	s->except = except;
}

void sight_end(struct sight *s)
{
	str_clear(&s->tail);
	s->set = NULL;
}

bool sight_finds(struct sight *s, struct slice piece)
{
	if (!s->set || s->set->n == 0 || piece.n == 0)
		return false;
	/* What begins in the tail ends within this much of the piece, or is not over yet. */
	size_t most = s->set->longest - 1, lead = piece.n < most ? piece.n : most;
	str_addn(&s->tail, piece.at, lead);
	bool found = echo_finds(s->set, (struct slice){ s->tail.data, s->tail.len }, s->except) ||
	             (piece.n > lead && echo_finds(s->set, piece, s->except));
	if (piece.n > lead) {
		str_reset(&s->tail);
		str_addn(&s->tail, piece.at + piece.n - most, most);
	} else if (s->tail.len > most) {
		str_cut_front(&s->tail, s->tail.len - most);
	}
	return found;
}
