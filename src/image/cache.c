#include "image/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/banned.h"

#define NOTE "from-"

enum { LISTED_MAX = 10000, NAME_TEXT = 96, TRIES = 3, HOLD_MS = 1000, HOLD_STEP_MS = 5 };

static const char *const endings[] = { [IMAGE_ARCHIVE] = ".tar", [IMAGE_PACKED] = ".smolmachine" };

void image_cache_clear(struct image_cache *c)
{
	fd_drop(&c->dir);
	mem_drop(&c->path);
}

bool image_hash_is_valid(const char *text)
{
	return strlen(text) == SHA256_TEXT - 1 && strspn(text, "0123456789abcdef") == SHA256_TEXT - 1;
}

bool image_work_is_name(const char *name)
{
	size_t n = strlen(IMAGE_WORK_PREFIX);

	return str_starts(name, IMAGE_WORK_PREFIX) && name[n] &&
	       strspn(name + n, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name + n);
}

int image_cache_open(int parent, const char *path, struct image_cache *out, struct err *err)
{
	struct stat st;
	own_fd int dir = dir_make(parent, IMAGE_CACHE_NAME, 0700, err);

	if (dir < 0)
		return -1;
	if (fstat(dir, &st) != 0)
		return fail_errno(err, "stat %s/" IMAGE_CACHE_NAME, path);
	if (st.st_uid != geteuid() || (st.st_mode & 0077))
		return fail(err, ERR_DENIED,
		            "%s/" IMAGE_CACHE_NAME " is open to others; chmod 700 it, or remove it", path);
	out->dir = fd_steal(&dir);
	out->path = xasprintf("%s/" IMAGE_CACHE_NAME, path);
	return 0;
}

int image_cache_look(const char *path)
{
	own_mem char *name = xasprintf("%s/" IMAGE_CACHE_NAME, path);

	return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static void name_of(enum image_kind kind, const char *hash, char out[NAME_TEXT])
{
	snprintf(out, NAME_TEXT, "%s%s", hash, endings[kind]);
}

/* Whoever has one to itself only asks whether it is held, or is about to evict it: a moment. */
static bool hold(int fd)
{
	uint64_t until = clock_ms() + HOLD_MS;

	while (flock(fd, LOCK_SH | LOCK_NB) != 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || clock_ms() >= until)
			return false;
		poll(NULL, 0, HOLD_STEP_MS);
	}
	return true;
}

/* The file under its name, held. -1: none, or it was replaced meanwhile. */
static int open_held(int dir, const char *name)
{
	struct stat held, named;
	own_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || !hold(fd) || fstat(fd, &held) != 0 ||
	    fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	return S_ISREG(held.st_mode) && held.st_ino == named.st_ino && held.st_dev == named.st_dev ?
	               fd_steal(&fd) :
	               -1;
}

static void fill(const struct image_cache *c, const char *name, enum image_kind kind, const char *hash,
                 uint64_t size, int *fd, struct image *out)
{
	image_clear(out);
	out->kind = kind;
	out->path = xasprintf("%s/%s", c->path, name);
	memcpy(out->hash, hash, SHA256_TEXT);
	out->size = size;
	out->fd = fd_steal(fd);
}

int image_cache_find(const struct image_cache *c, enum image_kind kind, const char *hash,
                     const struct image_pace *pace, struct image *out, struct err *err)
{
	char name[NAME_TEXT], is[SHA256_TEXT];
	uint64_t size;

	name_of(kind, hash, name);
	own_fd int fd = open_held(c->dir, name);
	if (fd < 0)
		return 0;
	if (image_hash_file(fd, IMAGE_MAX, pace, is, &size, err) != 0)
		return -1;
	if (!str_is(is, hash)) {
		if (unlinkat(c->dir, name, 0) != 0 && errno != ENOENT)
			return fail_errno(err, "removing a damaged image, %s/%s", c->path, name);
		return 0;
	}
	/* What was used last is evicted last. */
	futimens(fd, NULL);
	fill(c, name, kind, hash, size, &fd, out);
	return 1;
}

/* ---- eviction ---- */

struct kept {
	char name[NAME_TEXT];
	struct timespec used;
	uint64_t bytes;
};

static bool is_image(const char *name)
{
	char hash[SHA256_TEXT];

	snprintf(hash, sizeof hash, "%s", name);
	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		if (endings[i] && image_hash_is_valid(hash) && str_is(name + SHA256_TEXT - 1, endings[i]))
			return true;
	return false;
}

static bool is_note(const char *name)
{
	return str_starts(name, NOTE) && image_hash_is_valid(name + strlen(NOTE));
}

static int oldest_first(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
	return (x->used.tv_nsec > y->used.tv_nsec) - (x->used.tv_nsec < y->used.tv_nsec);
}

