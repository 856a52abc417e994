#include "preflight/preflight.h"
#include <stdlib.h>
#include <string.h>
#include "backend/backend.h"
#include "base/own.h"
#include "cage/cage.h"
#include "image/cache.h"
#include "preflight/probes.h"
#include "base/banned.h"

enum {
	FOR_SMOLMACHINES = 1,
	FOR_NAMESPACE = 2,
	FOR_DOCKER = 4, /* the backend, or the bundle with any backend */
	FOR_REPOS = 8,
	TOGETHER = 16,   /* cage_probe_together() tries it too */
	BY_LAUNCH = 64,  /* a launch tries it where it matters, and says as much when it is refused */
	FOR_BUNDLE = 32, /* the docker bundle alone */
	FOR_EVERY = FOR_SMOLMACHINES | FOR_NAMESPACE | FOR_DOCKER,
};

static int probe_namespaces(const struct preflight_host *host, struct str *found, struct err *err)
{
	(void)host, (void)found;
	return cage_probe_user_namespace(err);
}

static int probe_network(const struct preflight_host *host, struct str *found, struct err *err)
{
	(void)host, (void)found;
	return cage_probe_network(err);
}

static int probe_proc(const struct preflight_host *host, struct str *found, struct err *err)
{
	(void)host, (void)found;
	return cage_probe_proc(err);
}

static int probe_seccomp(const struct preflight_host *host, struct str *found, struct err *err)
{
	(void)host, (void)found;
	return cage_probe_seccomp(err);
}

static int probe_landlock(const struct preflight_host *host, struct str *found, struct err *err)
{
	int abi = cage_probe_landlock(err);

	(void)host;
	if (abi < 0)
		return -1;
	str_addf(found, "ABI %d", abi);
	return 0;
}

static int probe_overlay(const struct preflight_host *host, struct str *found, struct err *err)
{
	(void)host, (void)found;
	return cage_probe_overlay(err);
}

static int probe_idmap(const struct preflight_host *host, struct str *found, struct err *err)
{
	(void)host;
	if (geteuid() != 0) {
		str_add(found, "not needed: not root");
		return 0;
	}
	return cage_probe_idmap(err);
}

/* A limit that a manifest writes and that can't be enforced is refused at launch, by name; a
 * default one is not. So this row informs, and never fails. */
static int probe_limits(const struct preflight_host *host, struct str *found, struct err *err)
{
	static const char *const fields[] = { "cpus", "memory_mib", "disk_gib", "pids" };
	own_strv struct strv unlimited = STRV_INIT;
	const struct backend *backend;

	if (backend_find(host->backend, &backend, err) != 0)
		return -1;
	if (backend->unlimited)
		backend->unlimited(&unlimited);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		str_addf(found, "%s%.*s: %s", i ? ", " : "", (int)strcspn(fields[i], "_"), fields[i],
		         strv_has(&unlimited, fields[i]) ? "not limited" : "limited");
	return 0;
}

/* As the limits: it informs. */
static int probe_images(const struct preflight_host *host, struct str *found, struct err *err)
{
	own_image_cache struct image_cache cache = IMAGE_CACHE_INIT;
	struct image_usage usage;

	(void)err;
	cache.dir = host->cache ? image_cache_look(host->cache) : -1;
	if (cache.dir < 0 || image_cache_usage(&cache, &usage, &(struct err)ERR_INIT) != 0)
		str_add(found, "none");
	else
		str_addf(found, "%zu, %llu of at most %llu MiB, %zu in use; bottle cleanup --images",
		         usage.images, (unsigned long long)usage.bytes >> 20, IMAGE_CACHE_MAX >> 20,
		         usage.held);
	return 0;
}

