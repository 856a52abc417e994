#include "backend/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

void tree_clear(struct tree *t)
{
	for (size_t i = 0; i < t->nfds; i++)
		fd_drop(&t->fds[i]);
	mem_drop(&t->fds);
	t->nfds = 0;
	mem_drop(&t->rows);
	t->n = 0;
	strv_clear(&t->texts);
}

/* A directory that many programs write to: everybody's, but each owns what is theirs. */
enum { STICKY = 01777 };

#define HOST_READ_ONLY (CAGE_READ_ONLY | CAGE_OPTIONAL)

/* The host's programs and what they can't do without. What somebody installed by hand may have
 * its service's socket beside the program (/opt/x/run/x.sock), and a read-only bind would let it
 * be dialled. Seen through an overlay it is a name with nobody behind it. */
static const struct cage_mount host_programs[] = {
	{ CAGE_BIND, "/usr", .source = "/usr", .flags = CAGE_READ_ONLY },
	{ CAGE_BIND, "/nix/store", .source = "/nix/store", .flags = HOST_READ_ONLY },
	{ CAGE_OVERLAY, "/opt", .source = "/opt", .flags = HOST_READ_ONLY },
};

/* Where a host has them as links into /usr, the guest has the same links. */
static const char *const top_level[] = { "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32" };
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
	{ CAGE_FILE, "/etc/passwd", .content = "root:x:0:0:root:/root:/bin/sh\n"
					       "agent:x:1000:1000:agent:" GUEST_HOME ":/bin/bash\n"
					       "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ CAGE_FILE, "/etc/group", .content = "root:x:0:\ntty:x:5:\nagent:x:1000:\nnogroup:x:65534:\n" },
	{ CAGE_FILE, "/etc/nsswitch.conf", .content = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"
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
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/protocols",
	"/etc/services", "/etc/mime.types", "/etc/inputrc", "/etc/terminfo", "/etc/debian_version",
	"/etc/bash.bashrc", "/etc/profile", "/etc/fonts", "/etc/locale.alias", "/etc/magic", "/etc/perl", "/etc/python3",
	"/etc/ssl/openssl.cnf", "/etc/gai.conf", "/etc/ethertypes", "/etc/rpc", "/etc/timezone", "/etc/lsb-release",
};
static const char *const shared_etc_links[] = { "/etc/localtime", "/etc/os-release" };

static void add(struct tree *t, struct cage_mount row)
{
	if (t->n == TREE_ROWS_MAX)
		bug("over %d rows in a tree", TREE_ROWS_MAX);
	if (!t->rows)
		t->rows = xcalloc(TREE_ROWS_MAX, sizeof *t->rows);
	t->rows[t->n++] = row;
}

static void add_all(struct tree *t, const struct cage_mount *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(t, rows[i]);
}

static const char *keep(struct tree *t, char *text)
{
	strv_take(&t->texts, text);
	return text;
}

static int keep_fd(struct tree *t, int fd)
{
	t->fds = xrealloc(t->fds, t->nfds + 1, sizeof *t->fds);
	t->fds[t->nfds++] = fd;
	return fd;
}

/* The same link inside as the host has; else the thing itself. Missing on the host is fine. */
static void add_like_host(struct tree *t, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof target - 1);

	if (n <= 0) {
		add(t, (struct cage_mount){ CAGE_BIND, path, .source = path, .flags = HOST_READ_ONLY });
		return;
	}
	target[n] = '\0';
	add(t, (struct cage_mount){ CAGE_LINK, path, .source = keep(t, xstrdup(target)) });
}

static void add_shared_etc(struct tree *t)
{
	for (size_t i = 0; i < ARRAY_LEN(shared_etc); i++)
		add(t, (struct cage_mount){ CAGE_BIND, shared_etc[i], .source = shared_etc[i],
					    .flags = HOST_READ_ONLY | CAGE_NOEXEC });
	for (size_t i = 0; i < ARRAY_LEN(shared_etc_links); i++)
		add_like_host(t, shared_etc_links[i]);
}

