#include "cmd/dial.h"
#include "cmd/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/banned.h"

enum {
	CHUNK = 32 * 1024,
	/* After its end: until nothing came for a while, and no longer than that when something else in
	 * there goes on writing; what was in the pipes at its end is read all the same. */
	DRAIN_MS = 200,
	DRAIN_ALL_MS = 2000,
	DRAIN_BYTES = 1 << 20, /* what a pipe can hold */
};

/* A program beside the main one. Its streams come to us as descriptors: the keeper only
 * started it, and tells us how it ended. */
struct streams {
	struct command *c;
	int keeper, signals;
	int in, out, err; /* of the program; -1: closed. With a terminal all is @out */
	bool terminal, started, take_input;
	int status;       /* -1: it runs */
	struct str input; /* not taken by the program yet */
	uint64_t output;  /* bytes that came */
	struct unsaid unsaid;
	struct ui_raw raw;
	struct err why;
};

static void clear(struct streams *s)
{
	ui_raw_leave(&s->raw);
	if (s->in != s->out)
		fd_drop(&s->in);
	fd_drop(&s->out);
	fd_drop(&s->err);
	str_clear(&s->input);
	str_clear(&s->unsaid.bytes);
}

/* The other ends are in there: a program that takes half of what it is given, or that reads its
 * own output back before we do, must not hold us in a call, deaf to the operator's signals. */
static int never_block(const struct streams *s, struct err *err)
{
	const int fds[] = { s->in, s->out, s->err };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0 && fcntl(fds[i], F_SETFL, O_NONBLOCK) != 0)
			return fail_errno(err, "the program's streams");
	return 0;
}

static int tell_size(const struct streams *s, struct err *err)
{
	struct keeper_message m = { .say = KEEPER_RESIZE };
	uint16_t rows, columns;

	if (!s->terminal || !session_terminal(&rows, &columns))
		return 0;
	m.rows = rows;
	m.columns = columns;
	return keeper_say(s->keeper, &m, NULL, 0, err);
}

static int take_streams(struct streams *s, struct msg *raw, struct err *err)
{
	s->started = true;
	if (s->terminal) {
		s->out = msg_take_fd(raw, 0);
		s->in = s->out;
		if (s->out < 0)
			return fail(err, ERR_SYSTEM, "the bottle gave no terminal");
		/* It may have been resized since we asked. */
		if (tell_size(s, err) != 0)
			return -1;
		return ui_raw_enter(&s->raw, STDIN_FILENO, false, err);
	}
	s->in = msg_take_fd(raw, 0);
	s->out = msg_take_fd(raw, 1);
	s->err = msg_take_fd(raw, 2);
	if (!s->take_input)
		fd_drop(&s->in);
	return s->err < 0 ? fail(err, ERR_SYSTEM, "the bottle gave no streams") : 0;
}

static int on_started(struct streams *s, struct msg *raw, struct err *err)
{
	if (s->started)
		return fail(err, ERR_SYSTEM, "the bottle started the program twice");
	return take_streams(s, raw, err) == 0 ? never_block(s, err) : -1;
}

static int on_hang_up(struct streams *s, struct err *err)
{
	/* The terminal is the person's again before anything is said. */
	ui_raw_leave(&s->raw);
	if (s->why.kind != ERR_NONE)
		*err = s->why;
	else
		keeper_hung_up(s->c, command_arg(s->c, 0), err);
	return -1;
}

static int on_keeper(struct streams *s, struct err *err)
{
	own_msg struct msg raw = MSG_INIT;
	own_keeper_message struct keeper_message m = KEEPER_MESSAGE_INIT;
	int got = keeper_hear(s->keeper, &raw, &m, err);

	if (got < 0)
		return -1;
	if (got == 0)
		return on_hang_up(s, err);
	if (m.say == KEEPER_STARTED)
		return on_started(s, &raw, err);
	if (m.say == KEEPER_FAILED)
		s->why = m.why;
	if (m.say == KEEPER_EXITED)
		s->status = (int)m.number;
	return 0;
}

