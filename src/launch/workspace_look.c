#include "launch/steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "workspace/workspace.h"
#include "base/banned.h"

enum { FOUND_MAX = 2000, LOOK_DEPTH = 64, PATH_SHOWN = 200 };

struct look {
	const struct strv *globs;
	struct strv *hidden, *obeyed;
	bool within;      /* something that is obeyed whole */
	bool mount_alone; /* of what is mounted below it, the guest sees nothing */
};

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int look_in(struct look *k, int parent, const char *name, const char *below, int depth,
                   struct err *err);

/* Not every file system says it with the name. */
static unsigned char type_of(int dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return e->d_type;
	return (unsigned char)IFTODT(st.st_mode);
}

/* In a directory that is shared, a socket or a pipe of the host is a way to whoever listens
 * there; in a copy it is only a name. */
static bool leads_to_host(const struct look *k, unsigned char type)
{
	return k->obeyed && (type == DT_SOCK || type == DT_FIFO);
}

static int fail_link(const char *path, bool hidden, struct err *err)
{
	own_str struct str shown = STR_INIT;

	str_add_escaped(&shown, path, strlen(path), PATH_SHOWN);
	return fail(err, ERR_DENIED,
	            "workspace: %s is a symbolic link%s: in a shared directory it can't be %s; put a file or "
	            "a directory in its place, or use workspace: copy",
	            str_c(&shown), hidden ? "" : ", by a name that a tool of the host obeys",
	            hidden ? "hidden" : "kept as it is");
}

static int look_at(struct look *k, int dir, const struct dirent *e, const char *below, int depth,
                   struct err *err)
{
	own_mem char *path = xasprintf("%s%s%s", below, *below ? "/" : "", e->d_name);
	unsigned char type = type_of(dir, e);
	bool hidden = workspace_excluded(k->globs, path) || leads_to_host(k, type);
	bool obeyed = !hidden && k->obeyed && !k->within && workspace_executable(path);

	/* A bind would lie over what the link leads to, and the link itself could be replaced. */
	if (k->obeyed && type == DT_LNK && (hidden || obeyed))
		return fail_link(path, hidden, err);
	if (hidden)
		strv_add(k->hidden, path);
	if (obeyed)
		strv_add(k->obeyed, path);
	if (k->hidden->n > FOUND_MAX || (k->obeyed && k->obeyed->n > FOUND_MAX))
		return fail(err, ERR_INPUT,
		            "workspace: over %d files must be hidden or kept; name the directories above "
		            "them in workspace_exclude",
		            FOUND_MAX);
	if (hidden || type != DT_DIR)
		return 0;
	k->within = k->within || obeyed;
	int rc = look_in(k, dir, e->d_name, path, depth + 1, err);
	if (obeyed)
		k->within = false;
	return rc;
}

static int look_in(struct look *k, int parent, const char *name, const char *below, int depth,
                   struct err *err)
{
	if (depth > LOOK_DEPTH)
		return fail(err, ERR_INPUT, "the workspace is over %d directories deep", LOOK_DEPTH);
	own_fd int fd =
		file_open_exactly(parent, name, O_RDONLY | O_DIRECTORY, k->mount_alone ? RESOLVE_NO_XDEV : 0);
	if (fd < 0)
		/* What we may not read, the guest may not either: it has no more rights than we. */
		return depth && (errno == EACCES || errno == EXDEV) ?
		               0 :
		               fail_errno(err, "workspace: open %s", below);
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

int workspace_look(int dir, const struct strv *globs, struct strv *hidden, struct strv *obeyed,
                   struct err *err)
{
	/* Root's cage is given the one mount, through a mapping; an ordinary user's all that lies below. */
	struct look k = { .globs = globs, .hidden = hidden, .obeyed = obeyed, .mount_alone = geteuid() == 0 };

	return look_in(&k, dir, ".", "", 0, err);
}
