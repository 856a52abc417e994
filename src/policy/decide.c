#include "policy/compiled.h"

#include "wire/percent.h"
#include "wire/query.h"

#include "base/banned.h"

#define QUERY_FIELDS "$httpHeaders"

enum {
	LABEL_MAX = 40,  /* under a wildcard; longer is data */
	LABEL_DATA = 24, /* from here on a label with several digits is data: hex, base32, a UUID */
	LABEL_DIGITS = 3,
};

/* ---- which route */

/* A wildcard answers for names that an agent makes up, so each name is a message to whoever
 * runs the zone. Ordinary names pass; the rest of that channel is for the operator, who chose
 * the wildcard. */
static bool label_is_ordinary(struct slice label)
{
	size_t digits = 0;

	for (size_t i = 0; i < label.n; i++)
		digits += label.at[i] >= '0' && label.at[i] <= '9';
	return label.n <= LABEL_MAX && (label.n < LABEL_DATA || digits < LABEL_DIGITS);
}

/* "*" is exactly one label, as in certificates. */
static const struct policy_entry *find(const struct policy *policy, const struct host *host, uint16_t port,
                                       struct slice *label)
{
	struct slice name = { host->text, host->n };
	const struct policy_entry *entry = policy_entry_find(policy, name, port, false);
	const char *dot = memchr(host->text, '.', host->n);

	*label = (struct slice){ 0 };
	if (entry || host->kind != HOST_NAME || !dot)
		return entry;
	size_t n = (size_t)(dot - host->text);
	*label = slice_cut(name, 0, n);
	return policy_entry_find(policy, slice_cut(name, n + 1, name.n), port, true);
}

static enum policy_reason reason_for_none(const struct policy *policy, const struct host *host)
{
	struct slice label;

	if (find(policy, host, 0, &label))
		return POLICY_PORT_NOT_ROUTED;
	if (host->kind != HOST_NAME)
		return POLICY_ADDRESS_NOT_ROUTED;
	return host->single_label ? POLICY_NAME_NOT_QUALIFIED : POLICY_HOST_NOT_ROUTED;
}

static void deny(struct policy_verdict *out, enum policy_reason reason)
{
	out->allowed = false;
	out->reason = reason;
	out->match = out->path = -1;
	out->near = -1;
}

static const struct policy_entry *route_of(const struct policy *policy, const struct host *host,
                                           uint16_t port, struct policy_verdict *out)
{
	struct slice label;
	const struct policy_entry *entry = find(policy, host, port, &label);

	*out = (struct policy_verdict){ .allowed = true, .match = -1, .path = -1, .near = -1 };
	if (!entry) {
		deny(out, reason_for_none(policy, host));
		return NULL;
	}
	out->route = entry->route;
	if (label.n && !label_is_ordinary(label)) {
		deny(out, POLICY_WILDCARD_LABEL);
		return NULL;
	}
	return entry;
}

void policy_decide_connect(const struct policy *policy, const struct host *host, uint16_t port,
                           struct policy_verdict *out)
{
	route_of(policy, host, port, out);
}

/* ---- which match */

/* Does a parameter of the query have this name and value? @value NULL: any value. */
static bool query_has(struct slice query, const char *name, const char *value)
{
	struct query_parameter p;

	while (query_next(&query, &p))
		if (query_name_is(p.name, name) && (!value || (p.has_value && percent_equal(p.value, value))))
			return true;
	return false;
}

/* "/v1" is a prefix of "/v1" and "/v1/x", not of "/v10". */
static bool path_has_prefix(struct slice path, struct slice prefix)
{
	while (prefix.n && prefix.at[prefix.n - 1] == '/')
		prefix.n--;
	return path.n >= prefix.n && memcmp(path.at, prefix.at, prefix.n) == 0 &&
	       (path.n == prefix.n || path.at[prefix.n] == '/');
}

static bool path_fits(const struct policy_path *rule, struct slice path)
{
	switch (rule->compare) {
	case POLICY_EXACT:
		return slice_equal(rule->value, path);
	case POLICY_PREFIX:
		return path_has_prefix(path, rule->value);
	case POLICY_REGEX:
		return policy_regex_fits(rule->regex, path);
	}
	return false;
}

/* Every field of that name that is sent on must fit: which of two an origin reads is its secret. */
static bool header_fits(const struct policy_header *rule, const struct http_fields *fields)
{
	bool fits = false;

	for (size_t i = 0; fields && i < fields->n; i++) {
		const struct http_field *field = &fields->at[i];

		if (field->skip || !http_name_equal(field->name, rule->name))
			continue;
		fits = rule->compare == POLICY_REGEX ? policy_regex_fits(rule->regex, field->value) :
		                                       slice_equal(rule->value, field->value);
		if (!fits)
			return false;
	}
	return fits;
}

static bool method_fits(const struct policy_match *match, struct slice method)
{
	for (size_t i = 0; i < match->nmethods; i++)
		if (slice_equal(match->methods[i], method))
			return true;
	return match->nmethods == 0;
}

