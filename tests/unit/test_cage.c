#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/namespace.h"
#include "base/file.h"
#include "cage/inside.h"

/* ---- the process ---- */

static const struct cage_profile *test_profile(void)
{
	static struct guest_profile guest;

	if (!guest.profile.name)
		guest_profile_fill(&guest, 100);
	return &guest.profile;
}

enum { MAYBE = CAGE_READ_ONLY | CAGE_OPTIONAL };

/* The shell and what it is linked with, wherever a host has them: where a package is built there
 * may be no /usr and no /lib at all. */
static const struct cage_mount programs[] = {
	{ CAGE_BIND, "/bin", .source = "/bin", .flags = CAGE_READ_ONLY },
	{ CAGE_BIND, "/lib", .source = "/lib", .flags = MAYBE },
	{ CAGE_BIND, "/lib64", .source = "/lib64", .flags = MAYBE },
	{ CAGE_BIND, "/nix/store", .source = "/nix/store", .flags = MAYBE },
	{ CAGE_BIND, "/usr", .source = "/usr", .flags = MAYBE },
	{ CAGE_BIND, "/absent", .source = "/no/such/place", .flags = MAYBE },
	{ CAGE_FILE, "/etc/made/here", .content = "as written\n", .mode = 0640 },
	{ CAGE_LINK, "/etc/link", .source = "made/here" },
	{ CAGE_PROC, .target = "/proc" },
};

struct fixture {
	struct cage_ids ids;
	int program;
};

static int begin(void **state)
{
	static struct fixture f;
	struct err err = ERR_INIT;

	f = (struct fixture){ CAGE_IDS_INIT, -1 };
	assert_ok(cage_ids_choose(&f.ids, &err), &err);
	f.program = cage_seal_program("/bin/sh", &err);
	assert_ok(f.program, &err);
	*state = &f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	cage_ids_clear(&f->ids);
	fd_drop(&f->program);
	return 0;
}

/* The exit status of a shell script in a cage. */
static int run_script(const struct fixture *f, const char *script)
{
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;
	char *const argv[] = { "sh", "-c", (char *)script, NULL };
	const struct cage_spec spec = { .profile = test_profile(),
		                        .ids = &f->ids,
		                        .mounts = programs,
		                        .nmounts = ARRAY_LEN(programs),
		                        .exe = f->program,
		                        .argv = argv };
	int status;

	assert_ok(cage_spawn(&spec, &child, NULL, &err), &err);
	assert_ok(proc_wait(&child, &status, &err), &err);
	return proc_exit_code(status);
}

/* What the rows come to on this host, in the order in which a shell lists it. */
static void add_tree(struct str *out)
{
	static const struct {
		const char *name, *if_there; /* NULL: on every host */
	} top[] = {
		{ "/bin", NULL },         { "/etc", NULL },  { "/lib", "/lib" }, { "/lib64", "/lib64" },
		{ "/nix", "/nix/store" }, { "/proc", NULL }, { "/usr", "/usr" },
	};

	for (size_t i = 0; i < ARRAY_LEN(top); i++)
		if (!top[i].if_there || access(top[i].if_there, F_OK) == 0)
			str_addf(out, "%s%s", i ? " " : "", top[i].name);
}

static void the_tree_is_what_the_rows_say_and_nothing_else(void **state)
{
	own_str struct str tree = STR_INIT;

	add_tree(&tree);
	own_mem char *listed = xasprintf("set -- /*; [ \"$*\" = '%s' ]", str_c(&tree));
	assert_int_equal(run_script(*state, listed), 0);
	assert_int_equal(run_script(*state, "read -r line </etc/link && [ \"$line\" = 'as written' ]"), 0);
	assert_int_equal(run_script(*state, "[ ! -e /absent ] && [ ! -e /.staging ] && [ ! -e /root ]"), 0);
	assert_int_equal(run_script(*state, "! echo x 2>/dev/null >/etc/made/there"), 0);
}

static void a_source_that_is_missing_is_an_error_that_names_it(void **state)
{
	const struct fixture *f = *state;
	const struct cage_mount rows[] = { { CAGE_BIND, "/here", .source = "/no/such/place" } };
	char *const argv[] = { "sh", NULL };
	const struct cage_spec spec = { .profile = test_profile(),
		                        .ids = &f->ids,
		                        .mounts = rows,
		                        .nmounts = ARRAY_LEN(rows),
		                        .exe = f->program,
		                        .argv = argv };
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;

	assert_refused(cage_spawn(&spec, &child, NULL, &err), &err, ERR_UNCONFINED, "/no/such/place");
	assert_int_equal(child.pid, 0);
}

static void the_hosts_root_is_nobody_in_a_cage(void **state)
{
	const struct cage_ids root = { .lock = -1 };
	const struct fixture *f = *state;
	char *const argv[] = { "sh", NULL };
	const struct cage_spec spec = {
		.profile = test_profile(), .ids = &root, .exe = f->program, .argv = argv
	};
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;

	assert_refused(cage_spawn(&spec, &child, NULL, &err), &err, ERR_UNCONFINED, "host's id 0");
	assert_int_not_equal(f->ids.uid, 0);
	assert_int_not_equal(f->ids.gid, 0);
}