static void dir_drop(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Names for which @is holds, the one that was used longest ago first. The caller frees. */
static int list(int dir, bool (*is)(const char *name), struct kept **out, size_t *n, struct err *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__attribute__((cleanup(dir_drop))) DIR *d = fd < 0 ? NULL : fdopendir(fd);
	own_mem struct kept *all = NULL;

	if (!d) {
		fd_drop(&fd);
		return fail_errno(err, "reading the cache of images");
	}
	*n = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL && *n < LISTED_MAX;) {
		struct stat st;
		if (strlen(e->d_name) >= NAME_TEXT || !is(e->d_name) ||
		    fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
			continue;
		all = xrealloc(all, *n + 1, sizeof *all);
		struct kept *k = &all[(*n)++];
		*k = (struct kept){ .used = st.st_mtim, .bytes = (uint64_t)st.st_size };
		snprintf(k->name, sizeof k->name, "%s", e->d_name);
	}
	if (*n > 0)
		qsort(all, *n, sizeof *all, oldest_first);
	*out = mem_steal(&all);
	return 0;
}

/* False: somebody holds it. */
static bool evict(int dir, const char *name)
{
	own_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT;
	return flock(fd, LOCK_EX | LOCK_NB) == 0 && (unlinkat(dir, name, 0) == 0 || errno == ENOENT);
}

static int make_room(const struct image_cache *c, uint64_t size, struct err *err)
{
	own_mem struct kept *all = NULL;
	uint64_t bytes = size;
	size_t n;

	if (list(c->dir, is_image, &all, &n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		bytes += all[i].bytes;
	for (size_t i = 0; i < n && bytes > c->most; i++)
		if (evict(c->dir, all[i].name))
			bytes -= all[i].bytes;
	if (bytes > c->most)
		return fail(err, ERR_BUSY,
		            "the cache of images, %s, may hold %llu MiB, and what is in it is in use; stop a "
		            "bottle, then bottle cleanup --images",
		            c->path, (unsigned long long)c->most >> 20);
	return 0;
}

int image_cache_take(const struct image_cache *c, int dir, const char *name, enum image_kind kind,
                     const struct image_pace *pace, struct image *out, struct err *err)
{
	char final[NAME_TEXT];
	char hash[SHA256_TEXT];
	uint64_t size;
	own_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fchmod(fd, 0600) != 0 || fsync(fd) != 0)
		return fail_errno(err, "the image's copy");
	if (image_hash_file(fd, IMAGE_MAX, pace, hash, &size, err) != 0)
		return -1;
	name_of(kind, hash, final);
	if (flock(fd, LOCK_SH | LOCK_NB) != 0)
		return fail_errno(err, "holding the image");
	if (make_room(c, size, err) != 0)
		return -1;
	/* Never over one that is there: somebody may be about to mount it. */
	for (int i = 0; renameat2(dir, name, c->dir, final, RENAME_NOREPLACE) != 0; i++) {
		if (errno != EEXIST || i == TRIES)
			return fail_errno(err, "putting the image into %s", c->path);
		int found = image_cache_find(c, kind, hash, pace, out, err);
		if (found != 0)
			return found < 0 ? -1 : 0;
	}
	if (fsync(c->dir) != 0)
		return fail_errno(err, "%s", c->path);
	fill(c, final, kind, hash, size, &fd, out);
	return 0;
}

/* ---- notes ---- */

int image_cache_recall(const struct image_cache *c, const char *key, char hash[SHA256_TEXT], struct err *err)
{
	char name[NAME_TEXT];
	own_str struct str text = STR_INIT;

	snprintf(name, sizeof name, NOTE "%s", key);
	if (file_read(c->dir, name, SHA256_TEXT, &text, err) != 0) {
		if (err->kind != ERR_MISSING && err->kind != ERR_INPUT)
			return -1;
		*err = (struct err)ERR_INIT;
		return 0;
	}
	if (!image_hash_is_valid(str_c(&text)))
		return 0;
	memcpy(hash, text.data, SHA256_TEXT);
	return 1;
}

int image_cache_remember(const struct image_cache *c, const char *key, const char *hash, struct err *err)
{
	char name[NAME_TEXT];

	snprintf(name, sizeof name, NOTE "%s", key);
	return file_write(c->dir, name, hash, strlen(hash), 0600, err);
}

/* ---- for people ---- */

int image_cache_usage(const struct image_cache *c, struct image_usage *out, struct err *err)
{
	own_mem struct kept *all = NULL;
	size_t n;

	*out = (struct image_usage){ 0 };
	if (list(c->dir, is_image, &all, &n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		own_fd int fd = openat(c->dir, all[i].name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		out->images++;
		out->bytes += all[i].bytes;
		out->held += fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
	}
	return 0;
}

int image_cache_empty(const struct image_cache *c, struct image_usage *freed, struct err *err)
{
	own_mem struct kept *images = NULL, *notes = NULL;
	size_t n, m;

	*freed = (struct image_usage){ 0 };
	if (list(c->dir, is_image, &images, &n, err) != 0 || list(c->dir, is_note, &notes, &m, err) != 0)
		return -1;
	for (size_t i = 0; i < m; i++)
		if (unlinkat(c->dir, notes[i].name, 0) != 0 && errno != ENOENT)
			return fail_errno(err, "removing %s", notes[i].name);
	for (size_t i = 0; i < n; i++) {
		if (!evict(c->dir, images[i].name)) {
			freed->held++;
			continue;
		}
		freed->images++;
		freed->bytes += images[i].bytes;
	}
	return 0;
}
