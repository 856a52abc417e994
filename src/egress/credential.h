#pragma once
/* The bottle's credentials: which route has which, what the guest may show in its place, and
 * that nobody else's credential is used there. Pure functions over parsed heads. */
#include "egress/echo.h"
#include "policy/policy.h"
#include "proto/egress.h"

struct credential {
	const struct policy_route *route;
	const struct egress_credential *row;
	const char *name;    /* the field that is injected */
	struct secret value; /* and its value, complete */
	struct echo_set echo;
};

struct credentials {
	struct credential *at;
	size_t n;
	struct echo_set placeholders; /* of all of them, to be found in bodies */
	struct echo_set secrets;      /* all of them, in every spelling */
};
/* clang-format off */
#define CREDENTIALS_INIT \
	{                \
		0        \
	}
/* clang-format on */

/* Every route with `auth` has exactly one row and every row a route, or it is ERR_INPUT.
 * @policy and @config outlive @out. */
int credentials_compile(const struct policy *policy, const struct egress_config *config,
                        struct credentials *out, struct err *err);
void credentials_clear(struct credentials *c);

/* NULL: the route has none. */
const struct credential *credential_of(const struct credentials *c, const struct policy_route *route);

enum credential_finding {
	CREDENTIAL_FINE,
	CREDENTIAL_FOREIGN,   /* a credential that isn't ours, on a route that has one */
	CREDENTIAL_ELSEWHERE, /* a placeholder of another route */
	CREDENTIAL_OBSCURED,  /* a query in more layers of encoding than can be looked through */
};

/* Judges a head as the guest sent it; @path is canonical. @mine: NULL for a route without.
 * On CREDENTIAL_FINE the guest's own credential fields are marked .skip and the query
 * without its credential parameters stands in @query_out. */
enum credential_finding credential_judge(const struct credentials *c, const struct credential *mine,
                                         struct http_request *request, struct slice path,
                                         struct str *query_out);
/* Looks for placeholders of others in what follows a head of that route. */
void credential_watch(const struct credentials *c, const struct credential *mine, struct sight *sight);
/* Trailers can't carry a credential at all. */
bool credential_allows_trailers(const struct credentials *c, const struct credential *mine,
                                const struct http_fields *trailers);
