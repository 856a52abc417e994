#pragma once
/* Which request is allowed, and why. A policy is compiled from the routes of a manifest in
 * their canonical JSON form ({"routes":[...]}) and then only read; decisions are pure
 * functions of it. One policy is used by one thread (the regex scratch is its own). */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "wire/host.h"
#include "wire/http.h"

enum policy_auth {
	POLICY_AUTH_NONE,
	POLICY_AUTH_BEARER,
	POLICY_AUTH_TOKEN,
	POLICY_AUTH_BASIC,
	POLICY_AUTH_HEADER
};

/* What the gateway needs to know of a route; the matches are the policy's own matter. */
struct policy_route {
	size_t index;     /* in the document's list */
	const char *host; /* canonical; a wildcard as "*.example.com" */
	int port;         /* as written, 0: the default */
	bool wildcard, plain, websocket, git_fetch, allow_private;
	enum policy_auth auth;
	const char *auth_header; /* of POLICY_AUTH_HEADER, as written; else NULL */
	const struct policy_match *matches;
	size_t nmatches;
};

enum policy_reason {
	POLICY_ALLOWED,
	POLICY_HOST_NOT_ROUTED,
	POLICY_PORT_NOT_ROUTED,
	POLICY_ADDRESS_NOT_ROUTED,
	POLICY_NAME_NOT_QUALIFIED,
	POLICY_WILDCARD_LABEL,
	POLICY_PLAIN_HTTP,
	POLICY_TLS_ON_PLAIN_PORT,
	POLICY_NO_MATCH,
	POLICY_METHOD_FORBIDDEN,
	POLICY_METHOD_OVERRIDE,
	POLICY_SECOND_PATH,
	POLICY_UPGRADE,
	POLICY_GIT_PUSH,
	POLICY_GIT_FETCH,
	POLICY_DNS_OVER_HTTPS,
	POLICY_REASONS
};

/* What an entry of matches that came nearest was not content with. */
enum policy_miss { POLICY_MISS_PATH, POLICY_MISS_METHOD, POLICY_MISS_HEADER };

struct policy_verdict {
	bool allowed;
	enum policy_reason reason;
	const struct policy_route *route; /* NULL: no route speaks for this host and port */
	/* What decided, for POLICY_ALLOWED: the entry of matches and of its paths, -1 for none. */
	int match, path;
	/* For POLICY_NO_MATCH: the first entry of matches that came nearest. */
	int near;
	enum policy_miss missed;
};

struct policy_request {
	const struct host *host;
	uint16_t port;
	bool plain; /* http, not https */
	struct slice method;
	struct slice path; /* canonical: path_canonical() */
	struct slice query;
	struct slice upgrade; /* empty: none asked for */
	/* Those with .skip are not sent on and so not judged. NULL: none. */
	const struct http_fields *fields;
};

struct policy;
enum { POLICY_ROUTES_MAX = 10000, POLICY_TEXT_MAX = 4 << 20 };

/* ERR_INPUT names the route and the field. No routes is a policy: it allows nothing. */
int policy_compile(const char *text, size_t n, struct policy **out, struct err *err);
void policy_free(struct policy *policy);
void policy_drop(struct policy **policy);
#define own_policy OWN(policy_drop)

size_t policy_count(const struct policy *policy);
const struct policy_route *policy_route_at(const struct policy *policy, size_t i);

/* May a connection to this host and port begin at all (CONNECT, a transparent listener)? What
 * goes through it is judged again, request by request. */
void policy_decide_connect(const struct policy *policy, const struct host *host, uint16_t port,
                           struct policy_verdict *out);
void policy_decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_verdict *out);

/* Adds those lines of a text in the form of hosts(5) that name a host for which a route speaks, or
 * @also (NULL: none): nobody is asked for the others. */
void policy_keep_hosts(const struct policy *policy, const char *also, struct slice text, struct str *out);

/* May these fields come behind a body whose head was allowed? Not one that was to be judged with
 * the head: an origin may put both together. */
bool policy_allows_trailers(const struct policy_route *route, const struct http_fields *trailers);

const char *policy_reason_word(enum policy_reason reason); /* "host-not-routed" */
/* The rule that decided: "routes[2].matches[0].paths[1] prefix /v1", "routes[2]", "" for none. */
void policy_rule_print(const struct policy_verdict *verdict, struct str *out);
/* A sentence for people and agents. It repeats the request's canonical host, port, method and
 * path, escaped, and nothing else of it. */
void policy_explain(const struct policy_verdict *verdict, const struct policy_request *request,
                    struct str *out);