/* @path becomes the path that fits, -1 where the entry names none. */
static bool paths_fit(const struct policy_match *match, struct slice text, int *path)
{
	*path = -1;
	for (size_t i = 0; i < match->npaths; i++) {
		if (path_fits(&match->paths[i], text)) {
			*path = (int)i;
			return true;
		}
	}
	return match->npaths == 0;
}

/* Google's services take fields from the query too; those can't be judged. */
static bool headers_fit(const struct policy_match *match, const struct policy_request *request)
{
	for (size_t i = 0; i < match->nheaders; i++)
		if (!header_fits(&match->headers[i], request->fields))
			return false;
	return match->nheaders == 0 || !query_has(request->query, QUERY_FIELDS, NULL);
}

static bool match_fits(const struct policy_match *match, const struct policy_request *request, int *path)
{
	return method_fits(match, request->method) && headers_fit(match, request) &&
	       paths_fit(match, request->path, path);
}

/* What would have to be otherwise, for the sentence that the agent reads. */
static void find_nearest(const struct policy_request *request, struct policy_verdict *out)
{
	for (size_t i = 0; i < out->route->nmatches; i++) {
		const struct policy_match *match = &out->route->matches[i];
		enum policy_miss missed = POLICY_MISS_PATH;
		int path;

		if (paths_fit(match, request->path, &path))
			missed =
				method_fits(match, request->method) ? POLICY_MISS_HEADER : POLICY_MISS_METHOD;
		if (out->near < 0 || missed > out->missed) {
			out->near = (int)i;
			out->missed = missed;
		}
	}
}

/* ---- what no match opens by itself */

static bool sent_value_has(const struct http_fields *fields, const char *name, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; fields && i < fields->n; i++) {
		const struct http_field *field = &fields->at[i];

		if (field->skip || !http_name_is(field->name, name))
			continue;
		for (size_t at = 0; at + n <= field->value.n; at++)
			if (slice_is_nocase(slice_cut(field->value, at, at + n), part))
				return true;
	}
	return false;
}

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

/* Is @name an element of the path, however separators and letters are encoded, and without its
 * parameters (";x")? @last: only where it is the last one. */
static bool finds_element(struct slice path, const char *name, bool last)
{
	bool found = false;

	for (size_t at = 0; at < path.n;) {
		size_t from = at, end = at;
		while (at < path.n) {
			end = at;
			if (is_separator(percent_byte(path, &at)))
				break;
			end = at;
		}
		const char *mark = end > from ? memchr(path.at + from, ';', end - from) : NULL;
		if (percent_equal(slice_cut(path, from, mark ? (size_t)(mark - path.at) : end), name))
			found = true;
		else if (end > from && last)
			found = false;
	}
	return found;
}

static bool last_element_is(struct slice path, const char *name)
{
	return finds_element(path, name, true);
}

static bool has_element(struct slice path, const char *name)
{
	return finds_element(path, name, false);
}

static bool asks_push(const struct policy_request *r)
{
	return has_element(r->path, "git-receive-pack") ||
	       query_has(r->query, "service", "git-receive-pack") ||
	       sent_value_has(r->fields, "Content-Type", "git-receive-pack");
}

static bool asks_fetch(const struct policy_request *r)
{
	return has_element(r->path, "git-upload-pack") || has_element(r->path, "git-upload-archive") ||
	       query_has(r->query, "service", "git-upload-pack") ||
	       sent_value_has(r->fields, "Content-Type", "git-upload-pack");
}

