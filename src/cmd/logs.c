#include "cmd/bottles.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

enum {
	FOLLOW_MS = 200,        /* how often a log that has ended for now is looked at again */
	LINE_LIMIT = 64 * 1024, /* a longer line is shown in parts */
};

/* Shows whole lines, so that no character is cut in two; the guest wrote them, so what a
 * terminal would obey is escaped. The \r of a terminal's line end is left out. */
static int show_lines(struct str *held, bool all, struct err *err)
{
	own_str struct str shown = STR_INIT;
	size_t at = 0;

	while (at < held->len) {
		const char *line = held->data + at;
		const char *newline = memchr(line, '\n', held->len - at);
		size_t n = newline ? (size_t)(newline - line) : held->len - at;
		if (!newline && !all && n < LINE_LIMIT)
			break;
		size_t text = n > 0 && newline && line[n - 1] == '\r' ? n - 1 : n;
		str_addn_visible(&shown, line, text, true);
		if (newline || all)
			str_addc(&shown, '\n');
		at += n + (newline != NULL);
	}
	str_cut_front(held, at);
	return shown.len > 0 ? ui_write(shown.data, shown.len, err) : 0;
}

static bool still_runs(int dir)
{
	own_record struct record r = RECORD_INIT;
	struct err ignored = ERR_INIT;

	return registry_load(dir, &r, &ignored) == 0 && r.state != RECORD_STOPPED && record_keeper_lives(&r);
}

static int drain(int fd, struct str *held, struct err *err)
{
	char bytes[16384];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) > 0) {
		str_addn(held, bytes, (size_t)n);
		if (show_lines(held, false, err) != 0)
			return -1;
	}
	return n == 0 ? 0 : fail_errno(err, "read the log");
}

/* 1: open; 0: there is none. */
static int open_part(int dir, const char *name, int *out, struct err *err)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO in the place of a file must not hang us before we look at it. */
	own_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "open %s", name);
	if (fstat(fd, &st) != 0)
		return fail_errno(err, "stat %s", name);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERR_INPUT, "%s is not a regular file", name);
	*out = fd_steal(&fd);
	return 1;
}

static bool is_same(int dir, const char *name, int fd)
{
	struct stat named, open;

	return fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open) == 0 &&
	       named.st_ino == open.st_ino && named.st_dev == open.st_dev;
}

static void tell_of_cut(struct command *c)
{
	ui_note(&c->ui, "(the log is kept in two parts of 4 MiB: what came before this was dropped)");
}

/* What was written before the part that has the log's name. 1: it is shown; 0: there is none. */
static int show_old(struct command *c, int dir, int fd, struct str *held, struct err *err)
{
	own_fd int old = -1;
	int opened = open_part(dir, RECORD_AGENT_OLD, &old, err);

	if (opened <= 0)
		return opened;
	if (faccessat(dir, RECORD_AGENT_CUT, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		tell_of_cut(c);
	/* It became that since it was opened, and is shown as what it was. */
	return is_same(dir, RECORD_AGENT_OLD, fd) || drain(old, held, err) == 0 ? 1 : -1;
}

/* The file that was read to its end may have become the old part meanwhile, and was not written to
 * since; what comes is in another one. */
static int turn_page(struct command *c, int dir, int *fd, struct str *held, struct err *err)
{
	if (is_same(dir, RECORD_AGENT_LOG, *fd))
		return 0;
	own_fd int next = -1;
	int opened = open_part(dir, RECORD_AGENT_LOG, &next, err);
	if (opened <= 0)
		return opened;
	if (drain(*fd, held, err) != 0)
		return -1;
	if (!is_same(dir, RECORD_AGENT_OLD, *fd))
		tell_of_cut(c);
	fd_drop(fd);
	*fd = fd_steal(&next);
	return 1;
}

static int follow(struct command *c, const struct bottle *b, int *fd, struct str *held, struct err *err)
{
	for (;;) {
		/* Asked before reading: what was written until the end is still read. */
		bool more = still_runs(b->dir);
		if (drain(*fd, held, err) != 0)
			return -1;
		int turned = command_has(c, "keeper") ? 0 : turn_page(c, b->dir, fd, held, err);
		if (turned < 0)
			return -1;
		if (turned)
			continue;
		if (!more)
			return 0;
		if (ui_flush(err) != 0)
			return -1;
		poll(NULL, 0, FOLLOW_MS);
	}
}

/* A log begins with its first byte, for which whoever follows waits. 0: it has none, in vain. */
static int open_log(const struct bottle *b, const char *name, bool wait, int *fd, struct err *err)
{
	for (;;) {
		bool more = wait && still_runs(b->dir);
		int opened = open_part(b->dir, name, fd, err);
		if (opened != 0 || !more)
			return opened;
		poll(NULL, 0, FOLLOW_MS);
	}
}

static int show(struct command *c, const struct bottle *b, const char *name, struct err *err)
{
	own_str struct str held = STR_INIT;
	bool followed = command_has(c, "follow");
	own_fd int fd = -1;
	/* Before the old part is, so that one that becomes it meanwhile is not missed. */
	int opened = open_log(b, name, followed, &fd, err);
	int old = opened < 0 || command_has(c, "keeper") ? 0 : show_old(c, b->dir, fd, &held, err);

	if (opened < 0 || old < 0)
		return -1;
	if (!opened && !old)
		ui_note(&c->ui, "(nothing was written)");
	if (opened && (followed ? follow(c, b, &fd, &held, err) : drain(fd, &held, err)) != 0)
		return -1;
	return show_lines(&held, true, err);
}

static int logs_run(struct command *c, struct err *err)
{
	own_bottle struct bottle b = BOTTLE_INIT;

	if (bottle_open(c, command_arg(c, 0), &b, err) != 0)
		return -1;
	return show(c, &b, command_has(c, "keeper") ? RECORD_KEEPER_LOG : RECORD_AGENT_LOG, err);
}

static const struct option options[] = {
	{ .name = "follow", .letter = 'f', .help = "go on until the bottle ends" },
	{ .name = "keeper",
	  .help = "what the bottle's keeper and sidecars logged, in place of the agent's output" },
	{ 0 },
};

const struct verb verb_logs = {
	.name = "logs",
	.args = "[-f] [--keeper] SLUG",
	.summary = "the agent's output, or the keeper's log",
	.details =
		"Control bytes and what is not UTF-8 are escaped. Of the agent's output the last 4 to 8 MiB are kept; "
		"where something older was dropped, that is said.",
	.group = GROUP_LOOK,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_SLUG,
	.options = options,
	.run = logs_run,
};
