/* Can this host make a cage? Each probe does the thing, in a process that ends at once. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS };

/* The child's answer is its exit status: an errno, 0 for success. */
struct attempt {
	int (*fn)(struct err *err);
	struct cage_ids ids;
	int result; /* the child's end of a pipe, for the error as it is */
};

static int map_ids(pid_t pid, void *arg, struct err *err)
{
	const struct attempt *a = arg;
	static const char *const files[] = { "setgroups", "gid_map", "uid_map" };

	for (size_t i = a->ids.as_root ? 1 : 0; i < ARRAY_LEN(files); i++) {
		own_mem char *path = xasprintf("/proc/%ld/%s", (long)pid, files[i]);
		own_mem char *text = i == 0 ? xstrdup("deny") :
		                              xasprintf("%d %u 1\n", CAGE_UID,
		                                        (unsigned)(i == 1 ? a->ids.gid : a->ids.uid));
		own_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, text, strlen(text)) < 0)
			return fail_errno(err, "writing %s", files[i]);
	}
	return 0;
}

static int run_attempt(void *arg, struct err *err)
{
	const struct attempt *a = arg;

	if (setresgid(CAGE_UID, CAGE_UID, CAGE_UID) != 0 || setresuid(CAGE_UID, CAGE_UID, CAGE_UID) != 0)
		fail_errno(err, "becoming another user");
	else if (a->fn(err) == 0)
		return 0;
	ssize_t ignored = write(a->result, err, sizeof *err);
	(void)ignored;
	return -1;
}

static int attempt(unsigned long namespaces, int (*fn)(struct err *err), struct err *err)
{
	own_proc struct proc child = PROC_INIT;
	own_cage_ids struct cage_ids ids = CAGE_IDS_INIT;
	int pipes[2], status = 0, dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);

	if (cage_ids_choose(&ids, err) != 0)
		return -1;
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) != 0)
		return fail_errno(err, "pipe");
	own_fd int from = pipes[0];
	own_fd int to = pipes[1];
	own_fd int high = fcntl(to, F_DUPFD_CLOEXEC, CAGE_HIGH_FD);
	struct attempt a = { fn, ids, high };
	struct proc_spec spec = { .namespaces = namespaces,
		                  .die_with_parent = true,
		                  .parent = map_ids,
		                  .child = run_attempt,
		                  .arg = &a };
	if (dumpable != 1)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	int rc = proc_fork(&spec, &child, err);
	if (dumpable != 1)
		prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
	if (rc != 0 || proc_wait(&child, &status, err) != 0)
		return -1;
	struct err theirs;
	if (read(from, &theirs, sizeof theirs) == (ssize_t)sizeof theirs) {
		theirs.text[sizeof theirs.text - 1] = '\0';
		*err = theirs;
		return -1;
	}
	return status == 0 ?
	               0 :
	               fail(err, ERR_SYSTEM, "the attempt ended with status %d", proc_exit_code(status));
}

static long read_number(const char *path)
{
	own_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	unsigned long n;

	if (file_read(AT_FDCWD, path, 4096, &text, &ignored) != 0)
		return -1;
	text.data[strcspn(text.data, "\n")] = '\0';
	return str_number(text.data, 0, 1UL << 31, &n) ? (long)n : -1;
}

static int nothing(struct err *err)
{
	(void)err;
	return 0;
}

