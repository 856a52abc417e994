#include "test.h"
#include "egress/credential.h"
#include "egress/refusal.h"

#define ROUTES                                                                                     \
	"{\"routes\":[{\"host\":\"a.test\",\"auth\":{\"scheme\":\"bearer\",\"token_ref\":\"T\"}}," \
	"{\"host\":\"b.test\",\"auth\":{\"header\":\"X-Own\",\"token_ref\":\"T\"}},{\"host\":\"c.test\"}]}"

struct fixture {
	struct egress_config config;
	struct policy *policy;
	struct credentials credentials;
};

static void add_row(struct egress_config *config, const char *host, enum egress_scheme scheme,
                    const char *value, const char *placeholder)
{
	struct egress_credential *row = egress_config_add_credential(config);

	row->host = xstrdup(host);
	row->port = 443;
	row->scheme = scheme;
	row->header = xstrdup(scheme == EGRESS_HEADER ? "X-Own" : "");
	secret_set(&row->value, value, strlen(value));
	row->placeholder = xstrdup(placeholder);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	struct err err = ERR_INIT;

	egress_config_init(&f->config);
	add_row(&f->config, "a.test", EGRESS_BEARER, "real-a", "placeholder-a");
	add_row(&f->config, "b.test", EGRESS_HEADER, "real-b", "placeholder-b");
	assert_ok(policy_compile(ROUTES, strlen(ROUTES), &f->policy, &err), &err);
	assert_ok(credentials_compile(f->policy, &f->config, &f->credentials, &err), &err);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	credentials_clear(&f->credentials);
	policy_free(f->policy);
	egress_config_clear(&f->config);
	free(f);
	return 0;
}

static enum credential_finding judge(const struct fixture *f, size_t route, const char *field,
                                     const char *value, const char *path, const char *query,
                                     struct str *query_out)
{
	static struct http_request request;
	const struct credential *mine = credential_of(&f->credentials, policy_route_at(f->policy, route));

	request = (struct http_request){ .query = slice_of(query), .has_query = *query };
	if (field)
		request.fields.at[request.fields.n++] =
			(struct http_field){ slice_of(field), slice_of(value), false };
	return credential_judge(&f->credentials, mine, &request, slice_of(path), query_out);
}

enum { FINE = CREDENTIAL_FINE, FOREIGN = CREDENTIAL_FOREIGN, ELSEWHERE = CREDENTIAL_ELSEWHERE };
#define PROTOCOL "Sec-WebSocket-Protocol"

