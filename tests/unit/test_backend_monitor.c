/* What is asked of /proc about a machine's monitor, row by row: of a text, and of processes that lack
 * one thing each. */
#include "test.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/smolmachines.h"

static const char good[] =
	"Name:\tlibkrun VM\nUid:\t5\t5\t5\t5\nGid:\t6\t6\t6\t6\nCapInh:\t0000000000000000\n"
	"CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
	"CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";

static void each_line_of_its_status_counts(void **state)
{
	static const struct {
		const char *line, *instead, *says;
	} cases[] = {
		{ "NoNewPrivs:\t1", "NoNewPrivs:\t0", "NoNewPrivs is 0" },
		{ "Seccomp:\t2", "Seccomp:\t0", "Seccomp is 0" },
		{ "Seccomp:\t2", "Seccomp:\t1", "Seccomp is 1" },
		{ "CapInh:\t0000000000000000", "CapInh:\t0000000000000001", "CapInh" },
		{ "CapPrm:\t0000000000000000", "CapPrm:\t0000000000000400", "CapPrm" },
		{ "CapEff:\t0000000000000000", "CapEff:\t8000000000000000", "CapEff" },
		{ "CapBnd:\t0000000000000000", "CapBnd:\t000001ffffffffff", "CapBnd" },
		{ "CapAmb:\t0000000000000000", "CapAmb:\t0000000000000001", "CapAmb" },
		{ "Uid:\t5\t5\t5\t5", "Uid:\t5\t5\t0\t5", "another id" },
		{ "Uid:\t5\t5\t5\t5", "Uid:\t0\t0\t0\t0", "another id" },
		{ "Gid:\t6\t6\t6\t6", "Gid:\t6\t6\t6\t0", "another id" },
		/* One that is not there was not confirmed. */
		{ "NoNewPrivs:\t1", "Other:\t1", "NoNewPrivs" },
		{ "Seccomp:\t2", "Seccomp_filters:\t2", "Seccomp" },
		{ "CapBnd:\t0000000000000000", "CapX:\t0", "CapBnd" },
		{ "Uid:\t5\t5\t5\t5", "Xid:\t5", "another id" },
	};
	const struct cage_ids ids = { .uid = 5, .gid = 6, .lock = -1 };
	own_str struct str text = STR_INIT;
	struct err err = ERR_INIT;

	(void)state;
	str_add(&text, good);
	assert_ok(machine_status_check(&text, &ids, &err), &err);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *at = strstr(good, cases[i].line);
		str_reset(&text);
		str_addn(&text, good, (size_t)(at - good));
		str_add(&text, cases[i].instead);
		str_add(&text, at + strlen(cases[i].line));
		assert_refused(machine_status_check(&text, &ids, &err), &err, ERR_UNCONFINED, cases[i].says);
	}
}

enum {
	FULL = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
	       CLONE_NEWCGROUP
};

/* A tree of three: who makes the namespaces, their init, and the monitor, process 2 of them. */
struct monitor {
	int init_has, more; /* CLONE_NEW* */
	bool confined, moved;
	int told; /* a pipe's end: one byte when it is as it should be */
};

static int confine(bool moved)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog filter = { 1, &all };
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (moved && chroot("/tmp") != 0)
		return -1;
	return syscall(SYS_capset, &head, none) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	                       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0 ?
	               -1 :
	               0;
}

static void wait_to_be_killed(void)
{
	for (;;)
		pause();
}

static int be_init(const struct monitor *m)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pid_t monitor = fork();

	if (monitor == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bool ready = unshare(m->more) == 0 && (!m->confined || confine(m->moved) == 0);
		if (write(m->told, ready ? "y" : "n", 1) != 1)
			_exit(1);
		wait_to_be_killed();
	}
	wait_to_be_killed();
	return 0;
}

static int make_them(void *arg, struct err *err)
{
	const struct monitor *m = arg;

	if (unshare(m->init_has) != 0)
		return fail_errno(err, "unshare");
	pid_t init = fork();
	if (init == 0)
		_exit(be_init(m));
	waitpid(init, NULL, 0);
	return 0;
}

static pid_t only_child(pid_t of)
{
	own_mem char *path = xasprintf("/proc/%ld/task/%ld/children", (long)of, (long)of);
	FILE *f = fopen(path, "re");
	long pid = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld", &pid), 1);
	fclose(f);
	return (pid_t)pid;
}

static void each_wall_between_it_and_the_host_counts(void **state)
{
	const int own = geteuid() == 0 ? 0 : CLONE_NEWUSER; /* without it an ordinary user gets no other */
	static const struct {
		int init_lacks, more;
		bool confined, moved;
		unsigned long long off; /* of its start time */
		const char *says;
	} cases[] = {
		{ CLONE_NEWUSER, 0, false, false, 0, "user namespace" },
		{ CLONE_NEWNS, 0, false, false, 0, "mnt namespace" },
		{ CLONE_NEWNET, 0, false, false, 0, "net namespace" },
		{ CLONE_NEWIPC, 0, false, false, 0, "ipc namespace" },
		{ CLONE_NEWUTS, 0, false, false, 0, "uts namespace" },
		{ CLONE_NEWCGROUP, 0, false, false, 0, "cgroup namespace" },
		{ 0, CLONE_NEWNS, false, false, 0, "mnt namespace" },
		{ 0, CLONE_NEWNET, false, false, 0, "net namespace" },
		{ 0, CLONE_NEWIPC, false, false, 0, "ipc namespace" },
		{ 0, CLONE_NEWUTS, false, false, 0, "uts namespace" },
		{ 0, CLONE_NEWCGROUP, false, false, 0, "cgroup namespace" },
		{ 0, 0, false, false, 1, "not the VMM that smolvm wrote down" },
		{ 0, 0, false, false, 0, "the VMM's " }, /* its status: the control of all above */
		{ 0, 0, true, true, 0, "root is not its cage's" },
		{ 0, 0, true, false, 0, "none that was planned" }, /* and of all but the last look */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_proc struct proc maker = PROC_INIT;
		struct err err = ERR_INIT;
		int ends[2], pidfd = -1;
		char ready = 0;

		if (cases[i].init_lacks == CLONE_NEWUSER && own)
			continue;
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		own_fd int hears = ends[0];
		own_fd int told = ends[1];
		struct monitor m = { FULL & ~cases[i].init_lacks, cases[i].more, cases[i].confined,
			             cases[i].moved, told };
		const struct proc_spec spec = { .child = make_them, .arg = &m, .die_with_parent = true };
		assert_ok(proc_fork(&spec, &maker, &err), &err);
		fd_drop(&told);
		assert_int_equal(read(hears, &ready, 1), 1);
		assert_int_equal(ready, 'y');
		struct machine machine = { .init = only_child(maker.pid),
			                   .ids = { .uid = geteuid(), .gid = getegid(), .lock = -1 } };
		const struct machine_vmm seen = { 2,
			                          proc_start_time(only_child(machine.init)) + cases[i].off };
		assert_refused(machine_process_check(&machine, &seen, &pidfd, &err), &err, ERR_UNCONFINED,
		               cases[i].says);
		const struct machine_vmm nobody = { 77, seen.start_time };
		assert_refused(machine_process_check(&machine, &nobody, &pidfd, &err), &err, ERR_UNCONFINED,
		               "is not there");
		kill(machine.init, SIGKILL);
		int status;
		assert_ok(proc_wait(&maker, &status, &err), &err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_of_its_status_counts),
		cmocka_unit_test(each_wall_between_it_and_the_host_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
