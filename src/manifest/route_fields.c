/* Routes: what a bottle may reach, and with which credential. */
#include "manifest/fields.h"

#include <string.h>

#include "base/own.h"
#include "manifest/bottle.h"
#include "manifest/check.h"
#include "manifest/manifest.h"
#include "manifest/rows.h"
#include "base/banned.h"

static int take_token(struct manifest_auth *auth, const char *text, enum manifest_token_from from,
                      field_check check, struct err *err)
{
	auth->token = xstrdup(text);
	auth->from = from;
	if (check(&auth->token, err) != 0)
		return fail_in(err, "token_ref");
	return 0;
}

static int finish_auth(void *object, bool complete, struct err *err)
{
	static const struct {
		const char *prefix;
		enum manifest_token_from from;
		field_check check;
	} forms[] = {
		{ "file:", MANIFEST_TOKEN_FILE, check_directory },
		{ "credential:", MANIFEST_TOKEN_CREDENTIAL, check_credential },
		{ "host-credentials:", MANIFEST_TOKEN_HOST, check_name },
		{ "", MANIFEST_TOKEN_VARIABLE, check_variable },
	};
	struct manifest_auth *auth = object;

	(void)complete;
	if (auth->scheme_given == (auth->header != NULL))
		return fail(err, ERR_INPUT, "auth needs exactly one of \"scheme\" and \"header\"");
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (str_starts(auth->token_ref, forms[i].prefix))
			return take_token(auth, auth->token_ref + strlen(forms[i].prefix), forms[i].from,
			                  forms[i].check, err);
	return 0;
}

static void clear_auth(void *object)
{
	mem_drop(&((struct manifest_auth *)object)->token);
}

#define OBJECT struct manifest_auth
static const char *const schemes[] = { "bearer", "token", "basic", NULL };
static const struct field auth_fields[] = {
	ROW("scheme", FIELD_WORD, scheme, .words = schemes, GIVEN(scheme_given),
	    HELP("how the Authorization header carries the credential; basic takes user:pass, and x-access-token is the "
	         "user where there is no colon")),
	ROW("header", FIELD_TEXT, header, .check = check_header_name,
	    HELP("instead of scheme: the name of the header whose whole value is the credential")),
	ROW("token_ref", FIELD_TEXT, token_ref, .flags = FIELD_REQUIRED, .check = check_not_empty,
	    HELP("where the credential is, on the host: VARIABLE of the environment, file:PATH, or credential:NAME of "
	         "systemd. The bottle holds a placeholder in its place")),
};
static const struct schema auth_schema =
	SCHEMA("auth", auth_fields, .finish = finish_auth, .clear = clear_auth);
#undef OBJECT

static int finish_path(void *object, bool complete, struct err *err)
{
	const struct manifest_path *path = object;

	(void)complete;
	if (path->type == MANIFEST_REGEX)
		return 0;
	if (*path->value != '/' || strpbrk(path->value, "?# "))
		return fail(err, ERR_INPUT, "path \"%.80s\" must begin with / and have no query",
		            path->value);
	for (const char *p = path->value; *p;) {
		size_t n = strcspn(++p, "/");
		if ((n == 1 && *p == '.') || (n == 2 && strncmp(p, "..", 2) == 0))
			return fail(err, ERR_INPUT,
			            "path \"%.80s\" has a \".\" or \"..\"; no request ever has", path->value);
		p += n;
	}
	return 0;
}

#define OBJECT struct manifest_path
static const char *const path_types[] = { "exact", "regex", "prefix", NULL };
static const struct field path_fields[] = {
	ROW("type", FIELD_WORD, type, .flags = FIELD_REQUIRED, .words = path_types,
	    HELP("exact: the whole path; prefix: whole path elements, so /v1 covers /v1 and /v1/x but not /v12; regex: "
	         "PCRE2, matched against the whole path with a match limit, over which it does not match")),
	ROW("value", FIELD_TEXT, value, .flags = FIELD_REQUIRED, .check = check_not_empty,
	    HELP("the path in canonical form: unreserved characters decoded, %2F kept")),
};
static const struct schema path_schema = SCHEMA("a path", path_fields, .finish = finish_path);
#undef OBJECT