static void each_showing_of_a_credential_is_judged(void **state)
{
	/* Base64 of "u:placeholder-a". */
	static const struct {
		size_t route;
		const char *field, *value, *path, *query;
		int finding;
	} cases[] = {
		{ 0, "Authorization", "Bearer placeholder-a", "/", "", FINE },
		{ 0, "Authorization", "Basic dTpwbGFjZWhvbGRlci1h", "/", "", FINE },
		{ 0, "Authorization", "", "/", "", FINE },
		{ 0, "Authorization", "Bearer mine", "/", "", FOREIGN },
		{ 0, "authorization", "Bearer mine", "/", "", FOREIGN },
		{ 0, "X-Api-Key", "mine", "/", "", FOREIGN },
		{ 0, "X_Api_Key", "mine", "/", "", FOREIGN },
		{ 0, "Cookie", "a=b", "/", "", FOREIGN },
		{ 0, "X-Own", "mine", "/", "", FINE },
		{ 1, "X-Own", "mine", "/", "", FOREIGN },
		{ 1, "x_own", "mine", "/", "", FOREIGN },
		{ 1, "X-Own", "placeholder-b", "/", "", FINE },
		{ 1, "X-Own", "placeholder-a", "/", "", ELSEWHERE },
		{ 2, "Authorization", "Bearer mine", "/", "key=mine", FINE },
		{ 2, "Authorization", "Bearer placeholder-a", "/", "", ELSEWHERE },
		{ 2, "Authorization", "Basic dTpwbGFjZWhvbGRlci1h", "/", "", ELSEWHERE },
		{ 2, "X-Any", "placeholder-b", "/", "", ELSEWHERE },
		{ 2, "X-placeholder-a", "x", "/", "", ELSEWHERE },
		{ 2, NULL, NULL, "/x/placeholder-a", "", ELSEWHERE },
		{ 2, NULL, NULL, "/x/place%2568older-a", "", ELSEWHERE },
		{ 2, NULL, NULL, "/", "a=%70laceholder-a", ELSEWHERE },
		{ 0, NULL, NULL, "/", "a=placeholder-b", ELSEWHERE },
		{ 0, NULL, NULL, "/placeholder-a", "a=placeholder-a", FINE },
		{ 0, NULL, NULL, "/", "key=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "a;access%5Ftoken=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "monkey=mine", FINE },
		{ 0, "Job-Token", "mine", "/", "", FOREIGN },
		{ 0, "deploy_token", "mine", "/", "", FOREIGN },
		{ 0, "Deploy-Token", "placeholder-a", "/", "", FINE },
		{ 0, NULL, NULL, "/", "private_token=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "job_token=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "oauth_token=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "api_key=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "api-key=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "%24httpHeaders=Authorization%3ABearer%20mine", FOREIGN },
		{ 0, NULL, NULL, "/", "access.token=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "access[token=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "a&+access_token=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "%20%20access+token=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "%2561ccess_token=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "key%00x=mine", FOREIGN },
		{ 0, NULL, NULL, "/", "access.token=placeholder-a", FINE },
		{ 0, NULL, NULL, "/", "access_tokens=mine&the_key=mine&tokens=1&accesstoken=2", FINE },
		{ 2, NULL, NULL, "/", "private_token=mine", FINE },
		{ 0, PROTOCOL, "realtime, OpenAI-insecure-api-key.mine", "/", "", FOREIGN },
		{ 0, PROTOCOL, "openai-insecure-api-key.mine,realtime", "/", "", FOREIGN },
		{ 0, PROTOCOL, "base64url.bearer.authorization.k8s.io.bWluZQ", "/", "", FOREIGN },
		{ 0, PROTOCOL, "realtime, openai-insecure-api-key.placeholder-a", "/", "", FINE },
		{ 0, PROTOCOL, "realtime, openai-beta.realtime-v1", "/", "", FINE },
		{ 2, PROTOCOL, "openai-insecure-api-key.mine", "/", "", FINE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str query = STR_INIT;
		int got = judge(*state, cases[i].route, cases[i].field, cases[i].value, cases[i].path,
		                cases[i].query, &query);
		if (got != cases[i].finding)
			fail_msg("case %zu: %d, not %d", i, got, cases[i].finding);
	}
}

static void a_placeholder_in_the_query_is_taken_out(void **state)
{
	own_str struct str query = STR_INIT;

	assert_int_equal(judge(*state, 0, NULL, NULL, "/", "a=1&key=placeholder-a&b=2", &query),
	                 CREDENTIAL_FINE);
	assert_string_equal(query.data, "a=1&b=2");
}

/* Looking through every layer would cost the square of the length. */
static void a_query_in_too_many_layers_is_not_looked_through(void **state)
{
	static const struct {
		size_t layers;
		int finding;
	} cases[] = {
		{ 7, ELSEWHERE }, { 8, ELSEWHERE }, { 9, CREDENTIAL_OBSCURED }, { 30000, CREDENTIAL_OBSCURED }
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str text = STR_INIT, out = STR_INIT;
		str_add(&text, "a=%");
		for (size_t k = 1; k < cases[i].layers; k++)
			str_add(&text, "25");
		str_add(&text, "70laceholder-a");
		assert_int_equal(judge(*state, 2, NULL, NULL, "/", text.data, &out), cases[i].finding);
	}
}

static void trailers_carry_none(void **state)
{
	const struct fixture *f = *state;
	const struct credential *a = &f->credentials.at[0];
	static const struct {
		const char *name, *value;
		bool with_auth, without;
	} cases[] = {
		{ "X-Sum", "1", true, true },
		{ "X-Sum", "placeholder-a", false, false },
		{ "X-Sum", "placeholder-b", false, false },
		{ "X_Auth_Token", "mine", false, true },
		{ "Job-Token", "mine", false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_fields fields = { .n = 1 };
		fields.at[0] =
			(struct http_field){ slice_of(cases[i].name), slice_of(cases[i].value), false };
		assert_int_equal(credential_allows_trailers(&f->credentials, a, &fields), cases[i].with_auth);
		assert_int_equal(credential_allows_trailers(&f->credentials, NULL, &fields),
		                 cases[i].without);
	}
}

static void rows_and_routes_must_fit_each_other(void **state)
{
	struct fixture *f = *state;
	struct credentials none = CREDENTIALS_INIT;
	struct err err = ERR_INIT;

	add_row(&f->config, "c.test", EGRESS_BEARER, "real-c", "placeholder-c");
	assert_refused(credentials_compile(f->policy, &f->config, &none, &err), &err, ERR_INPUT,
	               "no route of its own");
	secret_set(&f->config.credentials[0].value, "a\r\nb", 4);
	assert_refused(credentials_compile(f->policy, &f->config, &none, &err), &err, ERR_INPUT,
	               "line break");
	f->config.credentials[0].host[0] = 'x';
	assert_refused(credentials_compile(f->policy, &f->config, &none, &err), &err, ERR_INPUT,
	               "no credential came");
}

static void two_routes_of_one_host_have_each_their_own_row(void **state)
{
	static const char routes[] =
		"{\"routes\":[{\"host\":\"a.test\",\"auth\":{\"scheme\":\"bearer\",\"token_ref\":\"T\"}},"
		"{\"host\":\"a.test\",\"port\":80,\"plain\":true,\"allow_private\":true,"
		"\"auth\":{\"scheme\":\"bearer\",\"token_ref\":\"T\"}}]}";
	static const uint32_t ports[] = { 443, 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		own_egress_config struct egress_config config = EGRESS_CONFIG_INIT;
		own_policy struct policy *policy = NULL;
		struct credentials c = CREDENTIALS_INIT;
		struct err err = ERR_INIT;
		egress_config_init(&config);
		add_row(&config, "a.test", EGRESS_BEARER, "of-80", "placeholder-80");
		add_row(&config, "a.test", EGRESS_BEARER, "of-443", "placeholder-443");
		config.credentials[0].port = 80;
		config.credentials[1].port = ports[i];
		assert_ok(policy_compile(routes, strlen(routes), &policy, &err), &err);
		assert_ok(credentials_compile(policy, &config, &c, &err), &err);
		assert_string_equal(credential_of(&c, policy_route_at(policy, 0))->row->placeholder,
		                    "placeholder-443");
		assert_string_equal(credential_of(&c, policy_route_at(policy, 1))->row->placeholder,
		                    "placeholder-80");
		credentials_clear(&c);
	}
}

static void every_refusal_has_a_word_and_a_sentence_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < REFUSALS; i++) {
		assert_true(strlen(refusal_word(i)) > 3 &&
		            !strpbrk(refusal_word(i), " ABCDEFGHIJKLMNOPQRSTUVWXYZ_"));
		assert_true(strlen(refusal_text(i)) > 12);
		assert_true(refusal_status(i) == 0 || (refusal_status(i) >= 400 && refusal_status(i) < 600));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(refusal_word(i), refusal_word(k));
	}
}

static void a_refusal_escapes_what_it_repeats(void **state)
{
	struct refusal_page page = { .status = 403,
		                     .reason = "r",
		                     .text = "a \"b\"\r\nX: y",
		                     .host = "h",
		                     .rule = "<\x7f>",
		                     .id = "i",
		                     .close = true };
	own_str struct str out = STR_INIT, bare = STR_INIT;

	(void)state;
	refusal_print(&page, &out);
	const char *body = strstr(out.data, "\r\n\r\n");
	assert_non_null(body);
	assert_null(strstr(body + 4, "\r\n"));
	assert_non_null(strstr(body, "a \\\"b\\\""));
	assert_non_null(strstr(out.data, "Connection: close\r\n"));
	page.head_only = true;
	page.close = false;
	refusal_print(&page, &bare);
	assert_string_equal(strstr(bare.data, "\r\n\r\n"), "\r\n\r\n");
	assert_null(strstr(bare.data, "Connection"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_showing_of_a_credential_is_judged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_placeholder_in_the_query_is_taken_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_query_in_too_many_layers_is_not_looked_through, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(trailers_carry_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rows_and_routes_must_fit_each_other, set_up, tear_down),
		cmocka_unit_test(two_routes_of_one_host_have_each_their_own_row),
		cmocka_unit_test(every_refusal_has_a_word_and_a_sentence_of_its_own),
		cmocka_unit_test(a_refusal_escapes_what_it_repeats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
