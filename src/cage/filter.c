/* Two seccomp filters, from the profile's rows. The lower one is the list of what is allowed:
 * everything else is ENOSYS, or EPERM where a row refuses by name. The upper one refuses
 * single uses of calls that are allowed. A call passes if both let it pass; where both answer
 * with an errno the newest filter's wins, so what must look absent (clone3, for which C
 * libraries have a way round) is absent in both.
 *
 * Foreign entries (int 0x80, x32 numbers) get ENOSYS as well: the arguments of such calls
 * can't be judged by rows for the native ones. */
#include "cage/inside.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

enum {
	FILTERS = 2,
	CACHED = 8,
	GROUPS = 4,
	FAMILIES = 64,
	TYPES = 0xf,       /* the bits of a socket's type; above them are flags */
	LAST_PROTOCOL = 17 /* UDP */
};

struct program {
	struct sock_filter *code;
	unsigned short n;
};

/* Compiled once per process for the same rows. Found by what is in a profile, never by where
 * it stands: two profiles may come to lie at the same place one after the other. */
static struct cached {
	bool used;
	unsigned sockets;
	size_t ncalls;
	struct cage_calls calls[GROUPS];
	struct program filter[FILTERS];
} cache[CACHED];

static void context_drop(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
	*ctx = NULL;
}
#define own_context __attribute__((cleanup(context_drop)))

static int context_new(uint32_t otherwise, scmp_filter_ctx *out, struct err *err)
{
	own_context scmp_filter_ctx ctx = seccomp_init(otherwise);

	if (!ctx || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) != 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) != 0)
		return fail(err, ERR_SYSTEM, "libseccomp makes no filter");
	*out = mem_steal(&ctx);
	return 0;
}

/* A name that this machine's architecture doesn't have is left out: there is no number by
 * which it could be called. */
static int add(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned n,
               const struct scmp_arg_cmp *args, struct err *err)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number < 0)
		return 0;
	int rc = seccomp_rule_add_array(ctx, action, number, n, args);
	return rc == 0 ? 0 : fail(err, ERR_SYSTEM, "seccomp: a rule for %s: %s", name, strerror(-rc));
}

static int add_row(scmp_filter_ctx ctx, const struct cage_call *row, struct err *err)
{
	uint32_t action = row->refusal ? SCMP_ACT_ERRNO((uint32_t)row->refusal) : SCMP_ACT_ALLOW;

	if (row->arg < 0)
		return add(ctx, action, row->name, 0, NULL, err);
	const struct scmp_arg_cmp when[] = {
		{ .arg = (unsigned)row->arg,
		  .op = SCMP_CMP_MASKED_EQ,
		  .datum_a = row->mask,
		  .datum_b = row->value },
		{ .arg = (unsigned)row->and_arg,
		  .op = SCMP_CMP_MASKED_EQ,
		  .datum_a = row->and_mask,
		  .datum_b = row->and_value },
	};
	return add(ctx, action, row->name, row->and_mask ? 2 : 1, when, err);
}

static int add_rows(scmp_filter_ctx ctx, const struct cage_profile *profile, bool conditional,
                    struct err *err)
{
	for (size_t g = 0; g < profile->ncalls; g++) {
		for (size_t i = 0; i < profile->calls[g].n; i++) {
			const struct cage_call *row = &profile->calls[g].rows[i];
			/* A use that is refused belongs above, whatever the list below says. */
			if ((row->arg >= 0 && row->refusal) == conditional && add_row(ctx, row, err) != 0)
				return -1;
		}
	}
	return 0;
}

static bool family_is_allowed(unsigned sockets, int family)
{
	switch (family) {
	case AF_UNIX:
		return sockets & CAGE_SOCKET_UNIX;
	case AF_INET:
	case AF_INET6:
		return sockets & CAGE_SOCKET_INET;
	case AF_NETLINK:
		return sockets & CAGE_SOCKET_ROUTE;
	default:
		return false;
	}
}

/* The kernel reads an int: the upper half of the register is ignored there, so it is not
 * looked at where a family is recognised, and never lets one pass that isn't. */
static int refuse_families(scmp_filter_ctx ctx, unsigned sockets, const char *call, struct err *err)
{
	const uint32_t no = SCMP_ACT_ERRNO(EAFNOSUPPORT);

	for (int family = 0; family < FAMILIES; family++) {
		struct scmp_arg_cmp is = SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, (uint64_t)family);
		if (!family_is_allowed(sockets, family) && add(ctx, no, call, 1, &is, err) != 0)
			return -1;
	}
	struct scmp_arg_cmp beyond = SCMP_A0(SCMP_CMP_GE, FAMILIES);
	if (add(ctx, no, call, 1, &beyond, err) != 0)
		return -1;
	const uint32_t rare = SCMP_ACT_ERRNO(EPROTONOSUPPORT);
	for (int i = 0; (sockets & CAGE_SOCKET_INET) && i < 2; i++) {
		struct scmp_arg_cmp when[] = {
			SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, i ? AF_INET6 : AF_INET),
			SCMP_A2(SCMP_CMP_GT, LAST_PROTOCOL),
		};
		if (add(ctx, rare, call, 2, when, err) != 0)
			return -1;
	}
	struct scmp_arg_cmp netlink[] = { SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, AF_NETLINK),
		                          SCMP_A2(SCMP_CMP_NE, 0 /* NETLINK_ROUTE */) };
	return sockets & CAGE_SOCKET_ROUTE ? add(ctx, rare, call, 2, netlink, err) : 0;
}

/* Of the internet's, streams and datagrams: another type is another protocol, whatever stands in
 * the third argument, and the one that is historical (SOCK_PACKET) is another family. */
