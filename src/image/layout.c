/* An OCI layout in a directory, as the tar that the same layout would be: smolvm takes a
 * directory for a rootfs. Only what a layout consists of is read, by names of its own alphabet,
 * and no link is followed. */
#include "image/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "image/tar.h"
#include "base/banned.h"

enum { BLOBS_MAX = 4096 };

bool image_is_layout(int dir)
{
	struct stat st;

	return fstatat(dir, "oci-layout", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       fstatat(dir, "index.json", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

struct copy {
	int to;
	const struct image_pace *pace;
	uint64_t bytes;
	size_t blobs;
};

static int add(struct copy *c, int dir, const char *name, const char *path, struct err *err)
{
	char hash[SHA256_TEXT];
	struct stat st;
	uint64_t size = 0;
	own_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) != 0)
		return fail_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERR_INPUT, "%s is no regular file", path);
	if (tar_write_head(c->to, path, (uint64_t)st.st_size, err) != 0 ||
	    image_copy_file(fd, c->to, IMAGE_MAX - c->bytes, c->pace, hash, &size, err) != 0)
		return -1;
	if (size != (uint64_t)st.st_size)
		return fail(err, ERR_BUSY, "%s changes while it is read", path);
	c->bytes += size;
	return tar_write_padding(c->to, size, err);
}

static void dir_drop(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int add_blobs(struct copy *c, int layout, struct err *err)
{
	int fd = openat(layout, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	own_fd int blobs = fd;
	own_fd int sums = fd < 0 ? -1 : openat(fd, "sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int listed = sums < 0 ? -1 : fcntl(sums, F_DUPFD_CLOEXEC, 3);
	__attribute__((cleanup(dir_drop))) DIR *d = listed < 0 ? NULL : fdopendir(listed);

	if (!d) {
		fd_drop(&listed);
		return fail_errno(err, "blobs/sha256");
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (strlen(e->d_name) != SHA256_TEXT - 1 ||
		    strspn(e->d_name, "0123456789abcdef") != SHA256_TEXT - 1)
			continue;
		own_mem char *path = xasprintf("blobs/sha256/%s", e->d_name);
		if (++c->blobs > BLOBS_MAX)
			return fail(err, ERR_INPUT, "it has over %d blobs", BLOBS_MAX);
		if (add(c, sums, e->d_name, path, err) != 0)
			return -1;
	}
	return 0;
}

int image_write_layout(int dir, int to, const struct image_pace *pace, struct err *err)
{
	struct copy c = { .to = to, .pace = pace };

	if (add(&c, dir, "oci-layout", "oci-layout", err) != 0 ||
	    add(&c, dir, "index.json", "index.json", err) != 0 || add_blobs(&c, dir, err) != 0)
		return fail_in(err, "the OCI layout");
	return tar_write_end(to, err);
}
