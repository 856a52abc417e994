#include "cmd/choose.h"
#include "cmd/cmd.h"
#include "cmd/gather.h"
#include "cmd/host_check.h"
#include "cmd/project.h"
#include "cmd/session.h"
#include "cmd/summary.h"

#include <string.h>

#include "backend/backend.h"
#include "manifest/image.h"
#include "preflight/preflight.h"
#include "registry/paths.h"
#include "base/banned.h"

static int resolve(struct command *c, struct manifest_plan *out, bool *bare, struct err *err)
{
	own_strv struct strv bottles = STRV_INIT;
	const struct manifest_dirs *dirs = command_manifest_dirs(c, err);

	if (!dirs || choose_missing(c, dirs, err) != 0)
		return -1;
	const char *agent = command_arg(c, 0);
	command_values(c, "bottle", &bottles);
	*bare = !agent && bottles.n == 0;
	if (*bare && !c->has_rest)
		return fail(err, ERR_USAGE,
		            "start needs an agent, a --bottle, or a command behind --; "
		            "`bottle init` writes a first manifest");
	if (*bare)
		return 0;
	if (manifest_resolve(dirs, agent, &bottles, out, err) != 0)
		return -1;
	return manifest_unsupported(out, err);
}

/* A repository may suggest what it is let do; a person confirms it, seeing who asks. */
static int confirm_suggestion(struct command *c, const struct manifest_plan *m, struct err *err)
{
	bool asked = m->bottle_is_suggestion && !command_has(c, "headless") && !command_has(c, "yes");
	bool yes = false;

	if (!m->bottle_is_suggestion)
		return 0;
	own_str struct str question = STR_INIT;
	str_add(&question, "The file ");
	str_add_visible(&question, m->agent_file);
	str_addf(&question, ", which comes with this directory, wants the bottle %s. Use it?",
	         m->agent.bottle);
	if (asked && ui_ask(str_c(&question), &yes, err) != 0) {
		if (err->kind != ERR_MISSING)
			return -1;
		asked = false;
	}
	if (!asked)
		return fail(
			err, ERR_DENIED,
			"%s comes with this directory and names bottle %s; give --bottle to say that you want it",
			m->agent_file, m->agent.bottle);
	return yes ? 0 : fail(err, ERR_DENIED, "not confirmed; nothing was started");
}

/* Where none is named, it is where we are. */
static int find_workspace(struct command *c, char **out, struct err *err)
{
	const char *given = command_value(c, "workspace");
	const char *path = given ? given : command_cwd(c, err);

	return path ? project_find(c, path, out, err) : -1;
}

static int check_bundle(const char *bundle, struct err *err)
{
	if (str_is(bundle, "embedded") || str_is(bundle, "docker"))
		return 0;
	return fail(err, ERR_USAGE, "there is no bundle \"%.40s\"; it is embedded or docker", bundle);
}

static int make_plan(struct command *c, const struct manifest_plan *m, struct plan *out, struct err *err)
{
	own_mem char *workspace = NULL;
	const struct host_config *config = command_config(c, err);
	const struct paths *paths = config ? command_paths(c, err) : NULL;
	const char *backend = paths ? command_backend(c, err) : NULL;

	if (!backend)
		return -1;
	bool none = m && m->bottle.workspace == MANIFEST_WORKSPACE_NONE && !command_has(c, "workspace");
	if (!none && find_workspace(c, &workspace, err) != 0)
		return -1;
	const char *bundle = command_value(c, "bundle");
	struct plan_options options = {
		.backend = backend,
		.bundle = bundle ? bundle : config->bundle,
		.label = command_value(c, "label"),
		.prompt = command_value(c, "prompt"),
		.workspace = workspace,
		.command = c->has_rest ? &c->rest : NULL,
		.headless = command_has(c, "headless"),
		.detach = command_has(c, "detach"),
		.remove_at_end = command_has(c, "rm"),
	};
	bool machine = str_is(backend, backend_smolmachines.name);
	own_closure struct closure closure = CLOSURE_INIT;
	own_mem char *share = machine ? NULL : command_share(NULL, err);
	if (!machine && (!share || closure_load(share, &closure, err) != 0))
		return -1;
	own_mem char *program = m ? gather_program(&m->provider, paths->home, &closure) : NULL;
	own_mem char *skills = xasprintf("%s/.bot-bottle/skills", paths->home);
	struct err missing = ERR_INIT;
	own_mem char *smolvm =
		machine ? preflight_find_program(command_env("PATH"), "smolvm", &missing) : NULL;
	struct plan_facts facts = { .program = program,
		                    .home = paths->home,
		                    .skills = skills,
		                    .term = command_env("TERM"),
		                    .closure = &closure,
		                    .cache = paths->cache,
		                    .smolvm = smolvm };
	if (check_bundle(options.bundle, err) != 0)
		return -1;
	bool builds = machine && m && m->bottle.image && image_name_needs_docker(m->bottle.image);
	bool docker = builds || str_is(options.bundle, "docker");
	own_mem char *docker_program =
		docker ? preflight_find_program(command_env("PATH"), "docker", err) : NULL;
	if (docker && !docker_program)
		return builds ?
		               fail(err, ERR_MISSING,
		                    "image: %.100s needs docker, which is not on PATH; install it, or name an "
		                    "archive that docker save wrote elsewhere",
		                    m->bottle.image) :
		               -1;
	facts.docker_program = docker_program;
	facts.docker_host = docker ? command_env("DOCKER_HOST") : NULL;
	return plan_make(m, config, &options, &facts, out, err);
}

