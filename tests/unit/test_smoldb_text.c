#include "test.h"

#include <string.h>

#include "smoldb/scan.h"
#include "smoldb/smoldb.h"

static void cidrs_have_one_spelling(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "127.0.0.16/32", true },
		{ "100.96.0.1/32", true },
		{ "0.0.0.0/0", true },
		{ "10.0.0.0/8", true },
		{ "fd53:4d00::/64", true },
		{ "::1/128", true },
		{ "127.0.0.16", false },
		{ "127.0.0.16/33", false },
		{ "127.1/32", false },
		{ "10.0.0.1/8", false },
		{ "127.0.0.16/032", false },
		{ "127.0.0.16/", false },
		{ "127.0.0.16/32 ", false },
		{ "/32", false },
		{ "", false },
		{ "localhost/32", false },
		{ "::1/129", false },
		{ "0177.0.0.1/32", false },
		{ "127.0.0.16/+32", false },
		{ "fe80::1%lo/128", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		int rc = smoldb_check_cidr(cases[i].text, &err);
		if ((rc == 0) != cases[i].ok)
			fail_msg("%s: %s", cases[i].text, rc ? err.text : "accepted");
	}
}

static void the_path_follows_the_platform(void **state)
{
	(void)state;
	static const struct {
		struct smoldb_env env;
		const char *path;
	} cases[] = {
		{ { NULL, NULL, "/home/a", false }, "/home/a/.local/share/smolvm/server/smolvm.db" },
		{ { NULL, "/x", "/home/a", false }, "/x/smolvm/server/smolvm.db" },
		{ { NULL, "relative", "/home/a", false }, "/home/a/.local/share/smolvm/server/smolvm.db" },
		{ { "/s", "/x", "/home/a", false }, "/s/.local/share/smolvm/server/smolvm.db" },
		{ { "", "", "/home/a", false }, "/home/a/.local/share/smolvm/server/smolvm.db" },
		{ { NULL, "/x", "/Users/a", true },
		  "/Users/a/Library/Application Support/smolvm/server/smolvm.db" },
	};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_mem char *path = NULL;
		assert_ok(smoldb_path(&cases[i].env, &path, &err), &err);
		assert_string_equal(path, cases[i].path);
	}
	own_mem char *none = NULL;
	struct smoldb_env empty = { 0 };
	assert_refused(smoldb_path(&empty, &none, &err), &err, ERR_MISSING, "--db");
}

static void nesting_is_bounded(void **state)
{
	(void)state;
	own_str struct str text = STR_INIT;
	struct err err = ERR_INIT;
	struct scan out;

	str_add(&text, "{\"a\":");
	for (int i = 0; i < 100000; i++)
		str_addc(&text, '[');
	assert_refused(scan_object(text.data, text.len, "a", &out, &err), &err, ERR_INPUT, "64");
}

int main(void)
{
#define WITH_DB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cidrs_have_one_spelling),
		cmocka_unit_test(the_path_follows_the_platform),
		cmocka_unit_test(nesting_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
