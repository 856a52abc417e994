#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/file.h"
#include "image/cache.h"
#include "manifest/image.h"

/* ---- what a manifest may write ---- */

static void each_form_is_told_from_its_text(void **state)
{
	static const struct {
		const char *text;
		enum image_form form;
		const char *rest;
	} cases[] = {
		{ "/srv/rootfs", IMAGE_AT_PATH, "/srv/rootfs" },
		{ "~/image.tar", IMAGE_AT_PATH, "~/image.tar" },
		{ "/a:b/c.tar", IMAGE_AT_PATH, "/a:b/c.tar" },
		{ "/a.smolmachine", IMAGE_SMOLMACHINE, "/a.smolmachine" },
		{ "docker-daemon:agent", IMAGE_IN_DAEMON, "agent" },
		{ "docker-daemon:host:5000/a/b:1@sha256:0", IMAGE_IN_DAEMON, "host:5000/a/b:1@sha256:0" },
		{ "dockerfile:/a/Dockerfile", IMAGE_DOCKERFILE, "/a/Dockerfile" },
		{ "dockerfile:~/a.smolmachine", IMAGE_DOCKERFILE, "~/a.smolmachine" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct image_name name;
		struct err err = ERR_INIT;
		assert_ok(image_name_read(cases[i].text, &name, &err), &err);
		assert_int_equal(name.form, cases[i].form);
		assert_string_equal(name.rest, cases[i].rest);
		assert_int_equal(image_name_needs_docker(cases[i].text),
		                 strstr(cases[i].text, "docker") != NULL);
	}
}

static void what_is_no_form_is_refused_with_what_to_write(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "is none of" },
		{ "alpine", "docker pull" },
		{ "alpine:3.20", "docker pull" },
		{ "./image.tar", "is none of" },
		{ "image.tar", "is none of" },
		{ "~user/image", "is none of" },
		{ "-", "is none of" },
		{ "local:0123", "is none of" },
		{ "docker-daemon:", "followed by an image's name" },
		{ "docker-daemon:--help", "followed by an image's name" },
		{ "docker-daemon:a b", "no name of a docker image" },
		{ "docker-daemon:a;b", "no name of a docker image" },
		{ "docker-daemon:a\nb", "no name of a docker image" },
		{ "dockerfile:", "no path" },
		{ "dockerfile:Dockerfile", "no path" },
		{ "dockerfile:-f", "no path" },
		{ "/a\nb", "line break" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct image_name name;
		struct err err = ERR_INIT;
		assert_refused(image_name_read(cases[i].text, &name, &err), &err, ERR_INPUT, cases[i].says);
		assert_false(image_name_needs_docker(cases[i].text));
	}
}

/* ---- the cache ---- */

struct place {
	char path[64];
	int fd;
	struct image_cache cache;
};

