/* The hash of a rootfs directory: one line per entry, in the order of their names' bytes. */
#include "image/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "base/banned.h"

enum { DEPTH_MAX = 256, ENTRIES_MAX = 2000000, IN_DIRECTORY_MAX = 200000 };

struct walk_of {
	struct sha256_stream sum;
	const struct image_pace *pace;
	uint64_t bytes, most;
	size_t entries;
};

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dir_drop(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* @fd is taken. */
static int list(int fd, struct strv *out, struct err *err)
{
	__attribute__((cleanup(dir_drop))) DIR *d = fdopendir(fd);

	if (!d) {
		close(fd);
		return fail_errno(err, "reading a directory of the image");
	}
	for (struct dirent *e; errno = 0, (e = readdir(d)) != NULL;) {
		if (str_is(e->d_name, ".") || str_is(e->d_name, ".."))
			continue;
		if (out->n >= IN_DIRECTORY_MAX)
			return fail(err, ERR_INPUT, "a directory of the image has over %d entries",
			            IN_DIRECTORY_MAX);
		strv_add(out, e->d_name);
	}
	if (errno != 0)
		return fail_errno(err, "reading a directory of the image");
	if (out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_bytes);
	return 0;
}

static int add_file(struct walk_of *w, int dir, const char *name, struct str *line, struct err *err)
{
	char hash[SHA256_TEXT];
	uint64_t size = 0;
	own_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	/* Who runs the machine can't read it either. */
	if (fd < 0 && errno == EACCES) {
		str_add(line, " unreadable");
		return 0;
	}
	if (fd < 0)
		return fail_errno(err, "%s", name);
	if (image_hash_file(fd, w->most - w->bytes, w->pace, hash, &size, err) != 0)
		return -1;
	w->bytes += size;
	str_addf(line, " %s", hash);
	return 0;
}

static int add_entry(struct walk_of *w, int dir, const char *name, const char *path, const struct stat *st,
                     struct err *err)
{
	own_str struct str line = STR_INIT;
	char target[PATH_MAX];

	str_addf(&line, "%06o %s", (unsigned)st->st_mode, path);
	/* A name may hold a line break; it holds no NUL. */
	str_addc(&line, '\0');
	if (S_ISREG(st->st_mode) && add_file(w, dir, name, &line, err) != 0)
		return -1;
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(dir, name, target, sizeof target);
		if (n < 0)
			return fail_errno(err, "%s", path);
		str_addn(&line, target, (size_t)n);
	}
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		str_addf(&line, "%llx", (unsigned long long)st->st_rdev);
	str_addc(&line, '\0');
	sha256_add(&w->sum, line.data, line.len);
	return 0;
}

/* @fd is taken. */
static int walk(struct walk_of *w, int fd, const char *path, int depth, struct err *err)
{
	own_fd int dir = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	own_strv struct strv names = STRV_INIT;

	if (list(fd, &names, err) != 0)
		return -1;
	if (dir < 0)
		return fail_errno(err, "a descriptor");
	if (depth > DEPTH_MAX)
		return fail(err, ERR_INPUT, "the image is nested deeper than %d directories", DEPTH_MAX);
	for (size_t i = 0; i < names.n; i++) {
		own_mem char *below = xasprintf("%s/%s", path, names.v[i]);
		struct stat st;
		if (++w->entries > ENTRIES_MAX)
			return fail(err, ERR_INPUT, "the image has over %d files", ENTRIES_MAX);
		if (fstatat(dir, names.v[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
			return fail_errno(err, "%s", below);
		if (add_entry(w, dir, names.v[i], below, &st, err) != 0)
			return -1;
		if (!S_ISDIR(st.st_mode))
			continue;
		int sub = openat(dir, names.v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub < 0 && errno == EACCES)
			continue;
		if (sub < 0)
			return fail_errno(err, "%s", below);
		if (walk(w, sub, below, depth + 1, err) != 0)
			return -1;
	}
	return w->pace && w->pace->go_on ? w->pace->go_on(w->pace->arg, err) : 0;
}

static void walk_clear(struct walk_of *w)
{
	sha256_clear(&w->sum);
}

int image_hash_tree(int dir, uint64_t most, const struct image_pace *pace, char hash[SHA256_TEXT],
                    uint64_t *size, struct err *err)
{
	OWN(walk_clear) struct walk_of w = { .pace = pace, .most = most };
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, "opening the image");
	sha256_begin(&w.sum);
	if (walk(&w, fd, "", 0, err) != 0)
		return -1;
	sha256_end_text(&w.sum, hash);
	*size = w.bytes;
	return 0;
}
