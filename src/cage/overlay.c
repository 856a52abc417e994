/* A directory whose changes go elsewhere. The layers are attached in a staging directory that
 * overlayfs is told relative paths of, so no name of the host's is ever parsed as an option. Masks
 * are whiteouts in a layer of their own between upper and lower: nothing of them stays in the
 * upper, and what they cover can't be seen through any name. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

static int stage(int dir, const char *name, int tree, struct err *err)
{
	if (mkdirat(dir, name, 0755) != 0)
		return fail_errno(err, "staging %s", name);
	if (tree < 0)
		return 0;
	own_fd int at = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return at < 0 ? fail_errno(err, "staging %s", name) : mount_attach(tree, at, err);
}

/* A directory on the way to a mask merges with the lower's, and must look like it. */
static int mask_directory(int *mask, int *lower, const char *name, struct err *err)
{
	struct stat st;
	own_fd int under = openat(*lower, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (under < 0 || fstat(under, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ? 1 : fail_errno(err, "masking %s", name);
	if (mkdirat(*mask, name, st.st_mode & 0777) != 0 && errno != EEXIST)
		return fail_errno(err, "masking %s", name);
	own_fd int over = openat(*mask, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (over < 0)
		return fail_errno(err, "masking %s", name);
	fd_drop(mask);
	fd_drop(lower);
	*mask = fd_steal(&over);
	*lower = fd_steal(&under);
	return 0;
}

static int mask_one(int masks, int below, const char *path, struct err *err)
{
	own_mem char *copy = xstrdup(path);
	own_fd int mask = fcntl(masks, F_DUPFD_CLOEXEC, CAGE_HIGH_FD);
	own_fd int lower = fcntl(below, F_DUPFD_CLOEXEC, CAGE_HIGH_FD);
	char *rest = copy, *name = strsep(&rest, "/");

	for (; rest; name = strsep(&rest, "/")) {
		int rc = mask_directory(&mask, &lower, name, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0; /* not there: nothing to hide */
	}
	/* Device 0:0 is a whiteout, which needs no privilege to make. */
	if (mknodat(mask, name, S_IFCHR, makedev(0, 0)) != 0 && errno != EEXIST)
		return fail_errno(err, "masking %s", path);
	return 0;
}

static int mask_all(int dir, const char *target, const struct cage_mount *all, size_t n, struct err *err)
{
	struct stat st;
	size_t len = strlen(target), masked = 0;
	own_fd int masks = openat(dir, "masks", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	own_fd int lower = openat(dir, "lower", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (masks < 0 || lower < 0 || fstat(lower, &st) != 0 || fchmod(masks, st.st_mode & 0777) != 0)
		return fail_errno(err, "masking");
	for (size_t i = 0; i < n; i++) {
		if (all[i].kind != CAGE_MASK || strncmp(all[i].target, target, len) != 0 ||
		    all[i].target[len] != '/')
			continue;
		masked++;
		if (mask_one(masks, lower, all[i].target + len + 1, err) != 0)
			return -1;
	}
	return masked > 0;
}

static int mount_layers(int dir, bool masked, bool writable, unsigned flags, struct err *err)
{
	/* With no upper, overlayfs wants two layers at least: an empty one does no harm. */
	const char *lower = masked || !writable ? "masks:lower" : "lower";
	const char *const options[][2] = {
		{ "userxattr", NULL },
		{ "lowerdir", lower },
		{ writable ? "upperdir" : NULL, "layers/upper" },
		{ "workdir", "layers/work" },
		{ flags & CAGE_VOLATILE ? "volatile" : NULL, NULL },
		{ NULL, NULL },
	};

	if (fchdir(dir) != 0)
		return fail_errno(err, "entering the staging directory");
	int mount = mount_make("overlay", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	/* A layer that hides another's mount is not taken: what it covers would come to light. */
	if (mount < 0 && errno == EINVAL)
		return fail(err, ERR_UNCONFINED,
		            "no overlay can be laid over it: a file system is mounted below it, or its own "
		            "can't be a layer; unmount it, or take a directory elsewhere");
	return mount;
}

/* overlayfs holds private copies, so what is staged needs no path once it is mounted. */
int overlay_make(int staging, const struct cage_mount *row, int lower, int layers,
                 const struct cage_mount *all, size_t n, struct err *err)
{
	own_mem char *name = xasprintf("%zu", (size_t)(row - all));

	if (mkdirat(staging, name, 0700) != 0)
		return fail_errno(err, "making a staging directory");
	own_fd int dir = openat(staging, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return fail_errno(err, "the staging directory");
	if (stage(dir, "masks", -1, err) != 0 || stage(dir, "lower", lower, err) != 0 ||
	    stage(dir, "layers", layers, err) != 0)
		return -1;
	int masked = mask_all(dir, row->target, all, n, err);
	return masked < 0 ? -1 : mount_layers(dir, masked > 0, layers >= 0, row->flags, err);
}