static void roots_cages_have_different_ids_while_they_last(void **state)
{
	struct cage_ids ids[8];
	struct err err = ERR_INIT;

	(void)state;
	if (geteuid() != 0) {
		print_message("an ordinary user has one id\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		assert_ok(cage_ids_choose(&ids[i], &err), &err);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(ids[i].uid, ids[j].uid);
	}
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		cage_ids_clear(&ids[i]);
}

static void listening_sockets_come_out_in_order_and_lie_inside(void **state)
{
	const struct fixture *f = *state;
	static const struct cage_listener wanted[] = { { 9099, 16 }, { 443, 16 }, { 80, 16 } };
	char *const argv[] = { "sh", "-c", "read -r line", NULL };
	int hold[2], got[ARRAY_LEN(wanted)];
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	own_fd int read_end = hold[0];
	own_fd int write_end = hold[1];
	const struct proc_fd fds[] = { { read_end, 0 } };
	const struct cage_spec spec = { .profile = test_profile(),
		                        .ids = &f->ids,
		                        .mounts = programs,
		                        .nmounts = ARRAY_LEN(programs),
		                        .listeners = wanted,
		                        .nlisteners = ARRAY_LEN(wanted),
		                        .exe = f->program,
		                        .argv = argv,
		                        .fds = fds,
		                        .nfds = ARRAY_LEN(fds) };
	assert_ok(cage_spawn(&spec, &child, got, &err), &err);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		struct sockaddr_in at;
		socklen_t n = sizeof at;
		int shared = -1;
		assert_int_equal(getsockname(got[i], (struct sockaddr *)&at, &n), 0);
		assert_int_equal(ntohs(at.sin_port), wanted[i].port);
		assert_int_equal(ntohl(at.sin_addr.s_addr), INADDR_LOOPBACK);
		n = sizeof shared;
		assert_int_equal(getsockopt(got[i], SOL_SOCKET, SO_REUSEPORT, &shared, &n), 0);
		assert_int_equal(shared, 0);
		close(got[i]);
	}
}

static void the_cage_dies_with_its_parent(void **state)
{
	const struct fixture *f = *state;
	int hold[2];

	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	own_fd int read_end = hold[0];
	own_fd int write_end = hold[1];
	pid_t parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		/* The cage holds the pipe's other end; when it is gone the pipe ends. */
		const struct proc_fd fds[] = { { write_end, 1 } };
		char *const argv[] = { "sh", "-c", "echo x; while :; do read -r l </proc/uptime; done",
			               NULL };
		const struct cage_spec spec = { .profile = test_profile(),
			                        .ids = &f->ids,
			                        .mounts = programs,
			                        .nmounts = ARRAY_LEN(programs),
			                        .exe = f->program,
			                        .argv = argv,
			                        .fds = fds,
			                        .nfds = ARRAY_LEN(fds) };
		struct proc child = PROC_INIT;
		struct err err = ERR_INIT;
		if (cage_spawn(&spec, &child, NULL, &err) != 0)
			_exit(1);
		pause();
		_exit(0);
	}
	fd_drop(&write_end);
	char byte;
	assert_int_equal(read(read_end, &byte, 1), 1); /* it runs */
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	struct pollfd ended = { .fd = read_end, .events = POLLIN };
	for (ssize_t n = 1; n > 0;) {
		assert_int_equal(poll(&ended, 1, 20 * 1000), 1);
		n = read(read_end, &byte, 1);
	}
}

static void a_sealed_program_can_not_be_changed(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(write(f->program, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(f->program, 0), -1);
}

/* ---- a program that enters by itself ---- */

static int enter_empty(void *arg, struct err *err)
{
	const struct cage_calls common[] = { cage_calls_common };
	const struct cage_profile profile = { .name = "empty",
		                              .calls = common,
		                              .ncalls = ARRAY_LEN(common),
		                              .no_tcp_bind = true,
		                              .no_tcp_connect = true };
	int *at = arg;

	*at = 1;
	if (faccessat(AT_FDCWD, "/proc", F_OK, 0) != 0) /* as it is still to be seen */
		return fail_errno(err, "/proc");
	if (setresgid(CAGE_UID, CAGE_UID, CAGE_UID) != 0 || setresuid(CAGE_UID, CAGE_UID, CAGE_UID) != 0)
		return fail_errno(err, "becoming another");
	if (cage_enter(&profile, NULL, 0, err) != 0)
		return -1;
	*at = 2;
	if (syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY) >= 0 || errno != ENOSYS)
		_exit(10);
	if (syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0 || errno != ENOSYS)
		_exit(11);
	if (faccessat(AT_FDCWD, "/proc", F_OK, 0) == 0)
		_exit(12);
	if (syscall(SYS_prctl, PR_GET_DUMPABLE) >= 0) /* not in its rows either */
		_exit(13);
	return 0;
}

