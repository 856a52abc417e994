#include "workspace/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/random.h"
#include "workspace/below.h"
#include "base/banned.h"

const char *export_verdict_name(enum export_verdict verdict)
{
	static const char *const names[] = { "exported",   "held", "deletion", "refused",
		                             "unreadable", "kept", "failed" };
	return names[verdict];
}

struct run {
	const struct workspace *w;
	const struct export_options *options;
	mode_t umask;
	bool root;
};

/* A link that leads out of the workspace, as far as its text says: absolute, more ".." than
 * directories above it, or a ".." behind a name, which may itself be a link. */
static bool leads_out(const char *path, const char *target)
{
	size_t above = 0;
	bool names = false;

	if (target[0] == '/')
		return true;
	for (const char *p = path; *p; p++)
		above += *p == '/';
	for (const char *p = target; *p;) {
		size_t n = strcspn(p, "/");
		bool up = n == 2 && p[0] == '.' && p[1] == '.';
		if (up && (names || above == 0))
			return true;
		if (up)
			above--;
		else if (n > 0 && !(n == 1 && p[0] == '.'))
			names = true;
		p += n + (p[n] == '/');
	}
	return false;
}

/* The judgement alone: nothing is touched, and the words say why. */
static enum export_verdict judge(const struct change *c, const struct export_options *options,
                                 const char **why)
{
	*why = NULL;
	if (c->unreadable) {
		*why = c->unreadable;
		return c->closed ? EXPORT_CLOSED : EXPORT_REFUSED;
	}
	if (c->status != CHANGE_DELETED && c->kind == ENTRY_SPECIAL) {
		*why = "a device, FIFO or socket";
		return EXPORT_REFUSED;
	}
	if (c->status != CHANGE_DELETED && c->kind == ENTRY_SYMLINK &&
	    (!c->target || leads_out(c->path, c->target))) {
		*why = "a symlink that leads out of the workspace";
		return EXPORT_REFUSED;
	}
	if (c->executable && !options->executable_config) {
		*why = c->executable;
		return EXPORT_HELD;
	}
	if (c->status != CHANGE_DELETED && c->kind == ENTRY_SYMLINK && !options->executable_config) {
		*why = "a symlink";
		return EXPORT_HELD;
	}
	if (c->status == CHANGE_DELETED && !options->deletions) {
		*why = "deleted in the bottle";
		return EXPORT_DELETION;
	}
	return EXPORT_DONE;
}

static void give_owner(const struct run *r, int fd)
{
	/* The id of the cage means nothing outside. A failure leaves root's file, which is safe. */
	if (r->root && fchown(fd, r->options->owner, r->options->group) != 0)
		return;
}

/* Opens the directory in which @path ends, making what is missing; one component at a time,
 * so that a link or file in the way is met and not followed. */
static int open_parent(const struct run *r, const char *path, const char **name)
{
	own_fd int dir = file_open_beneath(r->options->to, ".", O_RDONLY | O_DIRECTORY, 0);
	own_mem char *part = NULL;
	const char *slash;

	while (dir >= 0 && (slash = strchr(path, '/')) != NULL) {
		mem_drop(&part);
		part = xstrndup(path, (size_t)(slash - path));
		int next = file_open_beneath(dir, part, O_RDONLY | O_DIRECTORY, 0);
		if (next < 0 && errno == ENOENT && mkdirat(dir, part, 0777) == 0) {
			next = file_open_beneath(dir, part, O_RDONLY | O_DIRECTORY, 0);
			if (next >= 0)
				give_owner(r, next);
		}
		fd_drop(&dir);
		dir = next;
		path = slash + 1;
	}
	*name = path;
	return fd_steal(&dir);
}

/* Copies what is there and leaves holes as holes: a file that claims to be huge takes no
 * more room outside than it does inside. */
static int copy_bytes(int from, int to, off_t size)
{
	char bytes[64 * 1024];
	struct err err = ERR_INIT;
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(from, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
		if (hole < 0 || lseek(from, data, SEEK_SET) < 0 || lseek(to, data, SEEK_SET) < 0)
			return -1;
		at = data;
		while (at < hole && at < size) {
			off_t want = hole < size ? hole - at : size - at;
			ssize_t n =
				read(from, bytes, want < (off_t)sizeof bytes ? (size_t)want : sizeof bytes);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return -1;
			if (n == 0)
				return ftruncate(to, at); /* it was cut short meanwhile */
			if (file_write_all(to, bytes, (size_t)n, &err) != 0) {
				errno = err.sys ? err.sys : EIO;
				return -1;
			}
			at += n;
		}
	}
	return ftruncate(to, size);
}

static int remove_tree(const struct run *r, int dir, const char *name, const char *path, int depth);

