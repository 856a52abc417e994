#include "policy/compiled.h"

#include "base/json.h"
#include "policy/path.h"

#include "base/banned.h"

enum { DEPTH_MAX = 16, LIST_MAX = 1000 };

/* Where a fault is, for the error: "routes[2].matches[0]". */
struct place {
	struct policy *policy;
	char text[96];
};

#define place_in(outer, ...)                                \
	struct place place = { .policy = (outer)->policy }; \
	place_name(&place, outer, __VA_ARGS__)

__attribute__((format(printf, 3, 4))) static void place_name(struct place *p, const struct place *outer,
                                                             const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(p->text, sizeof p->text, "%s", outer->text);

	va_start(ap, fmt);
	vsnprintf(p->text + n, sizeof p->text - (size_t)n, fmt, ap);
	va_end(ap);
}

static struct slice keep(struct policy *policy, const char *text, size_t n)
{
	char *copy = xstrndup(text, n);

	strv_take(&policy->texts, copy);
	return (struct slice){ copy, strlen(copy) };
}

/* ---- reading values, strictly: a key that isn't known could have been a restriction */

struct key_check {
	const char *const *known;
	const char *unknown;
};

static bool key_is_known(void *arg, const char *key, json *value)
{
	struct key_check *check = arg;

	(void)value;
	for (size_t i = 0; check->known[i]; i++)
		if (str_is(check->known[i], key))
			return true;
	check->unknown = key;
	return false;
}

static int object_of(const struct place *place, json *j, const char *const *known, struct err *err)
{
	struct key_check check = { known, NULL };

	if (json_kind(j) != JSON_OBJECT)
		return fail(err, ERR_INPUT, "%s is %s, not an object", place->text,
		            json_kind_name(json_kind(j)));
	json_each(j, key_is_known, &check);
	if (check.unknown)
		return fail(err, ERR_INPUT, "%s has the unknown key \"%s\"", place->text, check.unknown);
	return 0;
}

static int truth_of(const struct place *place, json *object, const char *key, bool *out, struct err *err)
{
	json *j = json_get(object, key);

	if (j && json_kind(j) != JSON_BOOL)
		return fail(err, ERR_INPUT, "%s.%s is not true or false", place->text, key);
	*out = json_truth(j, false);
	return 0;
}

static int text_of(const struct place *place, json *object, const char *key, struct slice *out,
                   struct err *err)
{
	json *j = json_get(object, key);
	size_t n = 0;

	if (json_kind(j) != JSON_STRING)
		return fail(err, ERR_INPUT, "%s.%s is missing or no string", place->text, key);
	const char *text = json_string_n(j, &n);
	if (n == 0 || memchr(text, '\0', n))
		return fail(err, ERR_INPUT, "%s.%s is empty or holds a NUL", place->text, key);
	*out = (struct slice){ text, n };
	return 0;
}

/* A list that may be missing; an empty one is an error, because it would ask nothing where
 * somebody meant to allow nothing. */
static int list_of(const struct place *place, json *object, const char *key, size_t *n, struct err *err)
{
	json *j = json_get(object, key);

	*n = json_count(j);
	if (j && (json_kind(j) != JSON_ARRAY || *n == 0 || *n > LIST_MAX))
		return fail(err, ERR_INPUT, "%s.%s is not a list of 1 to %d entries", place->text, key,
		            LIST_MAX);
	return 0;
}

