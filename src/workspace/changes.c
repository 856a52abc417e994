#include "workspace/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/file.h"
#include "workspace/below.h"
#include "workspace/letters.h"
#include "base/banned.h"

/* A walk reads at most this much of each side to tell a changed file from a touched one, and quick
 * counting less; past it a doubtful file counts as changed, so that nothing can be hidden behind a
 * big one. */
#define COMPARE_BYTES (16ull << 30)
enum { COUNT_BYTES = 16 * 1024 * 1024, CHUNK = 64 * 1024 };
/* Of paths and targets that are told. */
enum { TOLD_BYTES = 256 * 1024 * 1024 };
static const struct changes_budget usual = { WORKSPACE_ENTRIES, TOLD_BYTES };

const char change_closed_file[] = "its contents can't be read";
static const char closed_directory[] = "the directory can't be read";
static const char hidden_path[] = "this path is hidden from the bottle";
static const char no_contents[] = "the layer holds no contents for it (redirect or metacopy)";

void changes_clear(struct changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		mem_drop(&c->v[i].path);
		mem_drop(&c->v[i].target);
	}
	mem_drop(&c->v);
	*c = (struct changes)CHANGES_INIT;
}

const char *change_status_name(enum change_status status)
{
	static const char *const names[] = { "added", "modified", "deleted", "type-changed", "mode-changed" };
	return names[status];
}

const char *entry_kind_name(enum entry_kind kind)
{
	static const char *const names[] = { "file", "directory", "symlink", "special" };
	return names[kind];
}

struct walk {
	const struct workspace *w;
	struct changes *out; /* NULL: only counting */
	size_t limit, found;
	struct changes_budget left;
	uint64_t may_read;
	bool more;
	struct str path;
	size_t top; /* length of the path of the git repository around; 0 with !in_repository */
	bool in_repository;
	bool new_repository; /* it is none in the lower directory */
};

/* One name on one side. */
struct side {
	int fd; /* O_PATH; -1: there is nothing */
	struct stat st;
	mode_t before; /* of what is compared with it; its own, if nothing is */
};

static void side_drop(struct side *s)
{
	fd_drop(&s->fd);
}
#define own_side __attribute__((cleanup(side_drop)))

static enum entry_kind kind_of(mode_t mode)
{
	return S_ISREG(mode) ? ENTRY_FILE :
	       S_ISDIR(mode) ? ENTRY_DIRECTORY :
	       S_ISLNK(mode) ? ENTRY_SYMLINK :
	                       ENTRY_SPECIAL;
}

/* The overlay's mark on a file or directory, under either prefix. */
static bool has_mark(const struct side *s, const char *mark, char value)
{
	static const char *const prefixes[] = { "user.overlay.", "trusted.overlay." };
	char self[sizeof "/proc/self/fd/" + 12], got[256];

	if (!S_ISREG(s->st.st_mode) && !S_ISDIR(s->st.st_mode))
		return false;
	snprintf(self, sizeof self, "/proc/self/fd/%d", s->fd);
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		char name[48];
		snprintf(name, sizeof name, "%s%s", prefixes[i], mark);
		ssize_t n = getxattr(self, name, got, sizeof got);
		/* ERANGE: it is there, and longer than any mark that we know. */
		if ((n < 0 && errno == ERANGE) || (n >= 0 && (value == '\0' || (n == 1 && got[0] == value))))
			return true;
	}
	return false;
}

static bool is_whiteout(const struct side *s)
{
	if (S_ISCHR(s->st.st_mode))
		return s->st.st_rdev == makedev(0, 0);
	return S_ISREG(s->st.st_mode) && s->st.st_size == 0 && has_mark(s, "whiteout", '\0');
}

static const char *executable_reason(const struct walk *k, enum entry_kind kind)
{
	/* What would complete a repository is held back like its configuration: that may have
	 * come out before, when there was no repository yet. */
	if (k->new_repository)
		return "git: makes its directory a repository, whose configuration git obeys";
	if (k->in_repository) {
		const char *why = workspace_executable_in_repository(str_c(&k->path) + k->top);
		if (why)
			return why;
	}
	if (kind != ENTRY_DIRECTORY)
		return workspace_executable(str_c(&k->path));
	own_mem char *directory = xasprintf("%s/", str_c(&k->path));
	return workspace_executable(directory);
}