static int confirm_plan(struct command *c, const struct plan *p, struct err *err)
{
	bool yes = false;

	summary_print(c, p);
	if (command_has(c, "yes") || p->headless)
		return 0;
	/* Where its streams lead does not matter: a person is at the terminal, or nowhere. */
	if (ui_ask("Start?", &yes, err) != 0)
		return err->kind == ERR_MISSING ?
		               fail(err, ERR_USAGE,
		                    "there is no terminal to ask on whether to start; say it with --yes") :
		               -1;
	return yes ? 0 : fail(err, ERR_DENIED, "not confirmed; nothing was started");
}

/* A plan alone needs no host and nobody to ask; all else that a launch would refuse before it
 * acquires anything is refused here too. */
static int print_plan(struct command *c, struct plan *p, struct err *err)
{
	/* As it is before the host's login fills it in. */
	own_json json *j = plan_to_json(p);
	own_str struct str text = STR_INIT;

	if (gather_check(c, p, err) != 0)
		return -1;
	if (c->json) {
		ui_json(j);
		return 0;
	}
	if (manifest_print_yaml(j, &text, err) != 0)
		return -1;
	ui_text("%s", str_c(&text));
	return 0;
}

static int run(struct command *c, struct err *err)
{
	own_manifest_plan struct manifest_plan manifest = MANIFEST_PLAN_INIT;
	own_plan struct plan plan = PLAN_INIT;
	bool bare;

	if (resolve(c, &manifest, &bare, err) != 0 || confirm_suggestion(c, &manifest, err) != 0)
		return -1;
	if (make_plan(c, bare ? NULL : &manifest, &plan, err) != 0)
		return -1;
	/* First, so that a host that lacks something hears of that. A plan alone needs no host. */
	if (!command_has(c, "dry-run") && host_check(c, plan.backend, plan.bundle, err) != 0)
		return -1;
	if (backend_check(c, &plan, command_has(c, "dry-run"), err) != 0 || project_note(&plan, err) != 0 ||
	    plan_check_text(&plan, err) != 0)
		return -1;
	if (command_has(c, "dry-run"))
		return print_plan(c, &plan, err);
	return launch_and_follow(c, &plan, NULL, confirm_plan, err);
}

static const struct option options[] = {
	{ "bottle", 'b', "BOTTLE", true, COMPLETE_BOTTLE,
	  "a bottle's manifest, in place of the agent's own" },
	{ "backend", 0, "NAME", false, COMPLETE_BACKEND, "how the guest is run: smolmachines, namespace" },
	{ "bundle", 0, "NAME", false, COMPLETE_BUNDLE, "where the sidecars run: embedded, docker" },
	{ "label", 0, "TEXT", false, COMPLETE_NOTHING, "what the bottle is called" },
	{ "prompt", 'p', "TEXT", false, COMPLETE_NOTHING, "the agent's task" },
	{ "headless", 0, NULL, false, COMPLETE_NOTHING, "without a terminal, and asking nobody" },
	{ "detach", 'd', NULL, false, COMPLETE_NOTHING, "leave it running; prints its slug" },
	{ "rm", 0, NULL, false, COMPLETE_NOTHING, "remove record and workspace when it ends" },
	{ "workspace", 'w', "DIR", false, COMPLETE_DIRECTORY, "the work, in place of the current directory" },
	{ "dry-run", 'n', NULL, false, COMPLETE_NOTHING,
	  "print the plan and stop; the host is not looked at" },
	{ "yes", 'y', NULL, false, COMPLETE_NOTHING,
	  "don't ask whether to start; needed where there is no terminal" },
	{ 0 },
};

const struct verb verb_start = {
	.name = "start",
	.args = "[AGENT] [OPTION...] [-- CMD...]",
	.summary = "launch an agent, or a command, in a bottle of its own",
	.details =
		"Resolves the manifest, shows what the bottle may do, proves its walls, and attaches the terminal. "
		"Ends with the guest's status; 125 is every failure of bottle itself. Without AGENT, --bottle "
		"and a command it asks on the terminal which agent; of an agent that names no bottle, in which "
		"bottles and in what order. The bottle that an agent's file in this directory names is only a "
		"suggestion, and asked about. Before anything is acquired it says what the bottle may do, and asks on "
		"the terminal; where there is none, --yes or --headless must say it.",
	.group = GROUP_RUN,
	.flags = VERB_JSON | VERB_STATUS | VERB_REST,
	.min_args = 0,
	.max_args = 1,
	.complete = COMPLETE_AGENT,
	.options = options,
	.run = run,
};
