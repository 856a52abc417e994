/* Attempts to get out, or at something that is not inside. Each prints its name and what it
 * got: "ok", or the errno's name. The same program run outside is the control.
 * Static, so that it runs anywhere: no room of ours is linked. */
#include "attempts/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static long read_path(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY);

	return fd < 0 ? -1 : read(fd, &byte, 1);
}

static long no_mount(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}
static long no_bind(void)
{
	return mount("/usr", "/tmp", NULL, MS_BIND, NULL);
}
static long no_remount(void)
{
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL);
}
static long no_umount(void)
{
	return umount2("/proc", MNT_DETACH | UMOUNT_NOFOLLOW);
}
static long no_open_tree(void)
{
	return syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* CLONE */);
}
static long no_fsopen(void)
{
	return syscall(SYS_fsopen, "tmpfs", 0);
}
static long no_move_mount(void)
{
	return syscall(SYS_move_mount, -1, "", AT_FDCWD, "/tmp", 4);
}
static long no_pivot(void)
{
	return syscall(SYS_pivot_root, ".", ".");
}
static long no_chroot(void)
{
	return chroot("/");
}
static long no_unshare_user(void)
{
	return unshare(CLONE_NEWUSER);
}
static long no_unshare_net(void)
{
	return unshare(CLONE_NEWNET);
}
static long no_setns(void)
{
	return setns(open("/proc/self/ns/net", O_RDONLY), CLONE_NEWNET);
}
static long no_clone_user(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}
static long no_clone3(void)
{
	struct {
		uint64_t flags, pidfd, child, parent, exit_signal, rest[6];
	} a = { .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &a, sizeof a);

	if (pid == 0)
		_exit(0);
	return pid;
}
static long no_io_uring(void)
{
	char params[256] = { 0 };
	return syscall(SYS_io_uring_setup, 1, params);
}
static long no_keyctl(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1);
}
static long no_add_key(void)
{
	return syscall(SYS_add_key, "user", "cage", "x", 1, KEY_SPEC_PROCESS_KEYRING);
}
static long no_bpf(void)
{
	char attr[128] = { 0 };
	return syscall(SYS_bpf, -1, attr, sizeof attr);
}
static long no_perf(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof a, .exclude_kernel = 1 };

	return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}
static long no_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 1 /* USER_MODE_ONLY */);
}
static long no_fanotify(void)
{
	return syscall(SYS_fanotify_init, 0, 0);
}
static long no_handle(void)
{
	struct {
		struct file_handle head;
		char space[128];
	} h = { .head.handle_bytes = 128 };
	int id;

	return syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &h, &id, 0);
}
static long no_open_handle(void)
{
	/* Inode 2, the root of most file systems: shocker. */
	struct {
		struct file_handle head;
		uint32_t inode[2];
	} h = { { .handle_bytes = 8, .handle_type = 1 }, { 2, 0 } };

	return syscall(SYS_open_by_handle_at, open("/usr", O_RDONLY), &h, O_RDONLY);
}
static long no_kexec(void)
{
	return syscall(SYS_kexec_load, 0, 0, NULL, -1);
}
static long no_module(void)
{
	return syscall(SYS_finit_module, -1, "", 0);
}
static long no_pidfd_getfd(void)
{
	return syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, getpid(), 0), 0, 0);
}
static int terminal(void)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), no = 0;

	ioctl(master, TIOCSPTLCK, &no);
	setsid();
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR);
	ioctl(slave, TIOCSCTTY, 0);
	return slave;
}
static long no_tiocsti(void)
{
	return ioctl(terminal(), TIOCSTI, "x");
}
static long no_wide_tiocsti(void)
{
	return syscall(SYS_ioctl, terminal(), 0x100000000UL | TIOCSTI, "x");
}
static long no_tioclinux(void)
{
	char how = 3;
	return ioctl(terminal(), TIOCLINUX, &how);
}

#ifdef __x86_64__
/* getpid by other doors: number 20 in the 32-bit table, 39 | 0x40000000 in x32's. */
static long no_int80(void)
{
	long rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	rc = (int)rc;
	if (rc < 0)
		errno = (int)-rc;
	return rc < 0 ? -1 : rc;
}
static long no_x32(void)
{
	return syscall(0x40000000 | SYS_getpid);
}
#endif

