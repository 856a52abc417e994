#include "test.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "preflight/probes.h"

/* A module of KVM that does as it is told: these three stand before the C library's. What is not
 * of /dev/kvm goes to the kernel as it is. */
static struct {
	int api, run_errno; /* of KVM_RUN; 0: it returns */
	unsigned exit;
	unsigned char answer;
	bool hangs;
	int modes_before; /* that many guests run as they should first */
	int ran;
	unsigned char *memory;
	int cpu;
} module;

enum { DATA = 0x5000, GOOD = 43 };

int open(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	unsigned mode = flags & O_CREAT ? va_arg(ap, unsigned) : 0;
	va_end(ap);
	return (int)syscall(__NR_openat, AT_FDCWD, strcmp(path, "/dev/kvm") == 0 ? "/dev/null" : path, flags,
	                    mode);
}

int stat(const char *path, struct stat *st)
{
	return fstatat(AT_FDCWD, strcmp(path, "/dev/kvm") == 0 ? "/dev/null" : path, st, 0);
}

static int run(void)
{
	bool good = module.ran++ < module.modes_before;
	struct kvm_run *area = mmap(NULL, sizeof *area, PROT_READ | PROT_WRITE, MAP_SHARED, module.cpu, 0);

	while (module.hangs && !good)
		pause();
	if (area == MAP_FAILED || (module.run_errno && !good)) {
		errno = module.run_errno;
		return -1;
	}
	area->exit_reason = good ? KVM_EXIT_HLT : module.exit;
	module.memory[DATA] = good ? GOOD : module.answer;
	munmap(area, sizeof *area);
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;

	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	switch (request) {
	case KVM_GET_API_VERSION:
		return module.api;
	case KVM_CREATE_VM:
		return dup(fd);
	case KVM_SET_USER_MEMORY_REGION:
		module.memory = (unsigned char *)(uintptr_t)((struct kvm_userspace_memory_region *)arg)
		                        ->userspace_addr;
		return 0;
	case KVM_CREATE_VCPU:
		module.cpu = memfd_create("cpu", MFD_CLOEXEC);
		return ftruncate(module.cpu, sizeof(struct kvm_run)) == 0 ? dup(module.cpu) : -1;
	case KVM_GET_VCPU_MMAP_SIZE:
		return sizeof(struct kvm_run);
	case KVM_GET_SREGS:
		memset(arg, 0, sizeof(struct kvm_sregs));
		return 0;
	case KVM_SET_SREGS:
	case KVM_SET_REGS:
		return 0;
	case KVM_RUN:
		return run();
	}
	return (int)syscall(__NR_ioctl, fd, request, arg);
}

#ifdef __x86_64__
static void a_module_is_judged_by_what_its_guests_do(void **state)
{
	static const struct {
		const char *says; /* NULL: it is taken */
		int api, run_errno;
		unsigned exit;
		unsigned char answer;
		int modes_before;
	} cases[] = {
		{ NULL, 12, 0, KVM_EXIT_HLT, GOOD, 0 },
		{ "API 11, not 12", 11, 0, KVM_EXIT_HLT, GOOD, 0 },
		{ "64-bit paging ended with KVM exit 8 (shutdown)", 12, 0, KVM_EXIT_SHUTDOWN, GOOD, 0 },
		{ "KVM exit 17 (internal error)", 12, 0, KVM_EXIT_INTERNAL_ERROR, GOOD, 0 },
		{ "KVM exit 5 and a wrong result", 12, 0, KVM_EXIT_HLT, GOOD - 1, 0 },
		{ "32-bit paging ended with KVM exit 8 (shutdown)", 12, 0, KVM_EXIT_SHUTDOWN, GOOD, 1 },
		{ "run a guest in 64-bit paging: Bad address", 12, EFAULT, KVM_EXIT_HLT, GOOD, 0 },
	};
	struct preflight_host host = { .share = "/nonexistent", .backend = "smolmachines", .path = "" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str found = STR_INIT;
		struct err err = ERR_INIT;

		memset(&module, 0, sizeof module);
		module.api = cases[i].api;
		module.run_errno = cases[i].run_errno;
		module.exit = cases[i].exit;
		module.answer = cases[i].answer;
		module.modes_before = cases[i].modes_before;
		int rc = probe_kvm_guest(&host, &found, &err);
		if (cases[i].says)
			assert_refused(rc, &err, ERR_SYSTEM, cases[i].says);
		else
			assert_ok(rc, &err);
	}
}

/* It is ended with the errand: nothing waits for it. */
static void a_module_that_hangs_is_given_up(void **state)
{
	struct preflight_host host = { .share = "/nonexistent", .backend = "smolmachines", .path = "" };
	own_str struct str found = STR_INIT;
	struct err err = ERR_INIT;
	(void)state;

	memset(&module, 0, sizeof module);
	module.api = 12;
	module.hangs = true;
	assert_refused(probe_kvm_guest(&host, &found, &err), &err, ERR_SYSTEM, "did not end in 10 s");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef __x86_64__
		cmocka_unit_test(a_module_is_judged_by_what_its_guests_do),
		cmocka_unit_test(a_module_that_hangs_is_given_up),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
