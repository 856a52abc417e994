/* What smolvm, the VMM and our init may do. Read from smolvm's own list for its VMM and from
 * traces of its commands; what is not here gets ENOSYS. The VMM has a narrower filter of
 * smolvm's inside this one; this one holds whatever becomes of that. */
#include "backend/smolmachines.h"

#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "base/banned.h"

#define LOW32 0xffffffffULL	/* the kernel ignores the upper half of an int's register */

static const struct cage_call rows[] = {
	/* files: the database, disks, the guest's root, and what the guest does in its share */
	CALL(open, "files"), CALL(openat, "files"), CALL(openat2, "files"), CALL(creat, "files"),
	CALL(stat, "files"), CALL(lstat, "files"), CALL(statx, "files"), CALL(access, "files"),
	CALL(faccessat, "files"), CALL(faccessat2, "files"), CALL(readlink, "files"), CALL(readlinkat, "files"),
	CALL(getdents64, "directories"), CALL(getcwd, "directories"), CALL(chdir, "init"), CALL(fchdir, "directories"),
	CALL(mkdir, "directories"), CALL(mkdirat, "directories"), CALL(rmdir, "directories"),
	CALL(rename, "files"), CALL(renameat, "files"), CALL(renameat2, "the guest's files"), CALL(link, "files"),
	CALL(linkat, "the guest's files"), CALL(unlink, "files"), CALL(unlinkat, "files"), CALL(symlink, "files"),
	CALL(symlinkat, "the guest's files"), CALL(mknodat, "the guest's fifos; devices need a capability"),
	CALL(chmod, "modes"), CALL(fchmod, "modes"), CALL(fchmodat, "modes"), CALL(fchmodat2, "modes"),
	CALL(fchown, "the guest's files; there is one owner"), CALL(fchownat, "the guest's files; there is one owner"),
	CALL(umask, "modes"), CALL(truncate, "disks"), CALL(ftruncate, "disks"), CALL(fallocate, "disks"),
	CALL(utimensat, "the guest's files"), CALL(statfs, "free space"), CALL(fstatfs, "free space"),
	CALL(fsync, "disks"), CALL(fdatasync, "the database"), CALL(syncfs, "the guest's files"),
	CALL(sync_file_range, "disks"), CALL(fadvise64, "disks"), CALL(readahead, "disks"),
	CALL(pread64, "disks"), CALL(pwrite64, "disks"), CALL(preadv, "disks"), CALL(pwritev, "disks"),
	CALL(preadv2, "disks"), CALL(pwritev2, "disks"), CALL(sendfile, "copying"), CALL(copy_file_range, "copying"),
	CALL(splice, "copying"), CALL(flock, "the machine's lock"), CALL(getxattr, "the guest's files"),
	CALL(lgetxattr, "the guest's files"), CALL(fgetxattr, "the guest's files"), CALL(listxattr, "the guest's files"),
	CALL(llistxattr, "the guest's files"), CALL(flistxattr, "the guest's files"),
	CALL(setxattr, "the guest's files"), CALL(lsetxattr, "the guest's files"), CALL(fsetxattr, "the guest's files"),
	CALL(removexattr, "the guest's files"), CALL(lremovexattr, "the guest's files"),
	CALL(fremovexattr, "the guest's files"), CALL(dup2, "init"), CALL(dup3, "starting the VMM"),
	CALL(pipe, "starting the VMM"), CALL(close_range, "before exec"),

	/* the relay of the guest's connections, in a network of nothing but lo; smolvm's own sockets */
	CALL(connect, "the relay; smolvm to its VMM"), CALL(bind, "the VMM's own sockets, which are files"),
	CALL(listen, "the VMM's own sockets"), CALL(accept, "the VMM's own sockets"),
	CALL(recvmmsg, "the relay"), CALL(sendmmsg, "the relay"), CALL(epoll_create, "loops"),
	CALL(select, "waiting"), CALL(pselect6, "waiting"), CALL(timerfd_gettime, "timers"), CALL(eventfd, "the VMM"),

	/* processes: init's, smolvm's, threads of the VMM */
	CALL(clone, "processes and threads; not namespaces, see below"), CALL(fork, "init"), CALL(vfork, "smolvm"),
	CALL(execve, "smolvm and mkfs"), CALL(execveat, "init"), CALL(wait4, "children"), CALL(waitid, "children"),
	CALL(kill, "stopping the VMM"), CALL(tkill, "threads"), CALL(pidfd_open, "children"),
	CALL(pidfd_send_signal, "children"), CALL(getppid, "smolvm"), CALL(getpgid, "smolvm"), CALL(getpgrp, "smolvm"),
	CALL(setpgid, "the VMM's own group"), CALL(getsid, "smolvm"), CALL(setsid, "init"),
	CALL(prctl, "names, no_new_privs, undumpable, the VMM's own filter"), CALL(arch_prctl, "thread storage"),
	CALL(set_tid_address, "threads"), CALL(get_robust_list, "threads"), CALL(membarrier, "the VMM"),
	CALL(rt_sigpending, "signals"), CALL(rt_sigtimedwait, "signals"), CALL(rt_sigsuspend, "signals"),
	CALL(pause, "signals"), CALL(setitimer, "alarms"), CALL(alarm, "alarms"), CALL(timer_create, "timers"),
	CALL(timer_settime, "timers"), CALL(timer_delete, "timers"), CALL(times, "mkfs"), CALL(getrusage, "mkfs"),
	CALL(getrlimit, "descriptors"), CALL(setrlimit, "descriptors; only down"),
	CALL(prlimit64, "descriptors; only down"), CALL(getpriority, "threads"), CALL(setpriority, "only down"),
	CALL(sched_getaffinity, "how many processors"), CALL(sched_setaffinity, "the VMM's threads"),
	CALL(sched_getparam, "threads"), CALL(sched_getscheduler, "threads"), CALL(sched_setscheduler, "threads"),
	CALL(getcpu, "threads"), CALL(getresuid, "who am I"), CALL(getresgid, "who am I"), CALL(getgroups, "who am I"),
	CALL(setuid, "to the id that it has"), CALL(setgid, "to the id that it has"),
	CALL(setresuid, "the share, per request; to the id that it has"),
	CALL(setresgid, "the share, per request; to the id that it has"),
	CALL(setgroups, "answers EPERM by itself"), CALL(setfsuid, "the share"), CALL(setfsgid, "the share"),
	CALL(capget, "the share asks what it may do"), CALL(capset, "gives up more"),
	CALL(uname, "names"), CALL(sysinfo, "memory"), CALL(seccomp, "the VMM's own filter"),
	CALL(landlock_create_ruleset, "the VMM's own rules"), CALL(landlock_add_rule, "the VMM's own rules"),
	CALL(landlock_restrict_self, "the VMM's own rules"),

	/* memory of the guest, libraries */
	CALL(msync, "the database"), CALL(mincore, "the VMM"), CALL(mlock, "keys"), CALL(munlock, "keys"),
	CALL(memfd_create, "guest memory"), CALL(ioctl, "KVM, terminals; what devices there are is few"),
	CALL(pkey_alloc, "libraries"), CALL(pkey_free, "libraries"), CALL(pkey_mprotect, "libraries"),

	/* refused by name, because ENOSYS would send some of them looking for another way */
	REFUSE_IF(clone, 0, CLONE_NEWNS, CLONE_NEWNS, "a namespace of its own is a new way into the kernel"),
	REFUSE_IF(clone, 0, CLONE_NEWCGROUP, CLONE_NEWCGROUP, "as above"),
	REFUSE_IF(clone, 0, CLONE_NEWUTS, CLONE_NEWUTS, "as above"),
	REFUSE_IF(clone, 0, CLONE_NEWIPC, CLONE_NEWIPC, "as above"),
	REFUSE_IF(clone, 0, CLONE_NEWUSER, CLONE_NEWUSER, "as above: with it come all capabilities"),
	REFUSE_IF(clone, 0, CLONE_NEWPID, CLONE_NEWPID, "as above"),
	REFUSE_IF(clone, 0, CLONE_NEWNET, CLONE_NEWNET, "as above"),
	REFUSE_IF(ioctl, 1, LOW32, TIOCSTI, "types into whoever reads the terminal next"),
	REFUSE_IF(ioctl, 1, LOW32, TIOCLINUX, "pastes into a console"),
	REFUSE_IF(ioctl, 1, LOW32, TIOCSETD, "line disciplines load kernel modules"),
	REFUSE(unshare, "namespaces"), REFUSE(setns, "namespaces"), REFUSE(mount, "the tree is made once"),
	REFUSE(umount2, "the tree is made once"), REFUSE(pivot_root, "the tree is made once"),
	REFUSE(chroot, "the tree is made once"), REFUSE(ptrace, "nothing in here is debugged"),
	REFUSE(process_vm_readv, "nothing in here is debugged"), REFUSE(process_vm_writev, "as above"),
	REFUSE(io_uring_setup, "runs calls that no filter sees"), REFUSE(bpf, "kernel code"),
	REFUSE(perf_event_open, "wide, often broken, and tells about others"),
	REFUSE(userfaultfd, "lets a kernel bug be timed at leisure"),
	REFUSE(keyctl, "keyrings are not of any namespace"), REFUSE(add_key, "keyrings"), REFUSE(request_key, "keyrings"),
	REFUSE(name_to_handle_at, "a file by number, whatever the tree"),
	REFUSE(open_by_handle_at, "a file by number, whatever the tree"),
	REFUSE(pidfd_getfd, "takes descriptors out of another process"),
};
const struct cage_calls machine_calls = CAGE_CALLS(rows);

