#include "cmd/session.h"
#include "cmd/bottles.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "cage/cage.h"
#include "keeper/keeper.h"
#include "proto/keeper.h"
#include "base/banned.h"

enum { COUNT_LIMIT = 10000 };

static int start_keeper(int theirs, struct err *err)
{
	struct proc keeper = PROC_INIT;
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n <= 0)
		return fail_errno(err, "finding our own program");
	self[n] = '\0';
	char *argv[] = { "bottle", "keeper", NULL };
	const struct proc_fd fds[] = { { theirs, KEEPER_PAIR } };
	struct proc_spec spec = {
		.path = self, .argv = argv, .fds = fds, .nfds = ARRAY_LEN(fds), .new_session = true
	};
	if (proc_spawn(&spec, &keeper, err) != 0)
		return fail_in(err, "the keeper");
	/* It lives on by itself: only the connection ties us to it. */
	fd_drop(&keeper.pidfd);
	return 0;
}

static int seal_plan(const struct plan *plan, struct err *err)
{
	own_json json *j = plan_to_json(plan);
	own_str struct str text = STR_INIT;

	json_print(j, &text);
	return file_sealed("plan", text.data, text.len, err);
}

static int seal_secrets(const struct launch_secrets *secrets, struct err *err)
{
	own_str struct str bytes = STR_INIT;

	launch_secrets_encode(secrets, &bytes);
	int fd = file_sealed("secrets", bytes.data, bytes.len, err);
	explicit_bzero(bytes.data, bytes.len);
	return fd;
}

int session_launch(struct command *c, const struct plan *plan, const struct launch_secrets *secrets,
                   const char *slug, struct err *err)
{
	own_mem char *text = xstrdup(slug ? slug : "");
	struct keeper_message m = { .say = KEEPER_LAUNCH, .text = text };
	uint16_t rows = 0, columns = 0;
	int pair[2], fds[KEEPER_FDS];

	fds[KEEPER_FD_BOTTLES] = command_bottles(c, err);
	if (fds[KEEPER_FD_BOTTLES] < 0)
		return -1;
	fds[KEEPER_FD_RUNTIME] = command_runtime(c, err);
	if (fds[KEEPER_FD_RUNTIME] < 0)
		return -1;
	own_fd int plan_file = seal_plan(plan, err);
	own_fd int secrets_file = plan_file < 0 ? -1 : seal_secrets(secrets, err);
	if (secrets_file < 0 || msg_pair(pair, err) != 0)
		return -1;
	own_fd int ours = pair[0];
	own_fd int theirs = pair[1];
	cage_cgroup_step_aside(); /* the keeper, which is born where we are, makes the guest's group */
	if (start_keeper(theirs, err) != 0)
		return -1;
	fd_drop(&theirs);
	fds[KEEPER_FD_PLAN] = plan_file;
	fds[KEEPER_FD_SECRETS] = secrets_file;
	if (session_terminal(&rows, &columns)) {
		m.rows = rows;
		m.columns = columns;
	}
	if (keeper_say(ours, &m, fds, KEEPER_FDS, err) != 0)
		return fail_in(err, "the keeper");
	return fd_steal(&ours);
}

/* How many files changed, as far as that is to be had. False: there is nothing to show or to bring out,
 * and nobody is told that nothing changed. */
static bool tell_changes(struct command *c, const struct bottle *b, struct str *line)
{
	own_layers struct layers layers = LAYERS_INIT;
	const struct record *r = &b->record;
	struct err err = ERR_INIT;
	size_t n = 0;
	bool more = false;

	if (!r->workspace || !str_is(r->workspace_mode, "copy")) {
		bool shared = r->workspace && str_is(r->workspace_mode, "mount");
		str_add(line, shared ? "the agent worked on the files themselves, " : "no workspace, ");
		return false;
	}
	if (layers_open(b, &layers, &err) != 0 ||
	    workspace_count(&layers.workspace, COUNT_LIMIT, &n, &more, &err) != 0) {
		ui_note(&c->ui, "what changed can't be said, and stays in the bottle: %s", err.text);
		return false;
	}
	str_addf(line, "%zu file%s changed%s, ", n, str_plural(n), more ? " at least" : "");
	return true;
}

void session_summary(struct command *c, const char *slug)
{
	own_bottle struct bottle b = BOTTLE_INIT;
	own_str struct str line = STR_INIT;
	struct err ignored = ERR_INIT;

	/* Gone already: start --rm. */
	if (*slug == '\0' || bottle_open(c, slug, &b, &ignored) != 0)
		return;
	bool there = tell_changes(c, &b, &line);
	ui_note(&c->ui, "%s%llu request%s refused", str_c(&line), (unsigned long long)b.record.refused,
	        str_plural(b.record.refused));
	if (there) {
		ui_note(&c->ui, "  bottle diff %s      what changed", slug);
		ui_note(&c->ui, "  bottle export %s    bring it out", slug);
	}
	ui_note(&c->ui, "  bottle audit %s     what was asked for, and the answers", slug);
	ui_note(&c->ui, "  bottle resume %s    go on", slug);
	ui_note(&c->ui, "  bottle rm %s        forget it", slug);
}