static int place_up(void **state)
{
	struct place *p = xcalloc(1, sizeof *p);
	struct err err = ERR_INIT;

	snprintf(p->path, sizeof p->path, "/tmp/image-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->cache = (struct image_cache)IMAGE_CACHE_INIT;
	assert_ok(image_cache_open(p->fd, p->path, &p->cache, &err), &err);
	*state = p;
	return 0;
}

static int place_down(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;

	image_cache_clear(&p->cache);
	assert_ok(dir_remove(AT_FDCWD, p->path, &err), &err);
	close(p->fd);
	free(p);
	return 0;
}

/* @n bytes of @c, taken in. */
static void take(struct place *p, char c, size_t n, struct image *out)
{
	own_mem char *bytes = xmalloc(n);
	struct err err = ERR_INIT;

	memset(bytes, c, n);
	assert_ok(file_write(p->fd, "new", bytes, n, 0644, &err), &err);
	assert_ok(image_cache_take(&p->cache, p->fd, "new", IMAGE_ARCHIVE, NULL, out, &err), &err);
}

static void what_is_taken_in_is_found_by_its_hash(void **state)
{
	struct place *p = *state;
	own_image struct image one = IMAGE_INIT, again = IMAGE_INIT;
	struct err err = ERR_INIT;
	struct stat st;

	take(p, 'a', 5000, &one);
	assert_int_equal(one.size, 5000);
	assert_int_equal(stat(one.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(image_cache_find(&p->cache, IMAGE_ARCHIVE, one.hash, NULL, &again, &err), 1);
	assert_string_equal(again.path, one.path);
	/* Of another kind there is none. */
	assert_int_equal(image_cache_find(&p->cache, IMAGE_PACKED, one.hash, NULL, &again, &err), 0);
}

static int looked_at = -1;

static void look_is_over(int signo)
{
	(void)signo;
	flock(looked_at, LOCK_UN);
}

/* doctor and cleanup ask whether anybody holds it by having it to themselves for a moment. */
static void one_that_is_looked_at_is_waited_for(void **state)
{
	struct place *p = *state;
	own_image struct image one = IMAGE_INIT, again = IMAGE_INIT;
	const struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
	struct err err = ERR_INIT;

	take(p, 'a', 5000, &one);
	own_fd int fd = open(one.path, O_RDONLY | O_CLOEXEC);
	fd_drop(&one.fd);
	looked_at = fd;
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = look_is_over }, NULL);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(image_cache_find(&p->cache, IMAGE_ARCHIVE, one.hash, NULL, &again, &err), 1);
}

static void one_that_is_there_is_not_replaced(void **state)
{
	struct place *p = *state;
	own_image struct image one = IMAGE_INIT, two = IMAGE_INIT;
	struct stat before, after;

	take(p, 'a', 5000, &one);
	assert_int_equal(stat(one.path, &before), 0);
	take(p, 'a', 5000, &two);
	assert_int_equal(stat(two.path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void a_damaged_one_is_not_found_and_gone(void **state)
{
	struct place *p = *state;
	own_image struct image one = IMAGE_INIT, again = IMAGE_INIT;
	struct err err = ERR_INIT;

	take(p, 'a', 5000, &one);
	own_fd int fd = open(one.path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "b", 1, 4000), 1);
	assert_int_equal(image_cache_find(&p->cache, IMAGE_ARCHIVE, one.hash, NULL, &again, &err), 0);
	assert_int_equal(access(one.path, F_OK), -1);
}

static void a_link_in_its_place_is_not_followed(void **state)
{
	struct place *p = *state;
	own_image struct image one = IMAGE_INIT, again = IMAGE_INIT;
	struct err err = ERR_INIT;

	take(p, 'a', 5000, &one);
	own_mem char *elsewhere = xasprintf("%s/elsewhere", p->path);
	assert_int_equal(rename(one.path, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, one.path), 0);
	assert_int_equal(image_cache_find(&p->cache, IMAGE_ARCHIVE, one.hash, NULL, &again, &err), 0);
	/* Control: the content is right. */
	assert_int_equal(unlink(one.path), 0);
	assert_int_equal(rename(elsewhere, one.path), 0);
	assert_int_equal(image_cache_find(&p->cache, IMAGE_ARCHIVE, one.hash, NULL, &again, &err), 1);
}

static void over_its_limit_what_was_used_longest_ago_goes_and_what_is_held_stays(void **state)
{
	struct place *p = *state;
	own_image struct image held = IMAGE_INIT, old = IMAGE_INIT, newer = IMAGE_INIT, last = IMAGE_INIT;
	struct err err = ERR_INIT;
	struct image_usage usage;

	p->cache.most = 10000;
	take(p, 'a', 4000, &held);
	take(p, 'b', 4000, &old);
	own_mem char *gone = xstrdup(old.path);
	image_clear(&old);
	take(p, 'c', 4000, &newer);
	assert_int_equal(access(gone, F_OK), -1);
	assert_int_equal(access(held.path, F_OK), 0);
	assert_ok(image_cache_usage(&p->cache, &usage, &err), &err);
	assert_int_equal(usage.images, 2);
	assert_int_equal(usage.held, 2);
	assert_int_equal(usage.bytes, 8000);
	/* Everything is in use. */
	assert_ok(file_write(p->fd, "new", "0123456789", 10, 0600, &err), &err);
	p->cache.most = 8000;
	assert_refused(image_cache_take(&p->cache, p->fd, "new", IMAGE_ARCHIVE, NULL, &last, &err), &err,
	               ERR_BUSY, "cleanup --images");
	image_clear(&newer);
	assert_ok(image_cache_take(&p->cache, p->fd, "new", IMAGE_ARCHIVE, NULL, &last, &err), &err);
}

static void emptying_leaves_what_is_held_and_what_is_not_ours(void **state)
{
	struct place *p = *state;
	own_image struct image held = IMAGE_INIT, other = IMAGE_INIT;
	struct image_usage freed;
	struct err err = ERR_INIT;
	char hash[SHA256_TEXT];

	take(p, 'a', 100, &held);
	take(p, 'b', 100, &other);
	image_clear(&other);
	assert_ok(image_cache_remember(&p->cache, held.hash, held.hash, &err), &err);
	assert_ok(file_write(p->cache.dir, "notes.txt", "x", 1, 0600, &err), &err);
	assert_ok(image_cache_empty(&p->cache, &freed, &err), &err);
	assert_int_equal(freed.images, 1);
	assert_int_equal(freed.held, 1);
	assert_int_equal(access(held.path, F_OK), 0);
	assert_int_equal(faccessat(p->cache.dir, "notes.txt", F_OK, 0), 0);
	assert_int_equal(image_cache_recall(&p->cache, held.hash, hash, &err), 0);
}

static void a_note_that_is_no_hash_is_none(void **state)
{
	struct place *p = *state;
	char key[SHA256_TEXT], hash[SHA256_TEXT];
	struct err err = ERR_INIT;

	sha256_text("key", 3, key);
	assert_int_equal(image_cache_recall(&p->cache, key, hash, &err), 0);
	assert_ok(image_cache_remember(&p->cache, key, key, &err), &err);
	assert_int_equal(image_cache_recall(&p->cache, key, hash, &err), 1);
	assert_string_equal(hash, key);
	own_mem char *name = xasprintf("from-%s", key);
	assert_ok(file_write(p->cache.dir, name, "../../../etc/passwd", 19, 0600, &err), &err);
	assert_int_equal(image_cache_recall(&p->cache, key, hash, &err), 0);
}

static void a_cache_that_others_may_enter_is_refused(void **state)
{
	struct place *p = *state;
	OWN(image_cache_clear) struct image_cache c = IMAGE_CACHE_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(fchmod(p->cache.dir, 0755), 0);
	assert_refused(image_cache_open(p->fd, p->path, &c, &err), &err, ERR_DENIED, "open to others");
	assert_int_equal(fchmod(p->cache.dir, 0700), 0);
	assert_ok(image_cache_open(p->fd, p->path, &c, &err), &err);
}

static int say_no(void *arg, struct err *err)
{
	(void)arg;
	return fail(err, ERR_DENIED, "enough");
}

static void a_long_read_ends_when_who_waits_says_so(void **state)
{
	struct place *p = *state;
	const struct image_pace pace = { say_no, NULL };
	struct err err = ERR_INIT;
	char hash[SHA256_TEXT];
	uint64_t size;

	assert_ok(file_write(p->fd, "file", "abc", 3, 0600, &err), &err);
	own_fd int fd = openat(p->fd, "file", O_RDONLY | O_CLOEXEC);
	assert_refused(image_hash_file(fd, 10, &pace, hash, &size, &err), &err, ERR_DENIED, "enough");
	assert_refused(image_hash_file(fd, 2, NULL, hash, &size, &err), &err, ERR_INPUT, "over");
	assert_ok(image_hash_file(fd, 3, NULL, hash, &size, &err), &err);
	assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void only_scratch_directories_are_named_so(void **state)
{
	(void)state;
	assert_true(image_work_is_name("work-agent-1a2b3"));
	assert_false(image_work_is_name("work-"));
	assert_false(image_work_is_name("work-../x"));
	assert_false(image_work_is_name("images"));
	assert_false(image_work_is_name("work-a/b"));
}

int main(void)
{
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_up, place_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_is_told_from_its_text),
		cmocka_unit_test(what_is_no_form_is_refused_with_what_to_write),
		IN_PLACE(what_is_taken_in_is_found_by_its_hash),
		IN_PLACE(one_that_is_looked_at_is_waited_for),
		IN_PLACE(one_that_is_there_is_not_replaced),
		IN_PLACE(a_damaged_one_is_not_found_and_gone),
		IN_PLACE(a_link_in_its_place_is_not_followed),
		IN_PLACE(over_its_limit_what_was_used_longest_ago_goes_and_what_is_held_stays),
		IN_PLACE(emptying_leaves_what_is_held_and_what_is_not_ours),
		IN_PLACE(a_note_that_is_no_hash_is_none),
		IN_PLACE(a_cache_that_others_may_enter_is_refused),
		IN_PLACE(a_long_read_ends_when_who_waits_says_so),
		cmocka_unit_test(only_scratch_directories_are_named_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
