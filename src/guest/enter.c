/* In a machine, as its root: becomes the agent's user and then its program, with the secret
 * part of the environment that setup.c put away. */
#include "guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { AGENT = 1000 };

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

int guest_enter(int argc, char **argv)
{
	own_strv struct strv env = STRV_INIT;
	struct err err = ERR_INIT;
	unsigned long processes;

	if (argc < 5 || !str_number(argv[2], 1, 1 << 22, &processes) || strcmp(argv[3], "--") != 0)
		return guest_fail(GUEST_FAILED, "enter DIRECTORY PROCESSES -- PROGRAM [ARGUMENT...]");
	for (char **e = environ; *e; e++)
		if (!str_starts(*e, "SMOLVM_") && !str_starts(*e, "KRUN_")) /* the engine's own */
			strv_add(&env, *e);
	own_fd int secrets = open(GUEST_SECRETS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (secrets < 0)
		return guest_fail(GUEST_FAILED, "%s: %s", GUEST_SECRETS, strerror(errno));
	if (guest_add_secrets(secrets, &env, &err) != 0 || become_agent(processes, &err) != 0)
		return guest_fail(GUEST_FAILED, "%s", err.text);
	if (chdir(argv[1]) != 0)
		return guest_fail(GUEST_FAILED, "%s: %s", argv[1], strerror(errno));
	environ = env.v;
	execvp(argv[4], argv + 4);
	int missing = errno == ENOENT;
	return guest_fail(missing ? GUEST_NOT_FOUND : GUEST_CANNOT_RUN, "%s: %s", argv[4], strerror(errno));
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
