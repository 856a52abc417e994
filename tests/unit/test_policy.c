#include "test.h"

#include <string.h>

#include "policy/policy.h"

static const char routes[] =
	"{\"routes\":["
	"{\"host\":\"api.test.example\",\"matches\":[{\"paths\":[{\"type\":\"exact\",\"value\":\"/one\"},"
	"{\"type\":\"prefix\",\"value\":\"/v1\"}],\"methods\":[\"GET\",\"POST\"]},"
	"{\"paths\":[{\"type\":\"regex\",\"value\":\"/r/[a-z]+\"}],\"headers\":[{\"name\":\"x-kind\",\"type\":\"exact\",\"value\":\"ok\"}]}]},"
	"{\"host\":\"open.example\",\"plain\":true,\"websocket\":true},"
	"{\"host\":\"*.wild.example\",\"wildcard\":true},"
	"{\"host\":\"named.wild.example\",\"port\":8443,\"plain\":true},"
	"{\"host\":\"localhost\",\"port\":8080},"
	"{\"host\":\"192.0.2.7\"},"
	"{\"host\":\"git.example\",\"git\":{\"fetch\":true},\"matches\":[{\"methods\":[\"GET\"],\"paths\":[{\"type\":\"prefix\",\"value\":\"/api\"}]}]},"
	"{\"host\":\"dns.example\",\"matches\":[{\"paths\":[{\"type\":\"exact\",\"value\":\"/dns-query\"}]},{\"methods\":[\"POST\"]}]},"
	"{\"host\":\"slow.example\",\"matches\":[{\"paths\":[{\"type\":\"regex\",\"value\":\"/(a+)+\"}]}]},"
	"{\"host\":\"k.example\",\"matches\":[{\"paths\":[{\"type\":\"regex\",\"value\":\"/a.*\\\\K\"}]}]},"
	"{\"host\":\"dav.example\",\"matches\":[{\"methods\":[\"PROPFIND\"]},{\"paths\":[{\"type\":\"prefix\",\"value\":\"/mine\"}],"
	"\"methods\":[\"COPY\",\"PUT\"]},{\"paths\":[{\"type\":\"prefix\",\"value\":\"/mine\"}],\"methods\":[\"MOVE\"],"
	"\"headers\":[{\"name\":\"Destination\",\"type\":\"exact\",\"value\":\"/mine/b\"}]}]}"
	"]}";

static int policy_set(void **state)
{
	struct err err = ERR_INIT;
	struct policy *policy = NULL;

	if (policy_compile(routes, sizeof routes - 1, &policy, &err) < 0)
		print_error("%s\n", err.text);
	*state = policy;
	return policy ? 0 : -1;
}

static int policy_unset(void **state)
{
	policy_free(*state);
	return 0;
}

static struct policy_verdict ask(const struct policy *policy, const char *method, const char *url,
                                 const char *field, const char *value)
{
	/* "https://host:port/path?query", the port always there. */
	struct http_fields fields = { .n = 0 };
	struct policy_verdict verdict;
	enum wire_fault fault;
	struct host host;
	bool plain = str_starts(url, "http:");
	const char *authority = strstr(url, "//") + 2, *path = strchr(authority, '/');
	const char *query = strchr(path, '?');
	struct slice name;
	int port;

	assert_int_equal(
		host_split((struct slice){ authority, (size_t)(path - authority) }, &name, &port, &fault), 0);
	assert_int_equal(host_parse(name, &host, &fault), 0);
	if (field)
		fields.at[fields.n++] = (struct http_field){ slice_of(field), slice_of(value), false };
	struct policy_request request = {
		.host = &host,
		.port = (uint16_t)port,
		.plain = plain,
		.method = slice_of(method),
		.path = { path, query ? (size_t)(query - path) : strlen(path) },
		.query = slice_of(query ? query + 1 : ""),
		.fields = &fields,
		.upgrade = field && str_is(field, "Upgrade") ? slice_of(value) : (struct slice){ 0 },
	};
	policy_decide(policy, &request, &verdict);
	return verdict;
}

