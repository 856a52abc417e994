#include "egress/credential.h"

#include <string.h>

#include "wire/chars.h"
#include "base/banned.h"

/* Fields that say who is asking, at one service or another. */
static const char *const credential_fields[] = {
	"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Private-Token", "X-Auth-Token", "Cookie",
};
static const char *const credential_parameters[] = { "key", "access_token" };

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

/* Port 0 of a route means the scheme's own, of which a row may name either. */
static bool row_fits(const struct egress_credential *row, const struct policy_route *route)
{
	if (!str_is(row->host, route->host))
		return false;
	if (route->port == 0)
		return row->port == 0 || row->port == 443 || row->port == 80;
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
static bool text_shows_others(const struct credentials *c, const struct credential *mine, struct slice text)
{
	own_str struct str plain = STR_INIT;
	size_t before = text.n + 1;

	if (echo_finds(&c->placeholders, text, placeholder_of(mine)))
		return true;
	if (text.n == 0 || !memchr(text.at, '%', text.n))
		return false;
	str_addn(&plain, text.at, text.n);
	while (plain.len < before) {
		size_t to = 0;
		before = plain.len;
		for (size_t i = 0; i < before; i++) {
			int byte = char_escape((struct slice){ plain.data + i, before - i });
			plain.data[to++] = byte >= 0 ? (char)byte : plain.data[i];
			i += byte >= 0 ? 2 : 0;
		}
		plain.len = to;
	}
	return echo_finds(&c->placeholders, (struct slice){ plain.data, plain.len }, placeholder_of(mine));
}

/* The name of a query parameter as a server reads it. */
static bool names_credential(struct slice name)
{
	char plain[32];
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.at[i];
		if (c == '%' && i + 2 < name.n && char_hex(name.at[i + 1]) >= 0 &&
		    char_hex(name.at[i + 2]) >= 0) {
			c = (char)(char_hex(name.at[i + 1]) * 16 + char_hex(name.at[i + 2]));
			i += 2;
		}
		if (n == sizeof plain)
			return false;
		plain[n++] = c;
	}
	for (size_t i = 0; i < ARRAY_LEN(credential_parameters); i++)
		if (slice_is_nocase((struct slice){ plain, n }, credential_parameters[i]))
			return true;
	return false;
}

/* Copies @query without the parameters that hold our placeholder. False: one holds another's. */
static bool filter_query(const struct credential *mine, struct slice query, struct str *out)
{
	for (size_t at = 0; at < query.n;) {
		size_t end = at, equals;
		while (end < query.n && query.at[end] != '&' && query.at[end] != ';')
			end++;
		for (equals = at; equals < end && query.at[equals] != '=';)
			equals++;
		struct slice value = slice_cut(query, equals < end ? equals + 1 : end, end);
		bool credential = names_credential(slice_cut(query, at, equals));
		if (credential && value.n && !has(value, mine->row->placeholder))
			return false;
		if (!credential) {
			if (out->len)
				str_addc(out, query.at[at - 1]);
			str_addn(out, query.at + at, end - at);
		}
		at = end + 1;
	}
	return true;
}

enum credential_finding credential_judge(const struct credentials *c, const struct credential *mine,
                                         struct http_request *request, struct slice path,
                                         struct str *query_out)
{
	if (c->n && (text_shows_others(c, mine, path) || text_shows_others(c, mine, request->query)))
		return CREDENTIAL_ELSEWHERE;
	for (size_t i = 0; c->n && i < request->fields.n; i++) {
		struct http_field *f = &request->fields.at[i];
		if (f->skip)
			continue;
		if (field_shows_others(c, mine, f))
			return CREDENTIAL_ELSEWHERE;
		if (!mine || !is_credential_field(mine, f->name))
			continue;
		if (f->value.n && !shows(f->value, mine->row->placeholder))
			return CREDENTIAL_FOREIGN;
		f->skip = true;
	}
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
