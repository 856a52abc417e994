#include "backend/namespace.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "backend/limits.h"
#include "base/msg.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

static const struct cage_path guest_paths[] = {
	PATH("/", CAGE_PATH_READ | CAGE_PATH_EXECUTE,
	     "a user land: everything in the tree can be read and run"),
	PATH(GUEST_HOME, CAGE_PATH_WRITE, "the agent's own home"),
	PATH(GUEST_WORKSPACE, CAGE_PATH_WRITE, "the work"),
	PATH("/tmp", CAGE_PATH_WRITE, "scratch"),
	PATH("/var/tmp", CAGE_PATH_WRITE, "scratch"),
	PATH("/run", CAGE_PATH_WRITE, "scratch"),
	PATH("/dev", CAGE_PATH_WRITE | CAGE_PATH_DEVICE, "null, the terminal, shared memory"),
	PATH("/proc", CAGE_PATH_WRITE, "a process's own knobs: comm, oom_score_adj"),
};

void guest_profile_fill(struct guest_profile *p, uint64_t processes)
{
	const uint64_t files = limits_open_files();

	*p = (struct guest_profile){
		.profile = { .name = "guest", .ncalls = ARRAY_LEN(p->calls),
			     .sockets = CAGE_SOCKET_UNIX | CAGE_SOCKET_INET | CAGE_SOCKET_ROUTE,
			     .paths = guest_paths, .npaths = ARRAY_LEN(guest_paths), .dumpable = true },
		.calls = { cage_calls_common, cage_calls_userland, cage_calls_set_id },
		.limits = {
			LIMIT(CORE, 0, 0, "a core dump would be written through the host's core_pattern"),
			LIMIT(NOFILE, files, files, "enough for any build, and not the kernel's"),
			LIMIT(MEMLOCK, 8 << 20, 8 << 20, "locked memory is taken from everybody"),
			LIMIT(MSGQUEUE, 1 << 20, 1 << 20, "kernel memory that outlives its maker"),
			LIMIT(SIGPENDING, 4096, 4096, "kernel memory"),
			LIMIT(NPROC, processes, processes, "the manifest's limit of programs at a time"),
			LIMIT(RTPRIO, 0, 0, "real time goes before everybody else's, on every processor"),
			LIMIT(NICE, 0, 0, "no better place than others have"),
		},
	};
	p->profile.calls = p->calls;
	p->profile.limits = p->limits;
	p->profile.nlimits = ARRAY_LEN(p->limits);
}

/* Before 5.14 the limit counted every process of the user, on the host too: there it would be
 * no limit of the bottle's. */
static bool processes_are_counted_per_namespace(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 14));
}

static int check_resources(const struct manifest_resources *want, struct strv *unlimited, struct err *err)
{
	struct err why = ERR_INIT;
	int groups = cage_probe_cgroup(&why);
	unsigned can = groups > 0 ? (unsigned)groups : 0;
	const char *group = groups < 0 ? why.text : "delegate its controller (user@.service, Delegate=yes)";
	const struct {
		const char *field;
		bool enforced, written;
		const char *how;
	} rows[] = {
		{ "cpus", can & CAGE_CPUS, want->cpus_given, group },
		{ "memory_mib", can & CAGE_MEMORY, want->memory_mib_given, group },
		{ "disk_gib", false, want->disk_gib_given,
		  "the namespace backend has no limit of disk space" },
		{ "pids", (can & CAGE_PROCESSES) || processes_are_counted_per_namespace(), want->pids_given,
		  "delegate the pids controller, or run Linux 5.14 or later" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].enforced)
			continue;
		if (rows[i].written)
			return fail(err, ERR_UNCONFINED,
			            "resources.%s can't be enforced here; %s; or use --backend "
			            "smolmachines, or leave it out",
			            rows[i].field, rows[i].how);
		strv_add(unlimited, rows[i].field);
	}
	return 0;
}

static void unlimited(struct strv *out)
{
	/* Nobody wrote one down, so none is refused. */
	const struct manifest_resources defaults = { 0 };
	struct err never = ERR_INIT;

	check_resources(&defaults, out, &never);
}

static int check(const struct guest_request *r, struct strv *unlimited, struct err *err)
{
	if (r->image)
		return fail(err, ERR_INPUT,
		            "image: the namespace backend runs the host's programs; leave image out, "
		            "or use --backend smolmachines");
	if (tools_check(r->tools, r->operator_home, err) != 0)
		return -1;
	return check_resources(r->resources, unlimited, err);
}

static int make_group(const struct guest_request *r, struct guest *g, int *out, struct err *err)
{
	const struct manifest_resources *want = r->resources;
	const struct cage_resources resources = { want->memory_mib << 20, want->pids, (unsigned)want->cpus };
	unsigned must = (want->memory_mib_given ? CAGE_MEMORY : 0U) | (want->cpus_given ? CAGE_CPUS : 0U);

	return limits_make(r, &resources, must, g, out, err);
}

static int up(const struct guest_request *r, struct guest *out, int *listeners, struct err *err)
{
	own_tree struct tree tree = TREE_INIT;
	struct guest_profile profile;
	own_fd int group = -1;
	int pair[2];

	if (cage_ids_choose(&out->ids, err) != 0 || tree_build(&tree, r, &out->ids, err) != 0)
		return -1;
	if (make_group(r, out, &group, err) != 0)
		return -1;
	own_fd int program = cage_seal_program(r->program, err);
	if (program < 0)
		return fail_in(err, "the guest's init");
	if (msg_pair(pair, err) != 0)
		return -1;
	own_fd int theirs = pair[1];
	out->socket = pair[0];
	/* A guest that does not read must not hold the keeper up. */
	if (fcntl(out->socket, F_SETFL, O_NONBLOCK) != 0)
		return fail_errno(err, "init's socket");
	guest_profile_fill(&profile, r->resources->pids);
	char *argv[] = { "bottle-guest", "init", NULL };
	const struct proc_fd fds[] = { { theirs, INIT_SOCKET } };
	struct cage_spec spec = {
		.profile = &profile.profile,
		.ids = &out->ids,
		.mounts = tree.rows,
		.nmounts = tree.n,
		.listeners = r->listeners,
		.nlisteners = r->nlisteners,
		.hostname = r->slug,
		.cgroup = group > 0 ? group : 0,
		.starting = &out->starting, /* the tree is built while the sidecars start */
		.exe = program,
		.argv = argv,
		.fds = fds,
		.nfds = ARRAY_LEN(fds),
	};
	return cage_spawn(&spec, &out->init, listeners, err);
}

static void down(struct guest *g)
{
	guest_close(g);
	limits_remove(g);
	cage_ids_clear(&g->ids);
}

const struct backend backend_namespace = {
	.name = "namespace",
	.isolation =
		"namespaces of the host's own kernel, seccomp, Landlock: the weaker tier, without a virtual machine",
	.address = "127.0.0.1",
	.unlimited = unlimited,
	.check = check,
	.up = up,
	.down = down,
	.run = namespace_run,
};
