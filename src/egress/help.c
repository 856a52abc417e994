#include "egress/client.h"

#include "base/json.h"
#include "base/banned.h"

static void add_text(struct str *out, const char *key, const char *text)
{
	str_addf(out, "\"%s\":", key);
	json_print_text(out, text, strlen(text));
}

static void add_route(const struct gateway *g, const struct policy_route *route, struct str *out)
{
	str_addc(out, '{');
	add_text(out, "host", route->host);
	if (route->port)
		str_addf(out, ",\"port\":%d", route->port);
	str_addf(out, ",\"plain_http\":%s,\"websocket\":%s,\"every_path\":%s",
	         route->plain ? "true" : "false", route->websocket ? "true" : "false",
	         route->nmatches ? "false" : "true");
	const struct credential *credential = credential_of(&g->credentials, route);
	if (credential) {
		str_addc(out, ',');
		add_text(out, "credential", "put in by the gateway");
		str_addc(out, ',');
		add_text(out, "placeholder", credential->row->placeholder);
	}
	str_addc(out, '}');
}

void help_print(const struct gateway *g, struct str *out)
{
	str_add(out, "{\"service\":\"bot-bottle egress gateway\",");
	add_text(out, "bottle", g->config.slug);
	str_addc(out, ',');
	add_text(
		out, "how",
		"Only the hosts listed here can be reached, by HTTP through this proxy; many of them only with "
		"certain methods and paths. A refusal is a JSON body with a reason and the rule that decided.");
	str_addc(out, ',');
	add_text(
		out, "ask",
		"If the task needs more, say so to the person you work for: name the host, the method and the path, "
		"and why. They add a route to egress.routes of this bottle's manifest; `bottle policy suggest` "
		"prints one for what was refused.");
	str_add(out, ",\"routes\":[");
	for (size_t i = 0; i < policy_count(g->policy); i++) {
		if (i)
			str_addc(out, ',');
		add_route(g, policy_route_at(g->policy, i), out);
	}
	str_add(out, "]}\n");
}
