/* A root from nothing. First every source is cloned, while the host's tree is in sight; then a
 * tmpfs is filled row by row; then the process pivots into it and lets go of the host's tree.
 * A path that no row names does not exist inside. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { TERMINALS_MAX = 256 }; /* of one cage, at a time */

struct tree {
	int root;    /* the tmpfs */
	int staging; /* another, which goes with the host's tree: for what must be attached to be made from */
	const struct cage_mount *rows;
	size_t n;
	struct source {
		int main, layers;
	} * sources; /* by row; -1: none, or the row is left out */
};

static void tree_clear(struct tree *t)
{
	for (size_t i = 0; t->sources && i < t->n; i++) {
		fd_drop(&t->sources[i].main);
		fd_drop(&t->sources[i].layers);
	}
	mem_drop(&t->sources);
	fd_drop(&t->root);
	fd_drop(&t->staging);
}

/* Links are followed as if the new root were already entered: never into the host's tree. */
static int open_inside(int root, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT };

	while (*path == '/')
		path++;
	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
}

/* What stands there by this very name: no link is followed, whoever made it, and when. */
static int open_exactly(int root, const char *path)
{
	return file_open_exactly(root, path + strspn(path, "/"), O_PATH, RESOLVE_BENEATH);
}

/* The directory that holds @path's last component, made with what leads to it. */
static int open_parent(int root, const char *path, const char **last, struct err *err)
{
	const char *slash = strrchr(path, '/');
	own_mem char *parent = xstrndup(path, (size_t)(slash - path));
	int fd = open_inside(root, parent, O_PATH | O_DIRECTORY);

	*last = slash + 1;
	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : fail_errno(err, "%s", path);
	const char *name;
	own_fd int above = open_parent(root, parent, &name, err);
	if (above < 0)
		return -1;
	if (mkdirat(above, name, 0755) != 0 && errno != EEXIST)
		return fail_errno(err, "make %s", parent);
	fd = open_inside(root, parent, O_PATH | O_DIRECTORY);
	return fd >= 0 ? fd : fail_errno(err, "%s", parent);
}

static int make_file(int dir, const char *name, mode_t mode, const char *content, size_t n, struct err *err)
{
	own_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return fail_errno(err, "make it");
	return n ? file_write_all(fd, content, n, err) : 0;
}

/* Where @tree will be attached: what stands there, else an empty thing of the same kind. */
static int open_mount_point(const struct tree *t, const char *target, bool directory, struct err *err)
{
	const char *name;
	int at = open_inside(t->root, target, O_PATH);

	if (at >= 0 || errno != ENOENT)
		return at >= 0 ? at : fail_errno(err, "open it");
	own_fd int parent = open_parent(t->root, target, &name, err);
	if (parent < 0)
		return -1;
	if (directory && mkdirat(parent, name, 0755) != 0)
		return fail_errno(err, "make a directory for it");
	if (!directory && make_file(parent, name, 0444, NULL, 0, err) != 0)
		return -1;
	at = open_inside(t->root, target, O_PATH);
	return at >= 0 ? at : fail_errno(err, "open it");
}

static int attach(const struct tree *t, const char *target, int mount, struct err *err)
{
	struct stat st;

	if (fstat(mount, &st) != 0)
		return fail_errno(err, "stat");
	own_fd int at = open_mount_point(t, target, S_ISDIR(st.st_mode), err);
	return at < 0 ? -1 : mount_attach(mount, at, err);
}

