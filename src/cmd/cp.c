#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/dial.h"
#include "proto/files.h"
#include "registry/names.h"
#include "workspace/workspace.h"
#include "base/banned.h"

/* What a bottle may write on the host in one go: its disk is bounded, its stream is not. */
#define COPY_LIMIT (64ull << 30)

enum { ERROR_TEXT = 4096 };

struct side {
	char *slug; /* NULL: the host */
	const char *path;
};

static void side_clear(struct side *s)
{
	mem_drop(&s->slug);
}
#define own_side __attribute__((cleanup(side_clear)))

/* "SLUG:path"; what stands before the colon and is no slug is part of a file's name. */
static struct side side_of(const char *text)
{
	const char *colon = strchr(text, ':');
	own_mem char *slug = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;

	if (!slug || !slug_is_valid(slug))
		return (struct side){ NULL, text };
	return (struct side){ mem_steal(&slug), colon + 1 };
}

static char *last_name(const char *path)
{
	size_t end = strlen(path), start;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	return xstrndup(path + start, end - start);
}

/* A program of init's own, as the agent's user, with its three streams here. */
struct inside {
	int keeper, in, out, errors;
	struct str said; /* on @errors, as far as it is kept */
	struct command *c;
	const char *slug;
};
/* clang-format off */
#define INSIDE_INIT { .keeper = -1, .in = -1, .out = -1, .errors = -1 }
/* clang-format on */

static void inside_clear(struct inside *i)
{
	fd_drop(&i->in);
	fd_drop(&i->out);
	fd_drop(&i->errors);
	fd_drop(&i->keeper);
	str_clear(&i->said);
}
#define own_inside __attribute__((cleanup(inside_clear)))

static void hear(void *arg, const char *text)
{
	const struct inside *i = arg;
	own_str struct str shown = STR_INIT;

	str_add_visible(&shown, text);
	ui_note(&i->c->ui, "passed over %s", str_c(&shown));
}

/* False: there is nothing to be had now. */
static bool inside_listen(struct inside *i)
{
	char bytes[ERROR_TEXT];
	ssize_t n = read(i->errors, bytes, sizeof bytes);
	size_t room = ERROR_TEXT - i->said.len;

	if (n > 0)
		str_addn(&i->said, bytes, (size_t)n < room ? (size_t)n : room);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		fd_drop(&i->errors);
	return n > 0;
}

/* Until @fd is @ready. What is said inside meanwhile is taken in: a full pipe would hold the program up.
 * Whoever never stops speaking holds us no longer than one who is silent. */
static int inside_wait(struct inside *i, int fd, short ready, struct err *err)
{
	const uint64_t until = clock_ms() + FILES_IDLE_MS;

	for (uint64_t now; (now = clock_ms()) < until;) {
		struct pollfd fds[] = { { fd, ready, 0 }, { i->errors, POLLIN, 0 } };
		int n = poll(fds, ARRAY_LEN(fds), (int)(until - now));
		if (n < 0 && errno != EINTR)
			return fail_errno(err, "poll");
		if (n > 0 && fds[1].revents)
			inside_listen(i);
		if (n > 0 && fds[0].revents)
			return 0;
	}
	return fail(err, ERR_BUSY, "the other side did nothing for %d s", FILES_IDLE_MS / 1000);
}

static int inside_room(void *arg, struct err *err)
{
	struct inside *i = arg;

	return inside_wait(i, i->in, POLLOUT, err);
}

static int inside_await(struct inside *i, enum keeper_say wanted, struct msg *raw, struct keeper_message *out,
                        struct err *err)
{
	if (keeper_await(i->keeper, wanted, raw, out, err) == 0)
		return 0;
	if (err->kind == ERR_MISSING)
		keeper_is_gone(i->c, i->slug, err);
	return -1;
}

static int inside_start(struct command *c, const char *slug, const char *const *argv, struct inside *out,
                        struct err *err)
{
	own_keeper_message struct keeper_message ask = KEEPER_MESSAGE_INIT, answer = KEEPER_MESSAGE_INIT;
	own_msg struct msg raw = MSG_INIT;
	own_inside struct inside made = INSIDE_INIT;

	made.c = c;
	made.slug = slug;
	made.keeper = keeper_dial(c, slug, err);
	if (made.keeper < 0)
		return -1;
	ask.say = KEEPER_EXEC;
	ask.self = true;
	for (; *argv; argv++) {
		if (strlen(*argv) >= PATH_MAX)
			return fail(err, ERR_USAGE, "\"%.60s...\" has %zu bytes; a path has under %d", *argv,
			            strlen(*argv), PATH_MAX);
		strv_add(&ask.argv, *argv);
	}
	if (keeper_ask(c, slug, made.keeper, &ask, err) != 0 ||
	    inside_await(&made, KEEPER_STARTED, &raw, &answer, err) != 0)
		return -1;
	made.in = msg_take_fd(&raw, 0);
	made.out = msg_take_fd(&raw, 1);
	made.errors = msg_take_fd(&raw, 2);
	if (made.in < 0 || made.out < 0 || made.errors < 0)
		return fail(err, ERR_SYSTEM, "the keeper gave no streams of the program");
	if (fcntl(made.in, F_SETFL, O_NONBLOCK) != 0 || fcntl(made.errors, F_SETFL, O_NONBLOCK) != 0)
		return fail_errno(err, "the program's streams");
	*out = made;
	made = (struct inside)INSIDE_INIT;
	return 0;
}

