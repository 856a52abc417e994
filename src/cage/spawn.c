/* The parent's half: namespaces, an id, a control group; then, in the child, the network and,
 * for a program that doesn't enter by itself, the rest of the cage. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/msg.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

struct start {
	const struct cage_spec *spec;
	struct cage_mount *mounts; /* spec's, with descriptors out of the customer's range */
	int report;                /* the child's end, for listening sockets; -1: none */
};

static int write_proc(pid_t pid, const char *file, const char *text, struct err *err)
{
	own_mem char *path = xasprintf("/proc/%ld/%s", (long)pid, file);
	own_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, "%s", path);
	/* One write: the kernel takes a map whole or not at all. */
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fail_errno(err, "writing \"%s\" to %s", text, file);
	return 0;
}

/* In the parent, while the child waits. */
static int give_identity(pid_t pid, void *arg, struct err *err)
{
	const struct start *s = arg;
	const struct cage_ids *ids = s->spec->ids;
	own_mem char *users = xasprintf("%d %u 1\n", CAGE_UID, (unsigned)ids->uid);
	own_mem char *groups = xasprintf("%d %u 1\n", CAGE_UID, (unsigned)ids->gid);

	if (s->spec->cgroup) {
		own_mem char *text = xasprintf("%ld\n", (long)pid);
		own_fd int procs = openat(s->spec->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
		if (procs < 0 || file_write_all(procs, text, strlen(text), err) != 0)
			return fail_errno(err, "joining the control group");
	}
	/* Without a privilege over them groups can only be kept, so the kernel wants it said. */
	if (!ids->as_root && write_proc(pid, "setgroups", "deny", err) != 0)
		return -1;
	if (write_proc(pid, "gid_map", groups, err) != 0)
		return -1;
	return write_proc(pid, "uid_map", users, err);
}

/* Does: becomes CAGE_UID, for root's launches out of uid 0 and all its groups. Everything
 * after it is done with an id that owns nothing but what it is given. Must not yet be called
 * before the maps are written. */
static int become(const struct cage_ids *ids, struct err *err)
{
	if (ids->as_root && setgroups(0, NULL) != 0)
		return fail_errno(err, "leaving all groups");
	if (setresgid(CAGE_UID, CAGE_UID, CAGE_UID) != 0 || setresuid(CAGE_UID, CAGE_UID, CAGE_UID) != 0)
		return fail_errno(err, "becoming the cage's user");
	/* A change of id forgets the death signal. The parent may be gone by now: what is run must
	 * also watch a descriptor of it, as init does; nothing has been reachable yet. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return fail_errno(err, "binding its life to the parent's");
	return 0;
}

static int make_network(const struct start *s, struct err *err)
{
	int fds[CAGE_LISTENERS_MAX];
	size_t n = 0;
	int rc = network_loopback_up(err);

	for (; rc == 0 && n < s->spec->nlisteners; n++) {
		fds[n] = network_listen(&s->spec->listeners[n], err);
		if (fds[n] < 0) {
			rc = -1;
			break;
		}
	}
	if (rc == 0 && n > 0) {
		own_str struct str note = STR_INIT;
		str_add(&note, "listening");
		rc = msg_send(s->report, &note, fds, n, err);
	}
	/* Closed here, or a program inside could accept in the parent's place. */
	while (n > 0)
		close(fds[--n]);
	return rc;
}

/* In the child, between fork and exec. */
static int enter_child(void *arg, struct err *err)
{
	const struct start *s = arg;
	const struct cage_spec *spec = s->spec;
	const char *name = spec->hostname ? spec->hostname : "cage";

	if (become(spec->ids, err) != 0)
		return -1;
	/* Only now, when the control group has been joined, is it the root of the namespace. */
	if (unshare(CLONE_NEWCGROUP) != 0)
		return fail_errno(err, "a control group namespace");
	if (sethostname(name, strlen(name)) != 0)
		return fail_errno(err, "setting the host name");
	if (!spec->host_network && make_network(s, err) != 0)
		return -1;
	if (spec->enters_itself)
		return privilege_refuse_new(err) != 0 ? -1 : privilege_keep_for_entering(err);
	return cage_enter(spec->profile, s->mounts, spec->nmounts, err);
}

static void start_clear(struct start *s)
{
	for (size_t i = 0; s->mounts && i < s->spec->nmounts; i++) {
		const int fds[] = { s->mounts[i].tree, s->mounts[i].layers_tree, s->mounts[i].held };
		for (size_t n = 0; n < ARRAY_LEN(fds); n++)
			if (fds[n])
				close(fds[n]);
	}
	mem_drop(&s->mounts);
	fd_drop(&s->report);
}

static int move_high(int *fd, struct err *err)
{
	int high = *fd ? fcntl(*fd, F_DUPFD_CLOEXEC, CAGE_HIGH_FD) : 0;

	if (high < 0) {
		*fd = 0;
		return fail_errno(err, "moving a descriptor");
	}
	*fd = high;
	return 0;
}

/* The child's numbers from 0 up belong to the customer's table, which is in place before the
 * child looks at these. */
static int copy_mounts(struct start *s, struct err *err)
{
	const struct cage_spec *spec = s->spec;
	int rc = 0;

	s->mounts = xcalloc(spec->nmounts + 1, sizeof *s->mounts);
	for (size_t i = 0; i < spec->nmounts; i++) {
		s->mounts[i] = spec->mounts[i];
		rc |= move_high(&s->mounts[i].tree, err);
		rc |= move_high(&s->mounts[i].layers_tree, err);
		rc |= move_high(&s->mounts[i].held, err);
	}
	return rc;
}

static int take_listeners(int from, size_t n, int *out, struct err *err)
{
	own_msg struct msg m = MSG_INIT;

	if (n == 0)
		return 0;
	if (msg_recv(from, &m, err) != 1 || m.nfds != n)
		return fail(err, ERR_UNCONFINED, "the cage's listening sockets did not arrive");
	for (size_t i = 0; i < n; i++)
		out[i] = msg_take_fd(&m, i);
	return 0;
}

static int explain(struct err *err)
{
	struct err why = ERR_INIT;

	/* "Operation not permitted" helps nobody: the probe knows which switch forbids it. */
	if (err->sys != EPERM && err->sys != ENOSPC && err->sys != EINVAL && err->sys != EACCES)
		return -1;
	if (cage_probe_user_namespace(&why) != 0 || cage_probe_network(&why) != 0 ||
	    cage_probe_proc(&why) != 0)
		*err = why;
	return -1;
}

int cage_started(int *starting, struct err *err)
{
	return proc_started(starting, err) == 0 ? 0 : explain(err);
}

int cage_spawn(const struct cage_spec *spec, struct proc *out, int *listeners, struct err *err)
{
	__attribute__((cleanup(start_clear))) struct start s = { .spec = spec, .report = -1 };
	own_proc struct proc child = PROC_INIT;
	own_fd int starting = -1;
	int pair[2], dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);

	if (spec->nlisteners > CAGE_LISTENERS_MAX || (spec->nlisteners && spec->host_network))
		bug("%zu listeners", spec->nlisteners);
	if (spec->ids->uid == 0 || spec->ids->gid == 0)
		return fail(err, ERR_UNCONFINED, "a cage never runs under the host's id 0");
	if (msg_pair(pair, err) != 0)
		return -1;
	own_fd int from = pair[0];
	own_fd int to = pair[1];
	s.report = fcntl(to, F_DUPFD_CLOEXEC, CAGE_HIGH_FD);
	fd_drop(&to);
	own_fd int exe = spec->path ? -1 : fcntl(spec->exe, F_DUPFD_CLOEXEC, CAGE_HIGH_FD);
	if (s.report < 0 || (!spec->path && exe < 0))
		return fail_errno(err, "moving a descriptor");
	if (copy_mounts(&s, err) != 0)
		return -1;

	struct proc_spec proc = {
		.path = spec->path,
		.exe_fd = exe,
		.argv = spec->argv,
		.env = spec->env,
		.fds = spec->fds,
		.nfds = spec->nfds,
		.listen_fds = spec->listen_fds,
		.starting = &starting,
		.die_with_parent = true,
		.new_session = true,
		.namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
		              (spec->host_network ? 0 : CLONE_NEWNET),
		.parent = give_identity,
		.child = enter_child,
		.arg = &s,
	};
	/* The maps of a process that hides from its own user can be written by nobody but root; the
	 * child copies this, and changes it by its own exec. */
	if (dumpable != 1)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	int rc = proc_spawn(&proc, &child, err);
	if (dumpable != 1)
		prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
	if (rc != 0)
		return explain(err);
	fd_drop(&s.report);
	if (take_listeners(from, spec->nlisteners, listeners, err) != 0) {
		/* What the child says of its failure is better than that nothing came from it. */
		cage_started(&starting, err);
		return -1;
	}
	if (spec->starting)
		*spec->starting = fd_steal(&starting);
	else if (cage_started(&starting, err) != 0)
		return -1;
	*out = child;
	child = (struct proc)PROC_INIT;
	return 0;
}