/* What is over the budget ends the walk as the limit does. */
static bool afford(struct walk *k, const char *target)
{
	size_t bytes = k->path.len + 1 + (target ? strlen(target) + 1 : 0);

	if (bytes > k->left.bytes) {
		k->limit = k->found;
		k->more = true;
		return false;
	}
	k->left.bytes -= bytes;
	return true;
}

static void note(struct walk *k, enum change_status status, const struct side *s, const char *unreadable)
{
	enum entry_kind kind = kind_of(s->st.st_mode);

	/* Directories are listed, not counted, unless one went as a whole. */
	if (!k->out && kind == ENTRY_DIRECTORY && status != CHANGE_DELETED && !unreadable)
		return;
	if (k->found >= k->limit) {
		k->more = true;
		return;
	}
	if (!k->out) {
		k->found++;
		return;
	}
	own_mem char *target = kind == ENTRY_SYMLINK ? below_target(s->fd) : NULL;
	if (!afford(k, target))
		return;
	k->found++;
	struct changes *c = k->out;
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 64;
		c->v = xrealloc(c->v, c->cap, sizeof *c->v);
	}
	c->v[c->n++] = (struct change){
		.path = xstrdup(str_c(&k->path)),
		.status = status,
		.kind = kind,
		.mode = s->st.st_mode & 07777,
		.mode_before = s->before & 07777,
		.size = s->st.st_size,
		.target = mem_steal(&target),
		.executable = executable_reason(k, kind),
		.unreadable = unreadable,
		.closed = unreadable == change_closed_file || unreadable == closed_directory,
	};
}

