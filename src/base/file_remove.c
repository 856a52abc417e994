/* A tree is removed from the inside of its deepest directory outwards, by going down into a
 * directory and up again through "..". How deep it is was another program's choice: a level costs
 * a few bytes, and neither a descriptor nor a call. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

enum { OPEN_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW };

/* The directories above the one that the walk is in. */
struct trail {
	struct level {
		dev_t dev;
		ino_t ino;
		long at; /* where it was left, as of telldir() */
	} * v;
	size_t n, cap;
};

static void trail_clear(struct trail *t)
{
	mem_drop(&t->v);
}

static int trail_add(struct trail *t, int dir, long at, struct err *err)
{
	struct stat st;

	if (fstat(dir, &st) != 0)
		return fail_errno(err, "stat a directory");
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->v = xrealloc(t->v, t->cap, sizeof *t->v);
	}
	t->v[t->n++] = (struct level){ st.st_dev, st.st_ino, at };
	return 0;
}

/* What is above @dir now must be what the walk came through. */
static int trail_back(struct trail *t, int dir, long *at, struct err *err)
{
	const struct level *level = &t->v[--t->n];
	own_fd int above = openat(dir, "..", OPEN_FLAGS);
	struct stat st;

	if (above < 0 || fstat(above, &st) != 0)
		return fail_errno(err, "open a directory's parent");
	if (st.st_dev != level->dev || st.st_ino != level->ino)
		return fail(err, ERR_BUSY, "a directory was moved while its tree was removed");
	*at = level->at;
	return fd_steal(&above);
}

/* A directory that is closed to its owner is opened up; one that may not be written can't be
 * emptied. */
static int open_to_empty(int parent, const char *name, struct err *err)
{
	int fd = openat(parent, name, OPEN_FLAGS);

	if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
		fd = openat(parent, name, OPEN_FLAGS);
	if (fd < 0)
		return fail_errno(err, "open %s", name);
	fchmod(fd, 0700);
	return fd;
}

static int remove_entry(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return errno == EISDIR || errno == EPERM ? unlinkat(dir, name, AT_REMOVEDIR) : -1;
}

static void stream_drop(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

/* From where @at says, until the directory is empty; or until a directory in it is not: then
 * *@sub is that one. */
static int remove_entries(int dir, long *at, int *sub, struct err *err)
{
	int fd = openat(dir, ".", OPEN_FLAGS);
	__attribute__((cleanup(stream_drop))) DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		fd_drop(&fd);
		return fail_errno(err, "read a directory");
	}
	if (*at != 0)
		seekdir(d, *at);
	for (;;) {
		long here = telldir(d);
		errno = 0;
		const struct dirent *e = readdir(d);
		if (!e && errno != 0)
			return fail_errno(err, "read a directory");
		if (!e && *at == 0)
			return 0;
		if (!e) {
			/* Where a place is a count of what comes before it, some were passed over. */
			rewinddir(d);
			*at = 0;
			continue;
		}
		if (str_is(e->d_name, ".") || str_is(e->d_name, "..") || remove_entry(dir, e->d_name) == 0)
			continue;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return fail_errno(err, "remove %s", e->d_name);
		*at = here;
		*sub = open_to_empty(dir, e->d_name, err);
		return *sub < 0 ? -1 : 0;
	}
}

/* Until there is nothing left in @top, which is taken. */
static int remove_all(int top, struct err *err)
{
	__attribute__((cleanup(trail_clear))) struct trail trail = { 0 };
	own_fd int dir = top;
	long at = 0;

	for (;;) {
		own_fd int next = -1;
		if (remove_entries(dir, &at, &next, err) != 0)
			return -1;
		if (next >= 0) {
			if (trail_add(&trail, dir, at, err) != 0)
				return -1;
			at = 0;
		} else {
			if (trail.n == 0)
				return 0;
			next = trail_back(&trail, dir, &at, err);
			if (next < 0)
				return -1;
		}
		fd_drop(&dir);
		dir = fd_steal(&next);
	}
}

int dir_remove(int dirfd, const char *name, struct err *err)
{
	if (remove_entry(dirfd, name) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return fail_errno(err, "remove %s", name);
	int top = open_to_empty(dirfd, name, err);
	if (top < 0)
		return -1;
	if (remove_all(top, err) != 0)
		return fail_in(err, "%s", name);
	return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 ? 0 : fail_errno(err, "remove directory %s", name);
}
