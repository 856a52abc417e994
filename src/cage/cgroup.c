/* A control group below our own, where the service manager gave us a part of the tree. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum {
	CGROUP2_MAGIC = 0x63677270,
	TEXT_MAX = 64 * 1024,
	PERIOD_US = 100000,
	FREE_MS = 5000, /* for what was killed to be gone */
	FREE_STEP_MS = 5,
};

static const char mounted[] = "/sys/fs/cgroup", leaf[] = "/keeper";
#define REMEDY \
	"systemd-run --user --scope -p Delegate=yes, or in a unit with Delegate=yes and DelegateSubgroup=keeper"

static int put(int dir, const char *file, const char *text, struct err *err)
{
	own_fd int fd = openat(dir, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fail_errno(err, "%s", file);
	return 0;
}

/* Our group in the unified tree ("0::/path"); "keeper" at its end is where an earlier call of
 * this process moved it, since a group that gives controllers away may hold no process. */
static int open_own(bool *moved, struct str *at, struct str *why, struct err *err)
{
	own_str struct str text = STR_INIT;
	struct statfs fs;

	if (statfs(mounted, &fs) != 0 || fs.f_type != CGROUP2_MAGIC) {
		str_addf(why, "%s is not a unified (v2) control group tree", mounted);
		return -1;
	}
	if (file_read(AT_FDCWD, "/proc/self/cgroup", TEXT_MAX, &text, err) != 0)
		return -1;
	char *path = strstr(text.data, "0::/");
	if (!path) {
		str_add(why, "this process is in no unified (v2) control group");
		return -1;
	}
	path += strlen("0::");
	path[strcspn(path, "\n")] = '\0';
	*moved = str_ends(path, leaf);
	if (*moved)
		path[strlen(path) - strlen(leaf)] = '\0';
	own_mem char *full = xasprintf("%s%s", mounted, path);
	int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, "cgroup.subtree_control", W_OK, AT_EACCESS) != 0 ||
	    faccessat(fd, ".", W_OK, AT_EACCESS) != 0) {
		str_addf(
			why,
			"control group %s is not delegated to this user; start bottle by itself with " REMEDY,
			path);
		fd_drop(&fd);
	}
	str_add(at, path);
	return fd;
}

/* A process beside this one in the group itself, or 0. The kernel lets only the tree's root (which
 * has no type) hold processes and give controllers away all the same. */
static long other_in(int own)
{
	own_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;

	if (faccessat(own, "cgroup.type", F_OK, 0) != 0 ||
	    file_read(own, "cgroup.procs", TEXT_MAX, &text, &ignored) != 0)
		return 0;
	char *rest = text.data;
	for (char *word = strsep(&rest, "\n"); word; word = strsep(&rest, "\n")) {
		unsigned long pid;
		if (str_number(word, 1, INT_MAX, &pid) && (pid_t)pid != getpid())
			return (long)pid;
	}
	return 0;
}

/* open_own(), if it can give its controllers away. Somebody else's process is not ours to move. */
static int open_giving(bool *moved, struct str *at, struct str *why, struct err *err)
{
	int fd = open_own(moved, at, why, err);
	long other = fd < 0 ? 0 : other_in(fd);

	if (other == 0)
		return fd;
	str_addf(why,
	         "control group %s also holds other programs (process %ld), so it can't limit what is "
	         "below it; start bottle by itself with " REMEDY,
	         str_c(at), other);
	fd_drop(&fd);
	return -1;
}

/* Into a leaf of its own. */
static int move_aside(int own, struct err *err)
{
	own_mem char *pid = xasprintf("%ld", (long)getpid());

	if (mkdirat(own, leaf + 1, 0755) != 0 && errno != EEXIST)
		return fail_errno(err, "making a control group");
	return put(own, "keeper/cgroup.procs", pid, err);
}

/* Hands the controllers to the groups below. One by one: those that are not there don't hinder
 * the others; @why says what was refused. */
static void give_controllers(int own, struct str *why)
{
	static const char *const controllers[] = { "+memory", "+pids", "+cpu" };

	for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
		struct err refused = ERR_INIT;
		if (put(own, "cgroup.subtree_control", controllers[i], &refused) != 0)
			str_addf(why, "%s%s to %s", why->len ? ", " : "", controllers[i], refused.text);
	}
}

void cage_cgroup_step_aside(void)
{
	own_str struct str at = STR_INIT, why = STR_INIT;
	struct err ignored = ERR_INIT;
	bool moved = false;
	own_fd int own = open_giving(&moved, &at, &why, &ignored);

	if (own >= 0 && !moved)
		move_aside(own, &ignored);
}

