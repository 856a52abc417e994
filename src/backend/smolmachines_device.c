/* The one device of the machine's cage. The tests of what is around the machine link another
 * file in the place of this one, and need no /dev/kvm. */
#include "backend/smolmachines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/banned.h"

enum { KVM_MAJOR = 10, KVM_MINOR = 232 };

int machine_device_check(struct err *err)
{
	if (access("/dev/kvm", R_OK | W_OK) == 0)
		return 0;
	return fail(err, ERR_UNCONFINED,
	            "/dev/kvm can't be used (%s); `bottle doctor --backend smolmachines` says why; "
	            "the weaker tier: --backend namespace",
	            strerror(errno));
}

/* For a root parent: its cage's id is in no group, so it gets a device node of its own, in a
 * file system that holds nothing else. */
static int make_node(struct tree *t, const struct cage_ids *ids, struct err *err)
{
	own_fd int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) != 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
		return fail_errno(err, "a place for /dev/kvm");
	own_fd int mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (mount < 0)
		return fail_errno(err, "a place for /dev/kvm");
	if (mknodat(mount, "kvm", S_IFCHR | 0600, makedev(KVM_MAJOR, KVM_MINOR)) != 0 ||
	    fchownat(mount, "kvm", ids->uid, ids->gid, AT_SYMLINK_NOFOLLOW) != 0 ||
	    fchmodat(mount, "kvm", 0600, 0) != 0)
		return fail_errno(err, "making /dev/kvm for the cage");
	int high = fcntl(mount, F_DUPFD_CLOEXEC, 3);
	if (high < 0)
		return fail_errno(err, "its descriptor");
	tree_add(t, (struct cage_mount){ CAGE_BIND, "/dev/machine", .tree = tree_keep_fd(t, high),
	                                 .flags = CAGE_READ_ONLY | CAGE_NOEXEC | CAGE_DEVICE });
	tree_add(t, (struct cage_mount){ CAGE_LINK, "/dev/kvm", .source = "machine/kvm" });
	return 0;
}

int machine_device_add(struct tree *t, const struct cage_ids *ids, struct err *err)
{
	if (ids->as_root)
		return make_node(t, ids, err);
	tree_add(t, (struct cage_mount){ CAGE_BIND, "/dev/kvm", .source = "/dev/kvm", .flags = CAGE_DEVICE });
	return 0;
}
