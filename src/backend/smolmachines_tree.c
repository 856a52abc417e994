/* The tree around smolvm and its VMM: its own files, the libraries of the host, the bottle's
 * share, the one device. What the guest can make the VMM do, it does in here. */
#include "backend/smolmachines.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/banned.h"

enum { STICKY = 01777 };

#define LIBRARY (CAGE_READ_ONLY | CAGE_OPTIONAL)

/* Libraries, and the tools that smolvm makes disks with where the release's templates are
 * missing. No shell, no interpreter. */
static const struct cage_mount host_files[] = {
	{ CAGE_BIND, "/usr/lib", .source = "/usr/lib", .flags = LIBRARY },
	{ CAGE_BIND, "/usr/lib64", .source = "/usr/lib64", .flags = LIBRARY },
	{ CAGE_BIND, "/nix/store", .source = "/nix/store", .flags = LIBRARY },
	{ CAGE_BIND, "/usr/sbin/mkfs.ext4", .source = "/usr/sbin/mkfs.ext4", .flags = LIBRARY },
	{ CAGE_BIND, "/usr/sbin/mke2fs", .source = "/usr/sbin/mke2fs", .flags = LIBRARY },
	{ CAGE_BIND, "/usr/sbin/e2fsck", .source = "/usr/sbin/e2fsck", .flags = LIBRARY },
	{ CAGE_BIND, "/usr/sbin/resize2fs", .source = "/usr/sbin/resize2fs", .flags = LIBRARY },
	{ CAGE_BIND, "/etc/mke2fs.conf", .source = "/etc/mke2fs.conf", .flags = LIBRARY | CAGE_NOEXEC },
	{ CAGE_BIND, "/etc/ld.so.cache", .source = "/etc/ld.so.cache", .flags = LIBRARY | CAGE_NOEXEC },
};
static const char *const top_level[] = { "/lib", "/lib64" };

static const struct cage_mount own_places[] = {
	/* The VMM opens its shared files through /proc/self/fd; without that it hangs. */
	{ CAGE_PROC, .target = "/proc" },
	{ CAGE_TMPFS, "/dev", .mode = 0755, .size = 64 * 1024, .flags = CAGE_NOEXEC },
	{ CAGE_BIND, "/dev/null", .source = "/dev/null", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/zero", .source = "/dev/zero", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/urandom", .source = "/dev/urandom", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/random", .source = "/dev/random", .flags = CAGE_DEVICE },
	{ CAGE_DEVPTS, .target = "/dev/pts" },
	{ CAGE_TMPFS, "/tmp", .mode = STICKY, .size = 64 << 20, .flags = CAGE_NOEXEC },
	{ CAGE_FILE, "/etc/passwd", .content = "vmm:x:1000:1000:vmm:" MACHINE_STATE ":/nonexistent\n" },
	{ CAGE_FILE, "/etc/group", .content = "vmm:x:1000:\n" },
	{ CAGE_FILE, "/etc/nsswitch.conf", .content = "passwd: files\ngroup: files\nhosts: files\n" },
	{ CAGE_FILE, "/etc/resolv.conf", .content = "# Nothing is resolved here.\n" },
	{ CAGE_FILE, "/etc/hosts", .content = "127.0.0.1 localhost\n" },
	{ CAGE_DIR, MACHINE_B, .mode = 0755 },
};

/* Somebody's directory as it is, owners and all: what belongs to nobody inside can't be
 * changed from there, whatever its mode. */
static int add_as_it_is(struct tree *t, const struct cage_ids *ids, const char *path, struct cage_mount row,
                        struct err *err)
{
	row.source = path;
	row.flags |= CAGE_READ_ONLY;
	if (ids->as_root) {
		int tree = cage_tree_open(AT_FDCWD, path, -1, err);
		if (tree < 0)
			return -1;
		row.tree = tree_keep_fd(t, tree);
		row.source = NULL;
	}
	tree_add(t, row);
	return 0;
}

/* What others made stands there as it is, a directory through an overlay: so no socket in it leads to
 * the host, and what is mounted below it does not come along. A file of the cache is closed to all
 * but its owner: a root parent shows it to the cage's id as that one's own. */
static int add_image(struct tree *t, const struct cage_ids *ids, const struct guest_image *i,
                     const char *target, struct err *err)
{
	struct stat st;

	if (!i->cached)
		return add_as_it_is(t, ids, i->path, (struct cage_mount){ CAGE_OVERLAY, .target = target },
		                    err);
	if (!ids->as_root)
		return add_as_it_is(t, ids, i->path,
		                    (struct cage_mount){ CAGE_BIND, .target = target, .flags = CAGE_NOEXEC },
		                    err);
	if (stat(i->path, &st) != 0)
		return fail_errno(err, "%s", i->path);
	int tree = tree_keep_mapped(t, ids, AT_FDCWD, i->path, st.st_uid, st.st_gid, err);
	if (tree < 0)
		return -1;
	tree_add(t, (struct cage_mount){ CAGE_BIND, target, .tree = tree,
	                                 .flags = CAGE_READ_ONLY | CAGE_NOEXEC });
	return 0;
}

int machine_tree_of_smolvm(struct tree *t, const struct machine *m, const struct cage_ids *ids,
                           struct err *err)
{
	tree_add_all(t, host_files, ARRAY_LEN(host_files));
	for (size_t i = 0; i < ARRAY_LEN(top_level); i++)
		tree_add_like_host(t, top_level[i]);
	tree_add_all(t, own_places, ARRAY_LEN(own_places));
	const struct cage_mount smolvm = { CAGE_BIND, .target = MACHINE_SMOLVM };
	return m->smolvm.root ? add_as_it_is(t, ids, m->smolvm.root, smolvm, err) : 0;
}

int machine_tree(struct tree *t, const struct guest_request *r, const struct machine *m,
                 const struct cage_ids *ids, struct err *err)
{
	const struct cage_mount state = { CAGE_BIND, .target = MACHINE_STATE, .flags = CAGE_NOEXEC };
	const struct cage_mount home = { CAGE_BIND, .target = MACHINE_B "/home" };
	const struct cage_mount etc = { CAGE_BIND, MACHINE_B "/etc", .flags = CAGE_READ_ONLY | CAGE_NOEXEC };

	if (machine_tree_of_smolvm(t, m, ids, err) != 0 || machine_device_add(t, ids, err) != 0)
		return -1;
	const struct cage_mount guest = { CAGE_BIND, .target = MACHINE_B "/bin/bottle-guest" };
	if (add_as_it_is(t, ids, r->program, guest, err) != 0)
		return -1;
	if (r->made && add_image(t, ids, r->made, m->image, err) != 0)
		return fail_in(err, "image");
	tree_add(t, (struct cage_mount){ CAGE_FILE, MACHINE_B "/hosts",
	                                 .content = tree_keep(t, xstrdup(r->hosts)) });
	tree_add(t, (struct cage_mount){ CAGE_FILE, MACHINE_B "/hostname",
	                                 .content = tree_keep(t, xstrdup(r->slug)) });
	if (tree_add_own_dir(t, r, ids, state, MACHINE_DIR, err) != 0 ||
	    tree_add_own_dir(t, r, ids, home, "home", err) != 0 ||
	    tree_add_own_dir(t, r, ids, etc, GUEST_ETC_DIR, err) != 0)
		return -1;
	return tree_add_workspace(t, r, ids, MACHINE_B "/workspace", err);
}
