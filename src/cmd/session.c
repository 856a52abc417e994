#include "cmd/session.h"
#include "cmd/dial.h"
#include "cmd/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/banned.h"

enum { LEAVE_KEY = 0x1d }; /* Ctrl-] */

struct relay {
	struct command *c;
	struct session *s;
	int keeper, signals;
	struct ui_raw raw;
	bool started, over, input_open;
	struct str pending; /* messages that the keeper had no room for yet, each behind its length */
	uint32_t owed;      /* bytes of input that it has not taken */
	struct err why;     /* what the keeper said */
	struct unsaid unsaid;
	bool told_to_end; /* a signal was passed on that ends most programs */
};

bool session_terminal(uint16_t *rows, uint16_t *columns)
{
	unsigned short r = 0, w = 0;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	/* A terminal that does not know its size (a serial line) is one all the same. */
	ui_window_size(STDOUT_FILENO, &r, &w);
	*rows = r ? r : 24;
	*columns = w ? w : 80;
	return true;
}

/* @put: how much it took of what fits. */
static int put_some(int to, const char *bytes, size_t n, size_t *put, struct err *err)
{
	for (*put = 0; *put < n;) {
		ssize_t took = write(to, bytes + *put, n - *put);
		if (took < 0 && errno == EAGAIN)
			break;
		if (took < 0 && errno != EINTR)
			return fail_errno(err, "write to %s", to == STDOUT_FILENO ? "stdout" : "stderr");
		*put += took > 0 ? (size_t)took : 0;
	}
	return 0;
}

int session_say(struct unsaid *u, int to, const void *bytes, size_t n, struct err *err)
{
	size_t put;

	if (put_some(to, bytes, n, &put, err) != 0)
		return -1;
	u->to = to;
	str_addn(&u->bytes, (const char *)bytes + put, n - put);
	return 0;
}

int session_say_on(struct unsaid *u, struct err *err)
{
	size_t put;

	if (put_some(u->to, u->bytes.data, u->bytes.len, &put, err) != 0)
		return -1;
	str_cut_front(&u->bytes, put);
	return 0;
}

/* As many as fit. A keeper that has gone may have said why: what is left to be read tells that,
 * and that it ended. */
static int flush(struct relay *r, struct err *err)
{
	struct err why = ERR_INIT;

	while (r->pending.len > 0) {
		struct unpack u = unpack_of(r->pending.data, r->pending.len);
		size_t n;
		const void *bytes = unpack_bytes(&u, &n);
		const struct str one = { .data = (char *)bytes, .len = n };
		if (msg_send(r->keeper, &one, NULL, 0, &why) == 0) {
			str_cut_front(&r->pending, sizeof(uint32_t) + n);
			continue;
		}
		if (why.kind == ERR_BUSY)
			return 0;
		str_reset(&r->pending);
		r->input_open = false;
		if (why.sys == EPIPE || why.sys == ECONNRESET)
			return 0;
		*err = why;
		return -1;
	}
	return 0;
}

/* Waits for nothing: whoever holds us in a call makes us deaf to the operator. */
static int tell(struct relay *r, const struct keeper_message *m, struct err *err)
{
	own_str struct str bytes = STR_INIT;

	keeper_message_encode(m, &bytes);
	pack_bytes(&r->pending, bytes.data, bytes.len);
	return flush(r, err);
}

static int say(struct relay *r, enum keeper_say what, uint32_t number, struct err *err)
{
	struct keeper_message m = { .say = what, .number = number };
	uint16_t rows = 0, columns = 0;

	if (what == KEEPER_RESIZE) {
		if (!session_terminal(&rows, &columns))
			return 0;
		m.rows = rows;
		m.columns = columns;
	}
	return tell(r, &m, err);
}

static int on_started(struct relay *r, const struct keeper_message *m, struct err *err)
{
	uint16_t rows, columns;

	r->started = true;
	if (r->s->launching)
		notify_manager("READY=1");
	snprintf(r->s->slug, sizeof r->s->slug, "%s", m->text);
	if (r->s->detach) {
		r->s->left = r->over = true;
		return 0;
	}
	if (!session_terminal(&rows, &columns) || r->s->no_input)
		return 0;
	/* It may have been resized while the bottle was launched. */
	if (say(r, KEEPER_RESIZE, 0, err) != 0)
		return -1;
	return ui_raw_enter(&r->raw, STDIN_FILENO, m->number == 0, err);
}

static int obey_message(struct relay *r, struct keeper_message *m, struct err *err)
{
	switch (m->say) {
	case KEEPER_STEP:
		if (!m->down)
			ui_progress(&r->c->ui, m->text);
		return 0;
	case KEEPER_NOTE:
		ui_note(&r->c->ui, "%s", m->text);
		return 0;
	case KEEPER_STARTED:
		return on_started(r, m, err);
	case KEEPER_OUTPUT:
		return session_say(&r->unsaid, m->error_stream ? STDERR_FILENO : STDOUT_FILENO,
		                   str_c(&m->bytes), m->bytes.len, err);
	case KEEPER_EXITED:
		r->s->status = (int)m->number;
		if (r->s->launching)
			notify_manager("STOPPING=1");
		/* The launcher waits for the end of the bottle; who looked on is done. */
		r->over = !r->s->launching;
		ui_raw_leave(&r->raw);
		return 0;
	case KEEPER_TOOK:
		r->owed -= m->number < r->owed ? m->number : r->owed;
		return 0;
	case KEEPER_FAILED:
		r->why = m->why;
		return 0;
	case KEEPER_ENDED:
		r->over = true;
		return 0;
	default:
		return fail(err, ERR_SYSTEM, "the bottle's keeper sent message %d, which makes no sense here",
		            (int)m->say);
	}
}