static const struct check {
	const char *name;
	unsigned needed_for;
	int (*probe)(const struct preflight_host *host, struct str *found, struct err *err);
	const char *why;
	const char *fix;
} checks[] = {
	/* First: the next ones open their paths by it. */
	{ "openat2", FOR_EVERY, probe_openat2, "a path is opened below its directory and nowhere else",
	  "Linux 5.6 or later; in a systemd unit RestrictSUIDSGID=no, which DynamicUser=yes forbids: its filter "
	  "takes the call away; in a container a seccomp profile that knows it" },
	{ "user namespaces", FOR_SMOLMACHINES | FOR_NAMESPACE | TOGETHER, probe_namespaces,
	  "the cage gives up every right of the host in one",
	  "sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1; on Ubuntu an AppArmor "
	  "profile, or kernel.apparmor_restrict_unprivileged_userns=0; on NixOS security.allowUserNamespaces = true" },
	{ "network namespace", FOR_SMOLMACHINES | FOR_NAMESPACE | TOGETHER, probe_network,
	  "the guest's network is one that holds nothing but lo",
	  "a unit needs RestrictNamespaces=no and RestrictAddressFamilies with AF_NETLINK" },
	{ "mount namespace, fresh /proc", FOR_SMOLMACHINES | FOR_NAMESPACE | TOGETHER, probe_proc,
	  "the guest must see its own processes only",
	  "a partly masked /proc forbids it: in a container run with an unmasked /proc; in a unit set "
	  "ProtectKernelTunables=no, ProtectKernelLogs=no and ProtectProc=default" },
	{ "programs for guests", FOR_NAMESPACE, probe_programs,
	  "a guest sees the host's programs, or exactly what the package's list names",
	  "install the package again" },
	{ "seccomp", FOR_EVERY | TOGETHER, probe_seccomp, "what the guest may ask of the kernel is a list",
	  "a kernel with CONFIG_SECCOMP_FILTER" },
	{ "Landlock", FOR_SMOLMACHINES | FOR_NAMESPACE, probe_landlock,
	  "files stay closed even where a mount was a mistake",
	  "Linux 5.19 or later, built with Landlock and with landlock in the lsm= list of the kernel's command line" },
	{ "overlay in a user namespace", FOR_SMOLMACHINES | FOR_NAMESPACE | TOGETHER, probe_overlay,
	  "what the guest changes is laid over the workspace, which stays as it was",
	  "Linux 5.11 or later, and modprobe overlay" },
	{ "idmapped mounts", FOR_SMOLMACHINES | FOR_NAMESPACE | BY_LAUNCH, probe_idmap,
	  "a launch by root gives the guest an id that owns nothing on the host",
	  "Linux 5.12 or later, and a state directory on a file system with idmapped mounts (ext4, xfs, btrfs, "
	  "tmpfs from 6.3); or launch as an ordinary user" },
	{ "smolvm", FOR_SMOLMACHINES, probe_smolvm,
	  "it runs the microVM; other versions write other policies", NULL },
	{ "/dev/kvm", FOR_SMOLMACHINES, probe_kvm_node, "a microVM needs the processor's virtualisation",
	  "load kvm-intel or kvm-amd, with virtualisation switched on in the firmware; or --backend namespace" },
	{ "/dev/kvm, access", FOR_SMOLMACHINES, probe_kvm_access, "the VMM runs as you, not as root",
	  "join the group kvm; where a container or a sandbox keeps the device back, let it through; or --backend namespace" },
	{ "/dev/kvm, a guest", FOR_SMOLMACHINES, probe_kvm_guest,
	  "a module that emulates answers on /dev/kvm and can't run an ordinary kernel",
	  "a host with hardware virtualisation that lets you use it; or --backend namespace" },
	{ "docker", FOR_DOCKER, probe_docker, "the sidecars' container runs there", NULL },
	{ "the sidecars' image", FOR_BUNDLE, probe_image, "their container is made from it",
	  "make sidecar-image, and make install again; or --bundle embedded" },
	{ "leases", FOR_BUNDLE, probe_leases,
	  "each bottle of the docker bundle publishes on an address of its own",
	  "stop a bottle (bottle ls), or set leases in config.json" },
	{ "git", FOR_REPOS, probe_git, "the git gate keeps a mirror of each repository",
	  "apt-get install git" },
	{ "gitleaks", FOR_REPOS, probe_gitleaks, "no push leaves without a scan",
	  "install gitleaks (a package of Debian from 13 on), or its release for your system" },
	{ "own programs", FOR_EVERY, probe_own_programs,
	  "what runs beside a bottle, and inside, are programs of ours",
	  "install bottle with all that belongs to it, as make install does: bin/bottle alone finds no "
	  "../libexec/bot-bottle" },
	{ "state directory", FOR_EVERY, probe_state,
	  "a bottle's record, home and changes lie there, for you alone", NULL },
	{ "runtime directory", FOR_EVERY, probe_runtime,
	  "a bottle's control socket lies there, for you alone", NULL },
	{ "disk space", FOR_EVERY, probe_disk, "a bottle's home and changes are on disk",
	  "free some, or move XDG_STATE_HOME" },
	{ "limits", 0, probe_limits, "a written limit that can't be enforced is refused at launch",
	  "a delegated control group, as under systemd-run --user --scope -p Delegate=yes" },
	{ "cached images", 0, probe_images, "a machine's image is kept, so that it is made once", NULL },
};

