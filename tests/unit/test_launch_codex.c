/* A login of the host, and what a bottle gets in its place. */
#include "test.h"

#include <string.h>

#include "base/str.h"
#include "launch/codex.h"

enum { NOW_MS = 1700000000 }; /* a time at which an expiry of 1700000001 s is far away */

/* {"alg":"RS256"} and the claims, with something like a signature. */
static char *login_with(const char *claims, const char *more)
{
	own_str struct str payload = STR_INIT;

	base64_encode(&payload, claims, strlen(claims));
	while (payload.len > 0 && payload.data[payload.len - 1] == '=')
		payload.data[--payload.len] = '\0';
	return xasprintf(
		"{\"OPENAI_API_KEY\":null,\"tokens\":{\"id_token\":\"i\","
		"\"access_token\":\"eyJhbGciOiJSUzI1NiJ9.%s.c2ln\",\"refresh_token\":\"rt-secret\"%s}}",
		str_c(&payload), more);
}

static void the_twin_has_the_expiry_and_the_account_and_no_token(void **state)
{
	own_codex_login struct codex_login l = CODEX_LOGIN_INIT;
	own_plan struct plan p = PLAN_INIT;
	struct plan_credential c = { 0 };
	struct err err = ERR_INIT;
	own_str struct str claims = STR_INIT;
	own_mem char *text = login_with("{\"exp\":1700000001}", ",\"account_id\":\"acc-1\"");

	(void)state;
	assert_ok(codex_login_read(text, strlen(text), NOW_MS, &l, &err), &err);
	assert_int_equal(l.expires, 1700000001);
	assert_non_null(strstr(text, secret_expose(&l.access)));
	codex_fill_plan(&l, NOW_MS, &c, &p);
	codex_fill_plan(&l, NOW_MS, &c, &p);
	assert_int_equal(p.nfiles, 1);
	assert_string_equal(p.files[0].path, CODEX_AUTH);
	assert_null(strstr(p.files[0].content, "rt-secret"));
	assert_non_null(strstr(p.files[0].content, "acc-1"));
	assert_true(str_ends(c.placeholder, ".{random}"));
	const char *payload = strchr(c.placeholder, '.') + 1;
	assert_true(base64_decode(&claims, payload, strcspn(payload, "."), true));
	assert_non_null(strstr(str_c(&claims), "\"exp\":1700000001"));
	mem_drop(&c.placeholder);
}

static void an_account_that_is_no_plain_name_is_left_out(void **state)
{
	own_codex_login struct codex_login l = CODEX_LOGIN_INIT;
	struct err err = ERR_INIT;
	own_mem char *text = login_with("{\"exp\":1700000001}", ",\"account_id\":\"a\\r\\nb\"");

	(void)state;
	assert_ok(codex_login_read(text, strlen(text), NOW_MS, &l, &err), &err);
	assert_null(l.account);
}

static void what_cannot_work_is_refused_and_not_quoted(void **state)
{
	static const struct {
		const char *text, *claims, *word;
	} cases[] = {
		{ "", NULL, "JSON" },
		{ "[]", NULL, "JSON" },
		{ "{\"tokens\":1}", NULL, "no access token" },
		{ "{\"OPENAI_API_KEY\":\"sk-secret\"}", NULL, "API key" },
		{ "{\"OPENAI_API_KEY\":\"sk-secret\",\"tokens\":null}", NULL, "API key" },
		{ "{\"tokens\":{\"access_token\":\"\"}}", NULL, "no access token" },
		{ "{\"tokens\":{\"access_token\":\"sk-secret\"}}", NULL, "form" },
		{ "{\"tokens\":{\"access_token\":\"sk-secret.a.b.c\"}}", NULL, "form" },
		{ "{\"tokens\":{\"access_token\":\"a.b\\nc.sk-secret\"}}", NULL, "form" },
		{ "{\"tokens\":{\"access_token\":\"a.bm8.sk-secret\"}}", NULL, "nothing that can be read" },
		{ NULL, "{}", "until when" },
		{ NULL, "{\"exp\":\"soon\"}", "until when" },
		{ NULL, "{\"exp\":-5}", "until when" },
		{ NULL, "{\"exp\":9000000000000000}", "until when" },
		{ NULL, "{\"exp\":1000}", "ran out" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_codex_login struct codex_login l = CODEX_LOGIN_INIT;
		struct err err = ERR_INIT;
		own_mem char *text = cases[i].text ? xstrdup(cases[i].text) : login_with(cases[i].claims, "");
		assert_refused(codex_login_read(text, strlen(text), NOW_MS, &l, &err), &err, ERR_INPUT,
		               cases[i].word);
		assert_null(strstr(err.text, "sk-secret"));
		assert_int_equal(secret_len(&l.access), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_twin_has_the_expiry_and_the_account_and_no_token),
		cmocka_unit_test(an_account_that_is_no_plain_name_is_left_out),
		cmocka_unit_test(what_cannot_work_is_refused_and_not_quoted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
