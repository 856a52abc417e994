#include "test.h"
#include "egress/echo.h"

#define SECRET "tok/en+\"42\"-of-length"

static void set_up(struct echo_set *set)
{
	*set = (struct echo_set){ 0 };
	echo_set_add(set, SECRET, strlen(SECRET));
	echo_set_ready(set);
}

static void feed(struct echo *e, const char *text, size_t n, bool last, struct str *out)
{
	echo_feed(e, (struct slice){ text, n }, last, out);
}

/* @text in two pieces, cut at every place, gives the same as in one. */
static void check_every_split(const struct echo_set *set, const char *text, size_t n, const char *wanted)
{
	for (size_t cut = 0; cut <= n; cut++) {
		struct echo e = { 0 };
		own_str struct str out = STR_INIT;
		echo_begin(&e, set);
		feed(&e, text, cut, false, &out);
		feed(&e, text + cut, n - cut, true, &out);
		assert_int_equal(out.len, n);
		assert_string_equal(out.data, wanted);
		echo_end(&e);
	}
}

static void check_byte_by_byte(const struct echo_set *set, const char *text, size_t n, const char *wanted)
{
	struct echo e = { 0 };
	own_str struct str out = STR_INIT;

	echo_begin(&e, set);
	for (size_t i = 0; i < n; i++)
		feed(&e, text + i, 1, false, &out);
	feed(&e, "", 0, true, &out);
	assert_string_equal(out.data, wanted);
	echo_end(&e);
}

static void a_value_is_overwritten_at_the_same_length_at_every_split(void **state)
{
	struct echo_set set;
	own_str struct str text = STR_INIT, wanted = STR_INIT;

	(void)state;
	set_up(&set);
	str_add(&text, "before " SECRET " and " SECRET " after tok/en+ alone");
	str_add(&wanted, text.data);
	for (char *p = wanted.data; (p = strstr(p, SECRET));)
		memset(p, '*', strlen(SECRET));
	check_every_split(&set, text.data, text.len, wanted.data);
	check_byte_by_byte(&set, text.data, text.len, wanted.data);
	echo_set_clear(&set);
}

static void a_value_inside_base64_is_overwritten_in_each_alignment(void **state)
{
	static const char *const leads[] = { "", "a", "ab", "abc" };
	struct echo_set set;

	(void)state;
	set_up(&set);
	for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
		own_str struct str plain = STR_INIT, text = STR_INIT, decoded = STR_INIT;
		str_addf(&plain, "%s" SECRET "zz", leads[i]);
		base64_encode(&text, plain.data, plain.len);
		size_t n = text.len;
		assert_true(echo_scrub(&set, text.data, text.len) > strlen(SECRET));
		assert_int_equal(text.len, n);
		assert_false(base64_decode(&decoded, text.data, text.len, false));
	}
	echo_set_clear(&set);
}

