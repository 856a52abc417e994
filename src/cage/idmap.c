/* Mounts that root makes and hands in: what a cage's id could not open by itself, and files
 * that must stay their owner's on disk. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

struct mapping {
	const char *users, *groups;
};

static int write_map(pid_t pid, const char *file, const char *text, struct err *err)
{
	own_mem char *path = xasprintf("/proc/%ld/%s", (long)pid, file);
	own_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fail_errno(err, "writing %s", path);
	return 0;
}

static int write_maps(pid_t pid, void *arg, struct err *err)
{
	const struct mapping *m = arg;

	return write_map(pid, "gid_map", m->groups, err) != 0 ? -1 : write_map(pid, "uid_map", m->users, err);
}

static int until_killed(void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	while (pause() < 0)
		;
	return 0;
}

/* A user namespace is what a mount's mapping is told by. It needs no process once it is held. */
int cage_mapping_open(const struct cage_ids *ids, uid_t disk_uid, gid_t disk_gid, struct err *err)
{
	own_mem char *users = xasprintf("%u %u 1\n", (unsigned)disk_uid, (unsigned)ids->uid);
	own_mem char *groups = xasprintf("%u %u 1\n", (unsigned)disk_gid, (unsigned)ids->gid);
	own_proc struct proc holder = PROC_INIT;
	const struct proc_spec spec = { .namespaces = CLONE_NEWUSER,
		                        .die_with_parent = true,
		                        .parent = write_maps,
		                        .child = until_killed,
		                        .arg = &(struct mapping){ users, groups } };

	if (proc_fork(&spec, &holder, err) != 0) {
		struct err why = ERR_INIT;
		if (cage_probe_user_namespace(&why) != 0)
			*err = why;
		return -1;
	}
	own_mem char *path = xasprintf("/proc/%ld/ns/user", (long)holder.pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : fail_errno(err, "%s", path);
}

static int fail_mount(const char *path, struct err *err)
{
	if (errno == ENOSYS)
		return fail(err, ERR_UNCONFINED,
		            "detached mounts are missing from this kernel; Linux 5.12 or newer is "
		            "needed, and an outer filter that lets open_tree(2) and mount_setattr(2) pass");
	if (errno == EINVAL)
		return fail(err, ERR_UNCONFINED,
		            "%s%sits file system can't be mapped to another owner; put it on ext4, "
		            "xfs, btrfs or tmpfs, or start as the user who owns it",
		            path, *path ? ": " : "");
	return fail_errno(err, "a mount of %s", *path ? path : "it");
}

int cage_tree_open(int dirfd, const char *path, int mapping, struct err *err)
{
	bool mapped = mapping >= 0;
	own_fd int tree = open_tree(dirfd, path,
	                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (mapped ? 0 : AT_RECURSIVE) |
	                                    (*path ? 0 : AT_EMPTY_PATH));
	/* A clone is of its origin's peer group, and keeps to it wherever it is attached: what is
	 * mounted on either appears on the other, and stays there when the cage has gone. */
	struct mount_attr attr = { .propagation = MS_PRIVATE };

	if (tree < 0)
		return fail_mount(path, err);
	if (mapped) {
		attr.attr_set = MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)mapping;
	}
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0)
		return fail_mount(path, err);
	/* Above the standard ones, since 0 stands for none in the tables. */
	int high = fcntl(tree, F_DUPFD_CLOEXEC, 3);
	return high >= 0 ? high : fail_errno(err, "its descriptor");
}