static int needs(const struct preflight_host *host, unsigned *out, struct err *err)
{
	static const struct {
		const char *name;
		unsigned bit;
	} backends[] = {
		{ "smolmachines", FOR_SMOLMACHINES },
		{ "namespace", FOR_NAMESPACE },
	};

	*out = host->repos ? FOR_REPOS : 0;
	if (host->bundle && str_is(host->bundle, "docker"))
		*out |= FOR_DOCKER | FOR_BUNDLE;
	else if (host->bundle && !str_is(host->bundle, "embedded"))
		return fail(err, ERR_USAGE, "there is no bundle \"%.40s\"; it is embedded or docker",
		            host->bundle);
	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		if (!str_is(backends[i].name, host->backend))
			continue;
		*out |= backends[i].bit;
		return 0;
	}
	return fail(err, ERR_USAGE, "there is no backend \"%.40s\"; it is smolmachines or namespace",
	            host->backend);
}

static void run_check(const struct check *check, const struct preflight_host *host, unsigned wanted,
                      struct preflight_result *out)
{
	*out = (struct preflight_result){
		.name = check->name,
		.why = check->why,
		.needed = (check->needed_for & wanted) != 0,
	};
	out->ok = check->probe(host, &out->found, &out->err) >= 0;
	/* A probe that knows the cause knows the remedy; else the row has a general one. */
	if (!out->ok && !strstr(out->err.text, "; "))
		out->fix = check->fix;
}

void preflight_report_clear(struct preflight_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		str_clear(&report->v[i].found);
	mem_drop(&report->v);
	report->n = 0;
}

int preflight_run(const struct preflight_host *host, struct preflight_report *out, struct err *err)
{
	unsigned wanted;

	if (needs(host, &wanted, err) < 0)
		return -1;
	preflight_report_clear(out);
	out->v = xcalloc(ARRAY_LEN(checks), sizeof *out->v);
	out->n = ARRAY_LEN(checks);
	out->able = true;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		run_check(&checks[i], host, wanted, &out->v[i]);
		out->able &= out->v[i].ok || !out->v[i].needed;
	}
	return 0;
}

int preflight_require(const struct preflight_host *host, struct err *err)
{
	struct err ignored = ERR_INIT;
	unsigned wanted;

	if (needs(host, &wanted, err) < 0)
		return -1;
	/* A launch waits for this: what works in one go is not tried one by one. */
	unsigned done = BY_LAUNCH | (cage_probe_together(&ignored) == 0 ? TOGETHER : 0);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct preflight_result result;

		if (!(checks[i].needed_for & wanted) || (checks[i].needed_for & done))
			continue;
		run_check(&checks[i], host, wanted, &result);
		str_clear(&result.found);
		if (result.ok)
			continue;
		*err = result.err;
		if (result.fix)
			fail(err, result.err.kind, "%s: %.200s; %.200s", checks[i].name, result.err.text,
			     result.fix);
		else if (!str_starts(result.err.text, checks[i].name))
			fail_in(err, "%s", checks[i].name);
		return -1;
	}
	return 0;
}

json *preflight_to_json(const struct preflight_report *report, const struct preflight_host *host)
{
	json *whole = json_object_of();
	json *rows = json_array_of();

	json_set_string(whole, "backend", host->backend);
	json_set_truth(whole, "able", report->able);
	for (size_t i = 0; i < report->n; i++) {
		const struct preflight_result *r = &report->v[i];
		const char *cut = strstr(r->err.text, "; ");
		own_mem char *problem =
			xstrndup(r->err.text, cut ? (size_t)(cut - r->err.text) : strlen(r->err.text));
		json *row = json_object_of();

		json_set_string(row, "check", r->name);
		json_set_truth(row, "ok", r->ok);
		json_set_truth(row, "needed", r->needed);
		json_set_string(row, "why", r->why);
		json_set_string(row, "found", r->ok ? (r->found.len ? str_c(&r->found) : NULL) : problem);
		json_set_string(row, "kind", r->ok ? NULL : err_kind_name(r->err.kind));
		json_set_string(row, "fix", r->ok ? NULL : (r->fix ? r->fix : (cut ? cut + 2 : NULL)));
		json_push(rows, row);
	}
	json_set(whole, "checks", rows);
	return whole;
}