static void percent_and_json_spellings_are_overwritten(void **state)
{
	static const struct {
		const char *value, *spelled;
	} cases[] = {
		{ SECRET, "tok%2Fen%2B%2242%22-of-length" },
		{ SECRET, "tok%2fen%2b%2242%22-of-length" },
		{ SECRET, "tok/en%2B%2242%22-of-length" }, /* quote() */
		{ SECRET, "tok/en%2b%2242%22-of-length" },
		{ SECRET, "tok/en+%2242%22-of-length" }, /* encodeURI() */
		{ SECRET, "tok/en+\\\"42\\\"-of-length" },
		{ SECRET, "tok\\/en+\\\"42\\\"-of-length" },
		{ SECRET, "tok/en\\u002B\\u002242\\u0022-of-length" },
		{ SECRET, "tok/en\\u002b\\u002242\\u0022-of-length" },
		{ SECRET, "tok/en+\\u002242\\u0022-of-length" },
		{ "it's<a>&b=c", "it's\\u003ca\\u003e\\u0026b=c" }, /* Go */
		{ "it's<a>&b=c", "it's\\u003Ca\\u003E\\u0026b=c" },
		{ "it's<a>&b=c", "it\\u0027s\\u003ca\\u003e\\u0026b\\u003dc" }, /* Gson */
		{ "it's<a>&b=c", "it\\u0027s\\u003Ca\\u003E\\u0026b=c" },
		{ "it's<a>&b=c", "it's%3Ca%3E%26b%3Dc" }, /* encodeURIComponent() */
		{ "it's<a>&b=c", "it's%3Ca%3E&b=c" },
		{ "two words~", "two+words%7E" },
		{ "two words~", "two%20words~" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct echo_set set = { 0 };
		own_mem char *text = xstrdup(cases[i].spelled);
		size_t n = strlen(text);
		echo_set_add(&set, cases[i].value, strlen(cases[i].value));
		echo_set_ready(&set);
		if (echo_scrub(&set, text, n) != n)
			fail_msg("case %zu: %s", i, text);
		echo_set_clear(&set);
	}
}

/* The end of one match is the beginning of another; nothing of either stays. */
static void overlapping_values_leave_nothing(void **state)
{
	struct echo_set set = { 0 };
	const char text[] = "..abcabcabc..abcabcab..";

	(void)state;
	echo_set_add_plain(&set, "abcabc", 6);
	echo_set_ready(&set);
	check_every_split(&set, text, strlen(text), "..*********..******ab..");
	check_byte_by_byte(&set, text, strlen(text), "..*********..******ab..");
	echo_set_clear(&set);
}

static void ordinary_text_is_not_held_back(void **state)
{
	struct echo_set set;
	struct echo e = { 0 };
	own_str struct str out = STR_INIT;

	(void)state;
	set_up(&set);
	echo_begin(&e, &set);
	feed(&e, "data: 1\n\n", 9, false, &out);
	assert_string_equal(out.data, "data: 1\n\n");
	feed(&e, "tok", 3, false, &out);
	assert_int_equal(out.len, 9);
	feed(&e, "yo\n", 3, false, &out);
	assert_string_equal(out.data, "data: 1\n\ntokyo\n");
	echo_end(&e);
	echo_set_clear(&set);
}

/* Also where the beginning of another value is its end. */
static void a_value_that_the_end_cuts_short_shows_at_most_half(void **state)
{
	struct echo_set set = { 0 };
	const char value[] = "0123456789abcdefghij", other[] = "fghijKLMN";
	size_t n = strlen(value);

	(void)state;
	echo_set_add_bare(&set, value, n);
	echo_set_add_bare(&set, other, strlen(other));
	echo_set_ready(&set);
	for (size_t part = 0; part < n; part++) {
		own_mem char *text = xasprintf("<%.*s", (int)part, value);
		own_mem char *wanted = xstrdup(text);
		if (part * 2 > n)
			memset(wanted + 1, '*', part);
		check_every_split(&set, text, part + 1, wanted);
		check_byte_by_byte(&set, text, part + 1, wanted);
	}
	check_every_split(&set, "9abcdefghijKLM", 14, "9abcde********");
	/* The control: behind it the text goes on. */
	check_every_split(&set, "<0123456789abcdefghi>", 21, "<0123456789abcdefghi>");
	echo_set_clear(&set);
}

/* Messages of one connection: what the guest can put together is never more than half. */
static void a_value_over_several_messages_shows_at_most_half(void **state)
{
	struct echo_set set = { 0 };
	size_t n = strlen("0123456789abcdefghij");

	(void)state;
	echo_set_add_bare(&set, "0123456789abcdefghij", n);
	echo_set_ready(&set);
	for (size_t size = 1; size <= n; size++) {
		struct echo e = { 0 };
		own_str struct str out = STR_INIT;
		size_t hidden = 0;
		echo_begin(&e, &set);
		for (size_t at = 0; at < n; at += size) {
			feed(&e, "0123456789abcdefghij" + at, size < n - at ? size : n - at, false, &out);
			echo_pause(&e, &out);
			assert_int_equal(out.len, at + size < n ? at + size : n);
		}
		feed(&e, " and on", 7, true, &out);
		for (size_t i = 0; i < n; i++)
			hidden += out.data[i] == '*';
		assert_true(hidden * 2 >= n);
		assert_string_equal(out.data + n, " and on");
		echo_end(&e);
	}
	echo_set_clear(&set);
}

static void a_message_that_only_begins_like_a_value_is_left_alone(void **state)
{
	struct echo_set set;
	struct echo e = { 0 };
	own_str struct str out = STR_INIT;

	(void)state;
	set_up(&set);
	echo_begin(&e, &set);
	feed(&e, "a tok", 5, false, &out);
	echo_pause(&e, &out);
	echo_pause(&e, &out);
	assert_string_equal(out.data, "a tok");
	feed(&e, "yo", 2, false, &out);
	echo_pause(&e, &out);
	assert_string_equal(out.data, "a tokyo");
	echo_end(&e);
	echo_set_clear(&set);
}

static void base64_with_its_slashes_escaped_is_overwritten(void **state)
{
	struct echo_set set = { 0 };
	char escaped[] = "\"Pz8\\/Pj4+Pz8\\/\" %2Bz8%2FPj4%2BPz8%2F";

	(void)state;
	echo_set_add(&set, "\x3f\x3f\x3f\x3e\x3e\x3e\x3f\x3f\x3f", 9); /* Pz8/Pj4+Pz8/ */
	echo_set_ready(&set);
	assert_int_equal(echo_scrub(&set, escaped, strlen(escaped)), 14);
	assert_memory_equal(escaped, "\"**************\"", 16);
	char numbered[] = "\"Pz8/Pj4\\u002BPz8/\"";
	assert_int_equal(echo_scrub(&set, numbered, strlen(numbered)), strlen(numbered) - 2);
	echo_set_clear(&set);
}

static void a_sight_finds_across_every_cut_and_only_what_is_another_s(void **state)
{
	static const char text[] = "xx placeholder-two yy placeholder-one zz";
	struct echo_set set = { 0 };
	size_t n = strlen(text);

	(void)state;
	echo_set_add_bare(&set, "placeholder-one", 15);
	echo_set_add_bare(&set, "placeholder-two", 15);
	echo_set_ready(&set);
	for (size_t size = 1; size <= n; size++) {
		struct sight all = { 0 }, others = { 0 }, none = { 0 };
		size_t found = 0, found_others = 0;
		sight_begin(&all, &set, "");
		sight_begin(&others, &set, "placeholder-two");
		for (size_t at = 0; at < n; at += size) {
			struct slice piece = { text + at, size < n - at ? size : n - at };
			if (sight_finds(&all, piece) && !found)
				found = at + piece.n;
			if (sight_finds(&others, piece) && !found_others)
				found_others = at + piece.n;
			assert_false(sight_finds(&none, piece));
		}
		/* As soon as its last byte is there. */
		assert_true(found >= 18 && found < 18 + size);
		assert_true(found_others >= 37 && found_others < 37 + size);
		sight_end(&all);
		sight_end(&others);
	}
	echo_set_clear(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_overwritten_at_the_same_length_at_every_split),
		cmocka_unit_test(a_value_inside_base64_is_overwritten_in_each_alignment),
		cmocka_unit_test(percent_and_json_spellings_are_overwritten),
		cmocka_unit_test(overlapping_values_leave_nothing),
		cmocka_unit_test(ordinary_text_is_not_held_back),
		cmocka_unit_test(a_value_that_the_end_cuts_short_shows_at_most_half),
		cmocka_unit_test(a_value_over_several_messages_shows_at_most_half),
		cmocka_unit_test(a_message_that_only_begins_like_a_value_is_left_alone),
		cmocka_unit_test(base64_with_its_slashes_escaped_is_overwritten),
		cmocka_unit_test(a_sight_finds_across_every_cut_and_only_what_is_another_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
