#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

enum {
	FDS_MAX = 64,
	HIGH_FD = 128, /* moved descriptors go above every target */
	EXIT_BEFORE_EXEC = 125,
};

/* fork() with namespaces and a pidfd. The raw call skips the library's fork handlers: the
 * programs here are single-threaded where they spawn. The stack is copied like fork's. */
static pid_t clone_process(unsigned long namespaces, int *pidfd)
{
	unsigned long flags = namespaces | CLONE_PIDFD | SIGCHLD;

	return (pid_t)syscall(SYS_clone, flags, NULL, pidfd, NULL, 0);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int n = 1; n < NSIG; n++) {
		struct sigaction dfl = { .sa_handler = SIG_DFL };
		sigaction(n, &dfl, NULL); /* KILL, STOP and libc's own refuse; that is fine */
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Two passes, so that a target which is another's source is not lost. */
static int place_fds(const struct proc_spec *spec, int *report, struct err *err)
{
	int high[FDS_MAX];
	struct proc_fd fds[FDS_MAX + 3];
	size_t n = 0;

	if (spec->nfds > FDS_MAX)
		bug("%zu descriptors for a child", spec->nfds);
	/* All that is inherited closes at exec, whatever its owner forgot. */
	if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		return fail_errno(err, "marking descriptors close-on-exec");
	int moved = fcntl(*report, F_DUPFD_CLOEXEC, HIGH_FD);
	if (moved < 0)
		return fail_errno(err, "moving the report pipe");
	*report = moved;

	own_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int std = 0; std < 3; std++) {
		bool named = false;
		for (size_t i = 0; i < spec->nfds; i++)
			named = named || spec->fds[i].to == std;
		if (named)
			continue;
		if (null < 0)
			return fail_errno(err, "open /dev/null");
		fds[n++] = (struct proc_fd){ null, std };
	}
	for (size_t i = 0; i < spec->nfds; i++)
		fds[n++] = spec->fds[i];
	for (size_t i = 0; i < n; i++) {
		high[i] = fcntl(fds[i].from, F_DUPFD_CLOEXEC, HIGH_FD);
		if (high[i] < 0)
			return fail_errno(err, "duplicating descriptor %d", fds[i].from);
	}
	for (size_t i = 0; i < n; i++) {
		if (fds[i].to >= HIGH_FD)
			bug("target descriptor %d", fds[i].to);
		if (dup2(high[i], fds[i].to) < 0)
			return fail_errno(err, "placing descriptor %d", fds[i].to);
		close(high[i]);
	}
	return 0;
}

static int run_child(const struct proc_spec *spec, bool exec, struct err *err)
{
	own_strv struct strv env = STRV_INIT;

	if (spec->child && spec->child(spec->arg, err) != 0)
		return -1;
	if (!exec)
		return 0;
	for (char *const *e = spec->env; e && *e; e++)
		strv_add(&env, *e);
	if (spec->listen_fds) {
		strv_addf(&env, "LISTEN_PID=%ld", (long)getpid());
		strv_addf(&env, "LISTEN_FDS=%u", spec->listen_fds);
	}
	char *const empty[] = { NULL };
	char *const *envp = env.v ? env.v : empty;
	if (spec->path)
		execve(spec->path, spec->argv, envp);
	else
		syscall(SYS_execveat, spec->exe_fd, "", spec->argv, envp, AT_EMPTY_PATH);
	return fail_errno(err, "execute %s", spec->path ? spec->path : spec->argv[0]);
}

_Noreturn static void child_main(const struct proc_spec *spec, bool exec, int go, int report, pid_t parent)
{
	struct err err = ERR_INIT;
	char byte;

	reset_signals();
	if (spec->die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The parent may have died before the call; in a new pid namespace it is always 0. */
		if (!(spec->namespaces & CLONE_NEWPID) && getppid() != parent)
			_exit(EXIT_BEFORE_EXEC);
	}
	/* Nothing runs here before the parent has done its part (id maps). */
	ssize_t n = read(go, &byte, 1);
	if (n != 1)
		_exit(EXIT_BEFORE_EXEC);
	if (spec->new_session)
		setsid();
	if (place_fds(spec, &report, &err) == 0 && run_child(spec, exec, &err) == 0)
		_exit(0);
	if (exec || err.kind != ERR_NONE) {
		ssize_t ignored = write(report, &err, sizeof err);
		(void)ignored;
	}
	_exit(EXIT_BEFORE_EXEC);
}

int proc_started(int *starting, struct err *err)
{
	own_fd int from = fd_steal(starting);
	struct err theirs;
	ssize_t n;

	do
		n = read(from, &theirs, sizeof theirs);
	while (n < 0 && errno == EINTR);
	/* Closed by its exec. */
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof theirs)
		return fail(err, ERR_SYSTEM, "the child's report was cut at %zd bytes", n);
	theirs.text[sizeof theirs.text - 1] = '\0';
	*err = theirs;
	return -1;
}