static unsigned set_limits(int group, const struct cage_resources *want)
{
	char memory[32], processes[32], cpus[48];
	struct err ignored = ERR_INIT;
	unsigned enforced = 0;

	snprintf(memory, sizeof memory, "%llu", (unsigned long long)want->memory);
	snprintf(processes, sizeof processes, "%llu", (unsigned long long)want->processes);
	snprintf(cpus, sizeof cpus, "%llu %d", (unsigned long long)want->cpus * PERIOD_US, PERIOD_US);
	if (want->memory && put(group, "memory.max", memory, &ignored) == 0) {
		/* Swap would double it silently; without swap accounting there is no such file. */
		put(group, "memory.swap.max", "0", &ignored);
		put(group, "memory.oom.group", "0", &ignored);
		enforced |= CAGE_MEMORY;
	}
	if (want->processes && put(group, "pids.max", processes, &ignored) == 0)
		enforced |= CAGE_PROCESSES;
	if (want->cpus && put(group, "cpu.max", cpus, &ignored) == 0)
		enforced |= CAGE_CPUS;
	return enforced;
}

int cage_cgroup_make(const char *name, const struct cage_resources *want, unsigned *enforced, struct str *why,
                     struct err *err)
{
	own_str struct str at = STR_INIT;
	bool moved = false;
	own_fd int own = open_giving(&moved, &at, why, err);

	*enforced = 0;
	if (own < 0)
		return err->kind == ERR_NONE ? 0 : -1;
	if (!moved && move_aside(own, err) != 0)
		return -1;
	give_controllers(own, why);
	if (mkdirat(own, name, 0755) != 0 && errno != EEXIST)
		return fail_errno(err, "making control group %s", name);
	own_fd int group = openat(own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (group < 0)
		return fail_errno(err, "control group %s", name);
	*enforced = set_limits(group, want);
	return fd_steal(&group);
}

void cage_cgroup_remove(const char *name)
{
	own_str struct str at = STR_INIT, why = STR_INIT;
	struct err ignored = ERR_INIT;
	bool moved;
	own_fd int own = open_own(&moved, &at, &why, &ignored);

	if (own >= 0)
		unlinkat(own, name, AT_REMOVEDIR);
}

int cage_cgroup_path(const char *name, char **out, struct err *err)
{
	own_str struct str at = STR_INIT, why = STR_INIT;
	bool moved;
	own_fd int own = open_giving(&moved, &at, &why, err);

	if (own < 0)
		return err->kind == ERR_NONE ? 0 : -1;
	*out = xasprintf("%s/%s", str_is(at.data, "/") ? "" : str_c(&at), name);
	return 1;
}

/* The group that holds the one at @path, whose name becomes @name. */
static int open_above(const char *path, const char **name, struct err *err)
{
	struct statfs fs;
	const char *slash = strrchr(path, '/');

	if (path[0] != '/' || strstr(path, "/../") || !str_starts(slash + 1, "bot-bottle-"))
		return fail(err, ERR_INPUT, "\"%.80s\" is not a bottle's control group", path);
	*name = slash + 1;
	own_mem char *above = xasprintf("%s%.*s", mounted, (int)(slash - path), path);
	own_fd int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, "control group %s", above);
	if (fstatfs(fd, &fs) != 0 || fs.f_type != CGROUP2_MAGIC)
		return fail(err, ERR_INPUT, "%s is no control group", above);
	return fd_steal(&fd);
}

int cage_cgroup_free(const char *path, struct err *err)
{
	const char *name = NULL;
	struct err ignored = ERR_INIT;
	own_fd int above = open_above(path, &name, err);

	if (above < 0) /* with the one above it is gone itself */
		return err->kind == ERR_MISSING ? 0 : -1;
	own_mem char *killer = xasprintf("%s/cgroup.kill", name);
	/* Before Linux 5.14 there is no such file; then its processes end with their keeper alone. */
	put(above, killer, "1", &ignored);
	uint64_t until = clock_ms() + FREE_MS;
	while (unlinkat(above, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
		if (errno != EBUSY || clock_ms() >= until)
			return fail_errno(err, "remove control group %s", path);
		poll(NULL, 0, FREE_STEP_MS);
	}
	unlinkat(above, leaf + 1, AT_REMOVEDIR);
	return 0;
}

int cage_probe_cgroup(struct err *err)
{
	own_str struct str at = STR_INIT, why = STR_INIT;
	own_str struct str text = STR_INIT;
	bool moved;
	unsigned bits = 0;
	own_fd int own = open_giving(&moved, &at, &why, err);

	if (own < 0)
		return err->kind == ERR_NONE ? fail(err, ERR_UNCONFINED, "%s", str_c(&why)) : -1;
	if (file_read(own, "cgroup.controllers", TEXT_MAX, &text, err) != 0)
		return -1;
	char *rest = text.data;
	for (char *word = strsep(&rest, " \n"); word; word = strsep(&rest, " \n")) {
		bits |= str_is(word, "memory") ? CAGE_MEMORY : 0;
		bits |= str_is(word, "pids") ? CAGE_PROCESSES : 0;
		bits |= str_is(word, "cpu") ? CAGE_CPUS : 0;
	}
	return (int)bits;
}
