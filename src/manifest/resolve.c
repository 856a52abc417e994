/* Names to one plan: find the files, line them up, lay one on the other, read the result. */
#include "manifest/manifest.h"

#include <string.h>

#include "manifest/fields.h"
#include "manifest/find.h"
#include "manifest/why.h"
#include "base/banned.h"

void manifest_plan_clear(struct manifest_plan *plan)
{
	mem_drop(&plan->agent_name);
	mem_drop(&plan->agent_file);
	mem_drop(&plan->prompt);
	schema_clear(&agent_schema, &plan->agent);
	schema_clear(&bottle_schema, &plan->bottle);
	schema_clear(&provider_schema, &plan->provider);
	mem_drop(&plan->provider.name);
	strv_clear(&plan->bottles);
	strv_clear(&plan->lineage);
	why_clear(&plan->why, &plan->nwhy);
	*plan = (struct manifest_plan)MANIFEST_PLAN_INIT;
}

struct resolver {
	const struct manifest_dirs *dirs;
	struct node_pool *pool;
	struct strv open; /* bottles whose parents are being looked up: meeting one again is a cycle */
	struct strv lineage;
	struct node *merged;
};

static void resolver_clear(struct resolver *r)
{
	strv_clear(&r->open);
	strv_clear(&r->lineage);
}

static char *joined(const struct strv *names, size_t from, const char *last)
{
	own_str struct str text = STR_INIT;

	for (size_t i = from; i < names->n; i++)
		str_addf(&text, "%s%s", i > from ? " -> " : "", names->v[i]);
	if (last)
		str_addf(&text, " -> %s", last);
	return str_steal(&text);
}

static int refuse_cycle(const struct resolver *r, const char *name, struct err *err)
{
	size_t from = 0;

	while (from < r->open.n && !str_is(r->open.v[from], name))
		from++;
	if (from + 1 == r->open.n)
		return fail(err, ERR_INPUT, "bottle %s extends itself", name);
	own_mem char *cycle = joined(&r->open, from, name);
	return fail(err, ERR_INPUT, "bottles extend each other in a circle: %s", cycle);
}

static int read_bottle(struct resolver *r, const char *name, struct node **out, struct strv *parents,
                       struct err *err)
{
	own_found struct found found = { 0 };
	own_str struct str bytes = STR_INIT;
	struct manifest_bottle alone = { 0 };
	const char *body;

	if (find_bottle(r->dirs, name, &found, &bytes, err) != 0 ||
	    node_parse_file(r->pool, found.file, node_form_of(found.file), str_c(&bytes), bytes.len, out,
	                    &body, err) != 0)
		return -1;
	/* By itself first: a mistake is told where it was made, also when a later file would hide it. */
	int rc = schema_read(&bottle_schema, *out, false, &alone, err);
	if (rc == 0)
		strv_copy(parents, &alone.extends);
	schema_clear(&bottle_schema, &alone);
	return rc;
}

static struct node *without(struct node_pool *pool, const struct node *map, const char *key)
{
	struct node *copy = node_new(pool, NODE_MAP, map->file, map->line);

	for (const struct node *n = map->first; n; n = n->next) {
		struct node *item = node_alloc(pool, sizeof *item);
		*item = *n;
		if (!str_is(n->key, key))
			node_append(copy, item);
	}
	return copy;
}

static int add_bottle(struct resolver *r, const char *name, struct err *err)
{
	own_strv struct strv parents = STRV_INIT;
	struct node *own = NULL;

	if (strv_has(&r->open, name))
		return refuse_cycle(r, name, err);
	if (strv_has(&r->lineage, name))
		return 0;
	if (r->open.n + r->lineage.n >= MANIFEST_LINEAGE_MAX)
		return fail(err, ERR_INPUT, "more than %d bottles make one", MANIFEST_LINEAGE_MAX);
	if (read_bottle(r, name, &own, &parents, err) != 0)
		return -1;
	strv_add(&r->open, name);
	for (size_t i = 0; i < parents.n; i++)
		if (add_bottle(r, parents.v[i], err) != 0)
			return err->kind == ERR_MISSING ?
			               fail_in(err, "bottle %s extends %s", name, parents.v[i]) :
			               -1;
	free(r->open.v[--r->open.n]);
	r->open.v[r->open.n] = NULL;
	strv_add(&r->lineage, name);
	r->merged = schema_merge(r->pool, &bottle_schema, r->merged, without(r->pool, own, "extends"));
	return 0;
}

static int read_agent(struct resolver *r, const char *name, struct manifest_plan *plan, struct node **out,
                      struct err *err)
{
	own_found struct found found = { 0 };
	own_str struct str bytes = STR_INIT;
	const char *body;

