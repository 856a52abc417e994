#include "keeper/bottle.h"

#include <string.h>

#include "base/clock.h"
#include "base/banned.h"

static size_t count(const struct keeper *k, enum role role)
{
	size_t n = 0;

	for (const struct connection *c = k->connections; c; c = c->next)
		n += c->role == role;
	return n;
}

json *keeper_status(const struct keeper *k)
{
	json *j = json_object_of();
	json *state = NULL;
	struct err ignored = ERR_INIT;
	const char *text = k->launch.gateway.state;

	json_set_string(j, "slug", k->launch.record.slug);
	json_set_string(j, "state", k->stopping ? "stopping" : k->launch.is_up ? "running" : "starting");
	json_set_truth(j, "agent_running", k->agent.running);
	json_set_truth(j, "terminal", k->agent.terminal);
	json_set_int(j, "running_ms", (int64_t)(clock_ms() - k->began));
	json_set_int(j, "attached", (int64_t)(count(k, ROLE_LAUNCHER) + count(k, ROLE_ATTACHED)));
	json_set_int(j, "execs", (int64_t)count(k, ROLE_EXEC));
	json_set_int(j, "refused", (int64_t)k->launch.refused);
	json_set_int(j, "audit_count", (int64_t)k->audit.count);
	json_set_string(j, "audit_head", k->audit.head);
	json_set(j, "proof", k->launch.record.proof ? json_ref(k->launch.record.proof) : NULL);
	if (text && json_parse(text, strlen(text), 16, &state, &ignored) == 0)
		json_set(j, "egress", state);
	return j;
}
