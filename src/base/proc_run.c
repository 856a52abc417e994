#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/banned.h"

enum { FEED, OUT, ERROUT, STREAMS, ENOUGH = STREAMS, WATCHED };
enum { GRACE_MS = 20 * 1000 }; /* for what was told to end */

struct run {
	int fd[STREAMS]; /* our ends; -1: finished */
	const struct str *in;
	size_t fed;
	struct str *to[STREAMS];
	size_t limit;
	const struct proc *child;
	int interrupt; /* 0: none, or it has come */
	bool interrupted;
	uint64_t deadline;
};

static void run_close(struct run *r)
{
	for (int i = 0; i < STREAMS; i++)
		fd_drop(&r->fd[i]);
}

static void feed(struct run *r)
{
	if (!r->in)
		bug("nothing to feed");
	/* MSG_NOSIGNAL: a program that doesn't read its input is not our death. */
	ssize_t n = send(r->fd[FEED], r->in->data + r->fed, r->in->len - r->fed, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		r->fed += (size_t)n;
	if (r->fed == r->in->len || (n < 0 && errno != EAGAIN && errno != EINTR))
		fd_drop(&r->fd[FEED]);
}

static int drain(struct run *r, int i, struct err *err)
{
	char buf[16384];
	ssize_t n = read(r->fd[i], buf, sizeof buf);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : fail_errno(err, "reading its output");
	if (n == 0) {
		fd_drop(&r->fd[i]);
		return 0;
	}
	if (!r->to[i])
		return 0;
	if (r->to[i]->len + (size_t)n > r->limit)
		return fail(err, ERR_INPUT, "it printed more than %zu bytes", r->limit);
	str_addn(r->to[i], buf, (size_t)n);
	return 0;
}

static void interrupt(struct run *r)
{
	uint64_t until = clock_ms() + GRACE_MS;

	proc_signal(r->child, SIGTERM);
	r->interrupt = 0;
	r->interrupted = true;
	if (r->deadline > until)
		r->deadline = until;
}

static int pump(struct run *r, struct err *err)
{
	while (r->fd[OUT] >= 0 || r->fd[ERROUT] >= 0) {
		struct pollfd pfd[WATCHED];
		for (int i = 0; i < STREAMS; i++)
			pfd[i] = (struct pollfd){ .fd = r->fd[i], .events = i == FEED ? POLLOUT : POLLIN };
		pfd[ENOUGH] = (struct pollfd){ .fd = r->interrupt ? r->interrupt : -1, .events = POLLIN };
		uint64_t now = clock_ms();
		if (now >= r->deadline)
			return fail(err, ERR_SYSTEM, "it did not end in time");
		if (poll(pfd, WATCHED, (int)(r->deadline - now)) < 0) {
			if (errno != EINTR)
				return fail_errno(err, "poll");
			continue;
		}
		if (pfd[ENOUGH].revents)
			interrupt(r);
		if (pfd[FEED].revents)
			feed(r);
		for (int i = OUT; i <= ERROUT; i++)
			if (pfd[i].revents && drain(r, i, err) != 0)
				return -1;
	}
	return 0;
}

int proc_run(const struct proc_spec *spec, const struct str *in, struct str *out, struct str *errout,
             size_t limit, int ms, struct err *err)
{
	own_proc struct proc child = PROC_INIT;
	int pair[2], o[2], e[2], status;

	__attribute__((cleanup(run_close))) struct run r = {
		.fd = { -1, -1, -1 },
		.in = in,
		.to = { NULL, out, errout },
		.limit = limit,
		.child = &child,
		.interrupt = spec->interrupt,
		.deadline = clock_ms() + (uint64_t)ms,
	};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return fail_errno(err, "socketpair");
	r.fd[FEED] = pair[0];
	own_fd int in_child = pair[1];
	if (pipe2(o, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	r.fd[OUT] = o[0];
	own_fd int out_child = o[1];
	if (pipe2(e, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	r.fd[ERROUT] = e[0];
	own_fd int err_child = e[1];

	struct proc_fd fds[16] = { { in_child, 0 }, { out_child, 1 }, { err_child, 2 } };
	if (spec->nfds > ARRAY_LEN(fds) - 3)
		bug("%zu descriptors for a run", spec->nfds);
	if (spec->nfds)
		memcpy(fds + 3, spec->fds, spec->nfds * sizeof *fds);
	struct proc_spec with = *spec;
	with.fds = fds;
	with.nfds = spec->nfds + 3;
	const char *name = spec->path ? spec->path : spec->argv[0];
	if (proc_spawn(&with, &child, err) != 0)
		return -1;
	fd_drop(&in_child);
	fd_drop(&out_child);
	fd_drop(&err_child);
	if (!in || in->len == 0)
		fd_drop(&r.fd[FEED]);
	if (pump(&r, err) != 0)
		return fail_in(err, "%s", name);
	uint64_t now = clock_ms();
	int ended = proc_wait_for(&child, (int)(r.deadline - (now < r.deadline ? now : r.deadline)), &status,
	                          err);
	if (ended < 0)
		return -1;
	if (ended == 0)
		return fail(err, ERR_SYSTEM, "%s: it did not end within %d ms", name, ms);
	if (r.interrupted)
		return fail(err, ERR_DENIED, "%s: interrupted", name);
	if (WIFSIGNALED(status))
		return fail(err, ERR_SYSTEM, "%s: ended by signal %d", name, WTERMSIG(status));
	return WEXITSTATUS(status);
}
