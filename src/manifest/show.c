/* The resolved manifest for others: routes for the gateway, all of it for people and the
 * record, the reference for the manual, and what this build has to refuse. */
#include "manifest/manifest.h"

#include <string.h>

#include "manifest/fields.h"
#include "base/banned.h"

json *routes_document(const struct manifest_route *routes, size_t n)
{
	json *document = json_object_of(), *list = json_array_of();

	for (size_t i = 0; i < n; i++)
		json_push(list, schema_json(&route_schema, &routes[i], false));
	json_set(document, "routes", list);
	return document;
}

json *manifest_routes_json(const struct manifest_plan *plan)
{
	return routes_document(plan->bottle.egress.routes, plan->bottle.egress.nroutes);
}

static json *names_json(const struct strv *names)
{
	json *list = json_array_of();

	for (size_t i = 0; i < names->n; i++)
		json_push(list, json_of_string(names->v[i]));
	return list;
}

json *manifest_to_json(const struct manifest_plan *plan)
{
	own_mem char *lineage = manifest_lineage(plan);
	json *all = json_object_of();

	if (plan->agent_name) {
		json *agent = schema_json(&agent_schema, &plan->agent, false);
		json_set_string(agent, "name", plan->agent_name);
		json_set_string(agent, "file", plan->agent_file);
		json_set(all, "agent", agent);
	}
	json_set_string(all, "lineage", lineage);
	json_set(all, "bottles", names_json(&plan->bottles));
	json *bottle = schema_json(&bottle_schema, &plan->bottle, true);
	json_unset(bottle, "extends");
	/* As the gateway gets them: a default port spelled out would mean something else. */
	own_json json *routes = manifest_routes_json(plan);
	json_set(json_get(bottle, "egress"), "routes", json_ref(json_get(routes, "routes")));
	json_set(all, "bottle", bottle);
	json *provider = schema_json(&provider_schema, &plan->provider, false);
	/* They stand among the bottle's already, as far as nothing replaced them. */
	json_unset(provider, "routes");
	json_unset(provider, "files");
	json_set_string(provider, "name", plan->provider.name);
	json_set(all, "provider", provider);
	return all;
}

int manifest_unsupported(const struct manifest_plan *plan, struct err *err)
{
	static const char remedy[] = "this build can't do it yet; remove it";
	const struct manifest_bottle *bottle = &plan->bottle;

	if (bottle->git_gate.nrepos > 0)
		return fail(err, ERR_INPUT, "git-gate.repos.%s: %s", bottle->git_gate.repos[0].name, remedy);
	for (size_t i = 0; i < bottle->egress.nroutes; i++) {
		const struct manifest_route *route = &bottle->egress.routes[i];
		if (route->dlp_given && route->dlp.outbound_on_match == MANIFEST_SUPERVISE)
			return fail(err, ERR_INPUT, "egress.routes[%s].dlp.outbound_on_match: supervise: %s",
			            route->host, remedy);
		if (route->dlp_given)
			return fail(err, ERR_INPUT, "egress.routes[%s].dlp: %s", route->host, remedy);
	}
	return 0;
}

void manifest_print_fields(enum manifest_kind kind, struct str *out)
{
	static const struct schema *const schemas[] = { &bottle_schema, &agent_schema, &provider_schema,
		                                        &host_config_schema };

	schema_print(schemas[kind], "", out);
}
