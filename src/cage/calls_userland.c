/* Calls of a whole user land: shells, compilers, interpreters, package managers, debuggers.
 * The rule for a row: a program in wide use needs it, and behind the wall it reaches only what
 * is inside. What such programs ask for and must not have is refused by name, with EPERM,
 * because ENOSYS would send some of them looking for another way. */
#include "cage/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/stat.h>

#include "base/banned.h"

enum {
	NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
		     CLONE_NEWPID | CLONE_NEWNET,
};
/* A file that the guest makes is, in a shared workspace, its owner's on the host's disk: with a
 * set-id bit it would lend that owner's rights (root's, for root's bottles) to any local user.
 * openat2 has no row: its mode lies in memory, where no filter sees it. Without O_CREAT the mode
 * of an open is whatever was in the register. */
#define SET_ID "a set-id file would be the owner's on the host too"
#define REFUSE_SET_ID(name, arg) \
	REFUSE_IF(name, arg, S_ISUID, S_ISUID, SET_ID), REFUSE_IF(name, arg, S_ISGID, S_ISGID, SET_ID)
#define REFUSE_SET_ID_OPEN(name, flags, mode) \
	REFUSE_IF_BOTH(name, flags, O_CREAT, mode, S_ISUID, SET_ID), \
	REFUSE_IF_BOTH(name, flags, O_CREAT, mode, S_ISGID, SET_ID), \
	REFUSE_IF_BOTH(name, flags, O_TMPFILE, mode, S_ISUID, SET_ID), \
	REFUSE_IF_BOTH(name, flags, O_TMPFILE, mode, S_ISGID, SET_ID)
#define LOW32 0xffffffffULL	/* the kernel ignores the upper half of an int's register */

