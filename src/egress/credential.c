#include "egress/credential.h"

#include <string.h>

#include "wire/percent.h"
#include "wire/query.h"
#include "base/banned.h"

enum { HTTPS_PORT = 443 };

/* Fields that say who is asking, at one service or another. */
static const char *const credential_fields[] = {
	"Authorization", "X-Api-Key",    "Api-Key",      "X-Goog-Api-Key", "Private-Token",
	"Job-Token",     "Deploy-Token", "X-Auth-Token", "Cookie",
};
/* The last one holds whole fields, to Google's services. */
static const char *const credential_parameters[] = {
	"key", "api_key", "access_token", "oauth_token", "job_token", "private_token", "$httpHeaders",
};
/* A WebSocket of a browser can't set fields, so some services take a key as one of its protocols:
 * what such a protocol begins with. */
static const char *const credential_protocols[] = {
	"openai-insecure-api-key.",
	"base64url.bearer.authorization.k8s.io.",
};

/* ---- compiling ---- */

/* In every spelling, for what comes back on this route and for what is written of any. */
static void know(struct credential *c, struct echo_set *secrets, const char *value, size_t n)
{
	echo_set_add(&c->echo, value, n);
	echo_set_add(secrets, value, n);
}

/* What an origin that checks a field takes out of it, and may give back alone: of "Bot TOKEN" what
 * stands behind the blank, of "session=TOKEN; lang=en" each value. Shorter ones are too much like
 * ordinary text. */
static void know_parts(struct credential *c, struct echo_set *secrets, struct slice value)
{
	enum { SHORTEST_PART = 8 };
	size_t from = value.n;

	while (from > 0 && value.at[from - 1] != ' ')
		from--;
	if (value.n - from >= SHORTEST_PART)
		know(c, secrets, value.at + from, value.n - from);
	for (size_t at = 0, end; at < value.n; at = end + 1) {
		for (end = at; end < value.n && value.at[end] != ';';)
			end++;
		const char *equals = memchr(value.at + at, '=', end - at);
		size_t n = equals ? (size_t)(value.at + end - equals) - 1 : 0;
		if (n >= SHORTEST_PART)
			know(c, secrets, equals + 1, n);
	}
}

static void compose(struct credential *c, struct echo_set *secrets)
{
	const struct egress_credential *row = c->row;
	static const char *const prefixes[EGRESS_SCHEMES] = {
		[EGRESS_BEARER] = "Bearer ",
		[EGRESS_TOKEN] = "token ",
		[EGRESS_BASIC] = "Basic ",
		[EGRESS_HEADER] = "",
	};
	const char *bytes = secret_expose(&row->value);
	size_t n = secret_len(&row->value);
	struct str text = STR_INIT;

	str_add(&text, prefixes[row->scheme]);
	if (row->scheme == EGRESS_BASIC)
		base64_encode(&text, bytes, n);
	else
		str_addn(&text, bytes, n);
	secret_set(&c->value, text.data, text.len);
	explicit_bzero(text.data, text.cap);
	str_clear(&text);
	c->name = row->scheme == EGRESS_HEADER ? row->header : "Authorization";
	know(c, secrets, bytes, n);
	/* The password alone is as good as the pair. */
	const char *colon = row->scheme == EGRESS_BASIC ? memchr(bytes, ':', n) : NULL;
	if (colon)
		know(c, secrets, colon + 1, n - (size_t)(colon + 1 - bytes));
	if (row->scheme == EGRESS_HEADER)
		know_parts(c, secrets, (struct slice){ bytes, n });
	echo_set_ready(&c->echo);
}

/* A route without a port is one for 443, whatever else it serves: 80 may be another route's. */
static bool row_fits(const struct egress_credential *row, const struct policy_route *route)
{
	if (!str_is(row->host, route->host))
		return false;
	if (route->port == 0)
		return row->port == 0 || row->port == HTTPS_PORT;
	return row->port == (uint32_t)route->port;
}

static const struct egress_credential *row_of(const struct egress_config *config,
                                              const struct policy_route *route)
{
	for (size_t i = 0; i < config->ncredentials; i++)
		if (row_fits(&config->credentials[i], route))
			return &config->credentials[i];
	return NULL;
}

