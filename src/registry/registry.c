#include "registry/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "base/banned.h"

enum {
	CREATE_TRIES = 100, /* 36^5 suffixes: two in a row that exist are a wonder */
	LOCK_STEP_MS = 5,
	LOCK_CHANGE_MS = 10 * 1000,
	RANDOM_NAME = 16,
	NEW_SECONDS = 60, /* longer than making a bottle's directory takes */
	REMOVE_TRIES = 100,
};

/* A bottle's directory before it has its slug, and when it has it no more: both are no slugs,
 * so nobody lists them. */
#define NEW  ".new-"
#define GONE ".gone-"

static int print(const struct record *r, struct str *out, struct err *err)
{
	own_json json *j = record_to_json(r);

	json_print_pretty(j, out);
	str_addc(out, '\n');
	if (out->len > RECORD_BYTES)
		return fail(err, ERR_INPUT, "record of %s: %zu bytes, over the limit of %d", r->slug,
		            out->len, RECORD_BYTES);
	return 0;
}

int registry_save(int dir, const struct record *r, struct err *err)
{
	own_str struct str text = STR_INIT;

	if (print(r, &text, err) != 0 || file_write(dir, RECORD_FILE, text.data, text.len, 0600, err) != 0)
		return -1;
	unlinkat(dir, RECORD_KEPT, 0);
	return 0;
}

int registry_place(int dir, const struct record *r, struct err *err)
{
	own_str struct str text = STR_INIT;

	/* Of several in a row the first keeps: only that one is known to be on the disk. */
	if (linkat(dir, RECORD_FILE, dir, RECORD_KEPT, 0) != 0 && errno != EEXIST)
		return registry_save(dir, r, err); /* a file system without links */
	if (print(r, &text, err) != 0)
		return -1;
	return file_place(dir, RECORD_FILE, text.data, text.len, 0600, err);
}