	if (find_agent(r->dirs, name, &found, &bytes, err) != 0 ||
	    node_parse_file(r->pool, found.file, node_form_of(found.file), str_c(&bytes), bytes.len, out,
	                    &body, err) != 0 ||
	    schema_read(&agent_schema, *out, true, &plan->agent, err) != 0)
		return -1;
	if (strlen(body) > MANIFEST_PROMPT_MAX)
		return fail(err, ERR_INPUT, "%s: the prompt has %zu bytes; the limit is %d", found.file,
		            strlen(body), MANIFEST_PROMPT_MAX);
	plan->agent_name = xstrdup(name);
	plan->prompt = xstrdup(body);
	plan->bottle_is_suggestion = !found.trusted && plan->agent.bottle;
	plan->agent_file = mem_steal(&found.file);
	return 0;
}

/* From the command line; else what the agent names; else nobody chose. */
static int choose_bottles(const struct strv *asked, struct manifest_plan *plan, struct err *err)
{
	if (asked && asked->n > 0) {
		strv_copy(&plan->bottles, asked);
		plan->bottle_is_suggestion = false;
		return 0;
	}
	if (plan->agent.bottle) {
		strv_add(&plan->bottles, plan->agent.bottle);
		return 0;
	}
	if (!plan->agent_name)
		return fail(err, ERR_USAGE, "no bottle is named; name an agent, or give --bottle NAME");
	return fail(err, ERR_INPUT,
	            "agent %s names no bottle; give --bottle NAME, or write bottle: NAME in %s",
	            plan->agent_name, plan->agent_file);
}

/* "{auth_token}" in a provider's routes stands for the variable that the bottle names. */
static void fill_auth_token(struct node_pool *pool, struct node *node, const char *variable)
{
	for (struct node *n = node->first; n; n = n->next) {
		if (str_is(n->key, "token_ref") && str_is(n->text, "{auth_token}"))
			n->text = node_text(pool, variable, strlen(variable));
		fill_auth_token(pool, n, variable);
	}
}

static int read_provider_tree(struct node_pool *pool, struct node *tree, const char *auth_token,
                              struct manifest_provider *out, struct err *err)
{
	const struct node *standard = node_get(tree, "auth_token");
	struct node *routes = node_get(tree, "routes");

	if (!auth_token && standard && standard->kind == NODE_TEXT)
		auth_token = standard->text;
	if (routes && auth_token)
		fill_auth_token(pool, routes, auth_token);
	return schema_read(&provider_schema, tree, true, out, err);
}

/* What the bottle says of its provider must be something that this provider has a use for. */
static int check_choice(const struct manifest_agent_provider *choice,
                        const struct manifest_provider *provider, struct err *err)
{
	bool by_login = provider->host_credentials != MANIFEST_CREDENTIALS_NONE;

	if (choice->auth_token && !provider->auth_token)
		return fail(err, ERR_INPUT, "agent_provider.auth_token: provider %s takes no token",
		            choice->template);
	if (choice->forward_host_credentials && !by_login)
		return fail(
			err, ERR_INPUT,
			"agent_provider.forward_host_credentials: provider %s has no login on the host to "
			"forward",
			choice->template);
	if (by_login && !choice->forward_host_credentials)
		return fail(err, ERR_INPUT,
		            "provider %s works with the host's login; write agent_provider: "
		            "{template: %s, forward_host_credentials: true} to let its gateway use it",
		            choice->template, choice->template);
	return 0;
}

static int add_provider(struct resolver *r, struct manifest_plan *plan, struct err *err)
{
	own_found struct found found = { 0 };
	own_str struct str bytes = STR_INIT;
	struct manifest_bottle own = { 0 };
	struct node *tree = NULL;
	const char *body;

	/* The merged bottle is whole from here on, and says which provider. */
	int rc = schema_read(&bottle_schema, r->merged, true, &own, err);
	if (rc == 0)
		rc = find_provider(r->dirs, own.agent_provider.template, &found, &bytes, err);
	if (rc == 0)
		rc = node_parse_file(r->pool, found.file, node_form_of(found.file), str_c(&bytes), bytes.len,
		                     &tree, &body, err);
	if (rc == 0)
		rc = read_provider_tree(r->pool, tree, own.agent_provider.auth_token, &plan->provider, err);
	if (rc == 0)
		rc = check_choice(&own.agent_provider, &plan->provider, err);
	if (rc == 0)
		plan->provider.name = xstrdup(own.agent_provider.template);
	schema_clear(&bottle_schema, &own);
	if (rc != 0 || !node_get(tree, "routes"))
		return rc;
	/* Defaults: they lie under everything that a bottle says. */
	struct node *under = node_new(r->pool, NODE_MAP, found.file, 1);
	struct node *egress = node_new(r->pool, NODE_MAP, found.file, 1);
	egress->key = "egress";
	struct node *routes = node_get(tree, "routes");
	routes->next = NULL;
	node_append(egress, routes);
	node_append(under, egress);
	r->merged = schema_merge(r->pool, &bottle_schema, under, r->merged);
	return 0;
}

/* An agent may say who it is in commits, and nothing else of what a bottle says. */
static void add_agent_user(struct resolver *r, const struct node *agent)
{
	const struct node *git = node_get(agent, "git-gate"), *user = node_get(git, "user");

	if (!user || user->count == 0)
		return;
	struct node *over = node_new(r->pool, NODE_MAP, agent->file, agent->line);
	struct node *gate = node_new(r->pool, NODE_MAP, git->file, git->line);
	struct node *copy = node_alloc(r->pool, sizeof *copy);
	gate->key = "git-gate";
	*copy = *user;
	node_append(gate, copy);
	node_append(over, gate);
	r->merged = schema_merge(r->pool, &bottle_schema, r->merged, over);
}