#define OBJECT struct manifest_header
static const char *const header_types[] = { "exact", "regex", NULL };
static const struct field header_fields[] = {
	ROW("name", FIELD_TEXT, name, .flags = FIELD_REQUIRED, .check = check_header_rule,
	    HELP("the header's name")),
	ROW("type", FIELD_WORD, type, .words = header_types, .fallback = "exact",
	    HELP("exact, or regex over the whole value")),
	ROW("value", FIELD_TEXT, value, .flags = FIELD_REQUIRED, HELP("what its value must be")),
};
static const struct schema header_schema = SCHEMA("a header", header_fields);
#undef OBJECT

static int finish_match(void *object, bool complete, struct err *err)
{
	const struct manifest_match *match = object;

	(void)complete;
	if (match->npaths + match->methods.n + match->nheaders == 0)
		return fail(err, ERR_INPUT,
		            "an entry of matches without conditions allows every request; leave matches out "
		            "if that is meant");
	return 0;
}

#define OBJECT struct manifest_match
static const struct field match_fields[] = {
	ITEMS("paths", FIELD_LIST, paths, path_schema, .flags = FIELD_NOT_EMPTY, .most = 256,
	      HELP("any one of them matches")),
	ROW("methods", FIELD_TEXTS, methods, .flags = FIELD_NOT_EMPTY, .most = 32, .max = 32,
	    .check = check_method, HELP("any one of them, e.g. GET; CONNECT and TRACE are never forwarded")),
	ITEMS("headers", FIELD_LIST, headers, header_schema, .flags = FIELD_NOT_EMPTY, .most = 32,
	      HELP("all of them must match")),
};
static const struct schema match_schema = SCHEMA("an entry of matches", match_fields, .finish = finish_match);
#undef OBJECT

static int check_one_of(char **text, const char *const *words, struct err *err)
{
	own_str struct str all = STR_INIT;

	for (size_t i = 0; words[i]; i++) {
		if (str_is(*text, words[i]))
			return 0;
		str_addf(&all, "%s%s", i ? ", " : "", words[i]);
	}
	return fail(err, ERR_INPUT, "\"%.60s\" is none of %s", *text, str_c(&all));
}

static int check_outbound(char **text, struct err *err)
{
	static const char *const words[] = { "known_secrets", "token_patterns", "canary", "entropy", NULL };

	return check_one_of(text, words, err);
}

static int check_inbound(char **text, struct err *err)
{
	static const char *const words[] = { "injection", "echo", NULL };

	return check_one_of(text, words, err);
}

#define OBJECT struct manifest_dlp
static const char *const on_match_words[] = { "block", "redact", "supervise", NULL };
static const struct field dlp_fields[] = {
	ROW("outbound_detectors", FIELD_TEXTS, outbound_detectors, GIVEN(outbound_given), OFF(outbound_off),
	    .most = 8, .check = check_outbound,
	    HELP("what is looked for in requests: known_secrets, token_patterns, entropy; canary is always on. false: only "
	         "the canary")),
	ROW("inbound_detectors", FIELD_TEXTS, inbound_detectors, GIVEN(inbound_given), OFF(inbound_off),
	    .most = 8, .check = check_inbound,
	    HELP("what is looked for in responses: injection; echo is always on. false: only echo")),
	ROW("outbound_on_match", FIELD_WORD, outbound_on_match, .words = on_match_words, .fallback = "block",
	    HELP("block answers 403; redact scrubs and scans again; supervise holds the request and asks")),
};
static const struct schema dlp_schema = SCHEMA("dlp", dlp_fields);
#undef OBJECT

#define OBJECT struct manifest_git
static const struct field git_fields[] = {
	ROW("fetch", FIELD_TRUTH, fetch, .fallback = "false",
	    HELP("allow clone and fetch over HTTPS on this host; a push over HTTPS is never allowed")),
};
static const struct schema git_schema = SCHEMA("git", git_fields);
#undef OBJECT

