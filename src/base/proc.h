#pragma once
/* Starting processes: the only place that calls clone and exec. A child gets exactly the
 * descriptors, environment and namespaces that its spec names, and reports its own failure
 * to get as far as exec as a struct err, which the parent returns as its own. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"

struct proc {
	pid_t pid; /* 0: none */
	int pidfd; /* readable when it has ended; -1: none */
};
/* clang-format off */
#define PROC_INIT { 0, -1 }
/* clang-format on */

struct proc_fd {
	int from; /* the parent's number */
	int to;   /* the child's number */
};

struct proc_spec {
	const char *path; /* absolute; no PATH search. NULL: exe_fd is executed */
	int exe_fd;       /* used when path is NULL */
	char *const *argv;
	char *const *env; /* NULL: empty. Nothing is inherited */
	const struct proc_fd *fds;
	size_t nfds;              /* 0, 1, 2 not named here are /dev/null; all others are closed at exec */
	unsigned long namespaces; /* CLONE_NEW* bits, 0: none */
	bool die_with_parent;     /* SIGKILL when the parent's thread ends (PR_SET_PDEATHSIG) */
	bool new_session;
	/* > 0: descriptors 3.. are listening sockets in the way of sd_listen_fds(3); LISTEN_PID
	 * (as the child sees itself) and LISTEN_FDS are added to the environment. LISTEN_FDNAMES
	 * is the caller's, in env. */
	unsigned listen_fds;
	/* NULL: proc_spawn() returns when the program runs. Else it returns at once, and *@starting
	 * takes a descriptor for proc_started(), which is readable when there is something to say. */
	int *starting;
	/* Of proc_run(): a descriptor which, once it is readable, has the child get SIGTERM, a while to
	 * end, and proc_run() fail with ERR_DENIED. It is not read. 0: none. */
	int interrupt;
	/* In the parent, after the child exists and before it runs @child: id maps, cgroups. */
	int (*parent)(pid_t child, void *arg, struct err *err);
	/* In the child, before exec. The parent's descriptors are still open at their own numbers
	 * (close-on-exec); those of @fds stand at their targets. */
	int (*child)(void *arg, struct err *err);
	void *arg;
};

/* Where @fds would overwrite a descriptor that the child still needs, they are moved first,
 * so any permutation works. All signals are at their defaults and unblocked in the child. */
int proc_spawn(const struct proc_spec *spec, struct proc *out, struct err *err);

/* Waits until the program of a child that was spawned with @starting runs, or its own error
 * says why it does not. *@starting is closed. */
int proc_started(int *starting, struct err *err);

/* As proc_spawn(), but without exec: the child runs @child and ends with its return value
 * (0, or -1 after which 125). For helpers that must share the parent's code. */
int proc_fork(const struct proc_spec *spec, struct proc *out, struct err *err);

/* Waits for the end. @status as of waitpid(2). The proc is empty afterwards. */
int proc_wait(struct proc *p, int *status, struct err *err);

/* The same with a deadline in milliseconds: 1 ended, 0 still running. */
int proc_wait_for(struct proc *p, int ms, int *status, struct err *err);

/* Somebody else's process, by pid and start time (proc_start_time()): to be signalled, and its
 * pidfd, which the caller closes, to be polled. Not for proc_wait() and what uses it. -1: gone. */
int proc_find(pid_t pid, unsigned long long start, struct proc *out);

/* Sends through the pidfd, so never to a recycled pid. A proc that is empty or ended is fine. */
void proc_signal(const struct proc *p, int signo);

/* SIGTERM, waits @ms, SIGKILL, waits. Empty afterwards. */
void proc_stop(struct proc *p, int ms);

/* Kills and reaps; for scope ends. */
void proc_clear(struct proc *p);
#define own_proc __attribute__((cleanup(proc_clear)))

/* Runs a program to its end and collects what it prints, at most @limit bytes of each
 * stream; over that, a deadline of @ms over, or a death by signal is an error. @in may be
 * NULL. Returns the exit status. */
struct str;
int proc_run(const struct proc_spec *spec, const struct str *in, struct str *out, struct str *errout,
             size_t limit, int ms, struct err *err);

/* What the shell reports: the exit status, or 128 + signal. */
int proc_exit_code(int status);

/* Start time of a process in clock ticks since boot (proc(5), field 22), which together
 * with the pid names it for good. 0 when there is no such process, or it has ended. */
unsigned long long proc_start_time(pid_t pid);