/* False: nothing more will come. */
static int pump(struct streams *s, int *from, int to, struct err *err)
{
	char bytes[CHUNK];
	ssize_t n = read(*from, bytes, sizeof bytes);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		fd_drop(from);
		return 0;
	}
	s->output += (uint64_t)n;
	return session_say(&s->unsaid, to, bytes, (size_t)n, err);
}

static void take_input(struct streams *s)
{
	str_reserve(&s->input, CHUNK);
	ssize_t n = read(STDIN_FILENO, s->input.data, CHUNK);

	if (n > 0)
		s->input.len = (size_t)n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		s->take_input = false;
	if (!s->take_input && !s->terminal)
		fd_drop(&s->in);
}

static void give_input(struct streams *s)
{
	ssize_t n = write(s->in, s->input.data, s->input.len);

	if (n > 0) {
		str_cut_front(&s->input, (size_t)n);
	} else if (n < 0 && errno != EINTR && errno != EAGAIN) {
		str_reset(&s->input);
		s->take_input = false;
		if (!s->terminal)
			fd_drop(&s->in);
	}
}

static int on_signal(struct streams *s, struct err *err)
{
	struct keeper_message m = { .say = KEEPER_SIGNAL };
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof info) != (ssize_t)sizeof info || info.ssi_signo == SIGPIPE)
		return 0;
	if (info.ssi_signo == SIGHUP)
		return fail(err, ERR_DENIED, "the terminal hung up");
	if (info.ssi_signo == SIGWINCH)
		return s->started ? tell_size(s, err) : 0;
	/* There is no program left that it could be for. */
	if (s->status >= 0 && s->unsaid.bytes.len > 0)
		return fail(err, ERR_DENIED, "a signal came before all output was taken");
	m.number = info.ssi_signo;
	return keeper_say(s->keeper, &m, NULL, 0, err);
}

static int step(struct streams *s, int ms, bool *quiet, struct err *err)
{
	bool giving = s->in >= 0 && s->input.len > 0;
	bool taking = s->started && s->take_input && !giving && s->status < 0;
	/* While our own streams take nothing the program's wait, too. */
	const bool waits = s->unsaid.bytes.len > 0;
	struct pollfd fds[] = {
		{ s->status < 0 ? s->keeper : -1, POLLIN, 0 },
		{ s->signals, POLLIN, 0 },
		{ waits ? -1 : s->out, POLLIN, 0 },
		{ waits ? -1 : s->err, POLLIN, 0 },
		{ taking ? STDIN_FILENO : -1, POLLIN, 0 },
		{ giving ? s->in : -1, POLLOUT, 0 },
		{ waits ? s->unsaid.to : -1, POLLOUT, 0 },
	};

	int n = poll(fds, ARRAY_LEN(fds), waits ? -1 : ms);
	*quiet = n == 0;
	if (n < 0)
		return errno == EINTR ? 0 : fail_errno(err, "poll");
	/* Output first: what was said before the end comes before it. */
	if (fds[2].revents && pump(s, &s->out, STDOUT_FILENO, err) != 0)
		return -1;
	if (s->terminal && s->out < 0)
		s->in = -1;
	if (fds[6].revents && session_say_on(&s->unsaid, err) != 0)
		return -1;
	if (fds[3].revents && s->unsaid.bytes.len == 0 && pump(s, &s->err, STDERR_FILENO, err) != 0)
		return -1;
	if (fds[4].revents)
		take_input(s);
	if (fds[5].revents && s->in >= 0)
		give_input(s);
	if (fds[1].revents && on_signal(s, err) != 0)
		return -1;
	return fds[0].revents ? on_keeper(s, err) : 0;
}