/* A path that stands for a held descriptor: the caller of cage_spawn() looks it up as itself. */
static const char *path_of(struct tree *t, int dir, const char *name, struct err *err)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n <= 0) {
		fail_errno(err, "finding the path of the bottle's directory");
		return NULL;
	}
	path[n] = '\0';
	return keep(t, xasprintf("%s/%s", path, name));
}

/* One of the bottle's own directories, as the agent's user inside and as us on disk. */
static int add_own_dir(struct tree *t, const struct guest_request *r, const struct cage_ids *ids,
		       struct cage_mount row, const char *name, struct err *err)
{
	if (ids->as_root) {
		int tree = cage_tree_open(r->dir, name, ids, geteuid(), getegid(), err);
		if (tree < 0)
			return fail_in(err, "%s", name);
		row.tree = keep_fd(t, tree);
	} else {
		row.source = path_of(t, r->dir, name, err);
		if (!row.source)
			return -1;
	}
	add(t, row);
	return 0;
}

static int add_overlay(struct tree *t, const struct guest_request *r, const struct cage_ids *ids, struct err *err)
{
	struct cage_mount row = { CAGE_OVERLAY, .target = GUEST_WORKSPACE };
	struct stat st;

	if (!ids->as_root) {
		row.source = r->workspace_path;
		row.layers = path_of(t, r->dir, "workspace", err);
		if (!row.layers)
			return -1;
		add(t, row);
		return 0;
	}
	if (stat(r->workspace_path, &st) != 0)
		return fail_errno(err, "workspace %s", r->workspace_path);
	int lower = cage_tree_open(AT_FDCWD, r->workspace_path, ids, st.st_uid, st.st_gid, err);
	if (lower < 0)
		return fail_in(err, "workspace %s", r->workspace_path);
	row.tree = keep_fd(t, lower);
	int layers = cage_tree_open(r->dir, "workspace", ids, geteuid(), getegid(), err);
	if (layers < 0)
		return fail_in(err, "the workspace's upper layer");
	row.layers_tree = keep_fd(t, layers);
	add(t, row);
	return 0;
}

static int add_directory_of_host(struct tree *t, const struct cage_ids *ids, enum cage_mount_kind kind, const char *path,
				 const char *target, struct err *err)
{
	struct cage_mount row = { kind, target, .source = path, .flags = CAGE_READ_ONLY };
	struct stat st;

	if (ids->as_root) {
		if (stat(path, &st) != 0)
			return fail_errno(err, "%s", path);
		int tree = cage_tree_open(AT_FDCWD, path, ids, st.st_uid, st.st_gid, err);
		if (tree < 0)
			return fail_in(err, "%s", path);
		row.tree = keep_fd(t, tree);
		row.source = NULL;
	}
	add(t, row);
	return 0;
}

static bool is_in(const struct strv *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_is(list->v[i], text))
			return true;
	return false;
}

/* Every directory on the way to what stays read-only becomes a mount point, which can't be
 * renamed: else `mv a b; mkdir a` would put something else in the place of a/.envrc. */
static int pin_ways(struct tree *t, const struct guest_request *r, const struct cage_ids *ids, struct err *err)
{
	own_strv struct strv pinned = STRV_INIT;

	for (size_t i = 0; i < r->obeyed->n; i++) {
		const char *below = r->obeyed->v[i];
		for (const char *slash = strchr(below, '/'); slash; slash = strchr(slash + 1, '/')) {
			own_mem char *way = xstrndup(below, (size_t)(slash - below));
			if (is_in(&pinned, way))
				continue;
			if (pinned.n == TREE_PINS_MAX)
				return fail(err, ERR_INPUT, "workspace: over %d directories hold files that a tool of the host obeys; "
					    "use workspace: copy", TREE_PINS_MAX);
			strv_add(&pinned, way);
			const char *path = keep(t, xasprintf("%s/%s", r->workspace_path, way));
			const char *target = keep(t, xasprintf(GUEST_WORKSPACE "/%s", way));
			if (add_directory_of_host(t, ids, CAGE_BIND, path, target, err) != 0)
				return -1;
			t->rows[t->n - 1].flags = 0;
		}
	}
	return 0;
}