int cage_probe_user_namespace(struct err *err)
{
	if (attempt(CLONE_NEWUSER, nothing, err) == 0)
		return 0;
	if (read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		return fail(err, ERR_UNCONFINED,
		            "user namespaces are switched off for ordinary users; allow them: "
		            "sysctl -w kernel.unprivileged_userns_clone=1");
	if (read_number("/proc/sys/user/max_user_namespaces") == 0)
		return fail(err, ERR_UNCONFINED,
		            "user namespaces are limited to 0; allow them: "
		            "sysctl -w user.max_user_namespaces=15000");
	if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
		return fail(err, ERR_UNCONFINED,
		            "AppArmor forbids user namespaces; allow them: "
		            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
	err->kind = ERR_UNCONFINED;
	return fail_in(err, "user namespaces can't be made (an outer sandbox or a unit's RestrictNamespaces= "
	                    "forbids them; on NixOS set security.allowUserNamespaces = true)");
}

int cage_probe_network(struct err *err)
{
	if (attempt(CLONE_NEWUSER | CLONE_NEWNET, network_loopback_up, err) == 0)
		return 0;
	err->kind = ERR_UNCONFINED;
	if (read_number("/proc/sys/user/max_net_namespaces") == 0)
		return fail(err, ERR_UNCONFINED,
		            "network namespaces are limited to 0; allow them: "
		            "sysctl -w user.max_net_namespaces=15000");
	return fail_in(
		err,
		"a network namespace with lo up can't be made (AppArmor's "
		"kernel.apparmor_restrict_unprivileged_userns=0, or a unit's RestrictNamespaces= allows it)");
}

static int fresh_proc(struct err *err)
{
	static const struct cage_mount rows[] = { { .kind = CAGE_PROC, .target = "/proc" } };

	return tree_build_and_enter(rows, ARRAY_LEN(rows), err);
}

int cage_probe_proc(struct err *err)
{
	if (attempt(NAMESPACES, fresh_proc, err) == 0)
		return 0;
	err->kind = ERR_UNCONFINED;
	return fail_in(err, "a root with a fresh /proc can't be made");
}

static int small_filter(struct err *err)
{
	const struct cage_calls common[] = { cage_calls_common };
	const struct cage_profile profile = { .name = "probe", .calls = common, .ncalls = ARRAY_LEN(common) };

	return privilege_refuse_new(err) != 0 ? -1 : filter_install(&profile, err);
}

int cage_probe_seccomp(struct err *err)
{
	if (attempt(CLONE_NEWUSER, small_filter, err) == 0)
		return 0;
	err->kind = ERR_UNCONFINED;
	return -1;
}

int cage_probe_landlock(struct err *err)
{
	struct utsname u = { 0 };
	int abi = landlock_abi();

	if (abi >= CAGE_LANDLOCK_ABI)
		return abi;
	uname(&u);
	if (abi < 0 && errno == EOPNOTSUPP)
		return fail(err, ERR_UNCONFINED,
		            "landlock is switched off (kernel %s); add it to the kernel's command "
		            "line: lsm=landlock,... before the others",
		            u.release);
	return fail(err, ERR_UNCONFINED,
	            "landlock ABI %d is found (kernel %s), %d is needed; use Linux 5.19 or newer "
	            "with CONFIG_SECURITY_LANDLOCK=y",
	            abi < 0 ? 0 : abi, u.release, CAGE_LANDLOCK_ABI);
}

/* On tmpfs of its own, so it tells whether overlayfs may be used at all in a user namespace. */
static int small_overlay(struct err *err)
{
	static const char *const tmpfs[][2] = { { "mode", "0755" }, { NULL, NULL } };
	static const char *const overlay[][2] = { { "userxattr", NULL },
		                                  { "lowerdir", "lower" },
		                                  { "upperdir", "upper" },
		                                  { "workdir", "work" },
		                                  { NULL, NULL } };
	own_fd int root = mount_make("tmpfs", tmpfs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);

	if (root < 0)
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    move_mount(root, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) != 0 || fchdir(root) != 0 ||
	    mkdir("lower", 0755) != 0 || mkdir("upper", 0755) != 0 || mkdir("work", 0755) != 0)
		return fail_errno(err, "preparing");
	own_fd int mounted = mount_make("overlay", overlay, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	return mounted < 0 ? -1 : 0;
}

int cage_probe_overlay(struct err *err)
{
	if (attempt(CLONE_NEWUSER | CLONE_NEWNS, small_overlay, err) == 0)
		return 0;
	err->kind = ERR_UNCONFINED;
	return fail_in(err, "overlayfs can't be used in a user namespace; Linux 5.11 or newer with "
	                    "CONFIG_OVERLAY_FS is needed (modprobe overlay)");
}

static int together(struct err *err)
{
	if (network_loopback_up(err) != 0 || small_overlay(err) != 0 || fresh_proc(err) != 0)
		return -1;
	return small_filter(err);
}

int cage_probe_together(struct err *err)
{
	return attempt(NAMESPACES, together, err);
}

int cage_probe_idmap(struct err *err)
{
	const struct cage_ids ids = { .uid = CAGE_UID, .gid = CAGE_UID, .as_root = true, .lock = -1 };

	if (geteuid() != 0)
		return 0; /* an ordinary user keeps its own id, and needs none */
	own_fd int mapping = cage_mapping_open(&ids, 0, 0, err);
	own_fd int tree = mapping < 0 ? -1 : cage_tree_open(AT_FDCWD, "/tmp", mapping, err);
	if (tree >= 0)
		return 0;
	err->kind = ERR_UNCONFINED;
	return fail_in(err, "idmapped mounts");
}
