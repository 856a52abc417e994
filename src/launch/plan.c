#include "launch/plan.h"

#include <string.h>

#include "backend/backend.h"
#include "base/str.h"
#include "launch/words.h"
#include "manifest/image.h"
#include "policy/policy.h"
#include "proto/egress.h"
#include "proto/init.h"
#include "registry/names.h"
#include "base/banned.h"

#define GENERIC_PLACEHOLDER "bottle-placeholder-{random}"

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return str_starts(path, dir) && (path[n] == '/' || path[n] == '\0');
}

/* A program is there inside when one of the tree's directories holds it. */
static bool is_visible(const struct plan *p, const struct closure *closure, const char *program)
{
	static const char *const shown[] = { "/usr",       "/bin", "/sbin",
		                             "/nix/store", "/opt", "/run/current-system" };

	for (size_t i = 0; i < p->tools.n; i++)
		if (below(program, p->tools.v[i]))
			return true;
	if (closure && closure->paths.n > 0 && (below(program, CLOSURE_STORE) || below(program, "/run")))
		return closure_holds(closure, program);
	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		if (below(program, shown[i]))
			return true;
	return closure && closure_holds(closure, program);
}

static void plan_path(struct plan *p)
{
	static const char *const standard[] = {
		GUEST_HOME "/.local/bin",
		"/usr/local/sbin",
		"/usr/local/bin",
		"/usr/sbin",
		"/usr/bin",
		"/sbin",
		"/bin",
		"/run/current-system/sw/bin",
	};

	for (size_t i = 0; i < p->tools.n; i++) {
		strv_add(&p->path, p->tools.v[i]);
		strv_addf(&p->path, "%s/bin", p->tools.v[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(standard); i++)
		strv_add(&p->path, standard[i]);
}

static bool takes_prompt(const struct strv *list)
{
	const struct word none[] = { { "prompt", NULL } };
	own_strv struct strv ignored = STRV_INIT;

	return !words_fill_list(list, none, ARRAY_LEN(none), &ignored);
}

static int plan_command(struct plan *p, const struct manifest_plan *m, const struct plan_options *o,
                        const struct plan_facts *f, struct err *err)
{
	bool has_prompt = o->prompt && *o->prompt;

	if (o->command && has_prompt)
		return fail(err, ERR_USAGE, "--prompt is for an agent's command, and not for one behind --");
	if (o->command) {
		strv_copy(&p->command, o->command);
		return 0;
	}
	if (!m || m->provider.command.n == 0)
		return fail(err, ERR_USAGE, "nothing to run; name an agent, or a command behind --");
	const struct manifest_prompt *prompt = &m->provider.prompt;
	const struct word words[] = {
		{ "prompt", has_prompt ? o->prompt : NULL },
		{ "system_prompt", *m->prompt ? m->prompt : NULL },
		{ "workspace", GUEST_WORKSPACE },
		{ "home", GUEST_HOME },
	};
	const char *name = m->provider.command.v[0];
	/* A machine runs what its image holds. */
	bool machine = str_is(p->backend, backend_smolmachines.name);
	const char *program = machine ? name : f->program;
	if (!program)
		return fail(err, ERR_MISSING,
		            "%s is not on this host; install it, or give a command behind --", name);
	if (!machine && !is_visible(p, f->closure, program))
		return fail(
			err, ERR_MISSING,
			"%s stands outside of what a bottle sees; add its installation directory to `tools` "
			"(NixOS: its package to services.bot-bottle.guestPackages)",
			program);
	own_strv struct strv command = STRV_INIT;
	if (!words_fill_list(&m->provider.command, words, ARRAY_LEN(words), &command))
		return fail(err, ERR_INPUT, "provider %s: its command needs a prompt; give --prompt",
		            m->provider.name);
	strv_add(&p->command, program);
	for (size_t i = 1; i < command.n; i++)
		strv_add(&p->command, command.v[i]);
	words_fill_list(&prompt->system, words, ARRAY_LEN(words), &p->command);
	const struct strv *args = o->headless ? &prompt->headless : &prompt->interactive;
	if (has_prompt && !takes_prompt(&m->provider.command) && !takes_prompt(args))
		return fail(err, ERR_USAGE, "provider %s takes no --prompt%s", m->provider.name,
		            o->headless                     ? " with --headless" :
		            takes_prompt(&prompt->headless) ? " but with --headless" :
		                                              "");
	bool filled = words_fill_list(args, words, ARRAY_LEN(words), &p->command);
	if (!filled && o->headless)
		return fail(err, ERR_USAGE, "--headless needs --prompt: there is nobody to type one");
	return 0;
}

/* All that is known here of what will be asked of the bottle's init; the rest of the environment
 * is ours, and short. */
static int check_size(const struct plan *p, const struct manifest_plan *m, const struct plan_options *o,
                      struct err *err)
{
	own_strv struct strv env = STRV_INIT;

	if (!o->command && o->prompt && strlen(o->prompt) > INIT_TEXT_MAX)
		return fail(err, ERR_USAGE,
		            "--prompt has %zu bytes, over the limit of %d; write the task into a file of the "
		            "workspace, and name that file in the prompt",
		            strlen(o->prompt), INIT_TEXT_MAX);
	if (!o->command && m && m->provider.prompt.system.n > 0 && strlen(m->prompt) > INIT_TEXT_MAX)
		return fail(
			err, ERR_INPUT,
			"the text of the agent %s has %zu bytes, over the limit of %d; what is long can be "
			"a skill",
			p->agent, strlen(m->prompt), INIT_TEXT_MAX);
	for (size_t i = 0; i < p->nenv; i++)
		strv_addf(&env, "%s=%s", p->env[i].name, p->env[i].value);
	return init_check_command(&p->command, &env, err);
}

static void plan_env(struct plan *p, const struct manifest_plan *m)
{
	const struct manifest_bottle *b = &m->bottle;
	const struct word words[] = { { "workspace", GUEST_WORKSPACE }, { "home", GUEST_HOME } };

	p->env = xcalloc(m->provider.nenv + b->nenv + 1, sizeof *p->env);
	p->secrets = xcalloc(b->nenv + 1, sizeof *p->secrets);
	for (size_t i = 0; i < m->provider.nenv; i++)
		p->env[p->nenv++] =
			(struct plan_env){ copy(m->provider.env[i].name),
			                   words_fill(m->provider.env[i].value, words, ARRAY_LEN(words)) };
	for (size_t i = 0; i < b->nenv; i++) {
		const struct manifest_env *e = &b->env[i];
		if (e->mode == MANIFEST_ENV_LITERAL)
			p->env[p->nenv++] = (struct plan_env){ copy(e->name), copy(e->value) };
		else
			p->secrets[p->nsecrets++] =
				(struct plan_secret){ copy(e->name), e->mode == MANIFEST_ENV_ASK,
				                      copy(e->value) };
	}
}

static unsigned long scheme_of(const struct manifest_auth *a)
{
	if (!a->scheme_given)
		return EGRESS_HEADER;
	return a->scheme == MANIFEST_BEARER ? EGRESS_BEARER :
	       a->scheme == MANIFEST_TOKEN  ? EGRESS_TOKEN :
	                                      EGRESS_BASIC;
}

static unsigned long source_of(const struct manifest_auth *a)
{
	return a->from == MANIFEST_TOKEN_VARIABLE ? PLAN_VARIABLE :
	       a->from == MANIFEST_TOKEN_FILE     ? PLAN_FILE :
	       a->from == MANIFEST_TOKEN_HOST     ? PLAN_CODEX :
	                                            PLAN_CREDENTIAL;
}

/* The host variable whose value the provider's agent would hold. */
static const char *provider_token(const struct manifest_plan *m)
{
	return m->bottle.agent_provider.auth_token ? m->bottle.agent_provider.auth_token :
	                                             m->provider.auth_token;
}

static int plan_credentials(struct plan *p, const struct manifest_plan *m, struct err *err)
{
	const struct manifest_egress *e = &m->bottle.egress;
	const char *own = provider_token(m);

	if (m->provider.host_credentials == MANIFEST_CREDENTIALS_CODEX &&
	    !m->bottle.agent_provider.forward_host_credentials)
		return fail(err, ERR_INPUT, "agent_provider.forward_host_credentials: %s needs it to be true",
		            m->provider.name);
	p->credentials = xcalloc(e->nroutes + 1, sizeof *p->credentials);
	for (size_t i = 0; i < e->nroutes; i++) {
		const struct manifest_route *r = &e->routes[i];
		if (!r->auth_given)
			continue;
		bool login = r->auth.from == MANIFEST_TOKEN_HOST;
		bool provider = login || (r->auth.from == MANIFEST_TOKEN_VARIABLE && own &&
		                          str_is(own, r->auth.token));
		p->credentials[p->ncredentials++] = (struct plan_credential){
			.host = copy(r->host),
			.port = r->port_given ? r->port : 443,
			.scheme = scheme_of(&r->auth),
			.header = xstrdup(r->auth.header ? r->auth.header : ""),
			.source = source_of(&r->auth),
			.reference = copy(r->auth.token),
			.placeholder = xstrdup(provider && m->provider.placeholder ? m->provider.placeholder :
			                                                             GENERIC_PLACEHOLDER),
			.provider = provider,
		};
	}
	return 0;
}

static void plan_files(struct plan *p, const struct manifest_plan *m)
{
	const struct word words[] = { { "workspace", GUEST_WORKSPACE },
		                      { "home", GUEST_HOME },
		                      { "system_prompt", m->prompt } };

	p->files = xcalloc(m->provider.nfiles + 1, sizeof *p->files);
	for (size_t i = 0; i < m->provider.nfiles; i++) {
		const struct manifest_provider_file *file = &m->provider.files[i];
		p->files[p->nfiles++] = (struct plan_file){
			copy(file->path), words_fill(file->content, words, ARRAY_LEN(words)), file->executable
		};
	}
}

static int plan_skills(struct plan *p, const struct manifest_plan *m, const struct plan_facts *f,
                       struct err *err)
{
	const struct strv *skills = &m->agent.skills;

	if (skills->n == 0)
		return 0;
	if (!m->provider.skills_dir)
		return fail(err, ERR_INPUT, "skills: provider %s has no place for them", m->provider.name);
	if (!f->skills)
		return fail(err, ERR_MISSING, "skills: this host has no directory of skills");
	p->skills_dir = copy(m->provider.skills_dir);
	p->skills = xcalloc(skills->n, sizeof *p->skills);
	for (size_t i = 0; i < skills->n; i++)
		p->skills[p->nskills++] = (struct plan_skill){ copy(skills->v[i]),
			                                       xasprintf("%s/%s", f->skills, skills->v[i]) };
	return 0;
}

static void plan_resources(struct plan *p, const struct manifest_resources *r)
{
	p->cpus = r->cpus;
	p->memory_mib = r->memory_mib;
	p->disk_gib = r->disk_gib;
	p->pids = r->pids;
	p->cpus_given = r->cpus_given;
	p->memory_mib_given = r->memory_mib_given;
	p->disk_gib_given = r->disk_gib_given;
	p->pids_given = r->pids_given;
}

struct manifest_resources plan_wants(const struct plan *p)
{
	return (struct manifest_resources){
		.cpus = p->cpus,
		.memory_mib = p->memory_mib,
		.disk_gib = p->disk_gib,
		.pids = p->pids,
		.cpus_given = p->cpus_given,
		.memory_mib_given = p->memory_mib_given,
		.disk_gib_given = p->disk_gib_given,
		.pids_given = p->pids_given,
	};
}

static void plan_tools(struct plan *p, const struct strv *tools, const char *home)
{
	for (size_t i = 0; i < tools->n; i++) {
		if (str_starts(tools->v[i], "~/") && home)
			strv_addf(&p->tools, "%s/%s", home, tools->v[i] + 2);
		else
			strv_add(&p->tools, tools->v[i]);
	}
}

/* A path below the home, alone or behind a form's name, becomes an absolute one. */
static void plan_image(struct plan *p, const char *image, const struct plan_facts *f)
{
	struct image_name name;
	struct err ignored = ERR_INIT;

	if (!image)
		return;
	p->image_cache = copy(f->cache);
	bool read = image_name_read(image, &name, &ignored) == 0;
	if (read && f->home && name.form != IMAGE_IN_DAEMON && str_starts(name.rest, "~/"))
		p->image = xasprintf("%.*s%s/%s", (int)(name.rest - image), image, f->home, name.rest + 2);
	else
		p->image = xstrdup(image);
}

/* Behind a proxy nobody here sees where a name leads, so what may be reached can't be judged. */
static int check_proxy(const struct plan *p, const struct manifest_egress *e, struct err *err)
{
	for (size_t i = 0; p->upstream_proxy && i < e->nroutes; i++)
		if (e->routes[i].allow_private)
			return fail(err, ERR_INPUT,
			            "route %s: allow_private can't be judged behind upstream_proxy, which "
			            "resolves the names; take it off the route, or upstream_proxy out of "
			            "config.json",
			            e->routes[i].host);
	return 0;
}

static int plan_manifest(struct plan *p, const struct manifest_plan *m, const struct plan_facts *f,
                         struct err *err)
{
	own_json json *routes = manifest_routes_json(m);
	own_policy struct policy *compiled = NULL;
	own_str struct str text = STR_INIT;

	if (check_proxy(p, &m->bottle.egress, err) != 0)
		return -1;
	json_print(routes, &text);
	/* The gateway compiles them too, but a mistake is told before anything is launched. */
	if (policy_compile(str_c(&text), text.len, &compiled, err) != 0)
		return fail_in(err, "egress");
	p->routes = str_steal(&text);
	p->agent = copy(m->agent_name);
	strv_copy(&p->bottles, &m->bottles);
	plan_image(p, m->bottle.image, f);
	p->log = m->bottle.egress.log;
	p->workspace_mode = m->bottle.workspace;
	strv_copy(&p->workspace_exclude, &m->bottle.workspace_exclude);
	plan_tools(p, &m->bottle.tools, f->home);
	plan_resources(p, &m->bottle.resources);
	p->git_name = copy(m->bottle.git_gate.user.name);
	p->git_email = copy(m->bottle.git_gate.user.email);
	strv_copy(&p->ca_env, &m->provider.ca_env);
	plan_env(p, m);
	plan_files(p, m);
	return plan_credentials(p, m, err) == 0 ? plan_skills(p, m, f, err) : -1;
}

/* What a manifest would say that says nothing: no route, the usual limits. */
static void plan_bare(struct plan *p)
{
	static const struct manifest_resources usual = {
		.cpus = 4, .memory_mib = 8192, .disk_gib = 10, .pids = 4096
	};

	p->routes = xstrdup("{\"routes\":[]}");
	p->log = MANIFEST_LOG_BLOCKS;
	p->workspace_mode = MANIFEST_WORKSPACE_COPY;
	plan_resources(p, &usual);
}

static void plan_host_config(struct plan *p, const struct host_config *c)
{
	p->upstream_proxy = copy(c->upstream_proxy);
	strv_copy(&p->extra_ca, &c->extra_ca);
	strv_copy(&p->resolver, &c->resolver);
	p->hosts = xcalloc(c->nhosts + 1, sizeof *p->hosts);
	for (size_t i = 0; i < c->nhosts; i++)
		p->hosts[p->nhosts++] =
			(struct plan_host){ copy(c->hosts[i].name), copy(c->hosts[i].address) };
	p->head_bytes = c->limits.head_bytes;
	p->headers = c->limits.headers;
	p->head_ms = c->limits.head_ms;
	p->idle_ms = c->limits.idle_ms;
	p->total_ms = c->limits.total_ms;
	p->connect_ms = c->limits.connect_ms;
	p->connections = c->limits.connections;
	p->pool = c->limits.pool;
	p->pool_ms = c->limits.pool_ms;
	p->decoded_bytes = c->limits.decoded_bytes;
	p->frame_bytes = c->limits.frame_bytes;
	p->audit_queue = c->limits.audit_queue;
	p->audit_mib = c->limits.audit_mib;
	p->lease_first = copy(c->leases.first);
	p->lease_last = copy(c->leases.last);
	p->lease_directory = copy(c->leases.directory);
}

static int plan_name(struct plan *p, const struct plan_options *o, struct err *err)
{
	if (o->label) {
		char name[NAME_LIMIT + 1];
		if (name_normalise(o->label, name, err) != 0)
			return fail_in(err, "--label");
		p->label = xstrdup(o->label);
		p->name = xstrdup(name);
		return 0;
	}
	p->name = xstrdup(p->agent ? p->agent : p->bottles.n > 0 ? p->bottles.v[p->bottles.n - 1] : "bottle");
	return 0;
}

int plan_make(const struct manifest_plan *manifest, const struct host_config *config,
              const struct plan_options *options, const struct plan_facts *facts, struct plan *out,
              struct err *err)
{
	own_plan struct plan p = PLAN_INIT;

	p.backend = copy(options->backend);
	p.bundle = copy(options->bundle);
	p.headless = options->headless;
	p.detach = options->detach;
	p.remove_at_end = options->remove_at_end;
	p.term = copy(facts->term);
	p.smolvm = copy(facts->smolvm);
	p.docker_program = copy(facts->docker_program);
	p.docker_host = copy(facts->docker_host);
	plan_host_config(&p, config);
	if (manifest && plan_manifest(&p, manifest, facts, err) != 0)
		return -1;
	if (!manifest)
		plan_bare(&p);
	if (p.workspace_mode != MANIFEST_WORKSPACE_NONE)
		p.workspace = copy(options->workspace);
	plan_path(&p);
	if (plan_name(&p, options, err) != 0 || plan_command(&p, manifest, options, facts, err) != 0 ||
	    check_size(&p, manifest, options, err) != 0)
		return -1;
	*out = p;
	p = (struct plan)PLAN_INIT;
	return 0;
}