/* A new bottle keeps an empty record until registry_settle() has seen the real one to the disk. */
static int keep_nothing(int dir, struct err *err)
{
	own_fd int fd = openat(dir, RECORD_KEPT, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd >= 0 ? 0 : fail_errno(err, "create %s", RECORD_KEPT);
}

static bool is_empty(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

/* Nothing was acquired that outlives the host, and no agent has run. */
static bool is_unsettled(int dir)
{
	return is_empty(dir, RECORD_FILE) && is_empty(dir, RECORD_KEPT);
}

/* A file whose name reached the disk before its contents is an empty one after a crash. */
static int read_record(int dir, struct str *out, struct err *err)
{
	struct err none = ERR_INIT;

	if (file_read(dir, RECORD_FILE, RECORD_BYTES, out, err) != 0)
		return -1;
	if (out->len == 0)
		file_read(dir, RECORD_KEPT, RECORD_BYTES, out, &none);
	if (out->len == 0 && is_unsettled(dir))
		return fail(err, ERR_INPUT,
		            "it is empty, since the host went down while the bottle was made; "
		            "bottle cleanup removes it");
	return 0;
}

int registry_load(int dir, struct record *out, struct err *err)
{
	own_str struct str text = STR_INIT;
	own_json json *j = NULL;

	if (read_record(dir, &text, err) != 0 ||
	    json_parse_unique(str_c(&text), text.len, RECORD_DEPTH, &j, err) != 0 ||
	    record_from_json(j, out, err) != 0)
		return err->kind == ERR_INPUT ? fail_in(err, RECORD_FILE) : -1;
	return 0;
}

/* The record is written before the directory has a slug's name, so whoever sees the slug
 * sees the record. */
static int publish(int bottles, int dir, const char *temp, const char *name, struct record *r,
                   struct err *err)
{
	for (int i = 0; i < CREATE_TRIES; i++) {
		char suffix[SLUG_SUFFIX + 1];
		random_name(suffix, SLUG_SUFFIX);
		snprintf(r->slug, sizeof r->slug, "%.*s-%s", NAME_LIMIT, name, suffix);
		own_str struct str text = STR_INIT;
		if (print(r, &text, err) != 0 ||
		    file_place(dir, RECORD_FILE, text.data, text.len, 0600, err) != 0)
			return -1;
		if (renameat2(bottles, temp, bottles, r->slug, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return fail_errno(err, "name the bottle %s", r->slug);
	}
	return fail(err, ERR_BUSY, "no free slug for %s after %d tries", name, CREATE_TRIES);
}

static void random_entry(const char *prefix, char *out)
{
	size_t n = strlen(prefix);

	memcpy(out, prefix, n + 1);
	random_name(out + n, RANDOM_NAME);
}

int registry_create(int bottles, const char *name, struct record *r, struct err *err)
{
	char temp[sizeof NEW + RANDOM_NAME];
	struct err ignored = ERR_INIT;

	if (!name_is_valid(name))
		return fail(err, ERR_INPUT,
		            "\"%.60s\" is not a name; use a-z, 0-9 and single hyphens, at most %d", name,
		            NAME_LIMIT);
	random_entry(NEW, temp);
	if (mkdirat(bottles, temp, 0700) != 0)
		return fail_errno(err, "make a bottle's directory");
	own_fd int dir = openat(bottles, temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0) {
		fail_errno(err, "open a bottle's directory");
	} else if (keep_nothing(dir, err) == 0 && publish(bottles, dir, temp, name, r, err) == 0) {
		return fd_steal(&dir);
	}
	r->slug[0] = '\0';
	dir_remove(bottles, temp, &ignored);
	return -1;
}

int registry_settle(int bottles, int dir, struct err *err)
{
	own_fd int file = openat(dir, RECORD_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	/* From the contents up to the name. */
	if (file < 0 || fsync(file) != 0 || fsync(dir) != 0 || fsync(bottles) != 0 ||
	    (is_empty(dir, RECORD_KEPT) && unlinkat(dir, RECORD_KEPT, 0) != 0))
		return fail_errno(err, "writing the new bottle to the disk");
	return 0;
}

int registry_open(int bottles, const char *slug, struct err *err)
{
	if (!slug_is_valid(slug))
		return fail(err, ERR_USAGE, "\"%.60s\" is not a bottle's slug; see bottle ls", slug);
	int fd = openat(bottles, slug, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return fail(err, ERR_MISSING, "there is no bottle %s; see bottle ls", slug);
	return fd >= 0 ? fd : fail_errno(err, "open bottle %s", slug);
}

int registry_lock(int dir, int ms, struct err *err)
{
	uint64_t until = clock_ms() + (uint64_t)ms;
	/* Never unlinked while the directory stands: a second opener could lock a file that has
	 * no name. */
	own_fd int fd = openat(dir, RECORD_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return fail_errno(err, "open the bottle's lock");
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail_errno(err, "lock the bottle");
		if (clock_ms() >= until)
			return fail(err, ERR_BUSY,
			            "another process is changing this bottle's record; try again");
		poll(NULL, 0, LOCK_STEP_MS);
	}
	return fd_steal(&fd);
}

int registry_change(int dir, int (*change)(struct record *r, void *arg, struct err *err), void *arg,
                    struct err *err)
{
	own_record struct record r = RECORD_INIT;
	own_fd int lock = registry_lock(dir, LOCK_CHANGE_MS, err);

	if (lock < 0 || registry_load(dir, &r, err) != 0 || change(&r, arg, err) != 0)
		return -1;
	return registry_save(dir, &r, err);
}

static void stream_drop(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}
#define own_stream __attribute__((cleanup(stream_drop)))

static DIR *stream_open(int dir, struct err *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d) {
		fail_errno(err, "read a directory of bottles");
		fd_drop(&fd);
	}
	return d;
}

/* Whoever opened the directory under its slug may still make a lock in it. */
static int remove_gone(int bottles, const char *name, struct err *err)
{
	for (int i = 0; i < REMOVE_TRIES; i++)
		if (dir_remove(bottles, name, err) == 0)
			return 0;
		else if (err->sys != ENOTEMPTY)
			return -1;
	return -1;
}

int registry_remove(int bottles, const char *slug, struct err *err)
{
	own_fd int dir = registry_open(bottles, slug, err);
	own_stream DIR *d = dir >= 0 ? stream_open(dir, err) : NULL;

	if (!d)
		return -1;
	for (struct dirent *e; errno = 0, (e = readdir(d)) != NULL;) {
		const char *name = e->d_name;
		if (str_is(name, ".") || str_is(name, "..") || str_is(name, RECORD_FILE) ||
		    str_is(name, RECORD_LOCK))
			continue;
		if (dir_remove(dir, name, err) != 0)
			return fail_in(err, "bottle %s", slug);
	}
	if (errno != 0)
		return fail_errno(err, "read the directory of %s", slug);
	/* Record and lock go at once with the name: what waits for the lock meanwhile would make a
	 * new one in a directory that has no record any more. */
	char gone[sizeof GONE + RANDOM_NAME];
	random_entry(GONE, gone);
	if (renameat2(bottles, slug, bottles, gone, RENAME_NOREPLACE) != 0)
		return fail_errno(err, "remove bottle %s", slug);
	return remove_gone(bottles, gone, err);
}

static bool is_leftover(int bottles, const char *name)
{
	struct err ignored = ERR_INIT;
	struct stat st;
	own_fd int dir = slug_is_valid(name) ? registry_open(bottles, name, &ignored) : -1;

	if (str_starts(name, GONE) || (dir >= 0 && is_unsettled(dir)))
		return true;
	if (!str_starts(name, NEW) || fstatat(bottles, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	return clock_unix_ms() / 1000 - st.st_mtime > NEW_SECONDS;
}

int registry_sweep(int bottles, struct err *err)
{
	own_stream DIR *d = stream_open(bottles, err);

	if (!d)
		return -1;
	for (struct dirent *e; errno = 0, (e = readdir(d)) != NULL;)
		if (is_leftover(bottles, e->d_name) && remove_gone(bottles, e->d_name, err) != 0)
			return -1;
	return errno == 0 ? 0 : fail_errno(err, "read the directory of bottles");
}

static int by_slug(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->slug, ((const struct listed *)b)->slug);
}

void listing_clear(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		record_clear(&l->v[i].record);
	mem_drop(&l->v);
	l->n = 0;
}

static void load_listed(int bottles, struct listed *l)
{
	own_fd int dir = registry_open(bottles, l->slug, &l->error);

	if (dir < 0 || registry_load(dir, &l->record, &l->error) != 0)
		return;
	if (!str_is(l->record.slug, l->slug)) {
		fail(&l->error, ERR_INPUT, "its record is that of %s", l->record.slug);
		record_clear(&l->record);
	}
}

int registry_list(int bottles, struct listing *out, struct err *err)
{
	own_listing struct listing made = LISTING_INIT;
	own_stream DIR *d = stream_open(bottles, err);

	if (!d)
		return -1;
	for (struct dirent *e; errno = 0, (e = readdir(d)) != NULL;) {
		if (!slug_is_valid(e->d_name))
			continue;
		if (made.n >= RECORD_COUNT)
			return fail(err, ERR_INPUT, "more than %d bottles; remove some with bottle rm",
			            RECORD_COUNT);
		made.v = xrealloc(made.v, made.n + 1, sizeof *made.v);
		struct listed *l = &made.v[made.n++];
		*l = (struct listed){ .record = RECORD_INIT };
		memcpy(l->slug, e->d_name, strlen(e->d_name) + 1);
		load_listed(bottles, l);
		/* Removed since its name was read: it is no bottle any more. */
		if (l->error.kind == ERR_MISSING &&
		    faccessat(bottles, l->slug, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
			made.n--;
	}
	if (errno != 0)
		return fail_errno(err, "read the directory of bottles");
	if (made.n > 0)
		qsort(made.v, made.n, sizeof *made.v, by_slug);
	*out = made;
	made = (struct listing)LISTING_INIT;
	return 0;
}
