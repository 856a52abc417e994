#include "backend/namespace.h"

#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

/* A directory that many programs write to: everybody's, but each owns what is theirs. */
enum { STICKY = 01777 };

#define HOST_READ_ONLY (CAGE_READ_ONLY | CAGE_OPTIONAL)

/* The host's programs and what they can't do without. What somebody installed by hand may have
 * its service's socket beside the program (/opt/x/run/x.sock), and a read-only bind would let it
 * be dialled. Seen through an overlay it is a name with nobody behind it. */
static const struct cage_mount host_programs[] = {
	{ CAGE_BIND, "/usr", .source = "/usr", .flags = CAGE_READ_ONLY },
	{ CAGE_OVERLAY, "/opt", .source = "/opt", .flags = HOST_READ_ONLY },
};
/* Where nobody has said which paths of it a guest needs. */
static const struct cage_mount host_store = { CAGE_BIND, CLOSURE_STORE, .source = CLOSURE_STORE,
	                                      .flags = HOST_READ_ONLY };

/* Where a host has them as links into /usr, the guest has the same links. */
static const char *const top_level[] = { "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32" };
/* There, where scripts name them by these, are the programs of a list that is all there is. */
static const char *const program_links[] = { "/bin", "/usr/bin" };
/* NixOS: the system's programs and drivers are reached through these. */
static const char *const system_links[] = { "/run/current-system", "/run/opengl-driver" };

