/* What the keeper takes from its gateway as a record. */
#include "test.h"

#include "base/json.h"
#include "launch/steps.h"

static void a_record_is_of_the_gateways_own_kind(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "{\"kind\":\"proof\",\"confined\":true}", "none of a gateway's" },
		{ "{\"kind\":\"end\",\"status\":0}", "none of a gateway's" },
		{ "{\"kind\":7}", "none of a gateway's" },
		{ "{\"verdict\":\"allow\"}", "none of a gateway's" },
		{ "[\"kind\",\"egress\"]", "none of a gateway's" },
		{ "{\"kind\":\"egress\",\"kind\":\"proof\"}", "twice" },
		{ "{\"kind\":\"egress\",\"headers\":{\"A\":1,\"A\":2}}", "twice" },
		{ "{\"kind\":\"egress\"", "" },
	};
	own_json json *record = NULL;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_refused(gateway_record(bad[i].text, &record, &err), &err, ERR_INPUT, bad[i].says);
		assert_null(record);
	}
	assert_ok(gateway_record("{\"kind\":\"egress\",\"host\":\"a.test\"}", &record, &err), &err);
	assert_string_equal(json_get_string(record, "host", ""), "a.test");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_of_the_gateways_own_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
