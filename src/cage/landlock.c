/* Landlock: the second wall around files, and on newer kernels around abstract sockets and
 * signals. Every right that the running kernel knows is taken; rows give some back. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

/* The kernel's interface, spelled here because the headers of the build may be older than the
 * kernel of the run. Bits and layouts are fixed for good. */
enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_ALL_OF_ABI_1 = (1 << 13) - 1,
	FS_REFER = 1 << 13,        /* ABI 2 */
	FS_TRUNCATE = 1 << 14,     /* ABI 3 */
	FS_IOCTL_DEVICE = 1 << 15, /* ABI 5 */
	NET_BIND_TCP = 1 << 0,
	NET_CONNECT_TCP = 1 << 1, /* ABI 4 */
	SCOPE_ABSTRACT_SOCKET = 1 << 0,
	SCOPE_SIGNAL = 1 << 1, /* ABI 6 */
	CREATE_RULESET_VERSION = 1 << 0,
	RULE_PATH_BENEATH = 1,
	/* What a rule for something that is not a directory may name. */
	FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEVICE,
};

struct ruleset {
	uint64_t fs, net, scoped;
};
struct path_beneath {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

int landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
}

static struct ruleset everything(int abi, const struct cage_profile *profile)
{
	struct ruleset all = { .fs = FS_ALL_OF_ABI_1 | FS_REFER };

	if (abi >= 3)
		all.fs |= FS_TRUNCATE;
	if (abi >= 4)
		all.net = (profile->no_tcp_bind ? NET_BIND_TCP : 0) |
		          (profile->no_tcp_connect ? NET_CONNECT_TCP : 0);
	if (abi >= 5)
		all.fs |= FS_IOCTL_DEVICE;
	if (abi >= 6)
		all.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
	return all;
}

static uint64_t rights_of(unsigned rights)
{
	uint64_t fs = 0;

	if (rights & CAGE_PATH_READ)
		fs |= FS_READ_FILE | FS_READ_DIR;
	if (rights & CAGE_PATH_EXECUTE)
		fs |= FS_EXECUTE;
	if (rights & CAGE_PATH_WRITE)
		fs |= (FS_ALL_OF_ABI_1 & ~(FS_EXECUTE | FS_READ_FILE | FS_READ_DIR)) | FS_REFER | FS_TRUNCATE;
	if (rights & CAGE_PATH_DEVICE)
		fs |= FS_IOCTL_DEVICE;
	return fs;
}

static int add_path(int ruleset, const struct cage_path *row, uint64_t known, struct err *err)
{
	struct stat st;
	own_fd int fd = open(row->path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(err, "landlock: %s", row->path);
	if (fstat(fd, &st) != 0)
		return fail_errno(err, "landlock: %s", row->path);
	struct path_beneath rule = { .allowed = rights_of(row->rights) & known, .parent = fd };
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= FS_OF_FILES;
	if (rule.allowed == 0)
		return 0;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
		return fail_errno(err, "landlock: a rule for %s", row->path);
	return 0;
}

/* Does: confines this process and all it starts. Must not yet be called before the root is
 * entered (rows are its paths), nor before no_new_privs. */
int landlock_enter(const struct cage_profile *profile, struct err *err)
{
	int abi = landlock_abi();

	if (abi < CAGE_LANDLOCK_ABI)
		return cage_probe_landlock(err) < 0 ? -1 : fail(err, ERR_UNCONFINED, "landlock: ABI %d", abi);
	struct ruleset all = everything(abi, profile);
	/* An older kernel takes a longer struct only if what it doesn't know is zero, which it is. */
	own_fd int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
	if (ruleset < 0)
		return fail_errno(err, "landlock: a ruleset");
	for (size_t i = 0; i < profile->npaths; i++)
		if (add_path(ruleset, &profile->paths[i], all.fs, err) != 0)
			return -1;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		return fail_errno(err, "landlock: entering");
	return 0;
}