/* Its status; when it failed, what it said, which may be anything. @ours: why this side failed, if it
 * did. What a system call refused here is the cause of what the other side says then; else the
 * program's own words say better why it broke the stream off. */
static int inside_finish(struct inside *i, const struct err *ours, struct err *err)
{
	own_keeper_message struct keeper_message answer = KEEPER_MESSAGE_INIT;
	own_msg struct msg raw = MSG_INIT;
	own_str struct str shown = STR_INIT;

	fd_drop(&i->in);
	fd_drop(&i->out);
	if (inside_wait(i, i->keeper, POLLIN, err) != 0 ||
	    inside_await(i, KEEPER_EXITED, &raw, &answer, err) != 0)
		return -1;
	if ((answer.number == 0 && ours->kind != ERR_NONE) || (ours->sys != 0 && ours->sys != EPIPE)) {
		*err = *ours;
		return -1;
	}
	if (answer.number == 0)
		return 0;
	/* It has ended, so all that it said is here: nobody waits for who else inside holds the other end.
	 * More than the limit is cut. */
	while (i->said.len < ERROR_TEXT && inside_listen(i))
		;
	while (i->said.len > 0 && i->said.data[i->said.len - 1] == '\n')
		i->said.len--;
	str_addn_visible(&shown, str_c(&i->said), i->said.len, false);
	if (shown.len == 0 && ours->kind != ERR_NONE) {
		*err = *ours;
		return -1;
	}
	return fail(err, ERR_INPUT, "in the bottle: %.300s", shown.len ? shown.data : "the copy was refused");
}

static int copy_out(struct command *c, const struct side *from, const char *to, struct files_count *count,
                    struct err *err)
{
	const char *path = from->path[0] ? from->path : "/workspace";
	const char *const argv[] = { "bottle-guest", "send", path, NULL };
	own_inside struct inside inside = INSIDE_INIT;
	own_mem char *name = last_name(path);
	struct err why = ERR_INIT;

	if (inside_start(c, from->slug, argv, &inside, err) != 0)
		return -1;
	/* What it returns stands in @why, too. */
	(void)files_receive_at(inside.out, to, name, COPY_LIMIT, hear, &inside, count, &why);
	return inside_finish(&inside, &why, err);
}

static int copy_in(struct command *c, const char *from, const struct side *to, struct files_count *count,
                   struct err *err)
{
	own_mem char *name = last_name(from);
	const char *const argv[] = { "bottle-guest", "receive", to->path[0] ? to->path : ".", name, NULL };
	own_inside struct inside inside = INSIDE_INIT;
	struct err why = ERR_INIT;

	if (inside_start(c, to->slug, argv, &inside, err) != 0)
		return -1;
	if (files_send_at(inside.in, from, hear, inside_room, &inside, count, &why) != 0 &&
	    why.kind != ERR_SYSTEM) {
		*err = why;
		return -1;
	}
	return inside_finish(&inside, &why, err);
}

static void say_count(struct command *c, const struct files_count *n)
{
	own_str struct str text = STR_INIT;

	str_addf(&text, "copied %llu file%s, %llu byte%s", (unsigned long long)n->files, str_plural(n->files),
	         (unsigned long long)n->bytes, str_plural(n->bytes));
	if (n->remarks > n->missed)
		str_addf(&text, "; %llu passed over", (unsigned long long)(n->remarks - n->missed));
	if (n->missed > 0)
		str_addf(&text, "; %llu could not be read", (unsigned long long)n->missed);
	ui_note(&c->ui, "%s", str_c(&text));
}

static int cp_run(struct command *c, struct err *err)
{
	own_side struct side from = side_of(command_arg(c, 0)), to = side_of(command_arg(c, 1));
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct files_count count = { 0 };

	if (!from.slug == !to.slug)
		return fail(err, ERR_USAGE, "one side, and one only, is SLUG:path; see bottle ls for slugs");
	/* A program in the bottle that ends early is an error to report, not our death. */
	sigaction(SIGPIPE, &ignore, NULL);
	int rc = from.slug ? copy_out(c, &from, to.path, &count, err) :
	                     copy_in(c, from.path, &to, &count, err);
	if (rc != 0)
		return -1;
	say_count(c, &count);
	return count.missed > 0 ? 1 : 0;
}

const struct verb verb_cp = {
	.name = "cp",
	.args = "SRC DST",
	.summary = "copy into a running bottle, or out of it",
	.details =
		"One side is SLUG:path; a relative path there starts at the workspace. Copies regular files and directories, "
		"as the agent's user inside. Links, devices and the like are passed over and named; set-id bits are left "
		"behind. What can't be read is named, too, and then the status is 1. A directory's DIR/. is what is in it. At "
		"most 64 GiB come out at a time.",
	.group = GROUP_LOOK,
	.min_args = 2,
	.max_args = 2,
	.complete = COMPLETE_COPY,
	.complete_next = COMPLETE_COPY,
	.run = cp_run,
};