/* What a rename does not replace, and is removed first: once all else is done. */
static bool is_in_the_way(const struct run *r, int parent, const char *name)
{
	struct stat st;

	return r->options->deletions && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

static bool stood_there(const struct change *c)
{
	return c->status == CHANGE_MODIFIED || c->status == CHANGE_MODE;
}

/* Who could not read or write a file can't because the guest says so: of its permissions only the
 * owner's leave to execute comes out, as in git. Where the file is new, all but what the umask takes;
 * set-id and sticky bits never. */
static int set_mode(const struct run *r, const struct change *c, int parent, const char *name, int to)
{
	struct stat old, made;
	bool there = fstatat(parent, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(old.st_mode);
	mode_t mode = there ? old.st_mode : stood_there(c) ? c->mode_before : c->mode;

	if (fstat(to, &made) != 0)
		return -1;
	if (there || stood_there(c))
		mode = (mode & (c->mode & 0100 ? 0777 : 0666)) | (c->mode & 0100);
	if (!there)
		mode &= ~r->umask;
	/* What one group was given is not another's. */
	else if (old.st_gid != made.st_gid)
		mode &= 0707 | (mode & 07) << 3;
	return fchmod(to, mode & 0777);
}

static int export_file(const struct run *r, const struct change *c)
{
	const char *name;
	struct stat st;
	own_fd int from = below_read_file(r->w->upper, c->path, &st);
	own_fd int parent = from >= 0 ? open_parent(r, c->path, &name) : -1;
	own_draft struct draft to = DRAFT_INIT;

	if (parent < 0 || draft_open(&to, parent, 0600) != 0)
		return -1;
	give_owner(r, to.fd);
	if (copy_bytes(from, to.fd, st.st_size) != 0 || set_mode(r, c, parent, name, to.fd) != 0)
		return -1;
	if (is_in_the_way(r, parent, name) &&
	    (draft_stage(&to) != 0 || remove_tree(r, parent, name, c->path, 0) != 0))
		return -1;
	return draft_place(&to, name);
}

static int export_symlink(const struct run *r, const struct change *c)
{
	char temp[32] = ".draft-";
	const char *name;
	own_fd int parent = open_parent(r, c->path, &name);

	if (parent < 0)
		return -1;
	random_name(temp + strlen(temp), 12);
	/* The text that was judged, not what stands in the layer by now. */
	if (symlinkat(c->target, parent, temp) != 0)
		return -1;
	if ((!r->root ||
	     fchownat(parent, temp, r->options->owner, r->options->group, AT_SYMLINK_NOFOLLOW) == 0) &&
	    (!is_in_the_way(r, parent, name) || remove_tree(r, parent, name, c->path, 0) == 0) &&
	    renameat(parent, temp, parent, name) == 0)
		return 0;
	int saved = errno;
	unlinkat(parent, temp, 0);
	errno = saved;
	return -1;
}

static int export_directory(const struct run *r, const struct change *c)
{
	const char *name;
	own_fd int parent = open_parent(r, c->path, &name);

	if (parent < 0)
		return -1;
	if (c->status == CHANGE_TYPE && r->options->deletions)
		unlinkat(parent, name, 0);
	bool made = mkdirat(parent, name, 0777) == 0;
	if (!made && errno != EEXIST)
		return -1;
	own_fd int dir = file_open_beneath(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (dir < 0)
		return -1;
	if (!made)
		return 0;
	give_owner(r, dir);
	/* Its owner must be able to go in, whatever the guest set. */
	return fchmod(dir, ((stood_there(c) ? c->mode_before : c->mode) & 0777 & ~r->umask) | 0700);
}

/* Removes what the workspace holds at @name, but nothing that the bottle could not see. */
static int remove_tree(const struct run *r, int dir, const char *name, const char *path, int depth)
{
	own_strv struct strv names = STRV_INIT;
	bool more = false;

	if (workspace_excluded(r->w->exclude, path)) {
		errno = ENOTEMPTY;
		return -1;
	}
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if ((errno != EISDIR && errno != EPERM) || depth > WORKSPACE_DEPTH)
		return -1;
	own_fd int sub = file_open_beneath(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (sub < 0 || below_names(sub, WORKSPACE_ENTRIES, &names, &more) != 0)
		return -1;
	bool kept = false;
	for (size_t i = 0; i < names.n; i++) {
		own_mem char *inner = xasprintf("%s/%s", path, names.v[i]);
		if (remove_tree(r, sub, names.v[i], inner, depth + 1) == 0)
			continue;
		if (errno != ENOTEMPTY)
			return -1;
		kept = true;
	}
	if (!kept)
		return unlinkat(dir, name, AT_REMOVEDIR);
	errno = ENOTEMPTY;
	return -1;
}

static int export_deletion(const struct run *r, const struct change *c)
{
	own_mem char *directory = xstrdup(c->path);
	char *slash = strrchr(directory, '/');
	const char *name = slash ? slash + 1 : directory;

	if (slash)
		*slash = '\0';
	own_fd int parent =
		file_open_beneath(r->options->to, slash ? directory : ".", O_RDONLY | O_DIRECTORY, 0);
	if (parent < 0)
		return errno == ENOENT ? 0 : -1;
	return remove_tree(r, parent, name, c->path, 0);
}

static int carry_out(const struct run *r, const struct change *c)
{
	if (c->status == CHANGE_DELETED)
		return export_deletion(r, c);
	switch (c->kind) {
	case ENTRY_FILE:
		return export_file(r, c);
	case ENTRY_SYMLINK:
		return export_symlink(r, c);
	case ENTRY_DIRECTORY:
		return export_directory(r, c);
	case ENTRY_SPECIAL:
		break;
	}
	bug("a special file was let through");
}

/* Of the permissions that changed: those that come out. */
static mode_t carried(const struct change *c)
{
	return (c->mode ^ c->mode_before) & (c->kind == ENTRY_FILE ? 0100 : 0);
}

static const char permissions_stay[] = "its permissions stay as they are";

/* What was not brought out with it. */
static const char *say_remainder(const struct change *c)
{
	if (!stood_there(c) || (c->mode ^ c->mode_before) == carried(c))
		return NULL;
	return c->kind == ENTRY_FILE ? "of its permissions only the owner's x is taken" : permissions_stay;
}

/* Nothing is to be brought to where the same stands already, but permissions that stay inside: a
 * directory, or the very file that the bottle was given. */
static bool is_kept(const struct run *r, const struct change *c)
{
	struct stat st, given;

	if (c->status != CHANGE_MODE || carried(c) != 0)
		return false;
	own_fd int there = below_look(r->options->to, c->path, &st);
	own_fd int before = there >= 0 ? below_look(r->w->lower, c->path, &given) : -1;
	if (before < 0)
		return false;
	return c->kind == ENTRY_DIRECTORY ? S_ISDIR(st.st_mode) :
	                                    st.st_dev == given.st_dev && st.st_ino == given.st_ino;
}

static const char *say_why(int number)
{
	switch (number) {
	case ELOOP:
	case ENOTDIR:
	case EXDEV:
		return "a symlink or a file stands in its way";
	case EISDIR:
	case ENOTEMPTY:
	case EEXIST:
		return "a directory stands there, or holds files that the bottle did not see";
	case ENOENT:
	case EINVAL:
		return "it changed meanwhile";
	default:
		return strerror(number);
	}
}

/* What stands in the way, as far as that is seen before it is tried, which a dry run does not. NULL:
 * nothing. */
static const char *say_obstacle(const struct run *r, const struct change *c)
{
	const bool deletions = r->options->deletions;
	struct stat st;

	if (c->status == CHANGE_DELETED)
		return NULL;
	own_fd int there = below_look(r->options->to, c->path, &st);
	/* With deletions, what is no directory above it may have been replaced by then. */
	if (there < 0)
		return !deletions && (errno == ELOOP || errno == ENOTDIR) ? say_why(errno) : NULL;
	bool directory = S_ISDIR(st.st_mode);
	if (directory == (c->kind == ENTRY_DIRECTORY))
		return NULL;
	if (directory)
		return deletions ? NULL : "a directory stands there; --delete removes it";
	if (c->status == CHANGE_TYPE && deletions)
		return NULL;
	return c->status == CHANGE_TYPE ? "a file or symlink stands there; --delete removes it" :
	                                  say_why(ENOTDIR);
}

static bool is_chosen(const struct strv *only, const char *path)
{
	if (!only || only->n == 0)
		return true;
	for (size_t i = 0; i < only->n; i++) {
		size_t n = strlen(only->v[i]);
		if (strncmp(path, only->v[i], n) == 0 && (path[n] == '\0' || path[n] == '/'))
			return true;
	}
	return false;
}

/* What was let through. */
static enum export_verdict bring_out(const struct run *r, const struct change *c, const char **why)
{
	if (is_kept(r, c)) {
		*why = permissions_stay;
		return EXPORT_KEPT;
	}
	const char *obstacle = say_obstacle(r, c);
	if (!obstacle && !r->options->dry_run && carry_out(r, c) != 0)
		obstacle = say_why(errno);
	*why = obstacle ? obstacle : say_remainder(c);
	return obstacle ? EXPORT_FAILED : EXPORT_DONE;
}

int workspace_export(const struct workspace *w, const struct changes *changes,
                     const struct export_options *options,
                     void (*told)(void *arg, const struct change *c, enum export_verdict verdict,
                                  const char *why),
                     void *arg, struct err *err)
{
	struct run r = { .w = w, .options = options, .root = geteuid() == 0, .umask = umask(077) };
	int failed = 0;

	umask(r.umask);
	for (size_t i = 0; i < changes->n; i++) {
		const struct change *c = &changes->v[i];
		const char *why = NULL;
		if (!is_chosen(options->only, c->path))
			continue;
		enum export_verdict verdict = judge(c, options, &why);
		if (verdict == EXPORT_DONE)
			verdict = bring_out(&r, c, &why);
		failed += verdict == EXPORT_FAILED;
		told(arg, c, verdict, why);
	}
	if (!options->dry_run && syncfs(options->to) != 0)
		return fail_errno(err, "write the exported files to disk");
	return failed;
}
