#include "launch/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/known.h"
#include "workspace/workspace.h"
#include "base/banned.h"

enum {
	FOUND_MAX = 2000,
	LOOK_DEPTH = 64,
	PATH_SHOWN = 200,
	CONTENT_MAX = 1 << 20,
	GROW = 64,
	MISSING_DEPTH = 3,
	MISSING_MAX = 1000
};

void look_clear(struct look *k)
{
	for (size_t i = 0; i < k->nsights; i++)
		mem_drop(&k->sights[i].path);
	mem_drop(&k->sights);
	strv_clear(&k->hidden);
	strv_clear(&k->placed);
	strv_clear(&k->obeyed);
	lookout_clear(&k->lookout);
	fd_drop(&k->dir);
	*k = (struct look)LOOK_INIT;
}

/* ---- what a name leads to ---- */

int sight_take(int dir, const char *path, bool hidden, struct sight *out)
{
	own_fd int looked = file_open_exactly(dir, path, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH);
	own_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	struct sight s = { .hidden = hidden };

	if (looked < 0 || fstat(looked, &s.st) != 0)
		return -1;
	if (!hidden && S_ISREG(s.st.st_mode) && s.st.st_size <= CONTENT_MAX) {
		/* Not readable for its own user: then its times tell. */
		own_fd int fd =
			file_open_exactly(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_BENEATH);
		if (fd >= 0 && file_read_fd(fd, path, CONTENT_MAX, &text, &ignored) == 0)
			sha256_text(str_c(&text), text.len, s.content);
	}
	*out = s;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct sight *)a)->path, ((const struct sight *)b)->path);
}

const struct sight *sight_find(const struct look *k, const char *path)
{
	const struct sight wanted = { .path = (char *)path };

	return k->nsights ? bsearch(&wanted, k->sights, k->nsights, sizeof wanted, by_path) : NULL;
}

bool sight_is_same(const struct sight *then, const struct sight *now)
{
	return then->st.st_dev == now->st.st_dev && then->st.st_ino == now->st.st_ino &&
	       (then->st.st_mode & S_IFMT) == (now->st.st_mode & S_IFMT);
}

bool sight_is_unchanged(const struct sight *then, const struct sight *now)
{
	const struct timespec *a = &then->st.st_ctim, *b = &now->st.st_ctim;

	/* Replaced by its like is no change, and an editor's way to save. */
	if (then->content[0] && now->content[0])
		return then->st.st_mode == now->st.st_mode && str_is(then->content, now->content);
	if (!sight_is_same(then, now) || then->st.st_mode != now->st.st_mode)
		return false;
	/* In a directory nobody inside could change a thing; of a file nobody can set this time. */
	return S_ISDIR(then->st.st_mode) || (a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec);
}

/* ---- the walk ---- */

struct walk {
	const struct look_walk *how;
	bool mount_alone; /* of what is mounted below it, the guest sees nothing */
};

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Not every file system says it with the name. */
static unsigned char type_of(int dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return e->d_type;
	return (unsigned char)IFTODT(st.st_mode);
}

/* @at: the directory; NULL: the workspace itself. */
static int walk_in(const struct walk *w, int parent, const struct met *at, struct err *err)
{
	const char *name = at ? at->name : ".", *below = at ? at->path : "";
	int depth = at ? at->depth : 0;

	if (depth > w->how->deepest)
		return w->how->closed(w->how->arg, at, 0, err);
	own_fd int fd =
		file_open_exactly(parent, name, O_RDONLY | O_DIRECTORY, w->mount_alone ? RESOLVE_NO_XDEV : 0);
	if (fd < 0)
		return errno == EXDEV ? 0 : w->how->closed(w->how->arg, at, errno, err);
	OWN(close_dir) DIR *d = fdopendir(fd);
	if (!d)
		return fail_errno(err, "workspace: read %s", below);
	int dir = fd_steal(&fd);
	if (w->how->entered)
		w->how->entered(w->how->arg, at, dir);
	for (struct dirent *e; errno = 0, (e = readdir(d));) {
		if (str_is(e->d_name, ".") || str_is(e->d_name, ".."))
			continue;
		own_mem char *path = xasprintf("%s%s%s", below, *below ? "/" : "", e->d_name);
		const struct met m = { at, dir, e->d_name, path, type_of(dir, e), depth + 1 };
		int into = w->how->met(w->how->arg, &m, err);
		if (into < 0 || (into > 0 && walk_in(w, dir, &m, err) != 0))
			return -1;
	}
	return errno == 0 ? 0 : w->how->closed(w->how->arg, at, errno, err);
}

int look_walk(const struct look *k, const struct look_walk *how, struct err *err)
{
	/* Root's cage is given the one mount, through a mapping; an ordinary user's all that lies below. */
	const struct walk w = { how, geteuid() == 0 };

	return walk_in(&w, k->dir, NULL, err);
}

