/* Mounts as descriptors: made or cloned detached, restricted, and only then attached, so that
 * nothing is reachable for a moment with more rights than it will have. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

int mount_make(const char *kind, const char *const (*options)[2], unsigned attributes, struct err *err)
{
	own_fd int fs = fsopen(kind, FSOPEN_CLOEXEC);

	if (fs < 0)
		return fail_errno(err, "a new %s", kind);
	for (; options && (*options)[0]; options++) {
		unsigned how = (*options)[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
		if (fsconfig(fs, how, (*options)[0], (*options)[1], 0) != 0)
			return fail_errno(err, "option %s of a new %s", (*options)[0], kind);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
		return fail_errno(err, "a new %s", kind);
	int tree = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
	return tree >= 0 ? tree : fail_errno(err, "mounting a new %s", kind);
}

/* Recursive: a mount that came from a more privileged namespace can't be taken apart from
 * what covers parts of it, and must not be. */
int mount_clone(int dirfd, const char *path)
{
	return open_tree(dirfd, path,
	                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | (*path ? 0 : AT_EMPTY_PATH));
}

/* Only ever adds: flags that the host's mount has stay, locked or not. */
int mount_restrict(int tree, unsigned flags, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID };

	if (!(flags & CAGE_DEVICE))
		attr.attr_set |= MOUNT_ATTR_NODEV;
	if (flags & CAGE_READ_ONLY)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (flags & CAGE_NOEXEC)
		attr.attr_set |= MOUNT_ATTR_NOEXEC;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0)
		return fail_errno(err, "restricting a mount");
	return 0;
}

int mount_attach(int tree, int at, struct err *err)
{
	if (move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
		return fail_errno(err, "attaching a mount");
	return 0;
}
