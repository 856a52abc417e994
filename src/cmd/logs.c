#include "cmd/bottles.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
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

static int show(struct command *c, const struct bottle *b, const char *name, struct err *err)
{
	own_str struct str held = STR_INIT;
	char bytes[16384];
	bool follow = command_has(c, "follow");
	own_fd int fd = openat(b->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return fail(err, ERR_MISSING, "bottle %s has no %s yet", b->record.slug, name);
	if (fd < 0)
		return fail_errno(err, "open %s", name);
	for (;;) {
		/* Asked before reading: what was written until the end is still read. */
		bool more = follow && still_runs(b->dir);
		ssize_t n;
		while ((n = read(fd, bytes, sizeof bytes)) > 0) {
			str_addn(&held, bytes, (size_t)n);
			if (show_lines(&held, false, err) != 0)
				return -1;
		}
		if (n < 0)
			return fail_errno(err, "read %s", name);
		if (!more)
			return show_lines(&held, true, err);
		if (ui_flush(err) != 0)
			return -1;
		poll(NULL, 0, FOLLOW_MS);
	}
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
	.details = "Control bytes and what is not UTF-8 are escaped.",
	.group = GROUP_LOOK,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_SLUG,
	.options = options,
	.run = logs_run,
};