/* Only the last component: judging all of them, for each entry of a deep tree, would take for ever. */
bool met_is_obeyed(const struct met *m)
{
	if (workspace_executable(m->name))
		return true;
	own_fd int dir = m->type == DT_DIR ? file_open_exactly(m->dir, m->name, O_PATH | O_DIRECTORY, 0) : -1;
	return workspace_is_repository(dir, NULL);
}

/* ---- the first look ---- */

struct first {
	struct look *k;
	const struct strv *globs;
	int within; /* depth of what is obeyed whole; 0: not in such a thing */
	size_t top; /* length of its path and the slash: it may be a repository */
	/* Of a copy: names that could appear, those in the workspace itself first. */
	uid_t owner;
	struct strv missing;
	size_t missing_on_top;
};

static void show_path(struct str *out, const char *path)
{
	str_add_escaped(out, path, strlen(path), PATH_SHOWN);
}

static int fail_link(const char *path, bool hidden, struct err *err)
{
	own_str struct str shown = STR_INIT;

	show_path(&shown, path);
	return fail(err, ERR_DENIED,
	            "workspace: %s is a symbolic link%s: in a shared directory it can't be %s; put a file or "
	            "a directory in its place, or use workspace: copy",
	            str_c(&shown), hidden ? "" : ", by a name that a tool of the host obeys",
	            hidden ? "hidden" : "kept as it is");
}

/* 0: it is gone already. */
static int remember(struct look *k, const struct met *m, bool hidden, struct err *err)
{
	struct sight s;

	if (sight_take(m->dir, m->name, hidden, &s) != 0)
		return errno == ENOENT ? 0 : fail_errno(err, "workspace: look at %s", m->path);
	if (k->nsights % GROW == 0)
		k->sights = xrealloc(k->sights, k->nsights + GROW, sizeof *k->sights);
	s.path = xstrdup(m->path);
	k->sights[k->nsights++] = s;
	return 1;
}

/* The directories that lead to what must keep its place are mount points too. Others the guest may
 * move by itself. */
static int watch(struct look *k, const struct met *m, bool hidden, bool placed, struct err *err)
{
	if (lookout_post(&k->lookout, m->dir, m->name, m->path, hidden, err) != 0)
		return -1;
	for (m = m->above; placed && m && !lookout_has(&k->lookout, m->path, hidden); m = m->above)
		if (lookout_post(&k->lookout, m->dir, m->name, m->path, hidden, err) != 0)
			return -1;
	return 0;
}