static int compare_of(const struct place *place, json *object, enum policy_compare *out, struct err *err)
{
	static const char *const names[] = { "exact", "prefix", "regex" };
	struct slice type = { 0 };

	if (text_of(place, object, "type", &type, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (slice_is(type, names[i])) {
			*out = (enum policy_compare)i;
			return 0;
		}
	}
	return fail(err, ERR_INPUT, "%s.type is not exact, prefix or regex", place->text);
}

/* ---- matches */

static int path_of(const struct place *outer, size_t i, json *j, struct policy_path *out, struct err *err)
{
	static const char *const known[] = { "type", "value", NULL };
	enum wire_fault fault;
	own_str struct str canonical = STR_INIT;
	struct slice value = { 0 };

	place_in(outer, ".paths[%zu]", i);
	if (object_of(&place, j, known, err) < 0 || compare_of(&place, j, &out->compare, err) < 0 ||
	    text_of(&place, j, "value", &value, err) < 0)
		return -1;
	if (out->compare == POLICY_REGEX) {
		out->value = keep(place.policy, value.at, value.n);
		return policy_regex_compile(value, &out->regex, err) < 0 ? fail_in(err, "%s", place.text) : 0;
	}
	if (path_canonical(value, &canonical, &fault) < 0)
		return fail(err, ERR_INPUT, "%s \"%s\": %s", place.text, value.at, wire_fault_text(fault));
	out->value = keep(place.policy, canonical.data, canonical.len);
	return 0;
}

static int header_of(const struct place *outer, size_t i, json *j, struct policy_header *out, struct err *err)
{
	static const char *const known[] = { "name", "type", "value", NULL };
	struct slice name = { 0 }, value = { 0 };

	place_in(outer, ".headers[%zu]", i);
	out->compare = POLICY_EXACT;
	if (object_of(&place, j, known, err) < 0 || text_of(&place, j, "name", &name, err) < 0 ||
	    text_of(&place, j, "value", &value, err) < 0)
		return -1;
	if (json_get(j, "type") && compare_of(&place, j, &out->compare, err) < 0)
		return -1;
	if (out->compare == POLICY_PREFIX)
		return fail(err, ERR_INPUT, "%s.type is prefix; a header takes exact or regex", place.text);
	out->name = keep(place.policy, name.at, name.n);
	out->value = keep(place.policy, value.at, value.n);
	if (out->compare == POLICY_REGEX && policy_regex_compile(value, &out->regex, err) < 0)
		return fail_in(err, "%s", place.text);
	return 0;
}

static int methods_of(const struct place *place, json *list, struct policy_match *out, struct err *err)
{
	for (size_t i = 0; i < out->nmethods; i++) {
		size_t n = 0;
		const char *text = json_string_n(json_at(list, i), &n);

		if (json_kind(json_at(list, i)) != JSON_STRING || n == 0 || n > 32)
			return fail(err, ERR_INPUT, "%s.methods[%zu] is not a method", place->text, i);
		for (size_t c = 0; c < n; c++)
			if (!(text[c] >= 'A' && text[c] <= 'Z') && text[c] != '-')
				return fail(err, ERR_INPUT, "%s.methods[%zu] \"%s\" is not upper case",
				            place->text, i, text);
		out->methods[i] = keep(place->policy, text, n);
	}
	return 0;
}

static int match_of(const struct place *outer, size_t at, json *j, struct policy_match *out, struct err *err)
{
	static const char *const known[] = { "paths", "methods", "headers", NULL };

	place_in(outer, ".matches[%zu]", at);
	if (object_of(&place, j, known, err) < 0 || list_of(&place, j, "paths", &out->npaths, err) < 0 ||
	    list_of(&place, j, "methods", &out->nmethods, err) < 0 ||
	    list_of(&place, j, "headers", &out->nheaders, err) < 0)
		return -1;
	if (out->npaths + out->nmethods + out->nheaders == 0)
		return fail(err, ERR_INPUT, "%s asks nothing; leave matches out to allow every request",
		            place.text);
	out->paths = xcalloc(out->npaths + 1, sizeof *out->paths);
	out->methods = xcalloc(out->nmethods + 1, sizeof *out->methods);
	out->headers = xcalloc(out->nheaders + 1, sizeof *out->headers);
	for (size_t i = 0; i < out->npaths; i++)
		if (path_of(&place, i, json_at(json_get(j, "paths"), i), &out->paths[i], err) < 0)
			return -1;
	for (size_t i = 0; i < out->nheaders; i++)
		if (header_of(&place, i, json_at(json_get(j, "headers"), i), &out->headers[i], err) < 0)
			return -1;
	return methods_of(&place, json_get(j, "methods"), out, err);
}

/* ---- routes */

static int auth_of(const struct place *outer, json *j, struct policy_route *out, struct err *err)
{
	static const char *const known[] = { "scheme", "header", "token_ref", NULL };
	static const char *const schemes[] = {
		[POLICY_AUTH_BEARER] = "bearer", [POLICY_AUTH_TOKEN] = "token", [POLICY_AUTH_BASIC] = "basic"
	};
	struct slice text = { 0 };

	if (!j)
		return 0;
	place_in(outer, ".auth");
	if (object_of(&place, j, known, err) < 0 || text_of(&place, j, "token_ref", &text, err) < 0)
		return -1;
	if (!json_get(j, "scheme") == !json_get(j, "header"))
		return fail(err, ERR_INPUT, "%s has not exactly one of scheme and header", place.text);
	if (json_get(j, "header")) {
		if (text_of(&place, j, "header", &text, err) < 0)
			return -1;
		out->auth = POLICY_AUTH_HEADER;
		out->auth_header = keep(place.policy, text.at, text.n).at;
		return 0;
	}
	if (text_of(&place, j, "scheme", &text, err) < 0)
		return -1;
	for (size_t i = POLICY_AUTH_BEARER; i < ARRAY_LEN(schemes); i++)
		if (slice_is(text, schemes[i]))
			out->auth = (enum policy_auth)i;
	return out->auth ? 0 : fail(err, ERR_INPUT, "%s.scheme is not bearer, token or basic", place.text);
}

static int git_of(const struct place *outer, json *j, struct policy_route *out, struct err *err)
{
	static const char *const known[] = { "fetch", NULL };

	if (!j)
		return 0;
	place_in(outer, ".git");
	return object_of(&place, j, known, err) < 0 ? -1 : truth_of(&place, j, "fetch", &out->git_fetch, err);
}

static int host_of(const struct place *place, json *j, struct policy_route *out, struct err *err)
{
	enum wire_fault fault;
	struct slice text = { 0 };
	struct host host = { 0 };

	if (text_of(place, j, "host", &text, err) < 0 ||
	    truth_of(place, j, "wildcard", &out->wildcard, err) < 0)
		return -1;
	bool star = text.n > 2 && memcmp(text.at, "*.", 2) == 0;
	if (star != out->wildcard)
		return fail(err, ERR_INPUT,
		            "%s.host \"%s\" and wildcard don't agree; \"*.name\" needs wildcard: true",
		            place->text, text.at);
	if (host_parse(star ? slice_cut(text, 2, text.n) : text, &host, &fault) < 0)
		return fail(err, ERR_INPUT, "%s.host \"%s\": %s", place->text, text.at,
		            wire_fault_text(fault));
	if (star && (host.kind != HOST_NAME || host.single_label))
		return fail(err, ERR_INPUT, "%s.host \"%s\" is a wildcard over a whole top level",
		            place->text, text.at);
	own_mem char *canonical = xasprintf("%s%s", star ? "*." : "", host.text);
	out->host = keep(place->policy, canonical, strlen(canonical)).at;
	return 0;
}

static int port_of(const struct place *place, json *j, struct policy_route *out, struct err *err)
{
	json *port = json_get(j, "port");
	int64_t value = json_int(port, 0);

	if (port && (json_kind(port) != JSON_INT || value < 1 || value > 65535))
		return fail(err, ERR_INPUT, "%s.port is not 1-65535", place->text);
	out->port = (int)value;
	return 0;
}

static int route_of(const struct place *outer, size_t at, json *j, struct policy_route *out, struct err *err)
{
	/* dlp is judged elsewhere; what it may hold is the manifest's matter. */
	static const char *const known[] = { "host", "port",          "wildcard", "plain",
		                             "auth", "matches",       "git",      "websocket",
		                             "dlp",  "allow_private", NULL };

	place_in(outer, "routes[%zu]", at);
	out->index = at;
	if (object_of(&place, j, known, err) < 0 || host_of(&place, j, out, err) < 0 ||
	    port_of(&place, j, out, err) < 0 || truth_of(&place, j, "plain", &out->plain, err) < 0 ||
	    truth_of(&place, j, "websocket", &out->websocket, err) < 0 ||
	    truth_of(&place, j, "allow_private", &out->allow_private, err) < 0 ||
	    auth_of(&place, json_get(j, "auth"), out, err) < 0 ||
	    git_of(&place, json_get(j, "git"), out, err) < 0)
		return -1;
	if (out->auth && out->plain && !out->allow_private)
		return fail(err, ERR_INPUT,
		            "%s: with plain its credential would cross the network in the clear; leave plain "
		            "out, or add allow_private for a service of your own network",
		            place.text);
	size_t n = 0;
	if (list_of(&place, j, "matches", &n, err) < 0)
		return -1;
	struct policy_match *matches = n ? xcalloc(n, sizeof *matches) : NULL;
	out->matches = matches;
	out->nmatches = n;
	for (size_t i = 0; i < n; i++)
		if (match_of(&place, i, json_at(json_get(j, "matches"), i), &matches[i], err) < 0)
			return -1;
	return 0;
}

static int routes_of(struct policy *policy, json *document, struct err *err)
{
	static const char *const known[] = { "routes", NULL };
	struct place top = { .policy = policy };
	struct place named = { .policy = policy, .text = "the routes document" };
	json *list = json_get(document, "routes");
	size_t n = json_count(list);

	if (object_of(&named, document, known, err) < 0)
		return -1;
	if (json_kind(list) != JSON_ARRAY || n > POLICY_ROUTES_MAX)
		return fail(err, ERR_INPUT, "routes is not a list of at most %d", POLICY_ROUTES_MAX);
	policy->routes = xcalloc(n + 1, sizeof *policy->routes);
	for (size_t i = 0; i < n; i++) {
		policy->nroutes = i + 1; /* so that half a route is freed too */
		if (route_of(&top, i, json_at(list, i), &policy->routes[i], err) < 0)
			return -1;
	}
	return policy_table_build(policy, err);
}

int policy_compile(const char *text, size_t n, struct policy **out, struct err *err)
{
	own_json json *document = NULL;

	if (n > POLICY_TEXT_MAX)
		return fail(err, ERR_INPUT, "the routes have %zu bytes, at most %d", n, POLICY_TEXT_MAX);
	if (json_parse_unique(text, n, DEPTH_MAX, &document, err) < 0)
		return fail_in(err, "routes");
	own_policy struct policy *policy = xcalloc(1, sizeof *policy);
	if (routes_of(policy, document, err) < 0)
		return -1;
	*out = mem_steal(&policy);
	return 0;
}
