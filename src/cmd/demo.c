#include "cmd/cmd.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/loop.h"
#include "base/proc.h"
#include "base/random.h"
#include "base/str.h"
#include "cmd/demo_tour.h"
#include "manifest/config.h"
#include "preflight/preflight.h"
#include "registry/paths.h"
#include "base/banned.h"

/* The tour: an origin of our own, a bottle on the namespace backend, and a scripted agent that
 * tries what it may and what it may not. All of it lies in one directory, removed at the end. */

#define HOST "api.bottle.test"
#define ETC  "/etc/bot-bottle"
enum { TOKEN_BYTES = 32, OUTPUT_MAX = 256 * 1024, LAUNCH_MS = 120 * 1000, ORIGIN_MS = 10 * 1000 };

struct tour {
	char *place; /* absolute path of the directory */
	int dir;
	char token[TOKEN_BYTES + 1];
	struct str port;
	struct proc origin;
	int signals; /* readable when we are told to end */
};

static void tour_clear(struct tour *t)
{
	struct err err = ERR_INIT;

	proc_stop(&t->origin, 1000);
	fd_drop(&t->dir);
	if (t->place && dir_remove(AT_FDCWD, t->place, &err) < 0)
		log_warn("%s stays behind: %s", t->place, err.text);
	mem_drop(&t->place);
	str_clear(&t->port);
}

/* The host's configuration holds in the demo's home too, and nothing there can take this back. */
static int refuse_proxy(struct err *err)
{
	own_host_config struct host_config config = HOST_CONFIG_INIT;
	own_fd int etc = open(ETC, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (host_config_load(etc, ETC, -1, NULL, &config, err) < 0)
		return -1;
	if (!config.upstream_proxy)
		return 0;
	return fail(err, ERR_INPUT,
	            "the demo's origin is on this machine, and upstream_proxy leads past it; "
	            "take it out of " ETC "/config.json while the demo runs");
}

static int make_place(struct command *c, struct tour *t, struct err *err)
{
	const struct paths *paths = command_paths(c, err);
	own_fd int cache = -1;
	char name[9];

	if (!paths)
		return -1;
	cache = paths_open_private(paths->cache, PATHS_CACHE_FIX, err);
	if (cache < 0)
		return fail_in(err, "the cache directory");
	random_name(name, sizeof name - 1);
	t->place = xasprintf("%s/demo-%s", paths->cache, name);
	t->dir = dir_make(AT_FDCWD, t->place, 0700, err);
	return t->dir < 0 ? -1 : 0;
}

static int put(struct tour *t, const char *where, const char *name, const char *text, struct err *err)
{
	own_fd int dir = dir_make(t->dir, where, 0700, err);

	return dir < 0 ? -1 : file_place(dir, name, text, strlen(text), 0600, err);
}

/* The origin says its port, then its authority's certificate, then closes its stdout. */
static int start_origin(struct tour *t, struct err *err)
{
	own_mem char *path = command_libexec("bottle-demo-origin", err);
	own_str struct str said = STR_INIT;
	char host[] = HOST;
	char *argv[] = { path, host, NULL };
	own_fd int given = file_sealed("token", t->token, TOKEN_BYTES, err);
	const char *certificate;
	int ends[2];

	if (!path || given < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, "make a pipe");
	own_fd int read_end = ends[0];
	own_fd int write_end = ends[1];
	const struct proc_fd fds[] = { { given, 0 }, { write_end, 1 }, { STDERR_FILENO, 2 } };
	if (proc_spawn(&(struct proc_spec){ .path = path,
	                                    .argv = argv,
	                                    .fds = fds,
	                                    .nfds = ARRAY_LEN(fds),
	                                    .die_with_parent = true },
	               &t->origin, err) < 0)
		return -1;
	fd_drop(&write_end);
	if (file_read_fd(read_end, "the demo's origin", OUTPUT_MAX, &said, err) < 0)
		return -1;
	certificate = strchr(str_c(&said), '\n');
	if (!certificate)
		return fail(err, ERR_SYSTEM, "the demo's origin did not start");
	str_addn(&t->port, str_c(&said), (size_t)(certificate - str_c(&said)));
	return put(t, "origin", "ca.pem", certificate + 1, err);
}

static int write_files(struct tour *t, struct err *err)
{
	own_str struct str bottle = STR_INIT;
	own_str struct str config = STR_INIT;

	tour_add_bottle(&bottle, HOST, str_c(&t->port));
	str_addf(&config,
	         "{\"backend\":\"namespace\",\"extra_ca\":[\"%s/origin/ca.pem\"],\"hosts\":{\"" HOST
	         "\":\"127.0.0.1\"}}\n",
	         t->place);
	if (put(t, "home/.bot-bottle/bottles", "demo.md", str_c(&bottle), err) < 0 ||
	    put(t, "home/.config/bot-bottle", "config.json", str_c(&config), err) < 0 ||
	    put(t, "work", "notes.txt", "as it was\n", err) < 0 ||
	    put(t, "work", "agent.sh", tour_script, err) < 0 ||
	    put(t, "home", "private.txt", "not for the agent\n", err) < 0)
		return -1;
	return 0;
}

static void show_lines(struct command *c, struct str *text)
{
	char *rest = text->data;

	for (char *line; rest && (line = strsep(&rest, "\n"));) {
		own_str struct str shown = STR_INIT;

		str_add_visible(&shown, line);
		if (shown.len > 0)
			ui_note(&c->ui, "  %s", str_c(&shown));
	}
}

/* `bottle start`, as a person would type it, in a home of the demo's own. */
static int run_bottle(struct command *c, struct tour *t, struct str *out, struct err *err)
{
	own_strv struct strv env = STRV_INIT;
	own_strv struct strv argv = STRV_INIT;
	own_str struct str errout = STR_INIT;
	own_mem char *program = command_libexec("../../bin/bottle", err);
	int status;

	if (!program)
		return -1;
	strv_addf(&env, "HOME=%s/home", t->place);
	strv_addf(&env, "PATH=%s", command_env("PATH") ? command_env("PATH") : "/usr/bin:/bin");
	strv_addf(&env, "DEMO_TOKEN=%s", t->token);
	strv_addf(&argv, "bottle");
	strv_addf(&argv, "start");
	for (size_t i = 0; tour_start[i]; i++)
		strv_add(&argv, tour_start[i]);
	strv_addf(&argv, "--workspace=%s/work", t->place);
	strv_add(&argv, "--");
	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "/workspace/agent.sh");
	strv_add(&argv, str_c(&t->port));
	strv_addf(&argv, "%s/home/private.txt", t->place);
	ui_progress(&c->ui, "starting a bottle, proving it, running the scripted agent");
	const struct proc_spec spec = { .path = program,
		                        .argv = argv.v,
		                        .env = env.v,
		                        .interrupt = t->signals,
		                        .die_with_parent = true };
	status = proc_run(&spec, NULL, out, &errout, OUTPUT_MAX, LAUNCH_MS, err);
	if (status < 0)
		return fail_in(err, "bottle start");
	if (status != 0) {
		show_lines(c, &errout);
		return fail(err, ERR_SYSTEM, "bottle start exited %d; what it said stands above", status);
	}
	return 0;
}