static bool asks_dns(const struct policy_request *r)
{
	static const char *const types[] = { "dns-message", "dns-json", "dns+json", "dns-udpwireformat" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (sent_value_has(r->fields, "Content-Type", types[i]) ||
		    sent_value_has(r->fields, "Accept", types[i]))
			return true;
	return last_element_is(r->path, "dns-query");
}

/* A route opens DNS over https by saying so: a path rule that ends in "/dns-query", or a
 * header rule that names the content type. */
static bool opens_dns(const struct policy_verdict *v)
{
	const struct policy_match *match = v->match >= 0 ? &v->route->matches[v->match] : NULL;

	if (!match)
		return false;
	if (v->path >= 0 && last_element_is(match->paths[v->path].value, "dns-query"))
		return true;
	for (size_t i = 0; i < match->nheaders; i++)
		if (match->headers[i].value.n > 4 &&
		    memmem(match->headers[i].value.at, match->headers[i].value.n, "dns", 3))
			return true;
	return false;
}

/* Another method said beside the real one, where a framework would take it. The body is not
 * looked at: a form field "_method" in it stays what it is. */
static bool overrides_method(const struct policy_request *r)
{
	static const char *const names[] = { "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override" };
	/* The last two are what Google's services know. */
	static const char *const parameters[] = { "_method", "X-HTTP-Method-Override", "$httpMethod",
		                                  QUERY_FIELDS };

	for (size_t n = 0; r->fields && n < ARRAY_LEN(names); n++)
		for (size_t i = 0; i < r->fields->n; i++)
			if (!r->fields->at[i].skip && http_name_is(r->fields->at[i].name, names[n]) &&
			    !slice_equal(r->fields->at[i].value, r->method))
				return true;
	for (size_t n = 0; n < ARRAY_LEN(parameters); n++)
		if (query_has(r->query, parameters[n], NULL))
			return true;
	return false;
}

static bool limits_methods(const struct policy_route *route)
{
	for (size_t i = 0; i < route->nmatches; i++)
		if (route->matches[i].nmethods)
			return true;
	return false;
}

/* A path that is no part of the URL: where WebDAV copies or moves to, where object stores copy from. */
static bool names_path(const struct http_field *field)
{
	static const char *const names[] = { "Destination", "X-Amz-Copy-Source", "X-Goog-Copy-Source",
		                             "X-Ms-Copy-Source", "X-Copy-From" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (http_name_is(field->name, names[i]))
			return true;
	return false;
}

static bool has_rule_for(const struct policy_match *match, const struct http_field *field)
{
	for (size_t i = 0; i < match->nheaders; i++)
		if (http_name_equal(match->headers[i].name, field->name))
			return true;
	return false;
}

/* Behind a rule for paths no other path may be named, but by a field that has a rule of its own. */
static bool names_second_path(const struct policy_verdict *v, const struct policy_request *r)
{
	const struct policy_match *match = v->match >= 0 ? &v->route->matches[v->match] : NULL;
	bool limited = match ? match->npaths > 0 : v->route->nmatches > 0;

	for (size_t i = 0; limited && r->fields && i < r->fields->n; i++) {
		const struct http_field *field = &r->fields->at[i];

		if (!field->skip && names_path(field) && !(match && has_rule_for(match, field)))
			return true;
	}
	return false;
}

bool policy_allows_trailers(const struct policy_route *route, const struct http_fields *trailers)
{
	for (size_t i = 0; route->nmatches && i < trailers->n; i++) {
		if (names_path(&trailers->at[i]))
			return false;
		for (size_t k = 0; k < route->nmatches; k++)
			if (has_rule_for(&route->matches[k], &trailers->at[i]))
				return false;
	}
	return true;
}

static enum policy_reason judge_matched(const struct policy_verdict *v, const struct policy_request *r)
{
	if (asks_push(r))
		return POLICY_GIT_PUSH;
	if (asks_fetch(r) && !v->route->git_fetch)
		return POLICY_GIT_FETCH;
	if (r->upgrade.n && !(v->route->websocket && slice_is_nocase(r->upgrade, "websocket")))
		return POLICY_UPGRADE;
	if (limits_methods(v->route) && overrides_method(r))
		return POLICY_METHOD_OVERRIDE;
	if (names_second_path(v, r))
		return POLICY_SECOND_PATH;
	if (asks_dns(r) && !opens_dns(v))
		return POLICY_DNS_OVER_HTTPS;
	return POLICY_ALLOWED;
}

/* What is opened is opened in its plain spelling only. */
static bool ends_in(struct slice path, const char *end)
{
	size_t n = strlen(end);

	return path.n > n && memcmp(path.at + path.n - n, end, n) == 0;
}

/* git clone asks three things of fixed shape; git.fetch opens those beside the matches. */
static bool is_fetch(const struct policy_route *route, const struct policy_request *r)
{
	bool get = slice_is(r->method, "GET") && ends_in(r->path, "/info/refs") &&
	           query_has(r->query, "service", "git-upload-pack");

	return route->git_fetch &&
	       (get || (slice_is(r->method, "POST") && ends_in(r->path, "/git-upload-pack")));
}

static bool find_match(const struct policy_request *request, struct policy_verdict *out)
{
	const struct policy_route *route = out->route;

	for (size_t i = 0; i < route->nmatches; i++) {
		int path;

		if (match_fits(&route->matches[i], request, &path)) {
			out->match = (int)i;
			out->path = path;
			return true;
		}
	}
	return route->nmatches == 0 || is_fetch(route, request);
}

void policy_decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_verdict *out)
{
	const struct policy_entry *entry = route_of(policy, request->host, request->port, out);

	if (!entry)
		return;
	if (request->plain && !entry->plain)
		return deny(out, POLICY_PLAIN_HTTP);
	if (!request->plain && !entry->tls)
		return deny(out, POLICY_TLS_ON_PLAIN_PORT);
	/* A tunnel inside a request would hide what it carries; TRACE echoes credentials. */
	if (slice_is(request->method, "CONNECT") || slice_is(request->method, "TRACE"))
		return deny(out, POLICY_METHOD_FORBIDDEN);
	if (!find_match(request, out)) {
		/* The more telling of two refusals: a push that also fits no match is a push. */
		deny(out, asks_push(request) ? POLICY_GIT_PUSH : POLICY_NO_MATCH);
		find_nearest(request, out);
		return;
	}
	enum policy_reason reason = judge_matched(out, request);
	if (reason != POLICY_ALLOWED)
		deny(out, reason);
}