static int finish_route(void *object, bool complete, struct err *err)
{
	const struct manifest_route *route = object;

	(void)complete;
	bool starred = str_starts(route->host, "*.");
	if (starred && !route->wildcard)
		return fail(err, ERR_INPUT, "host %s: a wildcard also needs \"wildcard: true\"", route->host);
	if (route->wildcard && !starred)
		return fail(err, ERR_INPUT, "host %s: \"wildcard: true\" needs a host like *.%s", route->host,
		            route->host);
	if (route->auth_given && route->plain && !route->allow_private)
		return fail(
			err, ERR_INPUT,
			"host %s: with plain the credential of auth would cross the network in the clear; "
			"leave plain out, or add \"allow_private: true\" for a service of your own network",
			route->host);
	return 0;
}

/* Host and port, in canonical form; what is no host yet has no identity and is refused later. */
static char *route_identity(const struct node *item)
{
	const struct node *host = node_get(item, "host"), *port = node_get(item, "port");
	struct err ignored = ERR_INIT;

	if (!host || host->kind != NODE_TEXT)
		return NULL;
	own_mem char *canonical = xstrdup(host->text);
	if (check_host(&canonical, &ignored) != 0)
		return NULL;
	return xasprintf("%s:%lld", canonical,
	                 port && port->kind == NODE_NUMBER ? (long long)port->number : 443LL);
}

#define OBJECT struct manifest_route
static const struct field route_fields[] = {
	ROW("host", FIELD_TEXT, host, .flags = FIELD_REQUIRED, .max = 255, .check = check_host,
	    HELP("exact DNS name, upper and lower case alike, or an address; one route per host and port. *.example.com "
	         "needs wildcard")),
	ROW("wildcard", FIELD_TRUTH, wildcard, .fallback = "false",
	    HELP("host begins with *., and the star stands for exactly one label. Names can carry data out: prefer exact "
	         "ones. A label that looks like data (long, or many digits) is refused")),
	ROW("port", FIELD_NUMBER, port, .min = 1, .max = 65535, .fallback = "443", GIVEN(port_given),
	    HELP("the port; with plain and no port both 443 and 80")),
	ROW("plain", FIELD_TRUTH, plain, .fallback = "false",
	    HELP("allow http:// under the same rules; what is sent can be read on the way. With auth only together with "
	         "allow_private, and the credential then goes over http to private addresses alone")),
	ROW("auth", FIELD_STRUCT, auth, .of = &auth_schema, GIVEN(auth_given), .flags = FIELD_WHOLE,
	    HELP("the credential that the gateway puts in. Any other credential on this route is refused")),
	ITEMS("matches", FIELD_LIST, matches, match_schema, .flags = FIELD_NOT_EMPTY, .most = 256,
	      HELP("which requests are allowed: any entry, all of its conditions. Without it, all requests to this host")),
	ROW("git", FIELD_STRUCT, git, .of = &git_schema, GIVEN(git_given),
	    HELP("git over HTTPS on this host")),
	ROW("websocket", FIELD_TRUTH, websocket, .fallback = "false", HELP("allow Upgrade to WebSocket")),
	ROW("dlp", FIELD_STRUCT, dlp, .of = &dlp_schema, GIVEN(dlp_given),
	    HELP("what bodies and headers are searched for. Refused: this build does not search yet")),
	ROW("allow_private", FIELD_TRUTH, allow_private, .fallback = "false",
	    HELP("let the name resolve to a private, loopback or link-local address; never to a metadata address")),
	REFUSED("role", HELP("routes have no role")),
	REFUSED("path_allowlist", HELP("write matches: [{paths: [{type: prefix, value: /...}]}] instead")),
};
const struct schema route_schema =
	SCHEMA("a route", route_fields, .finish = finish_route, .identity = route_identity);
#undef OBJECT