static int tour_run(struct command *c, int signals, struct err *err)
{
	OWN(tour_clear) struct tour t = { .dir = -1, .origin = PROC_INIT, .signals = signals };
	own_mem char *curl = preflight_find_program(command_env("PATH"), "curl", err);
	own_str struct str out = STR_INIT;
	own_str struct str notes = STR_INIT;
	own_json json *rows = NULL;
	bool as_told;

	if (!curl)
		return fail(err, ERR_MISSING,
		            "the demo's agent tries things with curl, which is not on PATH; "
		            "apt-get install curl");
	if (refuse_proxy(err) < 0)
		return -1;
	random_name(t.token, TOKEN_BYTES);
	if (make_place(c, &t, err) < 0 || start_origin(&t, err) < 0 || write_files(&t, err) < 0)
		return fail_in(err, "prepare the demo");
	ui_note(&c->ui,
	        "backend: namespace (needs no daemon, no KVM and no root; a microVM is the stronger tier)");
	if (run_bottle(c, &t, &out, err) < 0)
		return -1;
	if (file_read(t.dir, "work/notes.txt", OUTPUT_MAX, &notes, err) < 0)
		return fail_in(err, "look at the host's copy of the workspace");
	rows = tour_judge(str_c(&out), t.token, str_is(str_c(&notes), "as it was\n"), &as_told);
	tour_print(&c->ui, rows, as_told);
	return as_told ? 0 : 1;
}

/* A signal ends the bottle first, and what lies in the cache is removed, before it has its effect. */
static int demo_run(struct command *c, struct err *err)
{
	static const int those[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, 0 };
	sigset_t before;

	if (sigprocmask(SIG_BLOCK, NULL, &before) != 0)
		return fail_errno(err, "asking which signals are blocked");
	own_fd int signals = loop_signals(those, err);
	if (signals < 0)
		return -1;
	int rc = tour_run(c, signals, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

const struct verb verb_demo = {
	.name = "demo",
	.args = "",
	.summary = "the tour: a bottle, what it may do, what it may not, and who refused",
	.details =
		"Runs on the namespace backend, with an HTTPS origin and a home of its own, which are removed at\n"
		"the end. Exits 1 if anything went otherwise than the table says it must.",
	.group = GROUP_HOST,
	.flags = VERB_JSON,
	.run = demo_run,
};