static int compile_route(const struct policy_route *route, const struct egress_config *config,
                         struct credentials *out, struct err *err)
{
	if (route->auth == POLICY_AUTH_NONE)
		return 0;
	const struct egress_credential *row = row_of(config, route);
	if (!row)
		return fail(err, ERR_INPUT, "route %s has auth and no credential came with it", route->host);
	if (!http_value_is_fine((struct slice){ secret_expose(&row->value), secret_len(&row->value) }))
		return fail(err, ERR_INPUT,
		            "the credential of %s can't stand in a header field; it may have no "
		            "line break, control byte or blank at an end",
		            route->host);
	struct credential *c = &out->at[out->n++];
	*c = (struct credential){ .route = route, .row = row };
	compose(c, &out->secrets);
	return 0;
}

int credentials_compile(const struct policy *policy, const struct egress_config *config,
                        struct credentials *out, struct err *err)
{
	struct credentials c = CREDENTIALS_INIT;
	size_t routes = policy_count(policy);

	c.at = xcalloc(routes ? routes : 1, sizeof *c.at);
	for (size_t i = 0; i < routes; i++) {
		if (compile_route(policy_route_at(policy, i), config, &c, err) != 0) {
			credentials_clear(&c);
			return -1;
		}
	}
	for (size_t i = 0; i < config->ncredentials; i++) {
		bool used = false;
		for (size_t k = 0; k < c.n; k++)
			used = used || c.at[k].row == &config->credentials[i];
		if (!used) {
			credentials_clear(&c);
			return fail(err, ERR_INPUT, "a credential for %s has no route of its own",
			            config->credentials[i].host);
		}
	}
	for (size_t i = 0; i < c.n; i++)
		echo_set_add_bare(&c.placeholders, c.at[i].row->placeholder,
		                  strlen(c.at[i].row->placeholder));
	echo_set_ready(&c.placeholders);
	echo_set_ready(&c.secrets);
	*out = c;
	return 0;
}

void credentials_clear(struct credentials *c)
{
	for (size_t i = 0; i < c->n; i++) {
		secret_clear(&c->at[i].value);
		echo_set_clear(&c->at[i].echo);
	}
	mem_drop(&c->at);
	c->n = 0;
	echo_set_clear(&c->placeholders);
	echo_set_clear(&c->secrets);
}

const struct credential *credential_of(const struct credentials *c, const struct policy_route *route)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i].route == route)
			return &c->at[i];
	return NULL;
}

/* ---- judging ---- */

static bool has(struct slice text, const char *word)
{
	return text.n && memmem(text.at, text.n, word, strlen(word)) != NULL;
}

/* Behind a scheme's name a value may be Base64; the placeholder is looked for inside too. */
static bool shows(struct slice value, const char *placeholder)
{
	own_str struct str decoded = STR_INIT;
	size_t from = value.n;

	if (has(value, placeholder))
		return true;
	while (from > 0 && value.at[from - 1] != ' ')
		from--;
	struct slice last = slice_cut(value, from, value.n);
	if (last.n > 8192 || !(base64_decode(&decoded, last.at, last.n, false) ||
	                       base64_decode(&decoded, last.at, last.n, true)))
		return false;
	return has((struct slice){ decoded.data, decoded.len }, placeholder);
}

static bool is_credential_field(const struct credential *mine, struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(credential_fields); i++)
		if (http_name_is(name, credential_fields[i]))
			return true;
	return http_name_is(name, mine->name);
}

static bool field_shows_others(const struct credentials *c, const struct credential *mine,
                               const struct http_field *f)
{
	for (size_t i = 0; i < c->n; i++)
		if (&c->at[i] != mine &&
		    (!mine || !str_is(c->at[i].row->placeholder, mine->row->placeholder)) &&
		    (shows(f->value, c->at[i].row->placeholder) || has(f->name, c->at[i].row->placeholder)))
			return true;
	return false;
}

static const char *placeholder_of(const struct credential *mine)
{
	return mine ? mine->row->placeholder : "";
}

/* As it stands, and as a server reads it that decodes it as often as it can. */
static enum credential_finding find_others(const struct credentials *c, const struct credential *mine,
                                           struct slice text)
{
	own_str struct str plain = STR_INIT;
	const char *except = placeholder_of(mine);

