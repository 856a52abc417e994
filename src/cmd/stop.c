#include "cmd/bottles.h"
#include "cmd/dial.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/banned.h"

/* The program's five seconds, the sidecars' eight, and what the rest takes on a busy host. */
enum { STOP_WAIT_MS = 20 * 1000, LOOK_MS = 50 };

/* A keeper that can't be reached at its socket: it is on its way down, or the runtime
 * directory is gone. A signal says the same as a message does. */
static int signal_keeper(struct command *c, const char *slug, struct proc *out, struct err *err)
{
	own_bottle struct bottle b = BOTTLE_INIT;

	if (bottle_open(c, slug, &b, err) != 0)
		return -1;
	if (record_shown_state(&b.record) == RECORD_STOPPED ||
	    proc_find(b.record.keeper_pid, b.record.keeper_start, out) != 0)
		return keeper_unreached(c, slug, err);
	proc_signal(out, SIGTERM);
	return 0;
}

static int tell_keeper(struct command *c, const char *slug, struct proc *out, struct err *err)
{
	struct keeper_message stop = { .say = KEEPER_STOP };
	struct err unreached = ERR_INIT;
	unsigned uid;
	bool nobody;
	int pid;

	own_fd int keeper = keeper_dial_once(c, slug, &nobody, &unreached);
	if (keeper < 0)
		return signal_keeper(c, slug, out, err);
	if (msg_peer(keeper, &uid, &pid, err) != 0)
		return -1;
	if (proc_find(pid, proc_start_time(pid), out) == 0 &&
	    keeper_say(keeper, &stop, NULL, 0, &unreached) == 0)
		return 0;
	fd_drop(&out->pidfd);
	return signal_keeper(c, slug, out, err);
}

/* True when nothing of it runs any more: its record says so, or is gone as start --rm wants it,
 * which a keeper that has ended did not get to. */
static bool is_down(struct command *c, const char *slug, bool ended)
{
	own_bottle struct bottle b = BOTTLE_INIT;
	struct err err = ERR_INIT;

	if (bottle_open(c, slug, &b, &err) != 0)
		return ended || err.kind == ERR_MISSING;
	return b.record.state == RECORD_STOPPED && (ended || !b.record.remove_at_end);
}

/* Its end, whatever it says until then: one that hangs says nothing. A keeper that has written its
 * last word may stay for a while, until whoever launched it has read the rest of the output. */
static int await_end(struct command *c, const struct proc *keeper, const char *slug, struct err *err)
{
	struct pollfd ended = { .fd = keeper->pidfd, .events = POLLIN };
	uint64_t deadline = clock_ms() + STOP_WAIT_MS;

	while (!is_down(c, slug, false)) {
		uint64_t now = clock_ms();
		if (now >= deadline)
			return fail(
				err, ERR_SYSTEM,
				"the keeper of %s does not end; `kill -9 %d` ends it and all that is in the "
				"bottle, `bottle cleanup %s` frees the rest",
				slug, (int)keeper->pid, slug);
		int n = poll(&ended, 1, deadline - now < LOOK_MS ? (int)(deadline - now) : LOOK_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return fail_errno(err, "waiting for the keeper of %s", slug);
	}
	return 0;
}

static int stop(struct command *c, const char *slug, struct err *err)
{
	struct proc keeper = PROC_INIT;

	if (tell_keeper(c, slug, &keeper, err) != 0)
		return -1;
	own_fd int pidfd = keeper.pidfd;
	if (await_end(c, &keeper, slug, err) != 0)
		return -1;
	if (is_down(c, slug, true))
		return 0;
	return fail(err, ERR_SYSTEM, "the keeper of %s ended before it had finished; run `bottle cleanup %s`",
	            slug, slug);
}

static int run(struct command *c, struct err *err)
{
	bool failed = false;

	for (size_t i = 0; i < c->args.n; i++) {
		struct err one = ERR_INIT;
		if (stop(c, c->args.v[i], &one) == 0)
			continue;
		/* Each is told; the last one by whoever called us. */
		if (failed)
			ui_error(&c->ui, err);
		*err = one;
		failed = true;
	}
	return failed ? -1 : 0;
}

const struct verb verb_stop = {
	.name = "stop",
	.args = "SLUG...",
	.summary = "end a running bottle; its work stays",
	.group = GROUP_RUN,
	.details = "The program in the bottle gets SIGTERM and five seconds; then everything in it ends. "
		   "Record, workspace layer and home stay until `bottle rm`.",
	.min_args = 1,
	.max_args = ARGS_ANY,
	.complete = COMPLETE_UP,
	.complete_next = COMPLETE_UP,
	.run = run,
};