static const struct cage_path paths[] = {
	PATH("/", CAGE_PATH_READ, "what is there is what it needs"),
	PATH("/usr", CAGE_PATH_EXECUTE, "libraries, mkfs"),
	PATH("/nix/store", CAGE_PATH_EXECUTE, "libraries, smolvm"),
	PATH(MACHINE_SMOLVM, CAGE_PATH_EXECUTE, "smolvm"),
	PATH(MACHINE_B, CAGE_PATH_WRITE, "what the guest does in its home and its work"),
	PATH(MACHINE_STATE, CAGE_PATH_WRITE, "the database, the disks, the VMM's sockets"),
	PATH("/tmp", CAGE_PATH_WRITE, "scratch"),
	PATH("/dev", CAGE_PATH_WRITE | CAGE_PATH_DEVICE, "null, terminals, /dev/kvm"),
	PATH("/dev/kvm", CAGE_PATH_READ | CAGE_PATH_WRITE | CAGE_PATH_DEVICE, "the machine"),
};

void machine_profile_fill(struct machine_profile *p)
{
	*p = (struct machine_profile){
		.profile = { .name = "machine", .ncalls = ARRAY_LEN(p->calls),
			     .sockets = CAGE_SOCKET_UNIX | CAGE_SOCKET_INET, .paths = paths, .npaths = ARRAY_LEN(paths),
			     .no_tcp_bind = true, .dumpable = true },
		.calls = { cage_calls_common, machine_calls },
		.limits = {
			LIMIT(CORE, 0, 0, "a core dump would hold the guest's memory"),
			LIMIT(NOFILE, 65536, 65536, "every file that the guest has open is one here"),
			LIMIT(MSGQUEUE, 0, 0, "kernel memory that outlives its maker"),
			LIMIT(SIGPENDING, 4096, 4096, "kernel memory"),
			LIMIT(NPROC, 1024, 1024, "threads of the VMM and of its relay, and as many commands"),
		},
	};
	p->profile.calls = p->calls;
	p->profile.limits = p->limits;
	p->profile.nlimits = ARRAY_LEN(p->limits);
}
