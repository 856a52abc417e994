#include "test.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/namespace.h"
#include "cage/inside.h"

enum { LAST_CALL = 480 };

/* ---- rows ---- */

static const struct cage_calls *const groups[] = { &cage_calls_common, &cage_calls_userland,
	                                           &cage_calls_set_id };

static void every_row_has_a_reason_and_stands_once(void **state)
{
	(void)state;
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		for (size_t i = 0; i < groups[g]->n; i++) {
			const struct cage_call *row = &groups[g]->rows[i];
			assert_true(strlen(row->why) > 2);
			for (size_t h = 0; h < ARRAY_LEN(groups); h++)
				for (size_t j = 0; j < groups[h]->n; j++)
					if ((g != h || i != j) && row->arg < 0 &&
					    groups[h]->rows[j].arg < 0 &&
					    str_is(row->name, groups[h]->rows[j].name))
						fail_msg("%s stands twice", row->name);
		}
	}
}

static void every_row_names_a_system_call(void **state)
{
	/* Newer than this libseccomp may be; they become ENOSYS, as on an older kernel. */
	static const char *const newer[] = { "fchmodat2",     "futex_wake",       "futex_wait",
		                             "futex_requeue", "map_shadow_stack", "mseal" };
	(void)state;
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		for (size_t i = 0; i < groups[g]->n; i++) {
			const char *name = groups[g]->rows[i].name;
			bool excused = false;
			for (size_t n = 0; n < ARRAY_LEN(newer); n++)
				excused = excused || str_is(name, newer[n]);
			if (!excused && seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR)
				fail_msg("%s is no system call", name);
		}
	}
}

/* ---- the sweep: every number there is gets what its row says ---- */

static const struct cage_call *row_of(const char *name)
{
	for (size_t g = 0; name && g < ARRAY_LEN(groups); g++)
		for (size_t i = 0; i < groups[g]->n; i++)
			if (groups[g]->rows[i].arg < 0 && str_is(groups[g]->rows[i].name, name))
				return &groups[g]->rows[i];
	return NULL;
}

/* Newer kernels let their own probes' trampolines through before any filter; anybody else who
 * calls them is killed. */
static bool is_probe_trap(int n)
{
#ifdef __x86_64__
	return n == 335 || n == 336; /* uretprobe, uprobe */
#else
	(void)n;
	return false;
#endif
}

/* In a child, since a call may do what it says. @out is shared with the parent. */
static void call_each(const bool *skip, int *out)
{
	for (int n = 0; n < LAST_CALL; n++) {
		if (skip[n])
			continue;
		errno = 0;
		long rc = syscall(n, -1L, -1L, -1L, -1L, -1L, -1L);
		out[n] = rc < 0 ? errno : 0;
	}
}

static void every_call_gets_what_its_row_says(void **state)
{
	static struct guest_profile guest;
	bool skip[LAST_CALL] = { false };
	int status, expected[LAST_CALL];
	int *out = mmap(NULL, sizeof expected, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(out != MAP_FAILED);
	guest_profile_fill(&guest, 100);
	for (int n = 0; n < LAST_CALL; n++) {
		own_mem char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, n);
		const struct cage_call *row = row_of(name);
		expected[n] = row ? row->refusal : ENOSYS;
		/* What is allowed is other tests' matter, and would do what it says. */
		skip[n] = expected[n] == 0 || str_is(name, "socket") || str_is(name, "socketpair") ||
		          is_probe_trap(n);
	}
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;
		if (privilege_refuse_new(&err) == 0 && filter_install(&guest.profile, &err) == 0)
			call_each(skip, out);
		_exit(err.kind == ERR_NONE ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	int swept = 0;
	for (int n = 0; n < LAST_CALL; n++) {
		own_mem char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, n);
		if (skip[n])
			continue;
		swept++;
		if (out[n] != expected[n])
			fail_msg("%s (%d): errno %d, not %d", name ? name : "?", n, out[n], expected[n]);
	}
	assert_true(swept > 100);
	munmap(out, sizeof expected);
}

/* ---- uses of calls that are allowed: some are, and some are not ---- */

enum { NO_SUCH_FD = -1, UNREFUSED = EBADF };