/* The host's login goes where a provider file says, and a bottle has to have agreed to that. */
static int check_tokens(const struct manifest_plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->bottle.egress.nroutes; i++) {
		const struct manifest_route *route = &plan->bottle.egress.routes[i];
		if (route->auth_given && route->auth.from == MANIFEST_TOKEN_HOST &&
		    (!plan->bottle.agent_provider.forward_host_credentials ||
		     !str_is(route->auth.token, "codex")))
			return fail(err, ERR_DENIED,
			            "route %s: token_ref %s is for providers whose login is forwarded",
			            route->host, route->auth.token_ref);
	}
	return 0;
}

static int resolve(struct resolver *r, const char *agent, const struct strv *bottles,
                   struct manifest_plan *plan, struct err *err)
{
	struct node *agent_tree = NULL;

	find_warn_of_bottles(r->dirs);
	if (agent && read_agent(r, agent, plan, &agent_tree, err) != 0)
		return -1;
	if (choose_bottles(bottles, plan, err) != 0)
		return -1;
	for (size_t i = 0; i < plan->bottles.n; i++)
		if (add_bottle(r, plan->bottles.v[i], err) != 0)
			return -1;
	if (agent_tree)
		add_agent_user(r, agent_tree);
	if (add_provider(r, plan, err) != 0 ||
	    schema_read(&bottle_schema, r->merged, true, &plan->bottle, err) != 0 ||
	    check_tokens(plan, err) != 0)
		return -1;
	strv_copy(&plan->lineage, &r->lineage);
	why_collect(r->merged, &plan->why, &plan->nwhy);
	return 0;
}

int manifest_resolve(const struct manifest_dirs *dirs, const char *agent, const struct strv *bottles,
                     struct manifest_plan *out, struct err *err)
{
	own_node_pool struct node_pool pool = NODE_POOL_INIT;
	__attribute__((cleanup(resolver_clear))) struct resolver r = { .dirs = dirs, .pool = &pool };
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;

	r.merged = node_new(&pool, NODE_MAP, "manifest", 1);
	if (resolve(&r, agent, bottles, &plan, err) != 0)
		return -1;
	if (!plan.prompt)
		plan.prompt = xstrdup("");
	*out = plan;
	plan = (struct manifest_plan)MANIFEST_PLAN_INIT;
	return 0;
}

int manifest_agent_names_bottle(const struct manifest_dirs *dirs, const char *agent, bool *out,
                                struct err *err)
{
	own_node_pool struct node_pool pool = NODE_POOL_INIT;
	__attribute__((cleanup(resolver_clear))) struct resolver r = { .dirs = dirs, .pool = &pool };
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct node *tree = NULL;

	if (read_agent(&r, agent, &plan, &tree, err) != 0)
		return -1;
	*out = plan.agent.bottle != NULL;
	return 0;
}

char *manifest_lineage(const struct manifest_plan *plan)
{
	return joined(&plan->lineage, 0, NULL);
}

static json *routes_of(enum manifest_kind kind, const void *object)
{
	const struct manifest_bottle *bottle = object;
	const struct manifest_provider *provider = object;

	if (kind == MANIFEST_KIND_BOTTLE)
		return routes_document(bottle->egress.routes, bottle->egress.nroutes);
	return kind == MANIFEST_KIND_PROVIDER ? routes_document(provider->routes, provider->nroutes) : NULL;
}

int manifest_check(enum manifest_kind kind, const char *file, const void *bytes, size_t n, json **routes,
                   struct err *err)
{
	static const struct schema *const schemas[] = { &bottle_schema, &agent_schema, &provider_schema,
		                                        &host_config_schema };
	const struct schema *schema = schemas[kind];
	own_node_pool struct node_pool pool = NODE_POOL_INIT;
	struct node *tree = NULL;
	const char *body;

	if (node_parse_file(&pool, file, kind == MANIFEST_KIND_CONFIG ? NODE_JSON : node_form_of(file), bytes,
	                    n, &tree, &body, err) != 0)
		return -1;
	own_mem void *object = xcalloc(1, schema->size);
	int rc = 0;
	if (kind == MANIFEST_KIND_PROVIDER)
		rc = read_provider_tree(&pool, tree, NULL, object, err);
	else
		/* What a bottle that extends another leaves out may come from there. */
		rc = schema_read(schema, tree, !node_get(tree, "extends"), object, err);
	if (rc == 0 && routes)
		*routes = routes_of(kind, object);
	schema_clear(schema, object);
	if (rc == 0 && kind == MANIFEST_KIND_AGENT && strlen(body) > MANIFEST_PROMPT_MAX)
		rc = fail(err, ERR_INPUT, "%s: the prompt has %zu bytes; the limit is %d", file, strlen(body),
		          MANIFEST_PROMPT_MAX);
	return rc;
}