static int add_obeyed(struct tree *t, const struct guest_request *r, const struct cage_ids *ids, struct err *err)
{
	if (r->obeyed && pin_ways(t, r, ids, err) != 0)
		return -1;
	for (size_t i = 0; r->obeyed && i < r->obeyed->n; i++) {
		const char *path = keep(t, xasprintf("%s/%s", r->workspace_path, r->obeyed->v[i]));
		const char *target = keep(t, xasprintf(GUEST_WORKSPACE "/%s", r->obeyed->v[i]));
		if (add_directory_of_host(t, ids, CAGE_BIND, path, target, err) != 0)
			return -1;
	}
	return 0;
}

static int add_workspace(struct tree *t, const struct guest_request *r, const struct cage_ids *ids, struct err *err)
{
	switch (r->workspace) {
	case MANIFEST_WORKSPACE_NONE:
		add(t, (struct cage_mount){ CAGE_TMPFS, GUEST_WORKSPACE, .mode = 0755 });
		return 0;
	case MANIFEST_WORKSPACE_MOUNT:
		if (add_directory_of_host(t, ids, CAGE_BIND, r->workspace_path, GUEST_WORKSPACE, err) != 0)
			return -1;
		/* The agent works on the real files here; only what a tool of the host obeys stays read-only. */
		t->rows[t->n - 1].flags = 0;
		if (add_obeyed(t, r, ids, err) != 0)
			return -1;
		break;
	case MANIFEST_WORKSPACE_COPY:
		if (add_overlay(t, r, ids, err) != 0)
			return -1;
		break;
	}
	for (size_t i = 0; r->hidden && i < r->hidden->n; i++)
		add(t, (struct cage_mount){ CAGE_MASK, .target =
					    keep(t, xasprintf(GUEST_WORKSPACE "/%s", r->hidden->v[i])) });
	return 0;
}

int tree_build(struct tree *t, const struct guest_request *r, const struct cage_ids *ids, struct err *err)
{
	add_all(t, host_programs, ARRAY_LEN(host_programs));
	for (size_t i = 0; i < ARRAY_LEN(top_level); i++)
		add_like_host(t, top_level[i]);
	add_all(t, own_places, ARRAY_LEN(own_places));
	for (size_t i = 0; i < ARRAY_LEN(system_links); i++)
		if (access(system_links[i], F_OK) == 0)
			add_like_host(t, system_links[i]);
	add_all(t, own_etc, ARRAY_LEN(own_etc));
	add(t, (struct cage_mount){ CAGE_FILE, "/etc/hosts", .content = keep(t, xstrdup(r->hosts)) });
	add(t, (struct cage_mount){ CAGE_FILE, "/etc/hostname", .content = keep(t, xasprintf("%s\n", r->slug)) });
	add_shared_etc(t);
	struct cage_mount ca = { CAGE_BIND, "/etc/bot-bottle", .flags = CAGE_READ_ONLY | CAGE_NOEXEC };
	struct cage_mount home = { CAGE_BIND, .target = GUEST_HOME };
	if (add_own_dir(t, r, ids, ca, GUEST_ETC_DIR, err) != 0 || add_own_dir(t, r, ids, home, "home", err) != 0)
		return -1;
	if (add_workspace(t, r, ids, err) != 0)
		return -1;
	/* Through an overlay, as /opt is: their sockets lead nowhere. */
	for (size_t i = 0; i < r->tools->n; i++)
		if (add_directory_of_host(t, ids, CAGE_OVERLAY, r->tools->v[i], r->tools->v[i], err) != 0)
			return fail_in(err, "tools");
	return 0;
}