static int refuse_types(scmp_filter_ctx ctx, const char *call, struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		for (int type = 0; type <= TYPES; type++) {
			struct scmp_arg_cmp when[] = {
				SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, (uint64_t)families[i]),
				SCMP_A1(SCMP_CMP_MASKED_EQ, TYPES, (uint64_t)type),
			};
			/* As the kernel answers whom it asks for a capability, and what it does not know. */
			int no = type == SOCK_RAW ? EPERM : ESOCKTNOSUPPORT;
			if (type != SOCK_STREAM && type != SOCK_DGRAM &&
			    add(ctx, SCMP_ACT_ERRNO((uint32_t)no), call, 2, when, err) != 0)
				return -1;
		}
	}
	return 0;
}

static int refuse_sockets(scmp_filter_ctx ctx, unsigned sockets, struct err *err)
{
	static const char *const calls[] = { "socket", "socketpair" };

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (refuse_families(ctx, sockets, calls[i], err) != 0)
			return -1;
		if ((sockets & CAGE_SOCKET_INET) && refuse_types(ctx, calls[i], err) != 0)
			return -1;
	}
	return 0;
}

static int fill_allowed(scmp_filter_ctx ctx, const struct cage_profile *profile, struct err *err)
{
	static const char *const calls[] = { "socket", "socketpair" };

	for (size_t i = 0; profile->sockets && i < ARRAY_LEN(calls); i++)
		if (add(ctx, SCMP_ACT_ALLOW, calls[i], 0, NULL, err) != 0)
			return -1;
	return add_rows(ctx, profile, false, err);
}

static int fill_refused(scmp_filter_ctx ctx, const struct cage_profile *profile, struct err *err)
{
	if (add(ctx, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL, err) != 0)
		return -1;
	if (profile->sockets && refuse_sockets(ctx, profile->sockets, err) != 0)
		return -1;
	return add_rows(ctx, profile, true, err);
}

static int export(scmp_filter_ctx ctx, struct program *out, struct err *err)
{
	enum { LIMIT = 4096 * sizeof(struct sock_filter) }; /* BPF_MAXINSNS */
	own_fd int fd = memfd_create("filter", MFD_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, "seccomp: memfd");
	int rc = seccomp_export_bpf(ctx, fd);
	off_t n = lseek(fd, 0, SEEK_END);
	if (rc != 0 || n <= 0 || n > (off_t)LIMIT)
		return fail(err, ERR_SYSTEM, "seccomp: the filter doesn't compile: %s", strerror(-rc));
	own_mem struct sock_filter *code = xmalloc((size_t)n);
	if (pread(fd, code, (size_t)n, 0) != n)
		return fail_errno(err, "seccomp: reading the filter");
	*out = (struct program){ mem_steal(&code), (unsigned short)((size_t)n / sizeof *code) };
	return 0;
}

static int compile(const struct cage_profile *profile, struct program out[FILTERS], struct err *err)
{
	own_context scmp_filter_ctx allowed = NULL;
	own_context scmp_filter_ctx refused = NULL;

	if (context_new(SCMP_ACT_ERRNO(ENOSYS), &allowed, err) != 0 ||
	    fill_allowed(allowed, profile, err) != 0)
		return -1;
	/* A tree in place of a chain: some hundred rows, looked up on every call. */
	seccomp_attr_set(allowed, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (context_new(SCMP_ACT_ALLOW, &refused, err) != 0 || fill_refused(refused, profile, err) != 0)
		return -1;
	if (export(allowed, &out[0], err) != 0)
		return -1;
	if (export(refused, &out[1], err) != 0) {
		mem_drop(&out[0].code);
		return -1;
	}
	return 0;
}

static bool is_for(const struct cached *c, const struct cage_profile *profile)
{
	bool same = c->used && c->sockets == profile->sockets && c->ncalls == profile->ncalls;

	for (size_t g = 0; same && g < c->ncalls; g++)
		same = c->calls[g].rows == profile->calls[g].rows && c->calls[g].n == profile->calls[g].n;
	return same;
}

static const struct cached *find(const struct cage_profile *profile, struct err *err)
{
	if (profile->ncalls > GROUPS)
		bug("%zu groups of calls in a profile", profile->ncalls);
	for (size_t i = 0; i < CACHED; i++) {
		struct cached *c = &cache[i];
		if (!c->used) {
			if (compile(profile, c->filter, err) != 0)
				return NULL;
			c->used = true;
			c->sockets = profile->sockets;
			c->ncalls = profile->ncalls;
			memcpy(c->calls, profile->calls, profile->ncalls * sizeof *c->calls);
		}
		if (is_for(c, profile))
			return c;
	}
	bug("more than %d profiles in one process", CACHED);
}

int cage_profile_compile(const struct cage_profile *profile, struct err *err)
{
	return find(profile, err) ? 0 : fail_in(err, "profile %s", profile->name);
}

/* Does: the last thing that is given up. Must not yet be called before anything else is done
 * that the rows don't allow. */
int filter_install(const struct cage_profile *profile, struct err *err)
{
	const struct cached *c = find(profile, err);

	if (!c)
		return -1;
	/* The list of what is allowed goes first: it lets seccomp(2) pass once more for the other
	 * only if a row says so, so the one that refuses single uses is installed before it. */
	for (int i = FILTERS - 1; i >= 0; i--) {
		struct sock_fprog program = { .len = c->filter[i].n, .filter = c->filter[i].code };
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
			return fail_errno(err,
			                  "seccomp: the filter is refused; a kernel with "
			                  "CONFIG_SECCOMP_FILTER=y is needed, and an outer filter that lets "
			                  "seccomp(2) pass");
	}
	return 0;
}