static void each_request_is_decided_by_one_rule(void **state)
{
	static const struct {
		const char *method, *url, *field, *value, *reason, *rule;
	} cases[] = {
		{ "GET", "https://api.test.example:443/one", 0, 0, "allowed",
		  "routes[0].matches[0].paths[0] exact /one" },
		{ "GET", "https://api.test.example:443/one/", 0, 0, "no-match", "routes[0]" },
		{ "POST", "https://api.test.example:443/v1", 0, 0, "allowed",
		  "routes[0].matches[0].paths[1] prefix /v1" },
		{ "GET", "https://api.test.example:443/v1/x?y", 0, 0, "allowed",
		  "routes[0].matches[0].paths[1] prefix /v1" },
		{ "GET", "https://api.test.example:443/v10", 0, 0, "no-match", "routes[0]" },
		{ "GET", "https://api.test.example:443/V1", 0, 0, "no-match", "routes[0]" },
		{ "DELETE", "https://api.test.example:443/v1", 0, 0, "no-match", "routes[0]" },
		{ "get", "https://api.test.example:443/v1", 0, 0, "no-match", "routes[0]" },
		{ "GET", "https://api.test.example:443/r/abc", "X-Kind", "ok", "allowed",
		  "routes[0].matches[1].paths[0] regex /r/[a-z]+" },
		{ "GET", "https://api.test.example:443/r/abc", "X-Kind", "OK", "no-match", "routes[0]" },
		{ "GET", "https://api.test.example:443/r/abc", 0, 0, "no-match", "routes[0]" },
		{ "GET", "https://api.test.example:443/r/abc1", "X-Kind", "ok", "no-match", "routes[0]" },
		{ "GET", "https://api.test.example:443/x/r/abc", "X-Kind", "ok", "no-match", "routes[0]" },
		{ "GET", "http://api.test.example:80/one", 0, 0, "port-not-routed", "" },
		{ "GET", "http://api.test.example:443/one", 0, 0, "plain-http", "routes[0]" },
		{ "GET", "https://api.test.example:8443/one", 0, 0, "port-not-routed", "" },
		{ "GET", "https://evil.example:443/", 0, 0, "host-not-routed", "" },
		{ "GET", "https://api.test.example.evil.example:443/", 0, 0, "host-not-routed", "" },
		{ "GET", "https://test.example:443/", 0, 0, "host-not-routed", "" },
		{ "GET", "https://open.example:443/any", 0, 0, "allowed", "routes[1]" },
		{ "GET", "http://open.example:80/any", 0, 0, "allowed", "routes[1]" },
		{ "GET", "https://open.example:80/any", 0, 0, "tls-on-plain-port", "routes[1]" },
		{ "GET", "http://open.example:443/any", 0, 0, "plain-http", "routes[1]" },
		{ "CONNECT", "https://open.example:443/", 0, 0, "method-forbidden", "routes[1]" },
		{ "TRACE", "https://open.example:443/", 0, 0, "method-forbidden", "routes[1]" },
		{ "GET", "https://open.example:443/", "Upgrade", "websocket", "allowed", "routes[1]" },
		{ "GET", "https://open.example:443/", "Upgrade", "h2c", "upgrade", "routes[1]" },
		{ "GET", "https://open.example:443/", "Upgrade", "websocket, h2c", "upgrade", "routes[1]" },
		{ "GET", "https://a.wild.example:443/", "Upgrade", "websocket", "upgrade", "routes[2]" },
		{ "GET", "https://a.wild.example:443/", 0, 0, "allowed", "routes[2]" },
		{ "GET", "https://a.b.wild.example:443/", 0, 0, "host-not-routed", "" },
		{ "GET", "https://wild.example:443/", 0, 0, "host-not-routed", "" },
		{ "GET", "https://named.wild.example:443/", 0, 0, "allowed", "routes[2]" },
		{ "GET", "http://named.wild.example:8443/", 0, 0, "allowed", "routes[3]" },
		{ "GET", "https://deadbeef0123456789deadbeef.wild.example:443/", 0, 0, "wildcard-label",
		  "routes[2]" },
		{ "GET", "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.wild.example:443/", 0, 0,
		  "wildcard-label", "routes[2]" },
		{ "GET", "https://localhost:8080/", 0, 0, "allowed", "routes[4]" },
		{ "GET", "https://intranet:443/", 0, 0, "name-not-qualified", "" },
		{ "GET", "https://192.0.2.7:443/", 0, 0, "allowed", "routes[5]" },
		{ "GET", "https://192.0.2.8:443/", 0, 0, "address-not-routed", "" },
		{ "GET", "https://[::ffff:192.0.2.7]:443/", 0, 0, "address-not-routed", "" },
		{ "GET", "https://git.example:443/o/r.git/info/refs?service=git-upload-pack", 0, 0, "allowed",
		  "routes[6]" },
		{ "POST", "https://git.example:443/o/r.git/git-upload-pack", 0, 0, "allowed", "routes[6]" },
		{ "GET", "https://git.example:443/o/r.git/info/refs?service=git-receive-pack", 0, 0,
		  "git-push", "routes[6]" },
		{ "GET", "https://git.example:443/o/r.git/info/refs?service=git%2Dreceive-pack", 0, 0,
		  "git-push", "routes[6]" },
		{ "POST", "https://git.example:443/o/r.git/git-receive-pack", 0, 0, "git-push", "routes[6]" },
		{ "GET", "https://git.example:443/other", 0, 0, "no-match", "routes[6]" },
		{ "POST", "https://open.example:443/r.git%2Fgit-receive-pack", 0, 0, "git-push",
		  "routes[1]" },
		{ "POST", "https://open.example:443/r.git/git-receive%252Dpack", 0, 0, "git-push",
		  "routes[1]" },
		{ "POST", "https://open.example:443/r.git/git-receive-pack;x=1", 0, 0, "git-push",
		  "routes[1]" },
		{ "POST", "https://open.example:443/r.git/git-receive-pack/", 0, 0, "git-push", "routes[1]" },
		{ "GET", "https://open.example:443/r/info/refs?a;service=git-receive-pack", 0, 0, "git-push",
		  "routes[1]" },
		{ "GET", "https://open.example:443/r/my-git-receive-pack", 0, 0, "allowed", "routes[1]" },
		{ "POST", "https://git.example:443/o/r.git%2Fgit-upload-pack", 0, 0, "no-match",
		  "routes[6]" },
		{ "POST", "https://open.example:443/r.git/git-receive-pack", 0, 0, "git-push", "routes[1]" },
		{ "POST", "https://open.example:443/r.git/git-upload-pack", 0, 0, "git-fetch", "routes[1]" },
		{ "GET", "https://open.example:443/r/info/refs?a=b&service=git-upload-pack", 0, 0,
		  "git-fetch", "routes[1]" },
		{ "POST", "https://open.example:443/x", "Content-Type",
		  "application/x-git-receive-pack-request", "git-push", "routes[1]" },
		{ "GET", "https://api.test.example:443/v1", "X-HTTP-Method-Override", "DELETE",
		  "method-override", "routes[0]" },
		{ "GET", "https://api.test.example:443/v1", "x-http-method", "PUT", "method-override",
		  "routes[0]" },
		{ "GET", "https://api.test.example:443/v1", "x_http_method", "PUT", "method-override",
		  "routes[0]" },
		{ "GET", "https://api.test.example:443/v1?a;_method=DELETE", 0, 0, "method-override",
		  "routes[0]" },
		{ "GET", "https://api.test.example:443/r/abc", "x_kind", "OK", "no-match", "routes[0]" },
		{ "GET", "https://api.test.example:443/v1?_method=DELETE", 0, 0, "method-override",
		  "routes[0]" },
		{ "GET", "https://api.test.example:443/v1?a&%5fmethod=DELETE", 0, 0, "method-override",
		  "routes[0]" },
		{ "GET", "https://api.test.example:443/v1?.method=DELETE", 0, 0, "method-override",
		  "routes[0]" },
		{ "GET", "https://api.test.example:443/v1?a&+[method=DELETE", 0, 0, "method-override",
		  "routes[0]" },
		{ "GET", "https://api.test.example:443/v1?%24httpMethod=DELETE", 0, 0, "method-override",
		  "routes[0]" },
		{ "GET", "https://api.test.example:443/v1?$httpHeaders=X-HTTP-Method-Override:DELETE", 0, 0,
		  "method-override", "routes[0]" },
		{ "GET", "https://api.test.example:443/v1?methods=DELETE&my_method=x", 0, 0, "allowed",
		  "routes[0].matches[0].paths[1] prefix /v1" },
		{ "GET", "https://open.example:443/v1?$httpMethod=DELETE", 0, 0, "allowed", "routes[1]" },
		{ "GET", "https://api.test.example:443/r/abc?%24httpHeaders=X-Kind:evil", "X-Kind", "ok",
		  "no-match", "routes[0]" },
		{ "GET", "https://api.test.example:443/v1", "X-HTTP-Method-Override", "GET", "allowed",
		  "routes[0].matches[0].paths[1] prefix /v1" },
		{ "GET", "https://open.example:443/v1", "X-HTTP-Method-Override", "DELETE", "allowed",
		  "routes[1]" },
		{ "POST", "https://open.example:443/q", "Content-Type", "application/dns-message",
		  "dns-over-https", "routes[1]" },
		{ "GET", "https://open.example:443/q", "Accept", "text/html, Application/DNS-JSON",
		  "dns-over-https", "routes[1]" },
		{ "GET", "https://open.example:443/dns-query?dns=AAAB", 0, 0, "dns-over-https", "routes[1]" },
		{ "GET", "https://open.example:443/x%2Fdns-query?dns=AAAB", 0, 0, "dns-over-https",
		  "routes[1]" },
		{ "GET", "https://open.example:443/dns-query/x", 0, 0, "allowed", "routes[1]" },
		{ "POST", "https://dns.example:443/dns-query", "Content-Type", "application/dns-message",
		  "allowed", "routes[7].matches[0].paths[0] exact /dns-query" },
		{ "POST", "https://dns.example:443/q", "Content-Type", "application/dns-message",
		  "dns-over-https", "routes[7]" },
		{ "GET", "https://slow.example:443/aaaa", 0, 0, "allowed",
		  "routes[8].matches[0].paths[0] regex /(a+)+" },
		{ "GET", "https://slow.example:443/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 0, 0,
		  "no-match", "routes[8]" },
		{ "GET", "https://k.example:443/abc", 0, 0, "no-match", "routes[9]" },
		{ "COPY", "https://dav.example:443/mine/a", "Destination", "/other", "second-path",
		  "routes[10]" },
		{ "COPY", "https://dav.example:443/mine/a", "destination", "https://dav.example/mine/b",
		  "second-path", "routes[10]" },
		{ "PUT", "https://dav.example:443/mine/a", "x_amz_copy_source", "/other", "second-path",
		  "routes[10]" },
		{ "PUT", "https://dav.example:443/mine/a", "X-Copy-From", "/other", "second-path",
		  "routes[10]" },
		{ "PUT", "https://dav.example:443/mine/a", "X-Copy", "/other", "allowed",
		  "routes[10].matches[1].paths[0] prefix /mine" },
		{ "MOVE", "https://dav.example:443/mine/a", "Destination", "/mine/b", "allowed",
		  "routes[10].matches[2].paths[0] prefix /mine" },
		{ "MOVE", "https://dav.example:443/mine/a", "Destination", "/other", "no-match",
		  "routes[10]" },
		{ "PROPFIND", "https://dav.example:443/mine/a", "Destination", "/other", "allowed",
		  "routes[10].matches[0]" },
		{ "COPY", "https://open.example:443/a", "Destination", "/other", "allowed", "routes[1]" },
		{ "POST", "https://git.example:443/o/r.git/git-upload-pack", "Destination", "/other",
		  "second-path", "routes[6]" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str rule = STR_INIT;
		struct policy_verdict v =
			ask(*state, cases[i].method, cases[i].url, cases[i].field, cases[i].value);

		policy_rule_print(&v, &rule);
		if (!str_is(policy_reason_word(v.reason), cases[i].reason) ||
		    !str_is(str_c(&rule), cases[i].rule) || v.allowed != (v.reason == POLICY_ALLOWED))
			fail_msg("%s %s: %s, %s", cases[i].method, cases[i].url, policy_reason_word(v.reason),
			         str_c(&rule));
	}
}

static void a_field_said_twice_must_fit_twice_and_one_not_sent_counts_for_nothing(void **state)
{
	static const struct {
		bool skip;
		const char *second;
		bool allowed;
	} cases[] = {
		{ false, NULL, true },
		{ true, NULL, false },
		{ false, "ok", true },
		{ false, "evil", false },
	};
	enum wire_fault fault;
	struct host host;

	assert_int_equal(host_parse(slice_of("api.test.example"), &host, &fault), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_fields fields = {
			.n = 1, .at = { { slice_of("X-Kind"), slice_of("ok"), cases[i].skip } }
		};
		struct policy_request r = { .host = &host,
			                    .port = 443,
			                    .method = slice_of("GET"),
			                    .path = slice_of("/r/a"),
			                    .fields = &fields };
		struct policy_verdict v;
		if (cases[i].second)
			fields.at[fields.n++] =
				(struct http_field){ slice_of("x-kind"), slice_of(cases[i].second), false };
		policy_decide(*state, &r, &v);
		assert_int_equal(v.allowed, cases[i].allowed);
	}
}

static void what_is_judged_with_the_head_comes_in_no_trailer(void **state)
{
	static const struct {
		size_t route;
		const char *name;
		bool allowed;
	} cases[] = {
		{ 0, "X-Kind", false },       { 0, "x_kind", false },       { 0, "X-Sum", true },
		{ 0, "Destination", false },  { 1, "X-Kind", true },        { 1, "Destination", true },
		{ 10, "Destination", false }, { 10, "X-Copy-From", false }, { 10, "X-Kind", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_fields fields = { .n = 2,
			                      .at = { { slice_of("X-First"), slice_of("1"), false },
			                              { slice_of(cases[i].name), slice_of("ok"), false } } };
		if (policy_allows_trailers(policy_route_at(*state, cases[i].route), &fields) !=
		    cases[i].allowed)
			fail_msg("route %zu: %s", cases[i].route, cases[i].name);
	}
}

static void a_connection_begins_only_to_a_routed_host_and_port(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		const char *reason;
	} cases[] = {
		{ "api.test.example", 443, "allowed" },    { "api.test.example", 80, "port-not-routed" },
		{ "open.example", 80, "allowed" },         { "evil.example", 443, "host-not-routed" },
		{ "10.0.0.1", 443, "address-not-routed" }, { "localhost", 443, "port-not-routed" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy_verdict v;
		enum wire_fault fault;
		struct host host;
		assert_int_equal(host_parse(slice_of(cases[i].host), &host, &fault), 0);
		policy_decide_connect(*state, &host, cases[i].port, &v);
		assert_string_equal(policy_reason_word(v.reason), cases[i].reason);
	}
}

static void a_refusal_explains_itself_in_a_sentence(void **state)
{
	enum wire_fault fault;
	struct host host;
	own_str struct str text = STR_INIT;

	assert_int_equal(host_parse(slice_of("api.test.example"), &host, &fault), 0);
	struct policy_request r = {
		.host = &host, .port = 443, .method = slice_of("PUT"), .path = slice_of("/v1")
	};
	struct policy_verdict v;
	policy_decide(*state, &r, &v);
	policy_explain(&v, &r, &text);
	assert_string_equal(
		text.data,
		"api.test.example has a route (routes[0]), but none of its matches fits PUT /v1: for "
		"this path matches[0] allows only GET, POST");
	for (int i = 0; i < POLICY_REASONS; i++) {
		v.reason = (enum policy_reason)i;
		assert_non_null(policy_reason_word(v.reason));
		str_reset(&text);
		policy_explain(&v, &r, &text);
		assert_null(strchr(text.data, '%'));
	}
}

static void a_document_that_is_not_understood_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *word;
	} cases[] = {
		{ "", "routes" },
		{ "[]", "not an object" },
		{ "{}", "routes is not a list" },
		{ "{\"routes\":{}}", "not a list" },
		{ "{\"routes\":[],\"x\":1}", "unknown key \"x\"" },
		{ "{\"routes\":[],\"routes\":[]}", "routes" },
		{ "{\"routes\":[{}]}", "routes[0].host" },
		{ "{\"routes\":[1]}", "not an object" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"hots\":1}]}", "\"hots\"" },
		{ "{\"routes\":[{\"host\":\"a_b.c\"}]}", "a_b.c" },
		{ "{\"routes\":[{\"host\":\"0x7f.1\"}]}", "unusual spelling" },
		{ "{\"routes\":[{\"host\":\"*.a.b\"}]}", "wildcard" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"wildcard\":true}]}", "wildcard" },
		{ "{\"routes\":[{\"host\":\"*.com\",\"wildcard\":true}]}", "top level" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"port\":0}]}", "1-65535" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"port\":\"1\"}]}", "1-65535" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"plain\":1}]}", "plain" },
		{ "{\"routes\":[{\"host\":\"a.b\"},{\"host\":\"A.b.\",\"port\":443}]}", "already" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"matches\":[]}]}", "matches" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"matches\":[{}]}]}", "asks nothing" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"matches\":[{\"paths\":[]}]}]}", "paths" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"matches\":[{\"paths\":[{\"type\":\"prefix\",\"value\":\"/../x\"}]}]}]}",
		  "paths[0]" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"matches\":[{\"paths\":[{\"type\":\"prefix\",\"value\":\"x\"}]}]}]}",
		  "paths[0]" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"matches\":[{\"paths\":[{\"type\":\"glob\",\"value\":\"/x\"}]}]}]}",
		  "type" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"matches\":[{\"paths\":[{\"type\":\"regex\",\"value\":\"(\"}]}]}]}",
		  "regex" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"matches\":[{\"methods\":[\"get\"]}]}]}", "upper case" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"matches\":[{\"headers\":[{\"name\":\"x\",\"type\":\"prefix\",\"value\":\"y\"}]}]}]}",
		  "prefix" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"auth\":{\"token_ref\":\"X\"}}]}", "exactly one" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"auth\":{}}]}", "token_ref" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"plain\":true,\"auth\":{\"scheme\":\"bearer\",\"token_ref\":\"X\"}}]}",
		  "in the clear" },
		{ "{\"routes\":[{\"host\":\"a.b\",\"auth\":{\"scheme\":\"digest\",\"token_ref\":\"X\"}}]}",
		  "scheme" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_policy struct policy *policy = NULL;
		struct err err = ERR_INIT;
		assert_refused(policy_compile(cases[i].text, strlen(cases[i].text), &policy, &err), &err,
		               ERR_INPUT, cases[i].word);
		assert_null(policy);
	}
}

static void ten_thousand_routes_are_fine_and_one_more_is_not(void **state)
{
	(void)state;
	for (int n = POLICY_ROUTES_MAX; n <= POLICY_ROUTES_MAX + 1; n++) {
		own_str struct str text = STR_INIT;
		own_policy struct policy *policy = NULL;
		struct err err = ERR_INIT;

		str_add(&text, "{\"routes\":[");
		for (int i = 0; i < n; i++)
			str_addf(&text, "%s{\"host\":\"h%d.example\"}", i ? "," : "", i);
		str_add(&text, "]}");
		int rc = policy_compile(text.data, text.len, &policy, &err);
		assert_int_equal(rc, n == POLICY_ROUTES_MAX ? 0 : -1);
		if (rc < 0)
			continue;
		struct policy_verdict v = ask(policy, "GET", "https://h9999.example:443/", NULL, NULL);
		assert_true(v.allowed);
		assert_int_equal(v.route->index, 9999);
	}
}

static void no_routes_allow_nothing(void **state)
{
	(void)state;
	own_policy struct policy *policy = NULL;
	struct err err = ERR_INIT;

	assert_ok(policy_compile("{\"routes\":[]}", 13, &policy, &err), &err);
	assert_false(ask(policy, "GET", "https://a.example:443/", NULL, NULL).allowed);
}

static void of_a_hosts_file_stays_what_a_route_can_ask_for(void **state)
{
	own_str struct str kept = STR_INIT;
	const char *text =
		"127.0.0.1 localhost\n\n# api.test.example\n0.0.0.0 ads.example\n"
		"192.0.2.1 ads.example API.test.example # both\n192.0.2.2\tx.wild.example\r\n"
		"192.0.2.3 a.x.wild.example\n192.0.2.4 x #open.example\napi.test.example\n"
		"192.0.2.5 named.wild.example\n192.0.2.6 proxy\n192.0.2.7 proxy.example not\\a|host\n"
		"::1 open.example";

	policy_keep_hosts(*state, "proxy", slice_of(text), &kept);
	assert_string_equal(str_c(&kept),
	                    "127.0.0.1 localhost\n192.0.2.1 ads.example API.test.example # both\n"
	                    "192.0.2.2\tx.wild.example\r\n192.0.2.5 named.wild.example\n"
	                    "192.0.2.6 proxy\n::1 open.example\n");
	str_reset(&kept);
	policy_keep_hosts(*state, NULL, slice_of("192.0.2.6 proxy\n"), &kept);
	assert_int_equal(kept.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_a_hosts_file_stays_what_a_route_can_ask_for, policy_set,
		                                policy_unset),
		cmocka_unit_test_setup_teardown(each_request_is_decided_by_one_rule, policy_set,
		                                policy_unset),
		cmocka_unit_test_setup_teardown(
			a_field_said_twice_must_fit_twice_and_one_not_sent_counts_for_nothing, policy_set,
			policy_unset),
		cmocka_unit_test_setup_teardown(what_is_judged_with_the_head_comes_in_no_trailer, policy_set,
		                                policy_unset),
		cmocka_unit_test_setup_teardown(a_connection_begins_only_to_a_routed_host_and_port,
		                                policy_set, policy_unset),
		cmocka_unit_test_setup_teardown(a_refusal_explains_itself_in_a_sentence, policy_set,
		                                policy_unset),
		cmocka_unit_test(a_document_that_is_not_understood_is_refused),
		cmocka_unit_test(ten_thousand_routes_are_fine_and_one_more_is_not),
		cmocka_unit_test(no_routes_allow_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
