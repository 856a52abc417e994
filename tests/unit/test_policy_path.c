#include "test.h"

#include "policy/path.h"

/* clang-format off */
#define BYTES(s) { s, sizeof s - 1 }
/* clang-format on */

static void a_path_has_one_spelling(void **state)
{
	(void)state;
	static const struct {
		struct slice raw;
		const char *text;
		enum wire_fault fault;
	} cases[] = {
		{ BYTES("/"), "/", 0 },
		{ BYTES("/a/b"), "/a/b", 0 },
		{ BYTES("/%61%2D%7e"), "/a-~", 0 },
		{ BYTES("/@scope%2fname"), "/@scope%2Fname", 0 },
		{ BYTES("/a%20b"), "/a%20b", 0 },
		{ BYTES("//a//"), "//a//", 0 },
		{ BYTES("/a%3ab"), "/a%3Ab", 0 },
		{ BYTES("/a:b;c=d"), "/a:b;c=d", 0 },
		{ BYTES("/..."), "/...", 0 },
		{ BYTES("/.git/x"), "/.git/x", 0 },
		{ BYTES("/a..b"), "/a..b", 0 },
		{ BYTES("/[id]"), "/%5Bid%5D", 0 },
		{ BYTES("/a\\b"), "/a%5Cb", 0 },
		{ BYTES("/%e2%82%ac"), "/%E2%82%AC", 0 },
		{ BYTES("/100%25"), "/100%25", 0 },
		{ BYTES("/a%2541"), "/a%2541", 0 },
		{ BYTES(""), NULL, WIRE_PATH },
		{ BYTES("a"), NULL, WIRE_PATH },
		{ BYTES("/%"), NULL, WIRE_PATH },
		{ BYTES("/%4"), NULL, WIRE_PATH },
		{ BYTES("/%zz"), NULL, WIRE_PATH },
		{ BYTES("/%u002e"), NULL, WIRE_PATH },
		{ BYTES("/a%00b"), NULL, WIRE_PATH },
		{ BYTES("/a\0b"), NULL, WIRE_PATH },
		{ BYTES("/a%0d%0ab"), NULL, WIRE_PATH },
		{ BYTES("/a%250ab"), NULL, WIRE_PATH },
		{ BYTES("/%c0%ae%c0%ae/"), NULL, WIRE_PATH },
		{ BYTES("/%e0%80%af"), NULL, WIRE_PATH },
		{ BYTES("/."), NULL, WIRE_PATH_DOTS },
		{ BYTES("/.."), NULL, WIRE_PATH_DOTS },
		{ BYTES("/a/../b"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/a/%2e%2E/b"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/a/.%2e"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/a%2f..%2fb"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/a%5c..%5Cb"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/a\\..\\b"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/a%252f%252e%252e"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/%25252e%25252e"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/a/..;x/b"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/a/..%3bx/b"), NULL, WIRE_PATH_DOTS },
		{ BYTES("/%25252525252525252541"), NULL, WIRE_PATH },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str out = STR_INIT, again = STR_INIT;
		enum wire_fault fault = WIRE_FINE;
		int rc = path_canonical(cases[i].raw, &out, &fault);
		if (rc != (cases[i].text ? 0 : -1) || (rc < 0 && fault != cases[i].fault))
			fail_msg("%s: %d %s", cases[i].raw.at, rc, wire_fault_word(fault));
		if (rc < 0)
			continue;
		assert_string_equal(out.data, cases[i].text);
		assert_int_equal(path_canonical((struct slice){ out.data, out.len }, &again, &fault), 0);
		assert_string_equal(again.data, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_has_one_spelling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
