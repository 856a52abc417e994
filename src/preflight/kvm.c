#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errand.h"
#include "base/own.h"
#include "preflight/probes.h"
#include "base/banned.h"

#define NODE "/dev/kvm"
enum { API = 12, DEADLINE_MS = 10 * 1000 };

int probe_kvm_node(const struct preflight_host *host, struct str *found, struct err *err)
{
	struct stat st;

	(void)host, (void)found;
	if (stat(NODE, &st) < 0)
		return fail(
			err, ERR_MISSING,
			"there is no " NODE
			"; turn virtualisation on in the firmware (VT-x, AMD-V) and load the "
			"module: modprobe kvm-intel or kvm-amd; NixOS: boot.kernelModules = [ \"kvm-intel\" ] or "
			"[ \"kvm-amd\" ]; in a virtual machine its host must allow nesting. Else: --backend namespace");
	if (!S_ISCHR(st.st_mode))
		return fail(err, ERR_INPUT,
		            NODE " is no device; remove it and load the module kvm-intel or kvm-amd");
	return 0;
}

int probe_kvm_access(const struct preflight_host *host, struct str *found, struct err *err)
{
	own_fd int fd = open(NODE, O_RDWR | O_CLOEXEC);

	(void)host, (void)found;
	if (fd >= 0)
		return 0;
	if (errno == EACCES || errno == EPERM)
		return fail(
			err, ERR_DENIED,
			NODE
			" may not be opened by you; join the group kvm (usermod -aG kvm USER) and log in again, "
			"a re-login is needed; NixOS: users.users.NAME.extraGroups = [ \"kvm\" ]. "
			"Else: --backend namespace");
	return fail_errno(err, "open " NODE);
}

/* A guest that is a handful of instructions, for each mode that an ordinary kernel needs. It
 * stores ANSWER with paging on and halts; anything else than a halt with the answer in place
 * means that a kernel would not come far either. */
enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	DIRECTORY_64 = 0x3000,
	DIRECTORY_32 = 0x4000,
	DATA = 0x5000,
	CODE = 0x6000,
	MEMORY = 0x8000,
	ANSWER = 43,
};

struct vm {
	int kvm, vm, cpu;
	unsigned char *memory;
	struct kvm_run *run;
	size_t run_size;
};
/* clang-format off */
#define VM_INIT { -1, -1, -1, MAP_FAILED, MAP_FAILED, 0 }
/* clang-format on */

static void vm_clear(struct vm *vm)
{
	if (vm->run != MAP_FAILED)
		munmap(vm->run, vm->run_size);
	if (vm->memory != MAP_FAILED)
		munmap(vm->memory, MEMORY);
	fd_drop(&vm->cpu);
	fd_drop(&vm->vm);
	fd_drop(&vm->kvm);
}

static int vm_open(struct vm *vm, struct err *err)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	int size, api;

	vm->kvm = open(NODE, O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return fail_errno(err, "open " NODE);
	api = ioctl(vm->kvm, KVM_GET_API_VERSION, 0);
	if (api != API)
		return fail(err, ERR_SYSTEM, NODE " speaks API %d, not %d", api, API);
	vm->vm = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->vm < 0)
		return fail_errno(err, "make a virtual machine");
	vm->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vm->memory == MAP_FAILED)
		return fail_errno(err, "map %d bytes", MEMORY);
	region.userspace_addr = (uintptr_t)vm->memory;
	if (ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return fail_errno(err, "give memory to a virtual machine");
	vm->cpu = ioctl(vm->vm, KVM_CREATE_VCPU, 0);
	if (vm->cpu < 0)
		return fail_errno(err, "make a virtual processor");
	size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof *vm->run)
		return fail(err, ERR_SYSTEM, NODE " offers a run area of %d bytes", size);
	vm->run_size = (size_t)size;
	vm->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->cpu, 0);
	if (vm->run == MAP_FAILED)
		return fail_errno(err, "map a virtual processor's run area");
	return 0;
}

#ifdef __x86_64__
#include <asm/processor-flags.h>

enum { PRESENT_WRITABLE = 3, LARGE = 0x80, EFER_LME = 0x100, EFER_LMA = 0x400 };

static const unsigned char code_32[] = {
	0xb8, 42,   0,    0, 0, /* mov eax, 42 */
	0x83, 0xc0, 1,          /* add eax, 1 */
	0xa3, 0x00, 0x50, 0, 0, /* mov [DATA], eax */
	0xf4,                   /* hlt */
};
/* The 16-byte exchange is in every current kernel, and is where an emulator gives up. */
static const unsigned char code_64[] = {
	0x31, 0xc0,   0x31, 0xd2, 0x31, 0xc9, /* xor eax, eax; xor edx, edx; xor ecx, ecx */
	0xbb, ANSWER, 0,    0,    0,          /* mov ebx, ANSWER */
	0xbf, 0x00,   0x50, 0,    0,          /* mov edi, DATA */
	0xf0, 0x48,   0x0f, 0xc7, 0x0f,       /* lock cmpxchg16b [rdi] */
	0xf4,                                 /* hlt */
};

