#include "workspace/below.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "base/banned.h"

int below_look(int dir, const char *path, struct stat *st)
{
	own_fd int fd = file_open_beneath(dir, path, O_PATH | O_NOFOLLOW, 0);

	if (fd < 0 || fstat(fd, st) != 0)
		return -1;
	return fd_steal(&fd);
}

int below_read(int looked, const struct stat *st)
{
	char self[sizeof "/proc/self/fd/" + 12];

	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)) {
		errno = EINVAL;
		return -1;
	}
	/* Through the descriptor and not the name: what was looked at is what is opened. */
	snprintf(self, sizeof self, "/proc/self/fd/%d", looked);
	return open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | (S_ISDIR(st->st_mode) ? O_DIRECTORY : 0));
}

int below_read_file(int dir, const char *path, struct stat *st)
{
	own_fd int looked = below_look(dir, path, st);

	if (looked < 0)
		return -1;
	if (!S_ISREG(st->st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return below_read(looked, st);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int below_names(int dir, size_t limit, struct strv *out, bool *more)
{
	int fd = file_open_beneath(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d) {
		fd_drop(&fd);
		return -1;
	}
	struct dirent *e;
	while (errno = 0, (e = readdir(d)) != NULL) {
		if (str_is(e->d_name, ".") || str_is(e->d_name, ".."))
			continue;
		if (out->n >= limit) {
			*more = true;
			break;
		}
		strv_add(out, e->d_name);
	}
	int failed = e ? 0 : errno;
	closedir(d);
	if (out->n > 0)
		qsort(out->v, out->n, sizeof *out->v, by_bytes);
	errno = failed;
	return failed ? -1 : 0;
}

char *below_target(int looked)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(looked, "", target, sizeof target);

	return n < 0 ? NULL : xstrndup(target, (size_t)n);
}
