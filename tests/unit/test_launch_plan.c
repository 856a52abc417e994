/* The plan: from options to values and back, and no secret in it. */
#include "test.h"

#include <string.h>

#include "launch/plan.h"
#include "launch/words.h"
#include "manifest_files.h"

static void make(struct plan *out, const struct plan_options *o)
{
	own_host_config struct host_config config = HOST_CONFIG_INIT;
	struct plan_facts facts = { .home = "/home/somebody", .term = "xterm" };
	struct err err = ERR_INIT;

	assert_ok(host_config_load(-1, "etc", -1, "user", &config, &err), &err);
	assert_ok(plan_make(NULL, &config, o, &facts, out, &err), &err);
}

static void a_bare_command_reaches_nothing_and_has_the_usual_limits(void **state)
{
	own_plan struct plan p = PLAN_INIT;
	own_strv struct strv command = STRV_INIT;

	(void)state;
	strv_add(&command, "true");
	make(&p,
	     &(struct plan_options){
		     .backend = "namespace", .bundle = "embedded", .command = &command, .workspace = "/w" });
	assert_string_equal(p.routes, "{\"routes\":[]}");
	assert_int_equal(p.pids, 4096);
	assert_false(p.pids_given);
	assert_string_equal(p.workspace, "/w");
	assert_string_equal(p.command.v[0], "true");
	assert_string_equal(p.name, "bottle");
}

static void a_label_names_the_bottle(void **state)
{
	own_plan struct plan p = PLAN_INIT;
	own_strv struct strv command = STRV_INIT;

	(void)state;
	strv_add(&command, "true");
	make(&p, &(struct plan_options){ .backend = "namespace",
	                                 .bundle = "embedded",
	                                 .command = &command,
	                                 .label = "My Work!" });
	assert_string_equal(p.name, "my-work");
	assert_string_equal(p.label, "My Work!");
}

static void nothing_to_run_is_a_usage_error(void **state)
{
	own_host_config struct host_config config = HOST_CONFIG_INIT;
	own_plan struct plan p = PLAN_INIT;
	struct plan_options o = { .backend = "namespace", .bundle = "embedded" };
	struct plan_facts f = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_refused(plan_make(NULL, &config, &o, &f, &p, &err), &err, ERR_USAGE, "nothing to run");
}

static void behind_a_proxy_no_route_may_be_private(void **state)
{
	static const struct {
		const char *proxy, *routes, *refused;
	} cases[] = {
		{ "http://proxy.test:3128", "{host: far.test}, {host: near.test, allow_private: true}",
		  "near.test" },
		{ "http://proxy.test:3128", "{host: far.test}", NULL },
		{ NULL, "{host: near.test, allow_private: true}", NULL },
	};
	own_strv struct strv command = STRV_INIT;
	const struct plan_options o = { .backend = "namespace", .bundle = "embedded", .command = &command };
	const struct plan_facts facts = { .home = "/home/somebody" };

	(void)state;
	strv_add(&command, "true");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_files struct files f;
		own_host_config struct host_config config = HOST_CONFIG_INIT;
		own_manifest_plan struct manifest_plan m = MANIFEST_PLAN_INIT;
		own_plan struct plan p = PLAN_INIT;
		own_mem char *yaml = xasprintf("egress: {routes: [%s]}", cases[i].routes);
		struct err err = ERR_INIT;
		files_up(&f);
		put_bottle(&f, "one", yaml);
		assert_ok(resolve_bottles(&f, "one", &m, &err), &err);
		assert_ok(host_config_load(-1, "etc", -1, "user", &config, &err), &err);
		config.upstream_proxy = cases[i].proxy ? xstrdup(cases[i].proxy) : NULL;
		int rc = plan_make(&m, &config, &o, &facts, &p, &err);
		if (!cases[i].refused) {
			assert_ok(rc, &err);
			continue;
		}
		assert_refused(rc, &err, ERR_INPUT, cases[i].refused);
		assert_non_null(strstr(err.text, "upstream_proxy"));
	}
}

static void a_plan_survives_the_record(void **state)
{
	own_plan struct plan p = PLAN_INIT;
	own_plan struct plan again = PLAN_INIT;
	own_strv struct strv command = STRV_INIT;
	struct err err = ERR_INIT;

	(void)state;
	strv_add(&command, "sh");
	strv_add(&command, "");
	make(&p, &(struct plan_options){
			 .backend = "namespace", .bundle = "embedded", .command = &command, .detach = true });
	p.secrets = xcalloc(1, sizeof *p.secrets);
	p.secrets[p.nsecrets++] = (struct plan_secret){ xstrdup("TOKEN"), true, xstrdup("") };
	own_json json *j = plan_to_json(&p);
	assert_ok(plan_from_json(j, &again, &err), &err);
	own_json json *same = plan_to_json(&again);
	assert_true(json_equal(j, same));
	assert_int_equal(again.nsecrets, 1);
	assert_true(again.detach);
	assert_string_equal(again.command.v[1], "");
}

static void a_stored_plan_of_another_shape_is_refused(void **state)
{
	own_plan struct plan p = PLAN_INIT;
	own_plan struct plan out = PLAN_INIT;
	own_strv struct strv command = STRV_INIT;
	struct err err = ERR_INIT;

	(void)state;
	strv_add(&command, "true");
	make(&p, &(struct plan_options){ .backend = "namespace", .bundle = "embedded", .command = &command });
	own_json json *more = plan_to_json(&p);
	json_set_string(more, "surprise", "x");
	assert_refused(plan_from_json(more, &out, &err), &err, ERR_INPUT, "another version");
	own_json json *wrong = plan_to_json(&p);
	json_set_string(wrong, "headless", "yes");
	assert_refused(plan_from_json(wrong, &out, &err), &err, ERR_INPUT, "headless");
	own_json json *negative = plan_to_json(&p);
	json_set_int(negative, "cpus", -1);
	assert_refused(plan_from_json(negative, &out, &err), &err, ERR_INPUT, "cpus");
}

static void words_are_filled_once_and_unknown_braces_stay(void **state)
{
	const struct word words[] = { { "prompt", "say {home}" }, { "home", "/h" }, { "none", NULL } };

	(void)state;
	own_mem char *text = words_fill("{prompt}:{home}:{other}:{", words, ARRAY_LEN(words));
	assert_string_equal(text, "say {home}:/h:{other}:{");
	assert_null(words_fill("a{none}", words, ARRAY_LEN(words)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bare_command_reaches_nothing_and_has_the_usual_limits),
		cmocka_unit_test(a_label_names_the_bottle),
		cmocka_unit_test(nothing_to_run_is_a_usage_error),
		cmocka_unit_test(behind_a_proxy_no_route_may_be_private),
		cmocka_unit_test(a_plan_survives_the_record),
		cmocka_unit_test(a_stored_plan_of_another_shape_is_refused),
		cmocka_unit_test(words_are_filled_once_and_unknown_braces_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