static void put_entry(struct vm *vm, size_t at, uint64_t value, size_t size)
{
	memcpy(vm->memory + at, &value, size);
}

static void set_mode_32(struct vm *vm, struct kvm_sregs *s)
{
	put_entry(vm, DIRECTORY_32, PRESENT_WRITABLE | LARGE, 4);
	s->cr3 = DIRECTORY_32;
	s->cr4 = X86_CR4_PSE;
	s->cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_NE | X86_CR0_PG;
	s->cs.db = 1;
}

static void set_mode_64(struct vm *vm, struct kvm_sregs *s)
{
	put_entry(vm, PML4, PDPT | PRESENT_WRITABLE, 8);
	put_entry(vm, PDPT, DIRECTORY_64 | PRESENT_WRITABLE, 8);
	put_entry(vm, DIRECTORY_64, PRESENT_WRITABLE | LARGE, 8);
	s->cr3 = PML4;
	s->cr4 = X86_CR4_PAE;
	s->cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_NE | X86_CR0_PG;
	s->efer = EFER_LME | EFER_LMA;
	s->cs.l = 1;
}

static const struct mode {
	const char *name;
	const unsigned char *code;
	size_t size;
	void (*set)(struct vm *vm, struct kvm_sregs *s);
} modes[] = {
	{ "64-bit paging", code_64, sizeof code_64, set_mode_64 },
	{ "32-bit paging", code_32, sizeof code_32, set_mode_32 },
};

static int vm_set_up(struct vm *vm, const struct mode *mode, struct err *err)
{
	const struct kvm_segment flat = {
		.limit = 0xffffffff, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1
	};
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs s;

	if (ioctl(vm->cpu, KVM_GET_SREGS, &s) < 0)
		return fail_errno(err, "read a virtual processor's registers");
	s.ds = s.es = s.fs = s.gs = s.ss = s.cs = flat;
	s.ds.selector = s.es.selector = s.fs.selector = s.gs.selector = s.ss.selector = 2 << 3;
	s.cs.selector = 1 << 3;
	s.cs.type = 11;
	s.cs.db = 0;
	mode->set(vm, &s);
	memcpy(vm->memory + CODE, mode->code, mode->size);
	if (ioctl(vm->cpu, KVM_SET_SREGS, &s) < 0 || ioctl(vm->cpu, KVM_SET_REGS, &regs) < 0)
		return fail_errno(err, "put a virtual processor into %s", mode->name);
	return 0;
}

static int run_mode(const struct mode *mode, struct err *err)
{
	OWN(vm_clear) struct vm vm = VM_INIT;
	uint32_t answer;

	if (vm_open(&vm, err) < 0 || vm_set_up(&vm, mode, err) < 0)
		return -1;
	while (ioctl(vm.cpu, KVM_RUN, 0) < 0)
		if (errno != EINTR && errno != EAGAIN)
			return fail_errno(err, "run a guest in %s", mode->name);
	memcpy(&answer, vm.memory + DATA, sizeof answer);
	if (vm.run->exit_reason == KVM_EXIT_HLT && answer == ANSWER)
		return 0;
	return fail(
		err, ERR_SYSTEM,
		"a guest of a few instructions in %s ended with KVM exit %u%s; this " NODE
		" emulates, or its "
		"module is broken: an ordinary kernel does not run here. Use a host with hardware virtualisation, "
		"or --backend namespace",
		mode->name, vm.run->exit_reason,
		vm.run->exit_reason == KVM_EXIT_SHUTDOWN       ? " (shutdown)" :
		vm.run->exit_reason == KVM_EXIT_INTERNAL_ERROR ? " (internal error)" :
		vm.run->exit_reason == KVM_EXIT_HLT            ? " and a wrong result" :
								 "");
}

static int run_guests(void *arg, void *answer, struct err *err)
{
	(void)arg, (void)answer;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (run_mode(&modes[i], err) < 0)
			return -1;
	return 0;
}
#else
/* Elsewhere no module that emulates is known: that a machine and a processor can be made is
 * what there is to see. */
static int run_guests(void *arg, void *answer, struct err *err)
{
	OWN(vm_clear) struct vm vm = VM_INIT;

	(void)arg, (void)answer;
	return vm_open(&vm, err);
}
#endif

/* An errand: a module that hangs in KVM_RUN must not take us with it. */
int probe_kvm_guest(const struct preflight_host *host, struct str *found, struct err *err)
{
	own_errand struct errand errand = ERRAND_INIT;

	if (probe_kvm_node(host, found, err) < 0 || probe_kvm_access(host, found, err) < 0)
		return -1;
	if (errand_start(run_guests, NULL, 0, -1, &errand, err) < 0)
		return fail_in(err, "try " NODE);
	int ended = errand_wait(&errand, DEADLINE_MS, NULL, err);
	if (ended < 0)
		return -1;
	if (ended == 0)
		return fail(err, ERR_SYSTEM,
		            "a guest of a few instructions did not end in %d s; " NODE
		            " can't run one; use --backend namespace",
		            DEADLINE_MS / 1000);
	str_addf(found, "API %d, 32-bit and 64-bit paging run", API);
	return 0;
}
