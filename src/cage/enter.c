/* The theory of the room.
 *
 * Two halves make a cage. The first half is the namespaces, made by cage_spawn(): after it the
 * process is CAGE_UID to itself and an id that owns nothing (or the ordinary user's own) to
 * the host; it sees its own processes, its own network with nothing but lo, its own IPC, host
 * name and control group root. It still stands in a copy of the host's tree, and holds every
 * capability over its own namespaces. The second half is this file: the stages below, in
 * order, each done once and none to be undone. Every stage relies on those before it.
 *
 *   tree        the host's files are gone: not hidden, not there
 *   limits      what one process may use
 *   privileges  the capabilities over its own namespaces go, and every way to get one
 *   landlock    files below the tree that no row names can't be touched; abstract sockets and
 *               signals stay inside, by themselves (newer kernels)
 *   undumpable  other processes of the same id can't look into it
 *   filter      the calls that are left are those with a reason
 *
 * A stage that fails ends the process: whoever is half confined is not started. */
#include "cage/inside.h"

#include <errno.h>
#include <linux/prctl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/own.h"
#include "base/banned.h"

struct entry {
	const struct cage_profile *profile;
	const struct cage_mount *mounts;
	size_t nmounts;
};

/* Does: replaces the root. Needs CAP_SYS_ADMIN over the mount namespace. Must not yet have
 * given up capabilities, nor be under Landlock, which forbids mounting. */
static int enter_tree(const struct entry *e, struct err *err)
{
	if (e->profile->contained)
		return tree_check_given(err);
	return tree_build_and_enter(e->mounts, e->nmounts, err);
}

/* What the parent had before everybody else's is inherited, whatever may be asked for from now on. */
static int take_a_usual_place(struct err *err)
{
	const struct sched_param none = { 0 };
	int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;

	if ((policy == SCHED_FIFO || policy == SCHED_RR) && sched_setscheduler(0, SCHED_OTHER, &none) != 0)
		return fail_errno(err, "leaving real time");
	if (getpriority(PRIO_PROCESS, 0) < 0 && setpriority(PRIO_PROCESS, 0, 0) != 0)
		return fail_errno(err, "taking the usual priority");
	return 0;
}

/* Does: lowers soft and hard limits; a limit that is lower already stays. Gives up a place before
 * others on the processors. */
static int enter_limits(const struct entry *e, struct err *err)
{
	if (take_a_usual_place(err) != 0)
		return -1;
	for (size_t i = 0; i < e->profile->nlimits; i++) {
		const struct cage_limit *row = &e->profile->limits[i];
		struct rlimit now;
		if (getrlimit((__rlimit_resource_t)row->resource, &now) != 0)
			return fail_errno(err, "limit %d", row->resource);
		now.rlim_max = now.rlim_max < row->hard ? now.rlim_max : row->hard;
		now.rlim_cur = now.rlim_max < row->soft ? now.rlim_max : row->soft;
		if (setrlimit((__rlimit_resource_t)row->resource, &now) != 0)
			return fail_errno(err, "limit %d", row->resource);
	}
	return 0;
}

/* Does: empties all capability sets and sets no_new_privs. Must not yet need any of them. */
static int enter_privileges(const struct entry *e, struct err *err)
{
	if (privilege_refuse_new(err) != 0)
		return -1;
	return e->profile->contained ? privilege_check_none(err) : privilege_drop_all(err);
}

static int enter_landlock(const struct entry *e, struct err *err)
{
	return landlock_enter(e->profile, err);
}

/* Does: closes /proc/PID and ptrace to others of the same id, and forbids core files. After
 * an exec the new program is dumpable again: it is for programs that enter themselves. */
static int enter_undumpable(const struct entry *e, struct err *err)
{
	if (e->profile->dumpable)
		return 0;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : fail_errno(err, "closing /proc to others");
}

static int enter_filter(const struct entry *e, struct err *err)
{
	return filter_install(e->profile, err);
}

/* Does: empties this process's own capability sets, which may be the host's. */
static int narrow_privileges(const struct entry *e, struct err *err)
{
	(void)e;
	return privilege_refuse_new(err) != 0 ? -1 : privilege_drop_own(err);
}

struct stage {
	const char *name;
	int (*enter)(const struct entry *e, struct err *err);
};

static const struct stage entering[] = {
	{ "tree", enter_tree },
	{ "limits", enter_limits },
	{ "privileges", enter_privileges },
	{ "landlock", enter_landlock },
	{ "undumpable", enter_undumpable },
	{ "filter", enter_filter },
};
/* The tree and its namespaces stay the caller's. */
static const struct stage narrowing[] = {
	{ "limits", enter_limits },     { "privileges", narrow_privileges },
	{ "landlock", enter_landlock }, { "undumpable", enter_undumpable },
	{ "filter", enter_filter },
};

#ifdef __SANITIZE_ADDRESS__
/* A build for tests looks for leaks at its end, with a process of its own that traces this one:
 * no cage allows that. All else that the sanitizers find still ends the program. */
static bool entered;

int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return entered;
}
#endif

static int pass(const struct stage *stages, size_t n, const struct entry *e, struct err *err)
{
	/* Compiling allocates and reads nothing of the host, but a failure is better found first. */
	if (cage_profile_compile(e->profile, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (stages[i].enter(e, err) == 0)
			continue;
		/* Whatever the cause: it could not be confined. */
		err->kind = ERR_UNCONFINED;
		return fail_in(err, "entering the cage (%s)", stages[i].name);
	}
#ifdef __SANITIZE_ADDRESS__
	entered = true;
#endif
	return 0;
}

int cage_enter(const struct cage_profile *profile, const struct cage_mount *mounts, size_t nmounts,
               struct err *err)
{
	const struct entry e = { profile, mounts, nmounts };

	return pass(entering, ARRAY_LEN(entering), &e, err);
}

int cage_narrow(const struct cage_profile *profile, struct err *err)
{
	const struct entry e = { .profile = profile };

	return pass(narrowing, ARRAY_LEN(narrowing), &e, err);
}