static const struct cage_mount own_places[] = {
	{ CAGE_PROC, .target = "/proc" },
	{ CAGE_TMPFS, "/dev", .mode = 0755, .size = 64 * 1024, .flags = CAGE_NOEXEC },
	{ CAGE_BIND, "/dev/null", .source = "/dev/null", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/zero", .source = "/dev/zero", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/full", .source = "/dev/full", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/random", .source = "/dev/random", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/urandom", .source = "/dev/urandom", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/tty", .source = "/dev/tty", .flags = CAGE_DEVICE },
	{ CAGE_DEVPTS, .target = "/dev/pts" },
	{ CAGE_TMPFS, "/dev/shm", .mode = STICKY },
	{ CAGE_MQUEUE, .target = "/dev/mqueue" },
	{ CAGE_LINK, "/dev/fd", .source = "/proc/self/fd" },
	{ CAGE_LINK, "/dev/stdin", .source = "/proc/self/fd/0" },
	{ CAGE_LINK, "/dev/stdout", .source = "/proc/self/fd/1" },
	{ CAGE_LINK, "/dev/stderr", .source = "/proc/self/fd/2" },
	{ CAGE_TMPFS, "/tmp", .mode = STICKY },
	{ CAGE_TMPFS, "/run", .mode = 0755 },
	{ CAGE_LINK, "/var/run", .source = "/run" },
	{ CAGE_TMPFS, "/var/tmp", .mode = STICKY },
};

/* An /etc of our own: nothing that names the host's people, networks or keys. */
static const struct cage_mount own_etc[] = {
	{ CAGE_FILE, "/etc/passwd",
	  .content = "root:x:0:0:root:/root:/bin/sh\n"
	             "agent:x:1000:1000:agent:" GUEST_HOME ":/bin/bash\n"
	             "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ CAGE_FILE, "/etc/group", .content = "root:x:0:\ntty:x:5:\nagent:x:1000:\nnogroup:x:65534:\n" },
	{ CAGE_FILE, "/etc/nsswitch.conf",
	  .content = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"
	             "networks: files\nprotocols: files\nservices: files\n" },
	/* Names are the gateway's business: nothing here asks anybody. */
	{ CAGE_FILE, "/etc/resolv.conf", .content = "# Names are resolved by the gateway alone.\n" },
	{ CAGE_FILE, "/etc/host.conf", .content = "multi on\n" },
	{ CAGE_LINK, "/etc/mtab", .source = "/proc/self/mounts" },
	{ CAGE_LINK, GUEST_CA_BUNDLE, .source = "/etc/bot-bottle/" GUEST_ETC_CA_BUNDLE },
	{ CAGE_LINK, "/etc/ssl/cert.pem", .source = "/etc/bot-bottle/" GUEST_ETC_CA_BUNDLE },
	{ CAGE_LINK, "/etc/ssl/certs/ca-bundle.crt", .source = "/etc/bot-bottle/" GUEST_ETC_CA_BUNDLE },
	{ CAGE_LINK, "/etc/pki/tls/certs/ca-bundle.crt", .source = "/etc/bot-bottle/" GUEST_ETC_CA_BUNDLE },
};

/* What ordinary programs look for there, and what says nothing about anybody. */
static const char *const shared_etc[] = {
	"/etc/ld.so.cache", "/etc/ld.so.conf",      "/etc/ld.so.conf.d", "/etc/alternatives",
	"/etc/protocols",   "/etc/services",        "/etc/mime.types",   "/etc/inputrc",
	"/etc/terminfo",    "/etc/debian_version",  "/etc/bash.bashrc",  "/etc/profile",
	"/etc/fonts",       "/etc/locale.alias",    "/etc/magic",        "/etc/perl",
	"/etc/python3",     "/etc/ssl/openssl.cnf", "/etc/gai.conf",     "/etc/ethertypes",
	"/etc/rpc",         "/etc/timezone",        "/etc/lsb-release",
};
static const char *const shared_etc_links[] = { "/etc/localtime", "/etc/os-release" };

static void add_shared_etc(struct tree *t)
{
	for (size_t i = 0; i < ARRAY_LEN(shared_etc); i++)
		tree_add(t, (struct cage_mount){ CAGE_BIND, shared_etc[i], .source = shared_etc[i],
		                                 .flags = HOST_READ_ONLY | CAGE_NOEXEC });
	for (size_t i = 0; i < ARRAY_LEN(shared_etc_links); i++)
		tree_add_like_host(t, shared_etc_links[i]);
}

/* Of a system that stands in the store nothing is shown but what the list names: what /bin and
 * /usr hold there are links to other paths of the store. */
static void add_host_programs(struct tree *t, const struct closure *c)
{
	if (c && closure_is_all(c)) {
		for (size_t i = 0; i < ARRAY_LEN(program_links); i++)
			tree_add(t, (struct cage_mount){ CAGE_LINK, program_links[i], .source = c->bin });
		return;
	}
	tree_add_all(t, host_programs, ARRAY_LEN(host_programs));
	for (size_t i = 0; i < ARRAY_LEN(top_level); i++)
		tree_add_like_host(t, top_level[i]);
}

static void add_store(struct tree *t, const struct closure *c)
{
	if (!c || c->paths.n == 0) {
		tree_add(t, host_store);
		for (size_t i = 0; i < ARRAY_LEN(system_links); i++)
			if (access(system_links[i], F_OK) == 0)
				tree_add_like_host(t, system_links[i]);
		return;
	}
	/* Not optional: what is missing by now is an error, not a smaller tree. */
	for (size_t i = 0; i < c->paths.n; i++)
		tree_add(t, (struct cage_mount){ CAGE_BIND, c->paths.v[i], .source = c->paths.v[i],
		                                 .flags = CAGE_READ_ONLY });
}

int tree_build(struct tree *t, const struct guest_request *r, const struct cage_ids *ids, struct err *err)
{
	add_host_programs(t, r->closure);
	tree_add_all(t, own_places, ARRAY_LEN(own_places));
	add_store(t, r->closure);
	tree_add_all(t, own_etc, ARRAY_LEN(own_etc));
	tree_add(t,
	         (struct cage_mount){ CAGE_FILE, "/etc/hosts", .content = tree_keep(t, xstrdup(r->hosts)) });
	tree_add(t, (struct cage_mount){ CAGE_FILE, "/etc/hostname",
	                                 .content = tree_keep(t, xasprintf("%s\n", r->slug)) });
	add_shared_etc(t);
	struct cage_mount ca = { CAGE_BIND, "/etc/bot-bottle", .flags = CAGE_READ_ONLY | CAGE_NOEXEC };
	struct cage_mount home = { CAGE_BIND, .target = GUEST_HOME };
	if (tree_add_own_dir(t, r, ids, ca, GUEST_ETC_DIR, err) != 0 ||
	    tree_add_own_dir(t, r, ids, home, "home", err) != 0)
		return -1;
	if (tree_add_workspace(t, r, ids, GUEST_WORKSPACE, err) != 0)
		return -1;
	/* Through an overlay, as /opt is: their sockets lead nowhere. */
	for (size_t i = 0; i < r->tools->n; i++)
		if (tree_add_directory_of_host(t, ids, (r->tools_real ? r->tools_real : r->tools)->v[i],
		                               r->tools->v[i], err) != 0)
			return fail_in(err, "tools");
	return 0;
}
