#include "test.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/own.h"
#include "base/proc.h"

/* The branch for macOS, compiled here so that it stays C; there is no lo0 to change, so it
 * ends at its first look. It has never run on a Mac. */
#define __APPLE__         1
#define pool_make_aliases make_aliases_on_macos
#define pool_has_alias    has_alias_on_macos
#include "../../src/pool/alias.c" /* NOLINT */

static struct in_addr address(const char *text)
{
	struct in_addr a;

	assert_int_equal(inet_pton(AF_INET, text, &a), 1);
	return a;
}

static void without_lo0_nothing_is_added_and_the_look_is_named(void **state)
{
	(void)state;
	const struct pool_range range = { address("127.0.0.16"), address("127.0.0.17") };
	struct err err = ERR_INIT;

	assert_int_equal(make_aliases_on_macos(&range, &err), -1);
	assert_non_null(strstr(err.text, "/sbin/ifconfig"));
}

static void what_ifconfig_prints_is_read_by_whole_words(void **state)
{
	(void)state;
	static const char text[] = "lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384\n"
				   "\tinet 127.0.0.1 netmask 0xff000000\n\tinet6 ::1 prefixlen 128\n"
				   "\tinet 127.0.0.17 netmask 0xffffffff\n";

	assert_true(has_alias_on_macos(text, address("127.0.0.17")));
	assert_true(has_alias_on_macos(text, address("127.0.0.1")));
	assert_false(has_alias_on_macos(text, address("127.0.0.16")));
	assert_false(has_alias_on_macos(text, address("127.0.0.2")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_lo0_nothing_is_added_and_the_look_is_named),
		cmocka_unit_test(what_ifconfig_prints_is_read_by_whole_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
