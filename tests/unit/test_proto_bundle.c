#include "test.h"

#include <string.h>
#include "proto/bundle.h"

static struct bundle_config sample(void)
{
	struct bundle_config c = BUNDLE_CONFIG_INIT;
	unsigned char token[BUNDLE_TOKEN];

	for (size_t i = 0; i < sizeof token; i++)
		token[i] = (unsigned char)i;
	secret_set(&c.token, token, sizeof token);
	c.address = xstrdup("192.168.9.2");
	c.device = xstrdup("br-0123456789ab");
	c.port = 9099;
	c.program = xstrdup("/bin/sidecar");
	strv_add(&c.listeners, "one");
	strv_add(&c.listeners, "two");
	str_add(&c.sidecar, "its own configuration");
	return c;
}

static void a_configuration_comes_back_as_it_was(void **state)
{
	own_bundle_config struct bundle_config c = sample();
	own_bundle_config struct bundle_config back = BUNDLE_CONFIG_INIT;
	own_str struct str bytes = STR_INIT;
	struct err err = ERR_INIT;

	(void)state;
	bundle_config_encode(&c, &bytes);
	assert_ok(bundle_config_decode(bytes.data, bytes.len, &back, &err), &err);
	assert_true(bundle_token_is(&back.token, secret_expose(&c.token)));
	assert_string_equal(back.address, "192.168.9.2");
	assert_string_equal(back.device, "br-0123456789ab");
	assert_int_equal(back.port, 9099);
	assert_string_equal(back.program, "/bin/sidecar");
	assert_int_equal(back.listeners.n, 2);
	assert_string_equal(back.listeners.v[1], "two");
	assert_string_equal(str_c(&back.sidecar), "its own configuration");
}

static void a_configuration_that_is_cut_or_longer_is_refused(void **state)
{
	own_bundle_config struct bundle_config c = sample();
	own_str struct str bytes = STR_INIT;
	struct err err = ERR_INIT;

	(void)state;
	bundle_config_encode(&c, &bytes);
	for (size_t n = 0; n < bytes.len; n++) {
		own_bundle_config struct bundle_config back = BUNDLE_CONFIG_INIT;
		assert_refused(bundle_config_decode(bytes.data, n, &back, &err), &err, ERR_INPUT,
		               "configuration");
	}
	str_addc(&bytes, 'x');
	own_bundle_config struct bundle_config back = BUNDLE_CONFIG_INIT;
	assert_refused(bundle_config_decode(bytes.data, bytes.len, &back, &err), &err, ERR_INPUT,
	               "does not decode");
}

static void frames_are_taken_one_by_one_and_only_whole(void **state)
{
	own_str struct str in = STR_INIT;
	enum bundle_frame kind;
	struct str body;
	struct err err = ERR_INIT;

	(void)state;
	bundle_frame_add(&in, FRAME_CONFIG, "first", 5);
	bundle_frame_add(&in, FRAME_MESSAGE, "second", 6);
	for (size_t n = 0; n < 4 + 1 + 5; n++) {
		struct str cut = { in.data, n, 0 };
		assert_int_equal(bundle_frame_look(&cut, 100, &kind, &body, &err), 0);
	}
	assert_int_equal(bundle_frame_look(&in, 100, &kind, &body, &err), 1);
	assert_int_equal(kind, FRAME_CONFIG);
	assert_int_equal(body.len, 5);
	assert_memory_equal(body.data, "first", 5);
	str_cut_front(&in, bundle_frame_size(&body));
	assert_int_equal(bundle_frame_look(&in, 100, &kind, &body, &err), 1);
	assert_int_equal(kind, FRAME_MESSAGE);
	assert_memory_equal(body.data, "second", 6);
	str_cut_front(&in, bundle_frame_size(&body));
	assert_int_equal(bundle_frame_look(&in, 100, &kind, &body, &err), 0);
}

static void a_frame_over_the_limit_is_refused_by_its_head_alone(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} bad[] = {
		{ "\0\0\0\0", 4 },       /* empty */
		{ "\0\0\0\x01\x02", 5 }, /* a kind, and no message */
		{ "\0\0\0\x01", 4 },      { "\xff\xff\xff\xff", 4 },
		{ "\0\0\0\x66", 4 },      /* one byte over 100, and the kind */
		{ "\0\0\0\x02\0x", 6 },   /* kind 0 */
		{ "\0\0\0\x02\x03x", 6 }, /* kind 3 */
	};
	enum bundle_frame kind;
	struct str body;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct str in = { (char *)bad[i].bytes, bad[i].n, 0 };
		struct err err = ERR_INIT;
		assert_refused(bundle_frame_look(&in, 100, &kind, &body, &err), &err, ERR_INPUT,
		               "a frame of");
	}
	struct str most = { (char *)"\0\0\0\x65", 4, 0 };
	struct err err = ERR_INIT;
	assert_int_equal(bundle_frame_look(&most, 100, &kind, &body, &err), 0);
}

static void a_token_that_differs_anywhere_is_not_the_token(void **state)
{
	own_bundle_config struct bundle_config c = sample();
	unsigned char other[BUNDLE_TOKEN];
	own_secret struct secret none = SECRET_INIT;

	(void)state;
	memcpy(other, secret_expose(&c.token), sizeof other);
	assert_true(bundle_token_is(&c.token, other));
	for (size_t i = 0; i < sizeof other * 8; i++) {
		other[i / 8] ^= (unsigned char)(1u << i % 8);
		assert_false(bundle_token_is(&c.token, other));
		other[i / 8] ^= (unsigned char)(1u << i % 8);
	}
	assert_false(bundle_token_is(&none, other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_comes_back_as_it_was),
		cmocka_unit_test(a_configuration_that_is_cut_or_longer_is_refused),
		cmocka_unit_test(frames_are_taken_one_by_one_and_only_whole),
		cmocka_unit_test(a_frame_over_the_limit_is_refused_by_its_head_alone),
		cmocka_unit_test(a_token_that_differs_anywhere_is_not_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