static int spawn(const struct proc_spec *spec, bool exec, struct proc *out, struct err *err)
{
	int report[2] = { -1, -1 }, go[2] = { -1, -1 }, pidfd = -1;
	pid_t self = getpid();

	if (pipe2(report, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	own_fd int report_read = report[0];
	own_fd int report_write = report[1];
	if (pipe2(go, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	own_fd int go_read = go[0];
	own_fd int go_write = go[1];

	pid_t pid = clone_process(spec->namespaces, &pidfd);
	if (pid < 0)
		return fail_errno(err, "starting a process%s", spec->namespaces ? " in new namespaces" : "");
	if (pid == 0) {
		/* Or the child would wait for itself, should the parent die. */
		close(go_write);
		child_main(spec, exec, go_read, report_write, self);
	}
	own_proc struct proc child = { pid, pidfd };
	fd_drop(&report_write);
	fd_drop(&go_read);
	if (spec->parent && spec->parent(pid, spec->arg, err) != 0)
		return -1;
	if (write(go_write, "g", 1) != 1)
		return fail_errno(err, "releasing the child");
	if (spec->starting)
		*spec->starting = fd_steal(&report_read);
	else if (exec && proc_started(&report_read, err) != 0)
		return -1;
	*out = child;
	child = (struct proc)PROC_INIT;
	return 0;
}

int proc_spawn(const struct proc_spec *spec, struct proc *out, struct err *err)
{
	return spawn(spec, true, out, err);
}

int proc_fork(const struct proc_spec *spec, struct proc *out, struct err *err)
{
	return spawn(spec, false, out, err);
}

/* waitid() on the pidfd gives a siginfo; the rest of the world speaks wait statuses. */
static int reap(struct proc *p, int flags, int *status)
{
	siginfo_t info = { 0 };
	int rc;

	do
		rc = waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | flags);
	while (rc != 0 && errno == EINTR);
	if (rc != 0)
		return -1;
	if (info.si_pid == 0)
		return 0;
	*status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
	p->pid = 0;
	fd_drop(&p->pidfd);
	return 1;
}

int proc_wait(struct proc *p, int *status, struct err *err)
{
	return reap(p, 0, status) == 1 ? 0 : fail_errno(err, "waiting for process %ld", (long)p->pid);
}

int proc_wait_for(struct proc *p, int ms, int *status, struct err *err)
{
	struct pollfd pfd = { .fd = p->pidfd, .events = POLLIN };
	uint64_t deadline = clock_ms() + (uint64_t)(ms > 0 ? ms : 0);

	for (;;) {
		uint64_t now = clock_ms();
		int n = poll(&pfd, 1, now < deadline ? (int)(deadline - now) : 0);
		if (n < 0 && errno != EINTR)
			return fail_errno(err, "waiting for process %ld", (long)p->pid);
		if (n > 0) {
			int got = reap(p, WNOHANG, status);
			return got >= 0 ? got : fail_errno(err, "waiting for process %ld", (long)p->pid);
		}
		if (n == 0 && clock_ms() >= deadline)
			return 0;
	}
}

int proc_find(pid_t pid, unsigned long long start, struct proc *out)
{
	own_fd int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	/* After the descriptor: from then on the number can't become another's. */
	if (fd < 0 || start == 0 || proc_start_time(pid) != start)
		return -1;
	*out = (struct proc){ pid, fd_steal(&fd) };
	return 0;
}

void proc_signal(const struct proc *p, int signo)
{
	if (p->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0);
}

void proc_stop(struct proc *p, int ms)
{
	struct err ignored = ERR_INIT;
	int status;

	if (p->pidfd < 0)
		return;
	proc_signal(p, SIGTERM);
	if (proc_wait_for(p, ms, &status, &ignored) != 1)
		proc_clear(p);
}

void proc_clear(struct proc *p)
{
	int saved = errno, status;

	if (p->pidfd >= 0) {
		proc_signal(p, SIGKILL);
		reap(p, 0, &status);
		fd_drop(&p->pidfd);
	}
	p->pid = 0;
	errno = saved;
}

int proc_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

unsigned long long proc_start_time(pid_t pid)
{
	char path[64], line[1024];
	unsigned long long ticks = 0;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, line, sizeof line - 1);
	if (n <= 0)
		return 0;
	line[n] = '\0';
	/* The command name may hold blanks and parentheses; the fields start after the last one. */
	const char *p = strrchr(line, ')');
	/* One that has ended and was not waited for yet runs nothing. */
	if (p && p[1] == ' ' && (p[2] == 'Z' || p[2] == 'X'))
		return 0;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		sscanf(p, " %llu", &ticks);
	return ticks;
}
