#include "policy/compiled.h"

#include "base/banned.h"

/* Keys come from the operator's manifest; the guest only looks up, so it can't make the table
 * slow by choosing names. */
static size_t hash_of(struct slice host, bool wildcard)
{
	uint64_t h = 1469598103934665603u + wildcard;

	for (size_t i = 0; i < host.n; i++)
		h = (h ^ (unsigned char)host.at[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

/* The ports of one host stand in one run of slots, so a port that isn't there is told from a
 * host that isn't. */
const struct policy_entry *policy_entry_find(const struct policy *policy, struct slice host, uint16_t port,
                                             bool wildcard)
{
	for (size_t i = hash_of(host, wildcard) & policy->mask;; i = (i + 1) & policy->mask) {
		const struct policy_entry *entry = &policy->table[i];

		if (!entry->route)
			return NULL;
		if (entry->wildcard == wildcard && (port == 0 || entry->port == port) &&
		    slice_equal(entry->host, host))
			return entry;
	}
}

static int insert(struct policy *policy, const struct policy_entry *new, struct err *err)
{
	size_t i = hash_of(new->host, new->wildcard) & policy->mask;

	if (policy_entry_find(policy, new->host, new->port, new->wildcard))
		return fail(err, ERR_INPUT, "routes[%zu]: %s has a route for port %u already",
		            new->route->index, new->route->host, new->port);
	while (policy->table[i].route)
		i = (i + 1) & policy->mask;
	policy->table[i] = *new;
	return 0;
}

static int insert_route(struct policy *policy, struct policy_route *route, struct err *err)
{
	struct slice host = slice_of(route->host + (route->wildcard ? 2 : 0));
	bool written = route->port != 0;
	struct policy_entry entry = {
		.host = host,
		.port = (uint16_t)(written ? route->port : 443),
		.wildcard = route->wildcard,
		/* On a port that was written a plain route may be either. */
		.tls = true,
		.plain = written && route->plain,
		.route = route,
	};

	if (insert(policy, &entry, err) < 0)
		return -1;
	if (written || !route->plain)
		return 0;
	entry.port = 80;
	entry.tls = false;
	entry.plain = true;
	return insert(policy, &entry, err);
}

int policy_table_build(struct policy *policy, struct err *err)
{
	size_t slots = 16;

	while (slots < policy->nroutes * 4)
		slots *= 2;
	policy->table = xcalloc(slots, sizeof *policy->table);
	policy->mask = slots - 1;
	for (size_t i = 0; i < policy->nroutes; i++)
		if (insert_route(policy, &policy->routes[i], err) < 0)
			return -1;
	return 0;
}

static void match_clear(struct policy_match *match)
{
	for (size_t i = 0; match->paths && i < match->npaths; i++)
		policy_regex_free(match->paths[i].regex);
	for (size_t i = 0; match->headers && i < match->nheaders; i++)
		policy_regex_free(match->headers[i].regex);
	free(match->paths);
	free(match->methods);
	free(match->headers);
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->nroutes; i++) {
		struct policy_match *matches = (struct policy_match *)policy->routes[i].matches;

		for (size_t m = 0; m < policy->routes[i].nmatches; m++)
			match_clear(&matches[m]);
		free(matches);
	}
	free(policy->routes);
	free(policy->table);
	strv_clear(&policy->texts);
	free(policy);
}

void policy_drop(struct policy **policy)
{
	policy_free(*policy);
	*policy = NULL;
}

size_t policy_count(const struct policy *policy)
{
	return policy->nroutes;
}

const struct policy_route *policy_route_at(const struct policy *policy, size_t i)
{
	return i < policy->nroutes ? &policy->routes[i] : NULL;
}
