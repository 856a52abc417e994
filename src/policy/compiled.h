#pragma once
/* Inside the room: a policy as the decision reads it. */
#include "policy/policy.h"

enum policy_compare { POLICY_EXACT, POLICY_PREFIX, POLICY_REGEX };

struct policy_regex; /* PCRE2's, opaque outside regex.c */

struct policy_path {
	enum policy_compare compare;
	struct slice value; /* canonical, but for a regex */
	struct policy_regex *regex;
};

struct policy_header {
	struct slice name;
	enum policy_compare compare; /* never POLICY_PREFIX */
	struct slice value;
	struct policy_regex *regex;
};

/* Entries are OR-ed, fields inside AND-ed, values of a field OR-ed; an empty field asks nothing. */
struct policy_match {
	struct policy_path *paths;
	size_t npaths;
	struct slice *methods;
	size_t nmethods;
	struct policy_header *headers;
	size_t nheaders;
};

/* What a host and a port lead to. */
struct policy_entry {
	struct slice host; /* of a wildcard what stands behind "*." */
	uint16_t port;
	bool wildcard, tls, plain;
	struct policy_route *route;
};

struct policy {
	struct policy_route *routes;
	size_t nroutes;
	struct policy_entry *table; /* open addressing, at most half full */
	size_t mask;                /* slots - 1 */
	struct strv texts;          /* owns every text that a slice or route points at */
};

/* ERR_INPUT where two routes claim one host and port. */
int policy_table_build(struct policy *policy, struct err *err);
/* NULL: nothing there. Port 0 finds any port. */
const struct policy_entry *policy_entry_find(const struct policy *policy, struct slice host, uint16_t port,
                                             bool wildcard);

int policy_regex_compile(struct slice pattern, struct policy_regex **out, struct err *err);
void policy_regex_free(struct policy_regex *regex);
/* Does the whole text match? Over the match limit it does not. */
bool policy_regex_fits(const struct policy_regex *regex, struct slice text);
