#include "test.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

static void json_for_a_terminal_is_the_same_json(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "{\"a\": [1, \"gr\xc3\xbc\xc3\x9f\"]}\n", "{\"a\": [1, \"gr\xc3\xbc\xc3\x9f\"]}\n" },
		{ "\"\xc2\x9b\x7f\xe2\x80\xae\"", "\"\\u009b\\u007f\\u202e\"" },
		{ "\"\xf3\xa0\x80\x81\"", "\"\\udb40\\udc01\"" }, /* a tag, as a pair */
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str out = STR_INIT;
		const struct str text = { .data = (char *)cases[i].text, .len = strlen(cases[i].text) };
		own_json json *was = NULL, *is = NULL;
		struct err err = ERR_INIT;

		json_add_visible(&out, &text);
		assert_string_equal(str_c(&out), cases[i].shown);
		assert_ok(json_parse(text.data, text.len, 4, &was, &err), &err);
		assert_ok(json_parse(out.data, out.len, 4, &is, &err), &err);
		assert_true(json_equal(was, is));
	}
}

static void json_is_strict(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "{\"a\":1}", true },
		{ "{\"a\":1} x", false },
		{ "{'a':1}", false },
		{ "{\"a\":1,}", false },
		{ "12", true },
		{ "", false },
		{ "[[[[[1]]]]]", false },
		{ "{\"a\":\"\xff\"}", false },
		{ "{\"a\":1,\"b\":{\"a\":\"x:y\\\":\"}}", true },
		{ "{\"a\":{\"b\":1},\"a\":2}", false },
		{ "[{\"a\":1},{\"a\":1}]", true },
		{ "{\"a\\u0000\":1}", false },
		{ "{\"a\\u0000b\":1,\"a\":2}", false },
		{ "[{\"b\":{\"\\u0000\" : 1}}]", false },
		{ "{\"a\":\"\\u0000\",\"b\\\\u0000\":\"\\u0000\"}", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_json json *j = NULL;
		struct err err = ERR_INIT;
		int rc = json_parse_unique(cases[i].text, strlen(cases[i].text), 4, &j, &err);
		if ((rc == 0) != cases[i].ok)
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static void hostile_bytes_become_a_json_string(void **state)
{
	(void)state;
	own_str struct str s = STR_INIT;

	json_print_text(&s, "a\"\x01\xc3\xa9\xff\xed\xa0\x80", 9);
	assert_string_equal(s.data, "\"a\\\"\\u0001\xc3\xa9\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_for_a_terminal_is_the_same_json),
		cmocka_unit_test(json_is_strict),
		cmocka_unit_test(hostile_bytes_become_a_json_string),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