static ssize_t read_full(int fd, char *bytes, size_t n, off_t at)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = pread(fd, bytes + have, n - have, at + (off_t)have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

/* Where the next byte that is stored begins; @size: there is none, only a hole. */
static off_t next_stored(int fd, off_t at, off_t size)
{
	off_t data = lseek(fd, at, SEEK_DATA);

	if (data >= 0)
		return data;
	/* A file system that knows no holes stores every byte. */
	return errno == ENXIO ? size : at;
}

/* 1: the same bytes, 0: others, as far as can be told, -1: those of @a can't be read. Where both have a
 * hole there is nothing to compare: a file of any length costs what is stored of it. */
static int same_contents(struct walk *k, const struct side *a, const struct side *b)
{
	char left[CHUNK], right[CHUNK];
	off_t size = a->st.st_size, at = 0;

	own_fd int one = below_read(a->fd, &a->st);
	if (one < 0)
		return -1;
	own_fd int two = size == b->st.st_size ? below_read(b->fd, &b->st) : -1;
	if (two < 0)
		return 0;
	for (;;) {
		off_t x = next_stored(one, at, size), y = next_stored(two, at, size);
		at = x < y ? x : y;
		if (k->may_read < CHUNK)
			return 0;
		k->may_read -= CHUNK;
		ssize_t n = read_full(one, left, sizeof left, at),
			m = read_full(two, right, sizeof right, at);
		if (n < 0)
			return -1;
		if (n != m || memcmp(left, right, (size_t)n) != 0)
			return 0;
		if (n == 0)
			return 1;
		at += n;
	}
}

static bool same_target(const struct side *a, const struct side *b)
{
	own_mem char *one = below_target(a->fd), *two = below_target(b->fd);

	return one && two && str_is(one, two);
}

static void visit(struct walk *k, int upper, int lower, bool merged, int depth);

/* What is known of a name that stands in the upper layer. */
struct found {
	bool changed;
	enum change_status status;
	const char *unreadable;
};

static struct found judge_file(struct walk *k, const struct side *up, const struct side *low)
{
	struct found f = { .changed = true, .status = CHANGE_MODIFIED };

	if (has_mark(up, "metacopy", '\0') || has_mark(up, "redirect", '\0')) {
		f.unreadable = no_contents;
		return f;
	}
	int same = same_contents(k, up, low);
	if (same < 0)
		f.unreadable = change_closed_file;
	if (same <= 0)
		return f;
	f.status = CHANGE_MODE;
	f.changed = (up->st.st_mode & 07777) != (low->st.st_mode & 07777);
	return f;
}

/* A file that nothing is compared with. Whoever counts needs no more than that it is there. */
static const char *why_unreadable(const struct walk *k, const struct side *up)
{
	own_fd int fd = k->out && S_ISREG(up->st.st_mode) ? below_read(up->fd, &up->st) : -1;

	return k->out && S_ISREG(up->st.st_mode) && fd < 0 ? change_closed_file : NULL;
}

static struct found judge_kind(struct walk *k, const struct side *up, const struct side *low)
{
	enum entry_kind kind = kind_of(up->st.st_mode);
	struct found f = { .changed = true, .status = CHANGE_MODIFIED };

	if (low->fd < 0 || kind_of(low->st.st_mode) != kind) {
		f.status = low->fd < 0 ? CHANGE_ADDED : CHANGE_TYPE;
		f.unreadable = why_unreadable(k, up);
	} else if (kind == ENTRY_FILE) {
		f = judge_file(k, up, low);
	} else if (kind == ENTRY_SYMLINK) {
		f.changed = !same_target(up, low);
	} else if (kind == ENTRY_DIRECTORY) {
		f.status = CHANGE_MODE;
		f.changed = (up->st.st_mode & 07777) != (low->st.st_mode & 07777);
	}
	return f;
}

/* Opens both sides of a directory; else why nobody can look into it. */
static const char *open_sides(const struct walk *k, const struct side *up, const struct side *low, int depth,
                              int *upper, int *lower)
{
	bool both = low->fd >= 0 && S_ISDIR(low->st.st_mode);

	/* A longer path is no way to what lies there: the kernel takes none. */
	if (depth >= WORKSPACE_DEPTH || k->path.len >= PATH_MAX)
		return "deeper than directories are looked into";
	*upper = below_read(up->fd, &up->st);
	*lower = both ? below_read(low->fd, &low->st) : -1;
	if (*upper < 0 || (both && *lower < 0))
		return closed_directory;
	return has_mark(up, "redirect", '\0') ? no_contents : NULL;
}

static void judge_present(struct walk *k, const struct side *up, const struct side *low, bool merged,
                          int depth)
{
	own_fd int upper = -1, lower = -1;

	if (workspace_excluded(k->w->exclude, str_c(&k->path))) {
		note(k, low->fd < 0 ? CHANGE_ADDED : CHANGE_MODIFIED, up, hidden_path);
		return;
	}
	bool directory = S_ISDIR(up->st.st_mode);
	struct found f = judge_kind(k, up, low);
	if (directory)
		f.unreadable = open_sides(k, up, low, depth, &upper, &lower);
	if (f.unreadable && !f.changed)
		f = (struct found){ true, CHANGE_MODIFIED, f.unreadable };
	if (f.unreadable)
		k->more = true;
	if (f.changed)
		note(k, f.status, up, f.unreadable);
	/* Below an opaque directory nothing of the lower one shows, at any depth. */
	if (directory && !f.unreadable)
		visit(k, upper, lower, merged && !has_mark(up, "opaque", 'y'), depth + 1);
}

static void examine(struct walk *k, int upper, int lower, const char *name, bool merged, int depth)
{
	own_side struct side up = { .fd = -1 }, low = { .fd = -1 };

	up.fd = below_look(upper, name, &up.st);
	if (lower >= 0)
		low.fd = below_look(lower, name, &low.st);
	low.before = low.st.st_mode;
	up.before =
		low.fd >= 0 && kind_of(low.st.st_mode) == kind_of(up.st.st_mode) ? low.before : up.st.st_mode;
	bool gone = up.fd < 0 || is_whiteout(&up);
	if (!gone) {
		judge_present(k, &up, &low, merged, depth);
		return;
	}
	/* A name that went away between reading the directory and looking is no deletion. */
	if (up.fd < 0 && merged)
		return;
	if (low.fd >= 0 && !workspace_excluded(k->w->exclude, str_c(&k->path)))
		note(k, CHANGE_DELETED, &low, NULL);
}

/* A .git is judged by its name alone; what is held back as a whole needs no other top. */
static void enter_repository(struct walk *k, int lower, const struct strv *names)
{
	const char *path = str_c(&k->path);
	bool is_named = str_is(path, ".git") || str_ends(path, "/.git");
	bool is_held = k->in_repository && workspace_executable_in_repository(path + k->top);

	if (!k->out || is_named || is_held || !workspace_is_repository(lower, names))
		return;
	k->in_repository = true;
	k->new_repository = k->new_repository || !workspace_is_repository(lower, NULL);
	k->top = k->path.len ? k->path.len + 1 : 0;
}

/* The names of both sides, each once. */
static void unite(struct strv *names, struct strv *others)
{
	own_strv struct strv all = STRV_INIT;
	size_t a = 0, b = 0;

	while (a < names->n || b < others->n) {
		int order = a == names->n ? 1 : b == others->n ? -1 : strcmp(names->v[a], others->v[b]);
		strv_take(&all, order <= 0 ? mem_steal(&names->v[a]) : mem_steal(&others->v[b]));
		a += order <= 0;
		if (order == 0)
			mem_drop(&others->v[b]);
		b += order >= 0;
	}
	mem_drop(&names->v);
	mem_drop(&others->v);
	names->n = others->n = 0;
	*names = all;
	all = (struct strv)STRV_INIT;
}

/* Paid for when they are read: while the walk is below, each level keeps its own. */
static int read_names(struct walk *k, int dir, struct strv *out)
{
	if (below_names(dir, k->left.names, out, &k->more) != 0)
		return -1;
	k->left.names -= out->n;
	return 0;
}

/* @merged: what only the lower directory holds shows through. */
static void visit(struct walk *k, int upper, int lower, bool merged, int depth)
{
	own_strv struct strv names = STRV_INIT, others = STRV_INIT;
	size_t outer = k->path.len, outer_top = k->top;
	bool was_in_repository = k->in_repository, was_new = k->new_repository;

	if (read_names(k, upper, &names) != 0 ||
	    (!merged && lower >= 0 && read_names(k, lower, &others) != 0)) {
		k->more = true;
		return;
	}
	enter_repository(k, lower, &names);
	if (others.n > 0)
		unite(&names, &others);
	for (size_t i = 0; i < names.n; i++) {
		if (k->found == k->limit && k->more)
			break;
		str_addf(&k->path, "%s%s", outer ? "/" : "", names.v[i]);
		examine(k, upper, lower, names.v[i], merged, depth);
		k->path.len = outer;
		k->path.data[outer] = '\0';
	}
	k->in_repository = was_in_repository;
	k->new_repository = was_new;
	k->top = outer_top;
}

static int walk_run(struct walk *k, struct err *err)
{
	own_fd int upper = file_open_beneath(k->w->upper, ".", O_RDONLY | O_DIRECTORY, 0);
	own_fd int lower = file_open_beneath(k->w->lower, ".", O_RDONLY | O_DIRECTORY, 0);

	if (upper < 0 || lower < 0)
		return fail_errno(err, "open the workspace%s", upper < 0 ? "'s upper layer" : "");
	visit(k, upper, lower, true, 0);
	str_clear(&k->path);
	return 0;
}

int changes_within(const struct workspace *w, size_t limit, struct changes_budget budget, struct changes *out,
                   struct err *err)
{
	own_changes struct changes made = CHANGES_INIT;
	struct walk k = { .w = w,
		          .out = &made,
		          .limit = limit,
		          .left = budget,
		          .may_read = COMPARE_BYTES,
		          .path = STR_INIT };

	if (walk_run(&k, err) != 0)
		return -1;
	made.more = k.more;
	*out = made;
	made = (struct changes)CHANGES_INIT;
	return 0;
}

int workspace_changes(const struct workspace *w, size_t limit, struct changes *out, struct err *err)
{
	return changes_within(w, limit, usual, out, err);
}

int workspace_count(const struct workspace *w, size_t limit, size_t *out, bool *more, struct err *err)
{
	struct walk k = { .w = w, .limit = limit, .left = usual, .may_read = COUNT_BYTES, .path = STR_INIT };

	if (walk_run(&k, err) != 0)
		return -1;
	*out = k.found;
	*more = k.more;
	return 0;
}
