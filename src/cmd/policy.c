#include "cmd/cmd.h"

#include "base/json.h"
#include "manifest/manifest.h"
#include "policy/path.h"
#include "policy/policy.h"
#include "wire/host.h"
#include "wire/http.h"
#include "base/banned.h"

static const struct option options[] = {
	{ "bottle", 'b', "BOTTLE", true, COMPLETE_BOTTLE,
	  "whose routes; more than one are merged from left to right" },
	{ "header", 0, "NAME: VALUE", true, COMPLETE_NOTHING,
	  "a header of the request, for routes that match on headers" },
	{ 0 },
};

/* A request as the gateway would have read it. */
struct probe {
	struct str head; /* the slices of the others point into it */
	struct http_request request;
	struct host host;
	uint16_t port;
	struct str path; /* canonical */
};

static void probe_clear(struct probe *p)
{
	str_clear(&p->head);
	str_clear(&p->path);
}
#define own_probe OWN(probe_clear)

/* The request goes through the gateway's own parsers: what they refuse, it refuses. */
static void head_write(struct command *c, const char *method, const char *url, struct str *out)
{
	own_strv struct strv headers = STRV_INIT;
	const char *authority = strstr(url, "//");

	authority = authority ? authority + 2 : url;
	str_addf(out, "%s %.*s HTTP/1.1\r\nHost: %.*s\r\n", method, (int)strcspn(url, "#"), url,
	         (int)strcspn(authority, "/?#"), authority);
	command_values(c, "header", &headers);
	for (size_t i = 0; i < headers.n; i++)
		str_addf(out, "%s\r\n", headers.v[i]);
	str_add(out, "\r\n");
}

static int probe_read(struct command *c, struct probe *p, struct err *err)
{
	static const struct http_limits limits = HTTP_LIMITS_DEFAULT;
	const char *url = command_arg(c, 1);
	enum wire_fault fault = WIRE_FINE;
	struct http_request *r = &p->request;

	if (!str_starts(url, "https://") && !str_starts(url, "http://"))
		return fail(err, ERR_USAGE, "\"%.200s\" is no URL; it begins with https:// or http://", url);
	head_write(c, command_arg(c, 0), url, &p->head);
	if (http_request_parse((struct slice){ p->head.data, p->head.len }, &limits, r, &fault) < 0 ||
	    host_parse(r->host, &p->host, &fault) < 0 || path_canonical(r->path, &p->path, &fault) < 0)
		return fail(err, ERR_USAGE, "the gateway answers %d %s to this request: %s",
		            wire_fault_status(fault), wire_fault_word(fault), wire_fault_text(fault));
	p->port = (uint16_t)(r->port > 0 ? r->port : r->https ? 443 : 80);
	return 0;
}

static int policy_of_bottles(struct command *c, struct policy **out, struct err *err)
{
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	own_strv struct strv bottles = STRV_INIT;
	own_str struct str text = STR_INIT;
	const struct manifest_dirs *dirs = command_manifest_dirs(c, err);

	if (!dirs)
		return -1;
	command_values(c, "bottle", &bottles);
	if (bottles.n == 0)
		return fail(err, ERR_USAGE, "no bottle is named; --bottle NAME says whose routes are asked");
	if (manifest_resolve(dirs, NULL, &bottles, &plan, err) < 0)
		return -1;
	own_json json *routes = manifest_routes_json(&plan);
	json_print(routes, &text);
	return policy_compile(text.data, text.len, out, err);
}

static json *answer_of(const struct probe *p, const struct policy_request *request,
                       const struct policy_verdict *v)
{
	own_str struct str rule = STR_INIT, why = STR_INIT;
	json *answer = json_object_of();

	policy_rule_print(v, &rule);
	policy_explain(v, request, &why);
	json_set_string(answer, "verdict", v->allowed ? "allowed" : "refused");
	json_set_string(answer, "reason", policy_reason_word(v->reason));
	json_set_string(answer, "route", v->route ? v->route->host : NULL);
	json_set_string(answer, "rule", v->route ? str_c(&rule) : NULL);
	json_set_string(answer, "why", str_c(&why));
	json_set(answer, "method", json_of_stringn(request->method.at, request->method.n));
	json_set_string(answer, "host", p->host.text);
	json_set_int(answer, "port", p->port);
	json_set_string(answer, "path", str_c(&p->path));
	return answer;
}

static int run_test(struct command *c, struct err *err)
{
	static const struct ui_column fields[] = {
		{ "verdict", "verdict", false }, { "reason", "reason", false },
		{ "route", "route", false },     { "rule", "rule", false },
		{ "why", "why", false },         { "path", "path as judged", false },
	};
	own_policy struct policy *policy = NULL;
	own_probe struct probe probe = { 0 };
	struct policy_verdict verdict;

	if (policy_of_bottles(c, &policy, err) < 0 || probe_read(c, &probe, err) < 0)
		return -1;
	struct policy_request request = {
		.host = &probe.host,
		.port = probe.port,
		.plain = !probe.request.https,
		.method = probe.request.method,
		.path = { probe.path.data, probe.path.len },
		.query = probe.request.query,
		.upgrade = probe.request.upgrade,
		.fields = &probe.request.fields,
	};
	http_strip_forwarding(&probe.request.fields);
	policy_decide(policy, &request, &verdict);
	own_json json *answer = answer_of(&probe, &request, &verdict);
	ui_object(&c->ui, answer, fields, verdict.route ? ARRAY_LEN(fields) : ARRAY_LEN(fields) - 1);
	return verdict.allowed ? 0 : 1;
}

const struct verb verb_policy_test = {
	.name = "policy test",
	.args = "[--bottle BOTTLE]... [--header 'NAME: VALUE']... METHOD URL",
	.summary = "which route and rule decide on a request, and why",
	.details =
		"Reads the routes of the named bottles, merged as a launch would merge them, and decides on the request "
		"with the gateway's own code. Nothing is sent and nothing is resolved, so what depends on the host's "
		"address or on credentials is not judged. Status 0: it would be allowed; 1: it would be refused; "
		"2: the gateway would not even understand it, or there are no routes to ask.",
	.group = GROUP_RULES,
	.flags = VERB_JSON | VERB_ANSWER,
	.min_args = 2,
	.max_args = 2,
	.options = options,
	.run = run_test,
};
