#include "guest/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "guest/guest.h"
#include "base/banned.h"

enum { HIGH_FD = 64, TARGET_MAX = GUEST_REPORT - 1, REPORT_MS = 2000 };

struct terminal {
	int master, slave;
};

static int open_terminal(const struct init_run *run, struct terminal *out, struct err *err)
{
	const struct winsize size = { .ws_row = run->rows, .ws_col = run->columns };
	int unlocked = 0;
	/* Not /dev/ptmx: that is a link in a directory of the agent's, who may have put something
	 * else there. In here nobody makes a name, and nothing that is opened is waited for. */
	own_fd int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) != 0)
		return fail_errno(err, "a terminal");
	/* By descriptor: whatever was put over /dev/pts, this is our master's other side. */
	own_fd int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return fail_errno(err, "a terminal");
	if (run->rows && run->columns)
		ioctl(slave, TIOCSWINSZ, &size);
	*out = (struct terminal){ fd_steal(&master), fd_steal(&slave) };
	return 0;
}

/* As execvp(3) looks it up, in the program's own PATH. */
static char *find_program(const struct init_run *run)
{
	const char *name = run->argv.v[0], *path = strv_env(&run->env, "PATH");

	if (strchr(name, '/'))
		return xstrdup(name);
	own_mem char *list = xstrdup(path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
	char *rest = list;
	for (char *dir = strsep(&rest, ":"); dir; dir = strsep(&rest, ":")) {
		struct stat st;
		own_mem char *full = xasprintf("%s/%s", *dir ? dir : ".", name);
		if (stat(full, &st) == 0 && S_ISREG(st.st_mode) && access(full, X_OK) == 0)
			return mem_steal(&full);
	}
	return NULL;
}

/* Two passes, so that a target which is another's source is not lost. */
static int place(const struct init_run *run, const int *fds, int slave, int *keep)
{
	int from[INIT_FDS_MAX + 3], to[INIT_FDS_MAX + 3];
	size_t n = 0;

	for (int std = 0; std < 3; std++) {
		from[n] = slave >= 0 ? slave : open("/dev/null", O_RDWR | O_CLOEXEC);
		to[n++] = std;
	}
	for (size_t i = 0; i < run->ntargets; i++) {
		if (run->targets[i] > TARGET_MAX) {
			errno = EBADF;
			return -1;
		}
		from[n] = fds[i];
		to[n++] = run->targets[i];
	}
	for (size_t i = 0; i < n; i++)
		if ((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, HIGH_FD)) < 0)
			return -1;
	for (int i = 0; i < 2; i++)
		if ((keep[i] = fcntl(keep[i], F_DUPFD_CLOEXEC, HIGH_FD)) < 0)
			return -1;
	/* Nothing that init holds stays open by accident. */
	syscall(SYS_close_range, 0, HIGH_FD - 1, 0);
	for (size_t i = 0; i < n; i++)
		if (dup2(from[i], to[i]) < 0)
			return -1;
	return (int)syscall(SYS_close_range, HIGH_FD, ~0U, CLOSE_RANGE_CLOEXEC);
}

static int become(const struct init_run *run)
{
	/* In a namespace the id is the only one there is; in a VM init is root and gives it up. */
	if (getuid() == run->uid && getgid() == run->gid)
		return 0;
	gid_t only = run->gid;
	if (syscall(SYS_setgroups, 1, &only) != 0 || setresgid(run->gid, run->gid, run->gid) != 0 ||
	    setresuid(run->uid, run->uid, run->uid) != 0)
		return -1;
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int n = 1; n < NSIG; n++) {
		struct sigaction usual = { .sa_handler = SIG_DFL };
		sigaction(n, &usual, NULL); /* KILL and STOP refuse; that is fine */
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The program that is asked for: behind our own that only becomes it, where there is one. */
static const char *what_runs(const struct init_run *run)
{
	bool becomes = run->self && run->argv.n > 4 && str_is(run->argv.v[1], "run");

	return run->argv.v[becomes ? 4 : 0];
}

_Noreturn static void child(const struct init_run *run, const int *fds, int slave, int self, int report)
{
	char *const empty[] = { NULL };
	char *const *env = run->env.v ? run->env.v : empty;
	int keep[] = { self, report };

	setsid();
	if (slave >= 0)
		ioctl(slave, TIOCSCTTY, 0);
	reset_signals();
	if (place(run, fds, slave, keep) == 0 && become(run) == 0 && chdir(run->cwd) == 0) {
		if (run->self) {
			/* Ours has come as far as the one that it becomes. */
			if (what_runs(run) != run->argv.v[0])
				dup2(keep[1], GUEST_REPORT);
			syscall(SYS_execveat, keep[0], "", run->argv.v, env, AT_EMPTY_PATH);
		} else {
			own_mem char *path = find_program(run);
			errno = ENOENT;
			if (path)
				execve(path, run->argv.v, env);
		}
	}
	int sys = errno;
	ssize_t ignored = write(keep[1], &sys, sizeof sys);
	(void)ignored;
	_exit(GUEST_FAILED);
}

int program_start(const struct init_run *run, const int *fds, int self, struct program *out, struct err *err)
{
	struct terminal t = { -1, -1 };
	int report[2], sys = 0, status;

	if (run->terminal && open_terminal(run, &t, err) != 0)
		return -1;
	own_fd int master = t.master;
	own_fd int slave = t.slave;
	if (pipe2(report, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	own_fd int from = report[0];
	own_fd int to = report[1];
	pid_t pid = fork();
	if (pid < 0)
		return fail_errno(err, "fork");
	if (pid == 0)
		child(run, fds, slave, self, to);
	fd_drop(&to);
	/* Ends when the exec closed it, or with the errno. What runs in here with the same id may stop
	 * it on the way; that counts as started. */
	struct pollfd said = { .fd = from, .events = POLLIN };
	int ready;
	do
		ready = poll(&said, 1, REPORT_MS);
	while (ready < 0 && errno == EINTR);
	ssize_t n = ready > 0 ? read(from, &sys, sizeof sys) : 0;
	if (n == 0) {
		*out = (struct program){ pid, fd_steal(&master) };
		return 0;
	}
	waitpid(pid, &status, 0);
	errno = n == (ssize_t)sizeof sys ? sys : EIO;
	return fail_errno(err, "%s", what_runs(run));
}
