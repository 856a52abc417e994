#include "image/image.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/banned.h"

enum { PIECE = 1 << 20 };

void image_clear(struct image *i)
{
	mem_drop(&i->path);
	mem_drop(&i->name);
	mem_drop(&i->workdir);
	strv_clear(&i->env);
	fd_drop(&i->fd);
	*i = (struct image)IMAGE_INIT;
}

static int go_on(const struct image_pace *pace, struct err *err)
{
	return pace && pace->go_on ? pace->go_on(pace->arg, err) : 0;
}

/* @to -1: nothing is written. Positions are our own: the descriptors may be shared. */
static int pass(int from, int to, uint64_t most, const struct image_pace *pace, char hash[SHA256_TEXT],
                uint64_t *size, struct err *err)
{
	own_mem char *piece = xmalloc(PIECE);
	own_sha256 struct sha256_stream sum = { 0 };
	uint64_t at = 0;

	sha256_begin(&sum);
	for (;;) {
		ssize_t n = pread(from, piece, PIECE, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, "reading the image");
		if (n == 0)
			break;
		at += (uint64_t)n;
		if (at > most)
			return fail(err, ERR_INPUT, "the image is over %llu MiB",
			            (unsigned long long)most >> 20);
		sha256_add(&sum, piece, (size_t)n);
		if (to >= 0 && file_write_all(to, piece, (size_t)n, err) != 0)
			return fail_in(err, "the image's copy");
		if (go_on(pace, err) != 0)
			return -1;
	}
	sha256_end_text(&sum, hash);
	*size = at;
	return 0;
}

int image_hash_file(int fd, uint64_t most, const struct image_pace *pace, char hash[SHA256_TEXT],
                    uint64_t *size, struct err *err)
{
	return pass(fd, -1, most, pace, hash, size, err);
}

int image_copy_file(int from, int to, uint64_t most, const struct image_pace *pace, char hash[SHA256_TEXT],
                    uint64_t *size, struct err *err)
{
	return pass(from, to, most, pace, hash, size, err);
}