static int map_self(pid_t pid, void *arg, struct err *err)
{
	static const char *const files[] = { "setgroups", "gid_map", "uid_map" };
	struct cage_ids ids = CAGE_IDS_INIT;

	(void)arg;
	if (cage_ids_choose(&ids, err) != 0)
		return -1;
	for (size_t i = ids.as_root ? 1 : 0; i < ARRAY_LEN(files); i++) {
		own_mem char *path = xasprintf("/proc/%ld/%s", (long)pid, files[i]);
		own_mem char *text =
			i == 0 ? xstrdup("deny") : xasprintf("1000 %u 1", i == 1 ? ids.gid : ids.uid);
		own_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (write(fd, text, strlen(text)) < 0)
			return fail_errno(err, "%s", files[i]);
	}
	cage_ids_clear(&ids);
	return 0;
}

static void a_program_that_enters_itself_keeps_what_is_open_and_nothing_else(void **state)
{
	int *at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct proc_spec spec = { .namespaces =
		                                CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC,
		                        .parent = map_self,
		                        .child = enter_empty,
		                        .arg = at };
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;
	int status;

	(void)state;
	assert_true(at != MAP_FAILED);
	assert_ok(proc_fork(&spec, &child, &err), &err);
	assert_ok(proc_wait(&child, &status, &err), &err);
	assert_int_equal(*at, 2);
	assert_int_equal(proc_exit_code(status), 0);
	munmap(at, sizeof *at);
}

/* What this program is when it is started as a sidecar is: with what entering needs, and no more. */
static int be_a_program_that_enters(void)
{
	const struct cage_calls common[] = { cage_calls_common };
	const struct cage_profile profile = { .name = "empty", .calls = common, .ncalls = ARRAY_LEN(common) };
	own_str struct str status = STR_INIT;
	struct err err = ERR_INIT;

	/* CAP_SETPCAP and CAP_SYS_ADMIN, over its own namespaces. */
	if (file_read(AT_FDCWD, "/proc/self/status", 65536, &status, &err) != 0 ||
	    !strstr(status.data, "CapEff:\t0000000000200100") ||
	    !strstr(status.data, "CapBnd:\t0000000000200100"))
		return 20;
	if (cage_enter(&profile, NULL, 0, &err) != 0)
		return 21;
	return faccessat(AT_FDCWD, "/proc", F_OK, 0) == 0 ? 22 : 0;
}

static void a_program_that_was_started_to_enter_can(void **state)
{
	own_cage_ids struct cage_ids ids = CAGE_IDS_INIT;
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;
	char *const argv[] = { "test_cage", "enter", NULL };
	int status;

	(void)state;
	assert_ok(cage_ids_choose(&ids, &err), &err);
	own_fd int self = cage_seal_program("/proc/self/exe", &err);
	assert_ok(self, &err);
	const struct cage_spec spec = {
		.ids = &ids, .enters_itself = true, .host_network = true, .exe = self, .argv = argv
	};
	assert_ok(cage_spawn(&spec, &child, NULL, &err), &err);
	assert_ok(proc_wait(&child, &status, &err), &err);
	assert_int_equal(proc_exit_code(status), 0);
}

/* ---- the host ---- */

static void this_host_can_make_a_cage(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(cage_probe_user_namespace(&err), &err);
	assert_ok(cage_probe_network(&err), &err);
	assert_ok(cage_probe_proc(&err), &err);
	assert_ok(cage_probe_seccomp(&err), &err);
	assert_ok(cage_probe_overlay(&err), &err);
	assert_ok(cage_probe_idmap(&err), &err);
	assert_true(cage_probe_landlock(&err) >= CAGE_LANDLOCK_ABI);
}

int main(int argc, char **argv)
{
	if (argc == 2 && str_is(argv[1], "enter"))
		return be_a_program_that_enters();

	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_tree_is_what_the_rows_say_and_nothing_else, begin, end),
		cmocka_unit_test_setup_teardown(a_source_that_is_missing_is_an_error_that_names_it, begin,
		                                end),
		cmocka_unit_test_setup_teardown(the_hosts_root_is_nobody_in_a_cage, begin, end),
		cmocka_unit_test(roots_cages_have_different_ids_while_they_last),
		cmocka_unit_test_setup_teardown(listening_sockets_come_out_in_order_and_lie_inside, begin,
		                                end),
		cmocka_unit_test_setup_teardown(the_cage_dies_with_its_parent, begin, end),
		cmocka_unit_test_setup_teardown(a_sealed_program_can_not_be_changed, begin, end),
		cmocka_unit_test(a_program_that_enters_itself_keeps_what_is_open_and_nothing_else),
		cmocka_unit_test(a_program_that_was_started_to_enter_can),
		cmocka_unit_test(this_host_can_make_a_cage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
