#include "backend/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/known.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

void tree_attached(struct tree *t)
{
	for (size_t i = 0; i < t->nfds; i++)
		fd_drop(&t->fds[i]);
	mem_drop(&t->fds);
	t->nfds = 0;
	fd_drop(&t->mapping);
}

void tree_clear(struct tree *t)
{
	tree_attached(t);
	mem_drop(&t->rows);
	t->n = 0;
	strv_clear(&t->texts);
}

void tree_add(struct tree *t, struct cage_mount row)
{
	if (t->n == TREE_ROWS_MAX)
		bug("over %d rows in a tree", TREE_ROWS_MAX);
	if (!t->rows)
		t->rows = xcalloc(TREE_ROWS_MAX, sizeof *t->rows);
	t->rows[t->n++] = row;
}

void tree_add_all(struct tree *t, const struct cage_mount *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		tree_add(t, rows[i]);
}

const char *tree_keep(struct tree *t, char *text)
{
	strv_take(&t->texts, text);
	return text;
}

int tree_keep_fd(struct tree *t, int fd)
{
	t->fds = xrealloc(t->fds, t->nfds + 1, sizeof *t->fds);
	t->fds[t->nfds++] = fd;
	return fd;
}

/* The same link inside as the host has; else the thing itself. Missing on the host is fine. */
void tree_add_like_host(struct tree *t, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof target - 1);

	if (n <= 0) {
		tree_add(t, (struct cage_mount){ CAGE_BIND, path, .source = path,
		                                 .flags = CAGE_READ_ONLY | CAGE_OPTIONAL });
		return;
	}
	target[n] = '\0';
	tree_add(t, (struct cage_mount){ CAGE_LINK, path, .source = tree_keep(t, xstrdup(target)) });
}

/* A path that stands for a held descriptor: the caller of cage_spawn() looks it up as itself. */
static const char *path_of(struct tree *t, int dir, const char *name, struct err *err)
{
	own_mem char *path = dir_path(dir, err);

	return path ? tree_keep(t, xasprintf("%s/%s", path, name)) : NULL;
}

/* A mapping costs a process, so that of the mount before serves the next one of the same owner. */
int tree_keep_mapped(struct tree *t, const struct cage_ids *ids, int dir, const char *path, uid_t uid,
                     gid_t gid, struct err *err)
{
	if (t->mapping >= 0 && (t->mapped_uid != uid || t->mapped_gid != gid))
		fd_drop(&t->mapping);
	if (t->mapping < 0) {
		t->mapping = cage_mapping_open(ids, uid, gid, err);
		if (t->mapping < 0)
			return -1;
		t->mapped_uid = uid;
		t->mapped_gid = gid;
	}
	int tree = cage_tree_open(dir, path, t->mapping, err);
	return tree < 0 ? -1 : tree_keep_fd(t, tree);
}

/* One of the bottle's own directories, as the agent's user inside and as us on disk. */
int tree_add_own_dir(struct tree *t, const struct guest_request *r, const struct cage_ids *ids,
                     struct cage_mount row, const char *name, struct err *err)
{
	if (ids->as_root) {
		row.tree = tree_keep_mapped(t, ids, r->dir, name, geteuid(), getegid(), err);
		if (row.tree < 0)
			return fail_in(err, "%s", name);
	} else {
		row.source = path_of(t, r->dir, name, err);
		if (!row.source)
			return -1;
	}
	tree_add(t, row);
	return 0;
}

/* What @held is, whatever its name @path leads to by now. All below it comes along, with one
 * mapping: what is its owner's belongs to the agent, what is another's does not. */
static int add_held(struct tree *t, const struct cage_ids *ids, struct cage_mount row, int held,
                    const char *path, struct err *err)
{
	struct stat st;

	if (ids->as_root) {
		if (fstat(held, &st) != 0)
			return fail_errno(err, "%s", path);
		row.tree = tree_keep_mapped(t, ids, held, "", st.st_uid, st.st_gid, err);
		if (row.tree < 0)
			return fail_in(err, "%s", path);
	} else {
		row.source = path;
		row.held = held;
	}
	tree_add(t, row);
	return 0;
}

