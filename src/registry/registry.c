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

int registry_save(int dir, const struct record *r, struct err *err)
{
	own_str struct str text = STR_INIT;
	own_json json *j = record_to_json(r);

	json_print_pretty(j, &text);
	str_addc(&text, '\n');
	if (text.len > RECORD_BYTES)
		return fail(err, ERR_INPUT, "record of %s: %zu bytes, over the limit of %d", r->slug,
		            text.len, RECORD_BYTES);
	return file_write(dir, RECORD_FILE, text.data, text.len, 0600, err);
}

int registry_load(int dir, struct record *out, struct err *err)
{
	own_str struct str text = STR_INIT;
	own_json json *j = NULL;

	if (file_read(dir, RECORD_FILE, RECORD_BYTES, &text, err) != 0)
		return -1;
	if (json_parse_unique(str_c(&text), text.len, RECORD_DEPTH, &j, err) != 0)
		return fail_in(err, RECORD_FILE);
	if (record_from_json(j, out, err) != 0)
		return fail_in(err, RECORD_FILE);
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
		if (registry_save(dir, r, err) != 0)
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
	} else if (publish(bottles, dir, temp, name, r, err) == 0) {
		if (fsync(bottles) == 0)
			return fd_steal(&dir);
		fail_errno(err, "sync the directory of bottles");
		dir_remove(bottles, r->slug, &ignored);
	}
	r->slug[0] = '\0';
	dir_remove(bottles, temp, &ignored);
	return -1;
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
	struct stat st;

	if (str_starts(name, GONE))
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