static int add_dir(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	const char *name;
	mode_t mode = row->mode ? row->mode : 0755;
	own_fd int parent = open_parent(t->root, row->target, &name, err);

	if (parent < 0)
		return -1;
	if (mkdirat(parent, name, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return fail_errno(err, "make it");
	/* It was made on the way to another row's target. */
	return row->mode == 0 || fchmodat(parent, name, mode, 0) == 0 ? 0 : fail_errno(err, "set its mode");
}

static int add_file(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	const char *name;
	size_t n = row->content_len ? row->content_len : row->content ? strlen(row->content) : 0;
	own_fd int parent = open_parent(t->root, row->target, &name, err);

	return parent < 0 ? -1 : make_file(parent, name, row->mode ? row->mode : 0644, row->content, n, err);
}

static int add_link(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	const char *name;
	own_fd int parent = open_parent(t->root, row->target, &name, err);

	if (parent < 0)
		return -1;
	return symlinkat(row->source, parent, name) == 0 ? 0 : fail_errno(err, "link it");
}

static int add_bind(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	int mount = t->sources[row - t->rows].main;

	if (mount < 0)
		return 0; /* optional, and this host doesn't have it */
	return mount_restrict(mount, row->flags, err) != 0 ? -1 : attach(t, row->target, mount, err);
}

static int add_tmpfs(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	char mode[16], size[32];

	snprintf(mode, sizeof mode, "%o", row->mode ? row->mode : 0755);
	snprintf(size, sizeof size, "%zu", row->size);
	const char *const options[][2] = { { "mode", mode },
		                           { row->size ? "size" : NULL, size },
		                           { NULL, NULL } };
	own_fd int mount = mount_make("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	if (mount < 0)
		return -1;
	if (row->flags && mount_restrict(mount, row->flags, err) != 0)
		return -1;
	return attach(t, row->target, mount, err);
}

/* A file that nobody may open. A mount can be cloned from only where it is attached. */
static int attach_empty_file(const struct tree *t, int at, struct err *err)
{
	static const char name[] = "empty";

	if (faccessat(t->staging, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
	    make_file(t->staging, name, 0, NULL, 0, err) != 0)
		return -1;
	own_fd int file = open_tree(t->staging, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (file < 0)
		return fail_errno(err, "staging");
	return mount_restrict(file, CAGE_READ_ONLY | CAGE_NOEXEC, err) != 0 ? -1 :
	                                                                      mount_attach(file, at, err);
}

/* What is nobody's in there, but the whole host's, and is open to everybody on some kernel. The
 * rest of that kind (kcore, kmsg, slabinfo) is root's alone, who does not exist inside. What says
 * only which kernel, hardware or modules there are stays (config.gz, modules), and so do counts
 * that /proc/stat, which programs need, has too (interrupts). */
const struct closed_name closed_in_proc[] = {
	{ "keys", "the keyrings of whoever started this: names of keys and servers" },
	{ "key-users", "who else has keys" },
	{ "kallsyms", "where the kernel's code lies" },
	{ "sched_debug", "everybody's processes, before Linux 5.13" },
	{ "timer_list", "what runs when, of everybody" },
	{ "latency_stats", "what everybody waits for" },
	{ NULL, NULL },
};

static int close_in_proc(const struct tree *t, int proc, struct err *err)
{
	for (size_t i = 0; closed_in_proc[i].name; i++) {
		own_fd int at = openat(proc, closed_in_proc[i].name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
		if (at < 0 && errno == ENOENT)
			continue;
		if (at < 0 || attach_empty_file(t, at, err) != 0)
			return fail_errno(err, "its %s", closed_in_proc[i].name);
	}
	return 0;
}

static int add_proc(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	own_fd int mount =
		mount_make("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);

	if (mount < 0 && err->sys == EPERM)
		return fail(err, ERR_UNCONFINED,
		            "a fresh /proc can't be mounted here, because parts of this "
		            "/proc are covered; start it outside of a container, or in a unit without "
		            "ProtectKernelTunables=, ProtectKernelLogs= and ProtectProc=");
	if (mount < 0 || attach(t, row->target, mount, err) != 0)
		return -1;
	/* The knobs belong to root, which does not exist inside; this is the second wall. */
	own_fd int knobs = openat(mount, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (knobs < 0)
		return fail_errno(err, "its sys");
	if (counters_lower(knobs, err) != 0)
		return -1;
	own_fd int copy = open_tree(knobs, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (copy < 0)
		return fail_errno(err, "its sys");
	if (mount_restrict(copy, CAGE_READ_ONLY | CAGE_NOEXEC, err) != 0 ||
	    mount_attach(copy, knobs, err) != 0)
		return -1;
	return close_in_proc(t, mount, err);
}

static int add_devpts(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	char max[16];
	const char *const options[][2] = { { "newinstance", NULL },
		                           { "mode", "0620" },
		                           { "ptmxmode", "0666" },
		                           { "max", max },
		                           { NULL, NULL } };
	const char *name;
	/* All instances share the host's number of terminals, some three thousand. */
	snprintf(max, sizeof max, "%d", TERMINALS_MAX);
	own_fd int mount = mount_make("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);

	if (mount < 0 || attach(t, row->target, mount, err) != 0)
		return -1;
	own_fd int parent = open_parent(t->root, row->target, &name, err);
	own_mem char *to = xasprintf("%s/ptmx", name);
	if (parent < 0)
		return -1;
	return symlinkat(to, parent, "ptmx") == 0 || errno == EEXIST ? 0 : fail_errno(err, "link ptmx");
}

static int add_mqueue(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	own_fd int mount =
		mount_make("mqueue", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);

	return mount < 0 ? -1 : attach(t, row->target, mount, err);
}

static int add_overlay(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	const struct source *s = &t->sources[row - t->rows];

	if (s->main < 0)
		return 0;
	own_fd int mount = overlay_make(t->staging, row, s->main, s->layers, t->rows, t->n, err);
	if (mount < 0 || mount_restrict(mount, row->flags, err) != 0)
		return -1;
	return attach(t, row->target, mount, err);
}

static int fail_replaced(struct err *err)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return fail(err, ERR_BUSY,
		            "something else stands there than was looked at: it is being changed meanwhile");
	return fail_errno(err, "open it");
}

/* Resolved once, in the tree that it is part of: what is opened is both what is mounted and
 * where, so nothing outside of that tree can come to lie there, and the owners are the tree's. */
static int add_pin(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	struct stat st;
	own_fd int at = open_exactly(t->root, row->target);

	if (at < 0)
		return fail_replaced(err);
	if (fstat(at, &st) != 0)
		return fail_errno(err, "stat");
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return fail(err, ERR_BUSY, "it is neither a file nor a directory");
	own_fd int mount = mount_clone(at, "");
	if (mount < 0)
		return fail_errno(err, "a mount of it");
	return mount_restrict(mount, row->flags, err) != 0 ? -1 : mount_attach(mount, at, err);
}

static bool is_masked_by_overlay(const struct tree *t, const char *target)
{
	for (const struct cage_mount *o = t->rows; o < t->rows + t->n; o++) {
		size_t n = strlen(o->target);
		if (o->kind == CAGE_OVERLAY && strncmp(target, o->target, n) == 0 && target[n] == '/')
			return true;
	}
	return false;
}

/* Below an overlay it was done with the overlay. What is the host's own directory can't lose
 * a name; there an empty thing that nobody may open comes to lie over it. */
static int add_mask(const struct tree *t, const struct cage_mount *row, struct err *err)
{
	static const char *const options[][2] = { { "mode", "0" }, { "size", "4k" }, { NULL, NULL } };
	struct stat st;

	if (is_masked_by_overlay(t, row->target))
		return 0;
	own_fd int at = open_exactly(t->root, row->target);
	if (at < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail_replaced(err);
	if (fstat(at, &st) != 0)
		return fail_errno(err, "stat");
	if (!S_ISDIR(st.st_mode))
		return attach_empty_file(t, at, err);
	own_fd int empty = mount_make("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	if (empty < 0 || mount_restrict(empty, CAGE_READ_ONLY | CAGE_NOEXEC, err) != 0)
		return -1;
	return mount_attach(empty, at, err);
}

static int (*const add[])(const struct tree *t, const struct cage_mount *row, struct err *err) = {
	[CAGE_DIR] = add_dir,       [CAGE_FILE] = add_file,     [CAGE_LINK] = add_link,
	[CAGE_BIND] = add_bind,     [CAGE_TMPFS] = add_tmpfs,   [CAGE_PROC] = add_proc,
	[CAGE_DEVPTS] = add_devpts, [CAGE_MQUEUE] = add_mqueue, [CAGE_OVERLAY] = add_overlay,
	[CAGE_PIN] = add_pin,       [CAGE_MASK] = add_mask,
};

/* A descriptor from another mount namespace is no source of a mount in this one. So the name is
 * walked again, and must lead to what is held: as long as that is, no other file has its number. */
static int clone_held(const char *path, int held, int *out, struct err *err)
{
	struct stat wanted, found;
	own_fd int fd = file_open_exactly(AT_FDCWD, path, O_PATH, 0);

	if (fd < 0)
		return errno == ELOOP ? fail(err, ERR_BUSY, "%s: a symbolic link leads there now", path) :
		                        fail_errno(err, "%s", path);
	if (fstat(held, &wanted) != 0 || fstat(fd, &found) != 0)
		return fail_errno(err, "%s", path);
	if (wanted.st_dev != found.st_dev || wanted.st_ino != found.st_ino)
		return fail(err, ERR_BUSY, "%s was replaced meanwhile", path);
	*out = mount_clone(fd, "");
	return *out >= 0 ? 0 : fail_errno(err, "%s", path);
}

static int open_source(const struct cage_mount *row, const char *path, int tree, int *out, struct err *err)
{
	if (tree) {
		/* A copy of the number: attaching takes the mount, not the caller's descriptor. */
		*out = fcntl(tree, F_DUPFD_CLOEXEC, CAGE_HIGH_FD);
		return *out >= 0 ? 0 : fail_errno(err, "its descriptor");
	}
	if (!path)
		return 0;
	*out = mount_clone(AT_FDCWD, path);
	if (*out >= 0 || ((row->flags & CAGE_OPTIONAL) && (errno == ENOENT || errno == ENOTDIR)))
		return 0;
	return fail_errno(err, "%s", path);
}

static int open_sources(struct tree *t, struct err *err)
{
	t->sources = xcalloc(t->n + 1, sizeof *t->sources);
	for (size_t i = 0; i < t->n; i++)
		t->sources[i] = (struct source){ -1, -1 };
	for (size_t i = 0; i < t->n; i++) {
		const struct cage_mount *row = &t->rows[i];
		if (row->kind != CAGE_BIND && row->kind != CAGE_OVERLAY)
			continue;
		int rc = row->held ? clone_held(row->source, row->held, &t->sources[i].main, err) :
		                     open_source(row, row->source, row->tree, &t->sources[i].main, err);
		if (rc != 0 ||
		    open_source(row, row->layers, row->layers_tree, &t->sources[i].layers, err) != 0)
			return fail_in(err, "mounting %s", row->target);
	}
	return 0;
}

static int attach_somewhere(int mount, struct err *err)
{
	static const char *const places[] = { "/tmp", "/run", "/mnt", "/usr" };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (move_mount(mount, "", AT_FDCWD, places[i], MOVE_MOUNT_F_EMPTY_PATH) == 0)
			return 0;
	return fail_errno(err, "attaching the new root");
}

/* Attached where the host has a directory, for as long as it takes to fill it: mounts can be
 * added only to what is attached. Nobody else sees it, the mount namespace is our own. The
 * staging place lies under it, so it stays behind with the host's tree, at one go: each mount
 * that is let go by itself waits for every processor. */
static int make_root(struct tree *t, struct err *err)
{
	static const char *const options[][2] = { { "mode", "0755" }, { "size", "16m" }, { NULL, NULL } };
	const unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

	t->staging = mount_make("tmpfs", options, attributes, err);
	if (t->staging < 0 || attach_somewhere(t->staging, err) != 0)
		return -1;
	t->root = mount_make("tmpfs", options, attributes, err);
	return t->root < 0 ? -1 : mount_attach(t->root, t->staging, err);
}

/* The old root comes to lie over the new one, where it is let go: no directory for it is
 * needed inside, and none is left. */
static int pivot(const struct tree *t, struct err *err)
{
	struct mount_attr sealed = { .attr_set = MOUNT_ATTR_RDONLY };

	if (fchdir(t->root) != 0)
		return fail_errno(err, "entering the new root");
	if (syscall(SYS_pivot_root, ".", ".") != 0)
		return fail_errno(err, "changing the root");
	if (umount2(".", MNT_DETACH) != 0)
		return fail_errno(err, "letting go of the old root");
	if (chdir("/") != 0)
		return fail_errno(err, "entering the new root");
	if (mount_setattr(AT_FDCWD, "/", 0, &sealed, sizeof sealed) != 0)
		return fail_errno(err, "making the new root read-only");
	return 0;
}

int tree_build_and_enter(const struct cage_mount *mounts, size_t n, struct err *err)
{
	__attribute__((
		cleanup(tree_clear))) struct tree t = { .root = -1, .staging = -1, .rows = mounts, .n = n };

	umask(0); /* a row's mode is its mode */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return fail_errno(err, "making the mounts private");
	if (open_sources(&t, err) != 0 || make_root(&t, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (mounts[i].target[0] != '/' || mounts[i].target[1] == '\0')
			bug("mount target %s", mounts[i].target);
		if (add[mounts[i].kind](&t, &mounts[i], err) != 0)
			return fail_in(err, "mounting %s", mounts[i].target);
	}
	umask(022);
	return pivot(&t, err);
}

/* Does: nothing but look, at a root that a container's engine made. */
int tree_check_given(struct err *err)
{
	struct statvfs fs;

	if (statvfs("/", &fs) != 0)
		return fail_errno(err, "asking about the container's root");
	if (!(fs.f_flag & ST_RDONLY))
		return fail(err, ERR_UNCONFINED, "the container's root can be written to");
	return 0;
}