static int run_streams(struct streams *s, struct err *err)
{
	bool quiet = false;

	while (s->status < 0)
		if (step(s, -1, &quiet, err) != 0)
			return -1;
	/* What something else in there holds open, or writes to, is not waited for. */
	const uint64_t until = clock_ms() + DRAIN_ALL_MS, enough = s->output + DRAIN_BYTES;
	while (s->unsaid.bytes.len > 0 || ((s->out >= 0 || s->err >= 0) && !quiet)) {
		bool late = clock_ms() >= until;
		if (late && s->output >= enough && s->unsaid.bytes.len == 0)
			return 0;
		if (step(s, late ? 0 : DRAIN_MS, &quiet, err) != 0)
			return -1;
	}
	return 0;
}

static int ask(struct command *c, struct streams *s, struct err *err)
{
	own_keeper_message struct keeper_message m = { .say = KEEPER_EXEC, .terminal = s->terminal };
	uint16_t rows = 0, columns = 0;
	const char *user = command_value(c, "user");

	strv_copy(&m.argv, &c->rest);
	m.user = user ? xstrdup(user) : NULL;
	if (s->terminal && !session_terminal(&rows, &columns))
		return fail(err, ERR_USAGE, "-t needs a terminal on standard input and output");
	m.rows = rows;
	m.columns = columns;
	if (s->terminal && command_env("TERM"))
		strv_addf(&m.env, "TERM=%s", command_env("TERM"));
	if (init_check_command(&m.argv, &m.env, err) != 0)
		return -1;
	return keeper_ask(c, command_arg(c, 0), s->keeper, &m, err);
}

static int run(struct command *c, struct err *err)
{
	static const int signals[] = { SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, 0 };
	OWN(clear)
	struct streams s = { .c = c,
		             .in = -1,
		             .out = -1,
		             .err = -1,
		             .status = -1,
		             .unsaid = UNSAID_INIT,
		             .raw = UI_RAW_INIT };

	if (c->rest.n == 0)
		return fail(err, ERR_USAGE, "exec needs a command behind --");
	const char *user = command_value(c, "user");
	if (user && (!*user || strlen(user) > KEEPER_USER))
		return fail(err, ERR_USAGE, "--user needs a name, of at most %d bytes", KEEPER_USER);
	s.terminal = command_has(c, "tty");
	/* Like a shell's pipe: what comes on a pipe or from a file goes in, a terminal only with -i. */
	s.take_input = s.terminal || command_has(c, "interactive") || !isatty(STDIN_FILENO);
	own_fd int keeper = keeper_dial(c, command_arg(c, 0), err);
	if (keeper < 0)
		return -1;
	own_fd int from = loop_signals(signals, err);
	if (from < 0)
		return -1;
	s.keeper = keeper;
	s.signals = from;
	if (ask(c, &s, err) != 0 || run_streams(&s, err) != 0)
		return -1;
	if (s.why.kind != ERR_NONE && s.status == 125) {
		*err = s.why;
		return -1;
	}
	if (s.why.kind != ERR_NONE)
		ui_note(&c->ui, "%s", s.why.text);
	return s.status;
}

static const struct option options[] = {
	{ "interactive", 'i', NULL, false, COMPLETE_NOTHING, "pass standard input on, also from a terminal" },
	{ "tty", 't', NULL, false, COMPLETE_NOTHING, "give it a terminal of its own" },
	{ "user", 0, "USER", false, COMPLETE_NOTHING, "as this user; the namespace backend has one, agent" },
	{ 0 },
};

const struct verb verb_exec = {
	.name = "exec",
	.args = "SLUG [-it] [--user USER] -- CMD...",
	.summary = "run a command in a running bottle",
	.details =
		"Ends with the command's status; 126: it can't be executed, 127: not found, 125: bottle itself failed.",
	.group = GROUP_RUN,
	.flags = VERB_STATUS | VERB_REST,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_RUNNING,
	.options = options,
	.run = run,
};