static long no_ptrace_init(void)
{
	return ptrace(PTRACE_SEIZE, 1, NULL, NULL);
}
static long no_readv_init(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)0x400000, 1 };

	return process_vm_readv(1, &here, 1, &there, 1, 0);
}
static long no_init_mem(void)
{
	return open("/proc/1/mem", O_RDWR);
}
static long no_init_environ(void)
{
	return read_path("/proc/1/environ");
}
static long no_init_fd(void)
{
	return open("/proc/1/fd/3", O_RDWR);
}
static long no_init_root(void)
{
	return open("/proc/1/root/etc", O_RDONLY);
}
static long no_init_ns(void)
{
	return open("/proc/1/ns/net", O_RDONLY);
}
static long no_core_pattern(void)
{
	return open("/proc/sys/kernel/core_pattern", O_WRONLY);
}
static long no_sysrq(void)
{
	return open("/proc/sysrq-trigger", O_WRONLY);
}
static long no_keys(void)
{
	return read_path("/proc/keys");
}
static long no_key_users(void)
{
	return read_path("/proc/key-users");
}
static long no_kallsyms(void)
{
	return read_path("/proc/kallsyms");
}
static long yes_stat(void)
{
	return read_path("/proc/stat");
}
static long no_kmsg(void)
{
	return open("/dev/kmsg", O_RDONLY);
}
static long no_kvm(void)
{
	return open("/dev/kvm", O_RDWR);
}
static long no_shadow(void)
{
	return open("/etc/shadow", O_RDONLY);
}
static long no_sys(void)
{
	return open("/sys/kernel", O_RDONLY);
}
static long no_host_root(void)
{
	return open("/root", O_RDONLY);
}
static long no_usr_write(void)
{
	return open("/usr/attempt", O_WRONLY | O_CREAT, 0600);
}
static long no_root_write(void)
{
	return open("/attempt", O_WRONLY | O_CREAT, 0600);
}
static long no_mknod(void)
{
	return mknod("/tmp/attempt-disk", S_IFBLK | 0600, (dev_t)0x800);
}
/* A file of the guest's with a set-id bit is, in a shared workspace, the owner's on the host. */
static long no_set_id_chmod(void)
{
	close(open("/tmp/attempt-set-id", O_CREAT | O_WRONLY, 0755));
	return chmod("/tmp/attempt-set-id", 06755);
}
static long no_set_gid_chmod(void)
{
	mkdir("/tmp/attempt-set-id-0", 0755);
	return chmod("/tmp/attempt-set-id-0", 02755);
}
static long no_set_id_open(void)
{
	return open("/tmp/attempt-set-id-2", O_CREAT | O_WRONLY, 04755);
}
static long no_set_id_unnamed(void)
{
	return open("/tmp", O_TMPFILE | O_WRONLY, 04755);
}
static long no_set_id_mknod(void)
{
	return mknod("/tmp/attempt-set-id-3", S_IFREG | 02755, 0);
}
static long no_openat2(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { O_CREAT | O_WRONLY, 04755, 0 };

	return syscall(SYS_openat2, AT_FDCWD, "/tmp/attempt-set-id-4", &how, sizeof how);
}
/* What is in the mode's register without O_CREAT is nobody's mode. */
static long yes_open_garbage(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/usr", O_RDONLY, 07777);
}
static long no_setuid(void)
{
	return setresuid(0, 0, 0);
}
static long no_own_uid_map(void)
{
	return write(open("/proc/self/uid_map", O_WRONLY), "0 0 1", 5);
}
static long yes_ptrace_own(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	long rc = ptrace(PTRACE_SEIZE, pid, NULL, NULL);
	kill(pid, SIGKILL);
	return rc;
}

/* What init is closed to is open among equals: so it is init's doing, not a missing /proc. */
static long yes_own_mem(void)
{
	char path[64];
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	long rc = open(path, O_RDWR);
	kill(pid, SIGKILL);
	return rc;
}

