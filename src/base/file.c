#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/random.h"
#include "base/banned.h"

enum { READ_CHUNK = 65536 };

static int read_all(int fd, const char *what, size_t limit, char buf[READ_CHUNK], size_t *most,
                    struct str *out, struct err *err)
{
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, buf, READ_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, "read %s", what);
		if (n == 0)
			return 0;
		*most = (size_t)n > *most ? (size_t)n : *most;
		total += (size_t)n;
		if (total > limit)
			return fail(err, ERR_INPUT, "%s is larger than the limit of %zu bytes", what, limit);
		str_addn(out, buf, (size_t)n);
	}
}

int file_read_fd(int fd, const char *what, size_t limit, struct str *out, struct err *err)
{
	char buf[READ_CHUNK];
	size_t most = 0;
	int rc = read_all(fd, what, limit, buf, &most, out, err);

	/* A caller that wipes its own copy of a secret knows nothing of this one. */
	explicit_bzero(buf, most);
	return rc;
}

/* O_NONBLOCK: a FIFO in the place of a file must not hang us before we look at it. */
enum { READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY };

/* @fd: what its opening returned. */
static int read_regular(int fd, const char *name, size_t limit, struct str *out, struct err *err)
{
	struct stat st;

	if (fd < 0)
		return fail_errno(err, "open %s", name);
	if (fstat(fd, &st) != 0)
		return fail_errno(err, "stat %s", name);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERR_INPUT, "%s is not a regular file", name);
	return file_read_fd(fd, name, limit, out, err);
}

int file_read(int dirfd, const char *name, size_t limit, struct str *out, struct err *err)
{
	own_fd int fd = openat(dirfd, name, READ_FLAGS);

	return read_regular(fd, name, limit, out, err);
}

int file_read_beneath(int dirfd, const char *path, size_t limit, struct str *out, struct err *err)
{
	own_fd int fd = file_open_beneath(dirfd, path, READ_FLAGS, 0);

	return read_regular(fd, path, limit, out, err);
}

/* EAGAIN: a rename elsewhere raced with a ".." check of the kernel's; paths here have none, but
 * the kernel may say so all the same. */
static int open_resolved(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
		                .mode = mode,
		                .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve };
	long fd;

	for (int tries = 0; tries < 100; tries++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	return open_resolved(dirfd, path, flags, mode, RESOLVE_BENEATH);
}

int file_open_exactly(int dirfd, const char *path, int flags, uint64_t resolve)
{
	return open_resolved(dirfd, path, flags, 0, resolve);
}

int file_write_all(int fd, const void *bytes, size_t n, struct err *err)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return fail_errno(err, "write");
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

struct content {
	const void *bytes;
	size_t n;
	bool synced;
};

static int write_and_rename(int dirfd, int fd, const char *temp, const char *name, const struct content *c,
                            struct err *err)
{
	if (file_write_all(fd, c->bytes, c->n, err) != 0)
		return fail_in(err, "%s", name);
	if (c->synced && fsync(fd) != 0)
		return fail_errno(err, "sync %s", name);
	if (renameat(dirfd, temp, dirfd, name) != 0)
		return fail_errno(err, "rename to %s", name);
	return 0;
}

static int replace(int dirfd, const char *name, const struct content *c, mode_t mode, struct err *err)
{
	char temp[NAME_MAX + 1], suffix[9];

	random_name(suffix, sizeof suffix - 1);
	int len = snprintf(temp, sizeof temp, ".%s.%s", name, suffix);
	if (len >= (int)sizeof temp || strchr(name, '/'))
		return fail(err, ERR_INPUT, "%s is not a file name", name);
	own_fd int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return fail_errno(err, "create %s", name);
	if (write_and_rename(dirfd, fd, temp, name, c, err) != 0) {
		unlinkat(dirfd, temp, 0);
		return -1;
	}
	if (!c->synced)
		return 0;
	/* AT_FDCWD can't be synced by number. */
	own_fd int dir = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && fsync(dir) != 0)
		return fail_errno(err, "sync the directory of %s", name);
	return 0;
}

int file_write(int dirfd, const char *name, const void *bytes, size_t n, mode_t mode, struct err *err)
{
	return replace(dirfd, name, &(struct content){ bytes, n, true }, mode, err);
}

int file_place(int dirfd, const char *name, const void *bytes, size_t n, mode_t mode, struct err *err)
{
	return replace(dirfd, name, &(struct content){ bytes, n, false }, mode, err);
}

int dir_open(int dirfd, const char *path, struct err *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? fd : fail_errno(err, "open directory %s", path);
}

int dir_make(int dirfd, const char *path, mode_t mode, struct err *err)
{
	own_mem char *partial = xstrdup(path);

	for (char *p = partial + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdirat(dirfd, partial, mode) != 0 && errno != EEXIST)
			return fail_errno(err, "make directory %s", partial);
		*p = '/';
	}
	if (mkdirat(dirfd, path, mode) != 0 && errno != EEXIST)
		return fail_errno(err, "make directory %s", path);
	return dir_open(dirfd, path, err);
}

char *dir_path(int dir, struct err *err)
{
	char link[sizeof "/proc/self/fd/" + 12], path[PATH_MAX];

	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n <= 0) {
		fail_errno(err, "finding the path of a directory");
		return NULL;
	}
	return xstrndup(path, (size_t)n);
}

int file_sealed(const char *name, const void *bytes, size_t n, struct err *err)
{
	own_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return fail_errno(err, "memfd_create");
	if (file_write_all(fd, bytes, n, err) != 0)
		return -1;
	/* Not F_SEAL_WRITE: it waits for pages in flight, for the sake of writable maps; here are none. */
	if (lseek(fd, 0, SEEK_SET) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) != 0)
		return fail_errno(err, "sealing a memfd");
	return fd_steal(&fd);
}