static int on_keeper(struct relay *r, struct err *err)
{
	own_msg struct msg raw = MSG_INIT;
	own_keeper_message struct keeper_message m = KEEPER_MESSAGE_INIT;
	struct err why = ERR_INIT;
	int got = keeper_hear(r->keeper, &raw, &m, &why);

	if (got == 1)
		return obey_message(r, &m, err);
	if (got < 0 && why.kind == ERR_BUSY)
		return 0;
	if (got < 0) {
		*err = why;
		return -1;
	}
	r->over = true;
	if (r->why.kind != ERR_NONE || r->s->status >= 0)
		return 0;
	/* The terminal is the person's again before anything is said. */
	ui_raw_leave(&r->raw);
	if (!r->s->launching && !r->started)
		return keeper_hung_up(r->c, r->s->slug, err);
	if (*r->s->slug && keeper_is_gone(r->c, r->s->slug, err))
		return -1;
	if (r->s->launching)
		return fail(err, ERR_SYSTEM,
		            "the bottle's keeper ended; `bottle cleanup` frees what it left");
	return fail(err, ERR_BUSY, "the bottle let go of us: this end was too far behind in reading");
}

static int on_input(struct relay *r, struct err *err)
{
	own_keeper_message struct keeper_message m = { .say = KEEPER_INPUT };

	str_reserve(&m.bytes, KEEPER_BYTES);
	ssize_t n = read(STDIN_FILENO, m.bytes.data, KEEPER_BYTES);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		r->input_open = false;
		n = 0;
	}
	m.bytes.len = (size_t)n;
	if (!r->s->launching && r->raw.fd >= 0 && n == 1 && m.bytes.data[0] == LEAVE_KEY) {
		r->s->left = r->over = true;
		return 0;
	}
	r->owed += (uint32_t)n;
	return tell(r, &m, err);
}

static int on_signal(struct relay *r, struct err *err)
{
	struct signalfd_siginfo info;

	/* A pipe that broke is what the write to it says. */
	if (read(r->signals, &info, sizeof info) != (ssize_t)sizeof info || info.ssi_signo == SIGPIPE)
		return 0;
	if (info.ssi_signo == SIGWINCH)
		return r->started ? say(r, KEEPER_RESIZE, 0, err) : 0;
	/* Where no key leaves, a signal does: it is meant for who looks on, and not for the program. */
	if (!r->s->launching && r->raw.fd < 0) {
		r->s->left = r->over = true;
		return 0;
	}
	if (info.ssi_signo == SIGHUP)
		return fail(err, ERR_DENIED, "the terminal hung up");
	/* Of the program's end nothing is heard before what it said is taken. */
	if (r->told_to_end && r->unsaid.bytes.len > 0)
		return fail(err, ERR_DENIED, "a second signal came before all output was taken");
	r->told_to_end = true;
	return say(r, KEEPER_SIGNAL, info.ssi_signo, err);
}

static int relay_once(struct relay *r, struct err *err)
{
	/* Input is the program's, so it waits for one that takes it. A file is always readable. */
	bool listen = r->started && r->input_open && r->s->status < 0 && r->pending.len == 0 &&
	              r->owed < KEEPER_WINDOW;
	/* What it says next waits, and so does its end, which a poll would tell of without end. */
	const bool waits = r->unsaid.bytes.len > 0;
	const int events = (waits ? 0 : POLLIN) | (r->pending.len ? POLLOUT : 0);
	struct pollfd fds[] = { { events ? r->keeper : -1, (short)events, 0 },
		                { r->signals, POLLIN, 0 },
		                { listen ? STDIN_FILENO : -1, POLLIN, 0 },
		                { waits ? r->unsaid.to : -1, POLLOUT, 0 } };

	if (poll(fds, ARRAY_LEN(fds), -1) < 0)
		return errno == EINTR ? 0 : fail_errno(err, "poll");
	if (fds[1].revents && on_signal(r, err) != 0)
		return -1;
	if ((fds[0].revents & POLLOUT) && flush(r, err) != 0)
		return -1;
	if (fds[3].revents && session_say_on(&r->unsaid, err) != 0)
		return -1;
	if (!waits && (fds[0].revents & ~POLLOUT))
		return on_keeper(r, err);
	/* After the keeper: a program that has ended takes no more. */
	return fds[2].revents ? on_input(r, err) : 0;
}

int session_relay(struct command *c, int keeper, struct session *s, struct err *err)
{
	static const int signals[] = { SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, 0 };
	struct relay r = { .c = c,
		           .s = s,
		           .keeper = keeper,
		           .raw = UI_RAW_INIT,
		           .input_open = !s->no_input,
		           .unsaid = UNSAID_INIT };

	s->status = -1;
	own_fd int from = loop_signals(signals, err);
	if (from < 0)
		return -1;
	r.signals = from;
	if (fcntl(keeper, F_SETFL, O_NONBLOCK) != 0)
		return fail_errno(err, "the connection to the keeper");
	struct keeper_message none = { .say = KEEPER_INPUT };
	int rc = s->no_input ? tell(&r, &none, err) : 0;
	while (rc == 0 && !r.over)
		rc = relay_once(&r, err);
	ui_raw_leave(&r.raw);
	str_clear(&r.pending);
	str_clear(&r.unsaid.bytes);
	if (rc == 0 && r.why.kind != ERR_NONE) {
		*err = r.why;
		return -1;
	}
	return rc;
}