static const struct cage_call rows[] = {
	/* files, below a root in which only what was put there exists */
	CALL(open, "files"), CALL(openat, "files"), CALL(creat, "files"),
	CALL(stat, "files"), CALL(lstat, "files"), CALL(statx, "files"), CALL(access, "files"),
	CALL(faccessat, "files"), CALL(faccessat2, "files"), CALL(readlink, "files"),
	CALL(readlinkat, "files"), CALL(getdents, "directories"), CALL(getdents64, "directories"),
	CALL(getcwd, "directories"), CALL(chdir, "directories"), CALL(fchdir, "directories"),
	CALL(mkdir, "directories"), CALL(mkdirat, "directories"), CALL(rmdir, "directories"),
	CALL(rename, "files"), CALL(renameat, "files"), CALL(renameat2, "files"), CALL(link, "files"),
	CALL(linkat, "files"), CALL(unlink, "files"), CALL(unlinkat, "files"), CALL(symlink, "files"),
	CALL(symlinkat, "files"), CALL(chmod, "modes"), CALL(fchmod, "modes"), CALL(fchmodat, "modes"),
	CALL(fchmodat2, "modes"), CALL(chown, "owners; there is one"), CALL(fchown, "owners; there is one"),
	CALL(lchown, "owners; there is one"), CALL(fchownat, "owners; there is one"),
	CALL(mknod, "fifos; devices need a capability"), CALL(mknodat, "fifos; devices need a capability"),
	CALL(umask, "modes"), CALL(truncate, "files"), CALL(ftruncate, "files"), CALL(fallocate, "files"),
	CALL(utime, "times"), CALL(utimes, "times"), CALL(utimensat, "times"), CALL(futimesat, "times"),
	CALL(statfs, "free space"), CALL(fstatfs, "free space"), CALL(fsync, "databases"),
	CALL(fdatasync, "databases"), CALL(syncfs, "databases"), CALL(sync, "databases"),
	CALL(sync_file_range, "databases"), CALL(fadvise64, "read-ahead"), CALL(readahead, "read-ahead"),
	CALL(pread64, "files"), CALL(pwrite64, "files"), CALL(preadv, "files"), CALL(pwritev, "files"),
	CALL(preadv2, "files"), CALL(pwritev2, "files"), CALL(sendfile, "copying"),
	CALL(copy_file_range, "copying"), CALL(splice, "copying"), CALL(tee, "copying"),
	CALL(vmsplice, "copying"), CALL(flock, "locks"), CALL(dup2, "shells"), CALL(dup3, "shells"),
	CALL(pipe, "shells"), CALL(close_range, "before exec"), CALL(cachestat, "read-ahead"),
	CALL(getxattr, "ls, tar, git"), CALL(lgetxattr, "ls, tar, git"), CALL(fgetxattr, "ls, tar, git"),
	CALL(listxattr, "ls, tar"), CALL(llistxattr, "ls, tar"), CALL(flistxattr, "ls, tar"),
	CALL(setxattr, "tar, rsync"), CALL(lsetxattr, "tar, rsync"), CALL(fsetxattr, "tar, rsync"),
	CALL(removexattr, "tar, rsync"), CALL(lremovexattr, "tar, rsync"), CALL(fremovexattr, "tar, rsync"),
	CALL(inotify_init, "watchers"), CALL(inotify_init1, "watchers"),
	CALL(inotify_add_watch, "watchers"), CALL(inotify_rm_watch, "watchers"),
	CALL(memfd_create, "runtimes"), CALL(ioctl, "terminals; what devices there are is few"),
	CALL(io_setup, "databases; plain asynchronous files, not io_uring"), CALL(io_submit, "databases"),
	CALL(io_getevents, "databases"), CALL(io_pgetevents, "databases"), CALL(io_cancel, "databases"),
	CALL(io_destroy, "databases"),

	/* the network: a namespace with nothing in it but lo */
	CALL(connect, "sidecars, and servers of its own"), CALL(bind, "servers of its own"),
	CALL(listen, "servers of its own"), CALL(accept, "servers of its own"),
	CALL(recvmmsg, "resolvers"), CALL(sendmmsg, "resolvers"),

	/* processes of its own pid namespace */
	CALL(clone, "processes and threads; not namespaces, see below"), CALL(fork, "processes"),
	CALL(vfork, "processes"), CALL(execve, "programs"), CALL(execveat, "programs"),
	CALL(wait4, "children"), CALL(waitid, "children"), CALL(kill, "its own pid namespace"),
	CALL(tkill, "threads"), CALL(pidfd_open, "children"), CALL(pidfd_send_signal, "children"),
	CALL(getppid, "processes"), CALL(getpgrp, "job control"), CALL(getpgid, "job control"),
	CALL(setpgid, "job control"), CALL(getsid, "job control"), CALL(setsid, "daemons, terminals"),
	CALL(prctl, "names, death signals, more confinement"), CALL(arch_prctl, "thread storage"),
	CALL(set_tid_address, "threads"), CALL(set_thread_area, "thread storage"),
	CALL(get_thread_area, "thread storage"), CALL(get_robust_list, "threads"),
	CALL(futex_waitv, "threads"), CALL(futex_wake, "threads"), CALL(futex_wait, "threads"),
	CALL(futex_requeue, "threads"), CALL(membarrier, "runtimes"), CALL(setitimer, "alarms"),
	CALL(getitimer, "alarms"), CALL(alarm, "alarms"), CALL(pause, "signals"),
	CALL(rt_sigsuspend, "signals"), CALL(rt_sigpending, "signals"), CALL(rt_sigtimedwait, "signals"),
	CALL(rt_sigqueueinfo, "signals"), CALL(rt_tgsigqueueinfo, "signals"), CALL(signalfd, "signals"),
	CALL(eventfd, "loops"), CALL(epoll_create, "loops"), CALL(epoll_pwait2, "loops"),
	CALL(select, "loops"), CALL(pselect6, "loops"), CALL(timerfd_gettime, "loops"),
	CALL(timer_create, "timers"), CALL(timer_settime, "timers"), CALL(timer_gettime, "timers"),
	CALL(timer_getoverrun, "timers"), CALL(timer_delete, "timers"), CALL(times, "shells, make"),
	CALL(getrusage, "shells, make"), CALL(getrlimit, "shells"), CALL(setrlimit, "shells; only down"),
	CALL(prlimit64, "shells; only down"), CALL(getpriority, "nice"), CALL(setpriority, "nice; only down"),
	CALL(sched_getaffinity, "how many processors"), CALL(sched_setaffinity, "runtimes"),
	CALL(sched_getscheduler, "runtimes"), CALL(sched_setscheduler, "runtimes; nothing real-time"),
	CALL(sched_getparam, "runtimes"), CALL(sched_setparam, "runtimes"), CALL(sched_getattr, "runtimes"),
	CALL(sched_setattr, "runtimes"), CALL(sched_get_priority_max, "runtimes"),
	CALL(sched_get_priority_min, "runtimes"), CALL(sched_rr_get_interval, "runtimes"),
	CALL(getcpu, "runtimes"), CALL(ioprio_get, "nice"), CALL(ioprio_set, "nice"),
	CALL(getresuid, "identity"), CALL(getresgid, "identity"), CALL(getgroups, "identity"),
	CALL(setuid, "to the id that it has"), CALL(setgid, "to the id that it has"),
	CALL(setreuid, "to the id that it has"), CALL(setregid, "to the id that it has"),
	CALL(setresuid, "to the id that it has"), CALL(setresgid, "to the id that it has"),
	CALL(setgroups, "answers EPERM by itself"), CALL(setfsuid, "identity"), CALL(setfsgid, "identity"),
	CALL(capget, "programs that ask what they may do"), CALL(capset, "programs that give up more"),
	CALL(uname, "names"), CALL(sysinfo, "memory, load"), CALL(clock_settime, "answers EPERM by itself"),
	CALL(seccomp, "programs that confine themselves further"),
	CALL(landlock_create_ruleset, "programs that confine themselves further"),
	CALL(landlock_add_rule, "programs that confine themselves further"),
	CALL(landlock_restrict_self, "programs that confine themselves further"),
	CALL(ptrace, "debuggers, of its own processes; init can't be attached to"),
	CALL(process_vm_readv, "debuggers, as ptrace"), CALL(process_vm_writev, "debuggers, as ptrace"),

	/* memory */
	CALL(msync, "maps of files"), CALL(mincore, "runtimes"), CALL(mlock, "keys; within a limit"),
	CALL(mlock2, "keys; within a limit"), CALL(munlock, "keys"), CALL(mlockall, "keys; within a limit"),
	CALL(munlockall, "keys"), CALL(pkey_alloc, "runtimes"), CALL(pkey_free, "runtimes"),
	CALL(pkey_mprotect, "runtimes"), CALL(memfd_secret, "keys"), CALL(process_madvise, "runtimes"),
	CALL(get_mempolicy, "runtimes"), CALL(map_shadow_stack, "C libraries"), CALL(mseal, "C libraries"),

	/* System V and POSIX IPC of its own ipc namespace: databases, test suites */
	CALL(shmget, "own ipc namespace"), CALL(shmat, "own ipc namespace"), CALL(shmdt, "own ipc namespace"),
	CALL(shmctl, "own ipc namespace"), CALL(semget, "own ipc namespace"), CALL(semop, "own ipc namespace"),
	CALL(semctl, "own ipc namespace"), CALL(semtimedop, "own ipc namespace"),
	CALL(msgget, "own ipc namespace"), CALL(msgsnd, "own ipc namespace"),
	CALL(msgrcv, "own ipc namespace"), CALL(msgctl, "own ipc namespace"),
	CALL(mq_open, "own ipc namespace"), CALL(mq_unlink, "own ipc namespace"),
	CALL(mq_timedsend, "own ipc namespace"), CALL(mq_timedreceive, "own ipc namespace"),
	CALL(mq_notify, "own ipc namespace"), CALL(mq_getsetattr, "own ipc namespace"),

	/* refused by name */
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
	REFUSE_IF(ioctl, 1, LOW32, TIOCCONS, "takes the console's output"),
	REFUSE_SET_ID(chmod, 1), REFUSE_SET_ID(fchmod, 1), REFUSE_SET_ID(fchmodat, 2), REFUSE_SET_ID(fchmodat2, 2),
	REFUSE_SET_ID(creat, 1), REFUSE_SET_ID(mknod, 1), REFUSE_SET_ID(mknodat, 2),
	REFUSE_SET_ID_OPEN(open, 1, 2), REFUSE_SET_ID_OPEN(openat, 2, 3),
	REFUSE(unshare, "namespaces"), REFUSE(setns, "namespaces"),
	REFUSE(mount, "the tree is made once"), REFUSE(umount2, "the tree is made once"),
	REFUSE(pivot_root, "the tree is made once"), REFUSE(chroot, "the tree is made once"),
	REFUSE(open_tree, "the tree is made once"), REFUSE(move_mount, "the tree is made once"),
	REFUSE(fsopen, "the tree is made once"), REFUSE(fsconfig, "the tree is made once"),
	REFUSE(fsmount, "the tree is made once"), REFUSE(fspick, "the tree is made once"),
	REFUSE(mount_setattr, "the tree is made once"), REFUSE(swapon, "administration"),
	REFUSE(swapoff, "administration"), REFUSE(quotactl, "administration"),
	REFUSE(quotactl_fd, "administration"), REFUSE(acct, "administration"),
	REFUSE(reboot, "administration"), REFUSE(sethostname, "administration"),
	REFUSE(setdomainname, "administration"), REFUSE(settimeofday, "administration"),
	REFUSE(adjtimex, "administration"), REFUSE(clock_adjtime, "administration"),
	REFUSE(vhangup, "administration"), REFUSE(syslog, "the kernel's log tells addresses"),
	REFUSE(iopl, "hardware"), REFUSE(ioperm, "hardware"),
	REFUSE(init_module, "kernel code"), REFUSE(finit_module, "kernel code"),
	REFUSE(delete_module, "kernel code"), REFUSE(kexec_load, "kernel code"),
	REFUSE(kexec_file_load, "kernel code"), REFUSE(bpf, "kernel code"),
	REFUSE(io_uring_setup, "runs calls that no filter sees"),
	REFUSE(io_uring_enter, "runs calls that no filter sees"),
	REFUSE(io_uring_register, "runs calls that no filter sees"),
	REFUSE(perf_event_open, "wide, often broken, and tells about others"),
	REFUSE(userfaultfd, "lets a kernel bug be timed at leisure"),
	REFUSE(keyctl, "keyrings are not of any namespace"), REFUSE(add_key, "keyrings"),
	REFUSE(request_key, "keyrings"),
	REFUSE(name_to_handle_at, "a file by number, whatever the tree"),
	REFUSE(open_by_handle_at, "a file by number, whatever the tree"),
	REFUSE(fanotify_init, "sees other programs' files"), REFUSE(fanotify_mark, "sees other programs' files"),
	REFUSE(pidfd_getfd, "takes descriptors out of another process"),
	REFUSE(kcmp, "compares kernel addresses of processes"),
	REFUSE(process_mrelease, "of no use inside"), REFUSE(lookup_dcookie, "profilers of the whole host"),
	REFUSE(mbind, "placement on the host's memory"), REFUSE(set_mempolicy, "placement on the host's memory"),
	REFUSE(set_mempolicy_home_node, "placement on the host's memory"),
	REFUSE(migrate_pages, "placement on the host's memory"),
	REFUSE(move_pages, "placement on the host's memory"),
	REFUSE(modify_ldt, "segments; 16-bit code, and a row of kernel bugs"),
};

const struct cage_calls cage_calls_userland = CAGE_CALLS(rows);