int tree_add_directory_of_host(struct tree *t, const struct cage_ids *ids, const char *path,
                               const char *target, struct err *err)
{
	int held = known_open(path, NULL, err);

	if (held < 0)
		return -1;
	return add_held(t, ids, (struct cage_mount){ CAGE_OVERLAY, target, .flags = CAGE_READ_ONLY },
	                tree_keep_fd(t, held), path, err);
}

static int add_work(struct tree *t, const struct guest_request *r, const struct cage_ids *ids,
                    struct cage_mount row, struct err *err)
{
	int rc = add_held(t, ids, row, r->workspace_dir, r->workspace_path, err);

	return rc == 0 ? 0 : fail_in(err, "workspace");
}

static int add_overlay(struct tree *t, const struct guest_request *r, const struct cage_ids *ids,
                       const char *at, struct err *err)
{
	struct cage_mount row = { CAGE_OVERLAY, .target = at,
		                  .flags = r->removed_at_end ? CAGE_VOLATILE : 0 };

	if (ids->as_root) {
		row.layers_tree = tree_keep_mapped(t, ids, r->dir, "workspace", geteuid(), getegid(), err);
		if (row.layers_tree < 0)
			return fail_in(err, "the workspace's upper layer");
	} else {
		row.layers = path_of(t, r->dir, "workspace", err);
		if (!row.layers)
			return -1;
	}
	return add_work(t, r, ids, row, err);
}

static void add_pin(struct tree *t, const char *at, const char *below, unsigned flags)
{
	tree_add(t, (struct cage_mount){ CAGE_PIN, tree_keep(t, xasprintf("%s/%s", at, below)),
	                                 .flags = flags });
}

/* Every directory on the way to what must keep its place becomes a mount point, which can't be
 * renamed: else `mv a b; mkdir a` would put something else in the place of a/.envrc, and what is
 * excluded as a/key would be none as b/key. */
static int pin_ways(struct tree *t, const struct strv *to, const char *at, struct strv *pinned,
                    struct err *err)
{
	for (size_t i = 0; to && i < to->n; i++) {
		const char *below = to->v[i];
		for (const char *slash = strchr(below, '/'); slash; slash = strchr(slash + 1, '/')) {
			own_mem char *way = xstrndup(below, (size_t)(slash - below));
			if (strv_has(pinned, way))
				continue;
			if (pinned->n == TREE_PINS_MAX)
				return fail(
					err, ERR_INPUT,
					"workspace: over %d directories hold files that a tool of the host obeys, or "
					"that workspace_exclude hides by their path; use workspace: copy",
					TREE_PINS_MAX);
			strv_add(pinned, way);
			add_pin(t, at, way, 0);
		}
	}
	return 0;
}

/* The agent works on the real files; only what a tool of the host obeys stays read-only. */
static int add_shared(struct tree *t, const struct guest_request *r, const struct cage_ids *ids,
                      const char *at, struct err *err)
{
	own_strv struct strv pinned = STRV_INIT;

	if (add_work(t, r, ids, (struct cage_mount){ CAGE_BIND, .target = at }, err) != 0)
		return -1;
	/* Before what comes to lie in them, which they would cover. */
	if (pin_ways(t, r->obeyed, at, &pinned, err) != 0 || pin_ways(t, r->placed, at, &pinned, err) != 0)
		return -1;
	for (size_t i = 0; r->obeyed && i < r->obeyed->n; i++)
		add_pin(t, at, r->obeyed->v[i], CAGE_READ_ONLY);
	return 0;
}

int tree_add_workspace(struct tree *t, const struct guest_request *r, const struct cage_ids *ids,
                       const char *at, struct err *err)
{
	switch (r->workspace) {
	case MANIFEST_WORKSPACE_NONE:
		tree_add(t, (struct cage_mount){ CAGE_TMPFS, at, .mode = 0755 });
		return 0;
	case MANIFEST_WORKSPACE_MOUNT:
		if (add_shared(t, r, ids, at, err) != 0)
			return -1;
		break;
	case MANIFEST_WORKSPACE_COPY:
		if (add_overlay(t, r, ids, at, err) != 0)
			return -1;
		break;
	}
	for (size_t i = 0; r->hidden && i < r->hidden->n; i++)
		tree_add(t, (struct cage_mount){
				    CAGE_MASK,
				    .target = tree_keep(t, xasprintf("%s/%s", at, r->hidden->v[i])) });
	return 0;
}