/* On a descriptor that is none, so that nothing happens: the kernel's own answer is EBADF. */
static const struct use {
	int call;
	unsigned long request;
	int inside;
} uses[] = {
	{ SYS_ioctl, TCGETS, UNREFUSED },
	{ SYS_ioctl, TIOCGWINSZ, UNREFUSED },
	{ SYS_ioctl, TIOCSCTTY, UNREFUSED },
	{ SYS_ioctl, FIONREAD, UNREFUSED },
	{ SYS_ioctl, FIONBIO, UNREFUSED },
	{ SYS_ioctl, FIOCLEX, UNREFUSED },
	{ SYS_ioctl, FICLONE, UNREFUSED },
	{ SYS_ioctl, FICLONERANGE, UNREFUSED },
	{ SYS_ioctl, FIDEDUPERANGE, UNREFUSED },
	{ SYS_ioctl, FS_IOC_GETFLAGS, UNREFUSED },
	{ SYS_ioctl, SIOCGIFCONF, UNREFUSED },
	{ SYS_ioctl, SIOCGIFINDEX, UNREFUSED },
	{ SYS_ioctl, TIOCSTI, EPERM },
	{ SYS_ioctl, TIOCLINUX, EPERM },
	{ SYS_ioctl, TIOCSETD, EPERM },
	{ SYS_ioctl, TIOCCONS, EPERM },
	/* of btrfs: snapshots, subvolumes, files by number, the whole tree, sending */
	{ SYS_ioctl, 0x50009401, ENOSYS },
	{ SYS_ioctl, 0x50009417, ENOSYS },
	{ SYS_ioctl, 0x5000940e, ENOSYS },
	{ SYS_ioctl, 0x5000940f, ENOSYS },
	{ SYS_ioctl, 0xd0009412, ENOSYS },
	{ SYS_ioctl, 0xd0009411, ENOSYS },
	{ SYS_ioctl, 0x40489426, ENOSYS },
	{ SYS_ioctl, 0x50009401 | 1UL << 32, ENOSYS },
	/* of bcachefs: a subvolume */
	{ SYS_ioctl, 0x4020bc10, ENOSYS },
	/* of any: flags, projects, verity, encryption, labels, freezing, trimming, blocks */
	{ SYS_ioctl, FS_IOC_SETFLAGS, ENOSYS },
	{ SYS_ioctl, FS_IOC_FSGETXATTR, ENOSYS },
	{ SYS_ioctl, FS_IOC_FSSETXATTR, ENOSYS },
	{ SYS_ioctl, FS_IOC_GETFSLABEL, ENOSYS },
	{ SYS_ioctl, FS_IOC_SETFSLABEL, ENOSYS },
	{ SYS_ioctl, FS_IOC_FIEMAP, ENOSYS },
	{ SYS_ioctl, FS_IOC_ENABLE_VERITY, ENOSYS },
	{ SYS_ioctl, FS_IOC_SET_ENCRYPTION_POLICY, ENOSYS },
	{ SYS_ioctl, FS_IOC_ADD_ENCRYPTION_KEY, ENOSYS },
	{ SYS_ioctl, FIFREEZE, ENOSYS },
	{ SYS_ioctl, FITHAW, ENOSYS },
	{ SYS_ioctl, FITRIM, ENOSYS },
	{ SYS_ioctl, FIBMAP, ENOSYS },
	{ SYS_ioctl, BLKGETSIZE64, ENOSYS },
	/* of sockets: what loads a module, what leads out of the namespace */
	{ SYS_ioctl, SIOCBRADDBR, ENOSYS },
	{ SYS_ioctl, SIOCGIFVLAN, ENOSYS },
	{ SYS_ioctl, SIOCGSKNS, ENOSYS },
	{ SYS_ioctl, SIOCETHTOOL, ENOSYS },
	{ SYS_ioctl, 0xb702 /* NS_GET_PARENT */, ENOSYS },
	{ SYS_fcntl, F_GETFL, UNREFUSED },
	{ SYS_fcntl, F_SETLK, UNREFUSED },
	{ SYS_fcntl, F_DUPFD_CLOEXEC, UNREFUSED },
	{ SYS_fcntl, F_ADD_SEALS, UNREFUSED },
	{ SYS_fcntl, F_SETLEASE, EPERM },
	{ SYS_fcntl, F_SETLEASE | 1UL << 32, EPERM },
	{ SYS_fcntl, 1040 /* F_SETDELEG */, EPERM },
};

static int answer_to(const struct use *u)
{
	errno = 0;
	return syscall(u->call, (long)NO_SUCH_FD, u->request, 0L) < 0 ? errno : 0;
}

static void uses_of_a_call_get_what_their_rows_say(void **state)
{
	static struct guest_profile guest;
	int status, *out = mmap(NULL, sizeof(int) * ARRAY_LEN(uses), PROT_READ | PROT_WRITE,
	                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(out != MAP_FAILED);
	guest_profile_fill(&guest, 100);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;
		if (privilege_refuse_new(&err) != 0 || filter_install(&guest.profile, &err) != 0)
			_exit(1);
		for (size_t i = 0; i < ARRAY_LEN(uses); i++)
			out[i] = answer_to(&uses[i]);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
		if (out[i] != uses[i].inside)
			fail_msg("call %d, 0x%lx: errno %d, not %d", uses[i].call, uses[i].request, out[i],
			         uses[i].inside);
		/* The control: nothing else refuses it. */
		assert_int_equal(answer_to(&uses[i]), UNREFUSED);
	}
	munmap(out, sizeof(int) * ARRAY_LEN(uses));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_a_reason_and_stands_once),
		cmocka_unit_test(every_row_names_a_system_call),
		cmocka_unit_test(every_call_gets_what_its_row_says),
		cmocka_unit_test(uses_of_a_call_get_what_their_rows_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