/* A file in something that is kept as it is, which can be written by its other name. */
static bool has_second_name(const struct first *f, const struct met *m)
{
	struct stat st;

	if (m->type != DT_REG ||
	    !(workspace_executable(m->path) || workspace_executable_in_repository(m->path + f->top)))
		return false;
	return fstatat(m->dir, m->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink > 1;
}

/* In a directory that is shared, a socket or a pipe of the host is a way to whoever listens
 * there; in a copy it is only a name. */
static bool leads_to_host(const struct look *k, const struct met *m)
{
	return k->shared && (m->type == DT_SOCK || m->type == DT_FIFO);
}

/* What will have a mount of its own over its name. 0: it is gone already. */
static int keep_track(struct look *k, const struct met *m, bool hidden, bool placed, struct err *err)
{
	if (!k->shared)
		return 1;
	/* First, so that what happens to it after it was looked at is heard of. */
	return watch(k, m, hidden, placed, err) == 0 ? remember(k, m, hidden, err) : -1;
}

static int meet_first(void *arg, const struct met *m, struct err *err)
{
	struct first *f = arg;
	struct look *k = f->k;

	if (m->depth <= f->within)
		f->within = 0;
	bool everywhere = workspace_excluded_anywhere(f->globs, m->name) || leads_to_host(k, m);
	bool hidden = everywhere || workspace_excluded(f->globs, m->path);
	bool obeyed = !hidden && k->shared && !f->within && met_is_obeyed(m);
	bool placed = k->shared && (obeyed || (hidden && !everywhere));
	/* A bind would lie over what the link leads to, and the link itself could be replaced. */
	if (k->shared && m->type == DT_LNK && (hidden || obeyed))
		return fail_link(m->path, hidden, err);
	if (hidden || obeyed) {
		int there = keep_track(k, m, hidden, placed, err);
		if (there <= 0)
			return there;
		strv_add(hidden ? &k->hidden : &k->obeyed, m->path);
		if (hidden && placed)
			strv_add(&k->placed, m->path);
	} else if (f->within && has_second_name(f, m) && remember(k, m, false, err) < 0) {
		return -1;
	}
	if (k->hidden.n > FOUND_MAX || k->obeyed.n > FOUND_MAX || k->nsights > 3L * FOUND_MAX)
		return fail(err, ERR_INPUT,
		            "workspace: over %d files must be hidden or kept; name the directories above "
		            "them in workspace_exclude",
		            FOUND_MAX);
	if (hidden || m->type != DT_DIR)
		return 0;
	if (obeyed) {
		f->within = m->depth;
		f->top = strlen(m->path) + 1;
	}
	return 1;
}

static int closed_first(void *arg, const struct met *m, int sys, struct err *err)
{
	struct look *k = ((struct first *)arg)->k;
	own_str struct str shown = STR_INIT;
	struct stat st;

	if (sys == 0)
		return fail(err, ERR_INPUT, "the workspace is over %d directories deep", LOOK_DEPTH);
	if (m && sys == ENOENT)
		return 0;
	/* What we may not read, the guest may not either, but one that is ours it could open to
	 * itself: nobody knows what lies in there, so the guest does not see it. */
	if (m && sys == EACCES && fstatat(m->dir, m->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		int there = st.st_uid == geteuid() ? keep_track(k, m, true, false, err) : 0;
		if (there > 0)
			strv_add(&k->hidden, m->path);
		return there < 0 ? -1 : 0;
	}
	show_path(&shown, m ? m->path : "");
	errno = sys;
	return fail_errno(err, "workspace: open %s", str_c(&shown));
}

/* ---- names that are not there ---- */

/* What appears in the directory later would be seen in a copy too. A name can be kept free
 * before; a pattern can't. */
static bool is_a_name(const char *glob)
{
	return strpbrk(glob, "*?[\\") == NULL;
}

/* As far down as a person puts such files; each costs a little at the start. */
static void enter_first(void *arg, const struct met *m, int dir)
{
	struct first *f = arg;
	struct stat st;

	/* In another's directory a mask would look like the agent's own. */
	if ((m && m->depth > MISSING_DEPTH) || fstat(dir, &st) != 0 || st.st_uid != f->owner)
		return;
	for (size_t i = 0; i < f->globs->n; i++) {
		const char *glob = f->globs->v[i];
		if (!is_a_name(glob) || strchr(glob, '/') ||
		    fstatat(dir, glob, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
			continue;
		strv_take(&f->missing, xasprintf("%s%s%s", m ? m->path : "", m ? "/" : "", glob));
		f->missing_on_top += !m;
	}
}

static bool is_hidden_already(const struct look *k, const char *path)
{
	for (size_t i = 0; i < k->hidden.n; i++) {
		size_t n = strlen(k->hidden.v[i]);
		if (str_starts(path, k->hidden.v[i]) && (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

/* A path that is written out: its directory may be anywhere, but must be there. */
static void add_missing_path(struct first *f, const char *glob)
{
	const char *slash = strrchr(glob, '/');
	struct stat st;

	if (!slash || slash[1] == '\0' || !is_a_name(glob) || is_hidden_already(f->k, glob))
		return;
	own_mem char *above = xstrndup(glob, (size_t)(slash - glob));
	own_fd int dir = file_open_exactly(f->k->dir, above, O_PATH | O_DIRECTORY, RESOLVE_BENEATH);
	if (dir >= 0 && fstat(dir, &st) == 0 && st.st_uid == f->owner &&
	    fstatat(dir, slash + 1, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
		strv_add(&f->k->hidden, glob);
}

static void add_missing(struct first *f)
{
	/* All of a kind or none, so that one can say where. */
	size_t n = f->missing.n > MISSING_MAX ? f->missing_on_top : f->missing.n;

	for (size_t i = 0; i < n; i++)
		strv_add(&f->k->hidden, f->missing.v[i]);
	for (size_t i = 0; i < f->globs->n; i++)
		add_missing_path(f, f->globs->v[i]);
}

int look_begin(struct look *k, const struct plan *p, struct err *err)
{
	struct first f = { .k = k, .globs = &p->workspace_exclude, .owner = geteuid() };
	struct look_walk how = {
		.met = meet_first, .closed = closed_first, .arg = &f, .deepest = LOOK_DEPTH
	};
	struct stat st;

	if (!p->workspace)
		return 0;
	k->dir = known_open(p->workspace, p->workspace_inode, err);
	if (k->dir < 0)
		return -1;
	k->shared = p->workspace_mode == MANIFEST_WORKSPACE_MOUNT;
	if (!k->shared && p->workspace_exclude.n == 0)
		return 0;
	if (k->shared && workspace_is_repository(k->dir, NULL))
		return fail(
			err, ERR_DENIED,
			"workspace: the directory itself is a git repository (HEAD lies beside objects or a "
			"commondir), whose configuration can't be kept as it is; use workspace: copy");
	/* Root's cage has a mapping: there the agent is who the workspace belongs to. */
	if (geteuid() == 0 && fstat(k->dir, &st) == 0)
		f.owner = st.st_uid;
	how.entered = k->shared ? NULL : enter_first;
	int rc = look_walk(k, &how, err);
	if (rc == 0 && !k->shared)
		add_missing(&f);
	strv_clear(&f.missing);
	if (rc != 0)
		return -1;
	if (k->nsights > 0)
		qsort(k->sights, k->nsights, sizeof *k->sights, by_path);
	return 0;
}
