#include "cmd/host_check.h"

#include <string.h>

#include "backend/backend.h"
#include "manifest/config.h"
#include "registry/paths.h"
#include "base/banned.h"

static const char weaker[] = "namespace";

/* As one word of a shell. */
static void add_word(struct str *out, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+@%";

	str_addc(out, ' ');
	if (*word && word[strspn(word, plain)] == '\0') {
		str_add(out, word);
		return;
	}
	str_addc(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			str_add(out, "'\\''");
		else
			str_addc(out, *word);
	}
	str_addc(out, '\'');
}

/* What was typed, with the other backend. */
static void add_line(struct str *out, const struct command *c)
{
	str_addf(out, "bottle %s --backend %s", c->verb->name, weaker);
	for (size_t i = 0; i < c->args.n; i++)
		add_word(out, c->args.v[i]);
	for (size_t i = 0; i < c->ngiven; i++) {
		if (str_is(c->given[i].option->name, "backend"))
			continue;
		str_addf(out, " --%s", c->given[i].option->name);
		if (c->given[i].value)
			add_word(out, c->given[i].value);
	}
	if (c->has_rest)
		str_add(out, " --");
	for (size_t i = 0; i < c->rest.n; i++)
		add_word(out, c->rest.v[i]);
}

void host_told_clear(struct host_told *told)
{
	mem_drop(&told->share);
	mem_drop(&told->libexec);
}

int host_tell(struct command *c, const char *backend, const char *bundle, struct host_told *out,
              struct err *err)
{
	const struct host_config *config = command_config(c, err);
	const struct paths *paths = config ? command_paths(c, err) : NULL;
	own_mem char *share = paths ? command_share(NULL, err) : NULL;
	own_mem char *libexec = share ? command_libexec(NULL, err) : NULL;

	if (!libexec)
		return -1;
	out->host = (struct preflight_host){
		.backend = backend,
		.bundle = bundle,
		.path = command_env("PATH"),
		.docker = command_env("DOCKER_HOST"),
		.state = paths->state,
		.state_fix = paths->state_fix,
		.runtime = paths->runtime,
		.runtime_fix = paths->runtime_fix,
		.cache = paths->cache,
		.share = share,
		.libexec = libexec,
		.lease_first = config->leases.first,
		.lease_last = config->leases.last,
		.lease_directory = config->leases.directory,
	};
	out->share = mem_steal(&share);
	out->libexec = mem_steal(&libexec);
	return 0;
}

int host_check(struct command *c, const char *backend, const char *bundle, struct err *err)
{
	own_host_told struct host_told told = HOST_TOLD_INIT;
	struct err ignored = ERR_INIT;
	own_str struct str line = STR_INIT;
	own_str struct str shown = STR_INIT;

	if (host_tell(c, backend, bundle, &told, err) != 0)
		return -1;
	if (preflight_require(&told.host, err) == 0)
		return 0;
	told.host.backend = weaker;
	/* A bottle that is resumed stays with the backend that it was made for. */
	if (err->kind == ERR_USAGE || str_is(backend, weaker) || !str_is(c->verb->name, "start") ||
	    preflight_require(&told.host, &ignored) != 0)
		return -1;
	add_line(&line, c);
	str_add_visible(&shown, str_c(&line));
	ui_note(&c->ui, "this host can't run the backend %s; the weaker tier runs here:\n  %s", backend,
	        str_c(&shown));
	return -1;
}

int backend_check(struct command *c, struct plan *p, bool plan_only, struct err *err)
{
	const struct backend *backend;
	const struct paths *paths = command_paths(c, err);
	const struct manifest_resources resources = plan_wants(p);

	if (!paths || backend_find(p->backend, &backend, err) != 0)
		return -1;
	const struct guest_request request = {
		.smolvm = p->smolvm,
		.plan_only = plan_only,
		.image = p->image,
		.tools = &p->tools,
		.operator_home = paths->home,
		.resources = &resources,
		.workspace = (enum manifest_workspace)p->workspace_mode,
		.workspace_path = p->workspace,
	};
	/* As this host is today, not as it was at an earlier launch. */
	strv_clear(&p->unlimited);
	return backend->check(&request, &p->unlimited, err);
}
