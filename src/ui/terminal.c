#include "ui/ui.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { ANSWER_MAX = 64 * 1024 };

bool ui_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static int open_terminal(struct err *err)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return fail(err, ERR_MISSING, "there is no terminal to ask on");
	return fd;
}

enum { CTRL_C = 3, CTRL_D = 4, CTRL_U = 21, BACKSPACE = 8, DELETE = 127 };

/* Signals that would end us, kept waiting while the terminal is not as the person had it. They take
 * effect once it is. */
struct held_back {
	int fd; /* readable when one has come; -1: none are held back */
	sigset_t before;
};

static int hold_back(struct held_back *h, struct err *err)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, &h->before) != 0)
		return fail_errno(err, "holding signals back");
	h->fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (h->fd >= 0)
		return 0;
	fail_errno(err, "holding signals back");
	sigprocmask(SIG_SETMASK, &h->before, NULL);
	return -1;
}

static void let_through(struct held_back *h)
{
	fd_drop(&h->fd);
	sigprocmask(SIG_SETMASK, &h->before, NULL);
}

static int await_key(int fd, int signals, struct err *err)
{
	struct pollfd fds[] = { { fd, POLLIN, 0 }, { signals, POLLIN, 0 } };

	if (signals < 0)
		return 0;
	while (poll(fds, ARRAY_LEN(fds), -1) < 0)
		if (errno != EINTR)
			return fail_errno(err, "wait for the terminal");
	return fds[1].revents ? fail(err, ERR_DENIED, "a signal came before the answer") : 0;
}

/* One line without its newline, read byte by byte, so that nothing behind it is taken. The
 * editing keys are for a terminal that does not edit lines itself. */
static int read_line(int fd, int signals, char *buffer, size_t size, size_t *out, struct err *err)
{
	size_t n = 0;

	for (;;) {
		char c;
		if (await_key(fd, signals, err) != 0)
			return -1;
		ssize_t got = read(fd, &c, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno(err, "read from the terminal");
		if (got == 0 || c == CTRL_D || c == '\n' || c == '\r')
			break;
		if (c == CTRL_C)
			return fail(err, ERR_DENIED, "the question was not answered");
		if (c == CTRL_U)
			n = 0;
		else if (c == BACKSPACE || c == DELETE)
			n -= n > 0;
		else if (n < size)
			buffer[n++] = c;
		else
			return fail(err, ERR_INPUT, "the answer is longer than %zu bytes", size);
	}
	*out = n;
	return 0;
}

static int ask(int fd, int signals, const char *prompt, struct secret *out, struct err *err)
{
	own_str struct str shown = STR_INIT;
	char buffer[ANSWER_MAX];
	size_t n = 0;
	int rc;

	str_add_visible(&shown, prompt);
	if (file_write_all(fd, str_c(&shown), shown.len, err) < 0)
		return -1;
	rc = read_line(fd, signals, buffer, sizeof buffer, &n, err);
	if (rc == 0)
		secret_set(out, buffer, n);
	explicit_bzero(buffer, sizeof buffer);
	return rc;
}

int ui_ask(const char *question, bool *yes, struct err *err)
{
	own_fd int fd = open_terminal(err);
	own_secret struct secret answer = SECRET_INIT;
	own_str struct str prompt = STR_INIT;
	struct err closed = ERR_INIT;

	if (fd < 0)
		return -1;
	str_addf(&prompt, "%s [y/N] ", question);
	*yes = ask(fd, -1, str_c(&prompt), &answer, &closed) == 0 &&
	       (str_is(secret_expose(&answer), "y") || str_is(secret_expose(&answer), "Y") ||
	        str_is(secret_expose(&answer), "yes"));
	return 0;
}

static int ask_quietly(int fd, int signals, const char *prompt, struct secret *out, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct termios saved, quiet;
	int rc;

	if (tcgetattr(fd, &saved) < 0)
		return fail_errno(err, "read the terminal's mode");
	quiet = saved;
	/* The kernel's line editing would cut at 4096 bytes, and its Ctrl-C would end the program
	 * with the echo still off. */
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
	if (tcsetattr(fd, TCSAFLUSH, &quiet) < 0)
		return fail_errno(err, "turn the terminal's echo off");
	rc = ask(fd, signals, prompt, out, err);
	tcsetattr(fd, TCSAFLUSH, &saved);
	file_write_all(fd, "\n", 1, &ignored);
	return rc;
}

int ui_ask_secret(const char *prompt, struct secret *out, struct err *err)
{
	own_fd int fd = open_terminal(err);
	own_secret struct secret answer = SECRET_INIT;
	own_str struct str shown = STR_INIT;
	struct held_back held = { .fd = -1 };
	int rc;

	if (fd < 0)
		return -1;
	str_addf(&shown, "%s (not shown): ", prompt);
	if (hold_back(&held, err) != 0)
		return -1;
	rc = ask_quietly(fd, held.fd, str_c(&shown), &answer, err);
	let_through(&held);
	if (rc < 0)
		return -1;
	if (secret_len(&answer) == 0)
		return fail(err, ERR_INPUT, "nothing was typed");
	secret_copy(out, &answer);
	return 0;
}

int ui_raw_enter(struct ui_raw *raw, int fd, bool lines, struct err *err)
{
	struct termios mode;

	if (tcgetattr(fd, &raw->saved) < 0)
		return fail_errno(err, "read the terminal's mode");
	mode = raw->saved;
	if (lines) {
		mode.c_lflag &= ~(tcflag_t)(ICANON | ISIG | IEXTEN);
		mode.c_iflag &= ~(tcflag_t)IXON;
		mode.c_cc[VMIN] = 1;
		mode.c_cc[VTIME] = 0;
	} else {
		cfmakeraw(&mode);
	}
	if (tcsetattr(fd, TCSADRAIN, &mode) < 0)
		return fail_errno(err, "set the terminal to raw mode");
	raw->fd = fd;
	return 0;
}

void ui_raw_leave(struct ui_raw *raw)
{
	if (raw->fd >= 0)
		tcsetattr(raw->fd, TCSADRAIN, &raw->saved);
	raw->fd = -1;
}
