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
	for (char *p = wanted.data; (p = strstr(p, SECRET)); )
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
	char percent[] = "tok%2Fen%2B%2242%22-of-length", lower[] = "tok%2fen%2b%2242%22-of-length";
	char json_text[] = "tok/en+\\\"42\\\"-of-length", slashed[] = "tok\\/en+\\\"42\\\"-of-length";
	char *const texts[] = { percent, lower, json_text, slashed };
	struct echo_set set;

	(void)state;
	set_up(&set);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		size_t n = strlen(texts[i]);
		assert_int_equal(echo_scrub(&set, texts[i], n), n);
	}
	echo_set_clear(&set);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_overwritten_at_the_same_length_at_every_split),
		cmocka_unit_test(a_value_inside_base64_is_overwritten_in_each_alignment),
		cmocka_unit_test(percent_and_json_spellings_are_overwritten),
		cmocka_unit_test(overlapping_values_leave_nothing),
		cmocka_unit_test(ordinary_text_is_not_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