static const struct attempt attempts[] = {
	{ "mount", no_mount },
	{ "bind", no_bind },
	{ "remount", no_remount },
	{ "umount", no_umount },
	{ "open_tree", no_open_tree },
	{ "fsopen", no_fsopen },
	{ "move_mount", no_move_mount },
	{ "pivot_root", no_pivot },
	{ "chroot", no_chroot },
	{ "unshare-user", no_unshare_user },
	{ "unshare-net", no_unshare_net },
	{ "setns", no_setns },
	{ "clone-user", no_clone_user },
	{ "clone3", no_clone3 },
	{ "io_uring", no_io_uring },
	{ "keyctl", no_keyctl },
	{ "add_key", no_add_key },
	{ "bpf", no_bpf },
	{ "perf", no_perf },
	{ "userfaultfd", no_userfaultfd },
	{ "fanotify", no_fanotify },
	{ "name_to_handle", no_handle },
	{ "open_by_handle", no_open_handle },
	{ "kexec", no_kexec },
	{ "finit_module", no_module },
	{ "pidfd_getfd", no_pidfd_getfd },
	{ "tiocsti", no_tiocsti },
	{ "wide-tiocsti", no_wide_tiocsti },
	{ "tioclinux", no_tioclinux },
#ifdef __x86_64__
	{ "int80", no_int80 },
	{ "x32", no_x32 },
#endif
	{ "ptrace-init", no_ptrace_init },
	{ "readv-init", no_readv_init },
	{ "init-mem", no_init_mem },
	{ "init-environ", no_init_environ },
	{ "init-fd", no_init_fd },
	{ "init-root", no_init_root },
	{ "init-ns", no_init_ns },
	{ "core_pattern", no_core_pattern },
	{ "sysrq", no_sysrq },
	{ "keys", no_keys },
	{ "key-users", no_key_users },
	{ "kallsyms", no_kallsyms },
	{ "proc-stat", yes_stat },
	{ "kmsg", no_kmsg },
	{ "kvm", no_kvm },
	{ "shadow", no_shadow },
	{ "sys", no_sys },
	{ "host-root", no_host_root },
	{ "usr-write", no_usr_write },
	{ "root-write", no_root_write },
	{ "mknod", no_mknod },
	{ "setuid", no_setuid },
	{ "uid-map", no_own_uid_map },
	{ "ptrace-own", yes_ptrace_own },
	{ "own-mem", yes_own_mem },
	{ "set-id-chmod", no_set_id_chmod },
	{ "set-gid-chmod", no_set_gid_chmod },
	{ "set-id-open", no_set_id_open },
	{ "set-id-unnamed", no_set_id_unnamed },
	{ "set-id-mknod", no_set_id_mknod },
	{ "openat2", no_openat2 },
	{ "open-garbage", yes_open_garbage },
	{ 0 },
};

static void show(const char *name, long rc)
{
	printf("%s %s\n", name, rc >= 0 ? "ok" : strerrorname_np(errno));
	fflush(stdout);
}

static void run(const struct attempt *a)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		show(a->name, a->try());
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("%s killed\n", a->name);
	fflush(stdout);
}

/* All of them, or those that are named. */
static void run_those(const struct attempt *table, int argc, char **argv)
{
	for (const struct attempt *a = table; a->name; a++)
		for (int j = 1; j < argc || (argc == 1 && j == 1); j++)
			if (argc == 1 || strcmp(argv[j], a->name) == 0)
				run(a);
}

/* With arguments: "unix NAME", "tcp PORT", "open PATH", or the names of attempts. */
int main(int argc, char **argv)
{
	const struct attempt *const tables[] = { attempts, attempts_network, attempts_files };

	if (argc == 3 && strcmp(argv[1], "unix") == 0)
		show("unix", dial_unix(argv[2]));
	else if (argc == 3 && strcmp(argv[1], "tcp") == 0)
		show("tcp", dial_tcp(argv[2]));
	else if (argc == 3 && strcmp(argv[1], "open") == 0)
		show("open", open(argv[2], O_RDONLY));
	else
		for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
			run_those(tables[i], argc, argv);
	return 0;
}
