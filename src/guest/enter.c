/* In a machine, as its root: becomes the agent's user and then its program, with the secret
 * part of the environment that setup.c put away. */
#include "guest/guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { AGENT = 1000, PID_TEXT_MAX = 32, SIGNAL_TRIES = 250, SIGNAL_TRY_NS = 20 * 1000 * 1000 };

static int become_agent(unsigned long processes, struct err *err)
{
	const struct rlimit limit = { processes, processes };
	gid_t only = AGENT;

	/* Its terminal, if it has one: programs open it again by name. */
	for (int fd = 0; fd < 3; fd++)
		if (isatty(fd) && fchown(fd, AGENT, AGENT) != 0)
			continue;
	if (setrlimit(RLIMIT_NPROC, &limit) != 0)
		return fail_errno(err, "the limit of programs");
	if (setgroups(1, &only) != 0 || setresgid(AGENT, AGENT, AGENT) != 0 ||
	    setresuid(AGENT, AGENT, AGENT) != 0)
		return fail_errno(err, "becoming the agent's user");
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : fail_errno(err, "refusing new privileges");
}

/* The group whose number stands in a file of GUEST_PROGRAMS, which @dir is. */
static int read_group(int dir, const char *name, pid_t *out, struct err *err)
{
	own_str struct str text = STR_INIT;
	unsigned long pid;

	if (file_read(dir, name, PID_TEXT_MAX, &text, err) != 0)
		return -1;
	text.data[strcspn(text.data, "\n")] = '\0';
	if (!str_number(text.data, 2, INT_MAX, &pid))
		return fail(err, ERR_SYSTEM, GUEST_PROGRAMS "/%s holds no process", name);
	*out = (pid_t)pid;
	return 0;
}

/* Each file is a page of what is there for secrets too, and a machine lives for as many commands
 * as are asked for. */
static void forget_ended(int dir)
{
	DIR *all = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	for (struct dirent *d; all && (d = readdir(all));) {
		struct err ignored = ERR_INIT;
		pid_t group;
		if (d->d_name[0] != '.' && read_group(dir, d->d_name, &group, &ignored) == 0 &&
		    kill(-group, 0) != 0 && errno == ESRCH)
			unlinkat(dir, d->d_name, 0);
	}
	if (all)
		closedir(all);
}

/* A group of its own, in front of its terminal where it has one, and written down under
 * @number: signals come as a command of their own, because the engine passes none on. */
static int become_known(unsigned long number, struct err *err)
{
	own_mem char *name = xasprintf("%lu", number);
	own_mem char *text = xasprintf("%ld\n", (long)getpid());
	own_fd int dir = open(GUEST_PROGRAMS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sigset_t quiet, before;

	if (dir < 0)
		return fail_errno(err, "%s", GUEST_PROGRAMS);

	setpgid(0, 0); /* a session's leader has one already */
	sigemptyset(&quiet);
	sigaddset(&quiet, SIGTTOU);
	sigprocmask(SIG_BLOCK, &quiet, &before);
	if (isatty(0))
		tcsetpgrp(0, getpgrp());
	sigprocmask(SIG_SETMASK, &before, NULL);
	forget_ended(dir);
	return file_place(dir, name, text, strlen(text), 0600, err);
}

int guest_enter(int argc, char **argv)
{
	own_strv struct strv env = STRV_INIT;
	struct err err = ERR_INIT;
	unsigned long processes, number;

	if (argc < 6 || !str_number(argv[2], 1, 1 << 22, &processes) ||
	    !str_number(argv[3], 1, UINT32_MAX, &number) || strcmp(argv[4], "--") != 0)
		return guest_fail(GUEST_FAILED, "enter DIRECTORY PROCESSES NUMBER -- PROGRAM [ARGUMENT...]");
	for (char **e = environ; *e; e++)
		if (!str_starts(*e, "SMOLVM_") && !str_starts(*e, "KRUN_")) /* the engine's own */
			strv_add(&env, *e);
	own_fd int secrets = open(GUEST_SECRETS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (secrets < 0)
		return guest_fail(GUEST_FAILED, "%s: %s", GUEST_SECRETS, strerror(errno));
	if (guest_add_secrets(secrets, &env, &err) != 0 || become_known(number, &err) != 0 ||
	    become_agent(processes, &err) != 0)
		return guest_fail(GUEST_FAILED, "%s", err.text);
	if (chdir(argv[1]) != 0)
		return guest_fail(GUEST_FAILED, "%s: %s", argv[1], strerror(errno));
	environ = env.v;
	execvp(argv[5], argv + 5);
	int missing = errno == ENOENT;
	return guest_fail(missing ? GUEST_NOT_FOUND : GUEST_CANNOT_RUN, "%s: %s", argv[5], strerror(errno));
}

/* The signal may overtake the program's start: its file is waited for. */
int guest_signal_program(int argc, char **argv)
{
	struct err err = ERR_INIT;
	const struct timespec pause = { .tv_nsec = SIGNAL_TRY_NS };
	unsigned long number, signo;
	pid_t group;

	if (argc != 3 || !str_number(argv[1], 1, UINT32_MAX, &number) ||
	    !str_number(argv[2], 1, NSIG - 1, &signo))
		return guest_fail(GUEST_FAILED, "signal NUMBER SIGNAL");
	own_fd int dir = open(GUEST_PROGRAMS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return guest_fail(GUEST_FAILED, GUEST_PROGRAMS ": %s", strerror(errno));
	int rc = -1;
	for (int n = 0; n < SIGNAL_TRIES && rc != 0; n++) {
		rc = read_group(dir, argv[1], &group, &err);
		if (rc != 0)
			nanosleep(&pause, NULL);
	}
	if (rc != 0)
		return guest_fail(GUEST_FAILED, "%s", err.text);
	return kill(-group, (int)signo) == 0 || errno == ESRCH ? 0 : GUEST_FAILED;
}

/* What an image's machine runs by itself: nothing, until it is told to end. */
int guest_idle(int argc, char **argv)
{
	sigset_t wanted;
	int signo = 0;

	(void)argc;
	(void)argv;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGCHLD);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	while (signo != SIGTERM && signo != SIGINT) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (sigwait(&wanted, &signo) != 0)
			return GUEST_FAILED;
	}
	return 0;
}

int guest_ready(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}
