#pragma once
/* The tables: every field of every file, in the order of the reference page. */
#include "manifest/bottle.h"
#include "manifest/schema.h"

extern const struct schema route_schema, env_schema, bottle_schema, agent_schema, provider_schema,
	host_config_schema;

/* {"routes":[...]} */
json *routes_document(const struct manifest_route *routes, size_t n);