	if (echo_finds(&c->placeholders, text, except))
		return CREDENTIAL_ELSEWHERE;
	if (text.n == 0 || !memchr(text.at, '%', text.n))
		return CREDENTIAL_FINE;
	str_addn(&plain, text.at, text.n);
	for (unsigned layer = 0; layer <= PERCENT_LAYERS; layer++) {
		size_t shorter = percent_decode(plain.data, plain.len);
		if (shorter == plain.len)
			return echo_finds(&c->placeholders, (struct slice){ plain.data, plain.len }, except) ?
			               CREDENTIAL_ELSEWHERE :
			               CREDENTIAL_FINE;
		plain.len = shorter;
	}
	return CREDENTIAL_OBSCURED;
}

static bool names_credential(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(credential_parameters); i++)
		if (query_name_is(name, credential_parameters[i]))
			return true;
	return false;
}

/* Copies @query without the parameters that hold our placeholder. False: one holds another's. */
static bool filter_query(const struct credential *mine, struct slice query, struct str *out)
{
	struct query_parameter p;

	while (query_next(&query, &p)) {
		if (!names_credential(p.name)) {
			if (out->len)
				str_addc(out, p.whole.at[-1]); /* what stands between it and the one before */
			str_addn(out, p.whole.at, p.whole.n);
		} else if (p.value.n && !has(p.value, mine->row->placeholder)) {
			return false;
		}
	}
	return true;
}

/* Does a list of WebSocket protocols carry a key that isn't ours? */
static bool offers_key(const struct credential *mine, struct slice list)
{
	for (size_t at = 0, end; at < list.n; at = end + 1) {
		for (end = at; end < list.n && list.at[end] != ',';)
			end++;
		while (at < end && (list.at[at] == ' ' || list.at[at] == '\t'))
			at++;
		for (size_t i = 0; i < ARRAY_LEN(credential_protocols); i++) {
			size_t n = strlen(credential_protocols[i]);
			if (end - at > n &&
			    slice_is_nocase(slice_cut(list, at, at + n), credential_protocols[i]) &&
			    !shows(slice_cut(list, at + n, end), mine->row->placeholder))
				return true;
		}
	}
	return false;
}

/* What of the guest's own credential is replaced by ours is marked .skip. */
static enum credential_finding judge_fields(const struct credentials *c, const struct credential *mine,
                                            struct http_fields *fields)
{
	for (size_t i = 0; i < fields->n; i++) {
		struct http_field *f = &fields->at[i];
		if (f->skip)
			continue;
		if (field_shows_others(c, mine, f))
			return CREDENTIAL_ELSEWHERE;
		if (!mine)
			continue;
		bool own = is_credential_field(mine, f->name);
		bool foreign =
			own ? f->value.n && !shows(f->value, mine->row->placeholder) :
			      http_name_is(f->name, "Sec-WebSocket-Protocol") && offers_key(mine, f->value);
		if (foreign)
			return CREDENTIAL_FOREIGN;
		f->skip = own;
	}
	return CREDENTIAL_FINE;
}

static enum credential_finding judge_head(const struct credentials *c, const struct credential *mine,
                                          struct http_request *request, struct slice path)
{
	enum credential_finding found = find_others(c, mine, path);

	if (found == CREDENTIAL_FINE)
		found = find_others(c, mine, request->query);
	return found == CREDENTIAL_FINE ? judge_fields(c, mine, &request->fields) : found;
}

enum credential_finding credential_judge(const struct credentials *c, const struct credential *mine,
                                         struct http_request *request, struct slice path,
                                         struct str *query_out)
{
	enum credential_finding found = c->n ? judge_head(c, mine, request, path) : CREDENTIAL_FINE;

	if (found != CREDENTIAL_FINE)
		return found;
	if (!mine)
		str_addn(query_out, request->query.at, request->query.n);
	else if (!filter_query(mine, request->query, query_out))
		return CREDENTIAL_FOREIGN;
	return CREDENTIAL_FINE;
}

void credential_watch(const struct credentials *c, const struct credential *mine, struct sight *sight)
{
	bool others = false;

	for (size_t i = 0; i < c->n; i++)
		others = others || !str_is(c->at[i].row->placeholder, placeholder_of(mine));
	sight_begin(sight, others ? &c->placeholders : NULL, placeholder_of(mine));
}

bool credential_allows_trailers(const struct credentials *c, const struct credential *mine,
                                const struct http_fields *trailers)
{
	for (size_t i = 0; i < trailers->n; i++)
		if (field_shows_others(c, NULL, &trailers->at[i]) ||
		    (mine && is_credential_field(mine, trailers->at[i].name)))
			return false;
	return true;
}
