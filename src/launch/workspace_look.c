#include "launch/steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/own.h"
#include "workspace/workspace.h"
#include "base/banned.h"

enum { FOUND_MAX = 2000, LOOK_DEPTH = 64 };

struct look {
	const struct strv *globs;
	struct strv *hidden, *obeyed;
};

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int look_in(struct look *k, int parent, const char *name, const char *below, int depth, struct err *err);

static int look_at(struct look *k, int dir, const struct dirent *e, const char *below, int depth, struct err *err)
{
	own_mem char *path = xasprintf("%s%s%s", below, *below ? "/" : "", e->d_name);

	if (workspace_excluded(k->globs, path)) {
		strv_add(k->hidden, path);
	} else if (k->obeyed && workspace_executable(path)) {
		strv_add(k->obeyed, path);
	} else if (e->d_type == DT_DIR) {
		return look_in(k, dir, e->d_name, path, depth + 1, err);
	}
	if (k->hidden->n > FOUND_MAX || (k->obeyed && k->obeyed->n > FOUND_MAX))
		return fail(err, ERR_INPUT, "workspace_exclude: over %d files match; name the directories above them", FOUND_MAX);
	return 0;
}

static int look_in(struct look *k, int parent, const char *name, const char *below, int depth, struct err *err)
{
	if (depth > LOOK_DEPTH)
		return fail(err, ERR_INPUT, "the workspace is over %d directories deep", LOOK_DEPTH);
	own_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
	if (fd < 0)
		/* What we may not read, the guest may not either: it has no more rights than we. */
		return depth && errno == EACCES ? 0 : fail_errno(err, "workspace: open %s", *below ? below : name);
	OWN(close_dir) DIR *d = fdopendir(fd);
	if (!d)
		return fail_errno(err, "workspace: read %s", below);
	int dir = fd_steal(&fd);
	for (struct dirent *e; (e = readdir(d));) {
		if (str_is(e->d_name, ".") || str_is(e->d_name, ".."))
			continue;
		if (look_at(k, dir, e, below, depth, err) != 0)
			return -1;
	}
	return 0;
}

int workspace_look(const char *path, const struct strv *globs, struct strv *hidden, struct strv *obeyed,
		   struct err *err)
{
	struct look k = { globs, hidden, obeyed };

	return look_in(&k, AT_FDCWD, path, "", 0, err);
}
