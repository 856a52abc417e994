#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* On disk, and in memory, where a place in a directory is a count. */
static const char *const places[] = { "/tmp/bottle-remove-XXXXXX", "/dev/shm/bottle-remove-XXXXXX" };

static int make(const char *place, char *dir)
{
	struct err err = ERR_INIT;

	strcpy(dir, place);
	assert_non_null(mkdtemp(dir));
	int fd = dir_open(AT_FDCWD, dir, &err);
	assert_ok(fd, &err);
	return fd;
}

static void put(int dir, const char *name)
{
	struct err err = ERR_INIT;

	assert_ok(file_place(dir, name, "x", 1, 0600, &err), &err);
}

static void remove_it(const char *dir)
{
	struct err err = ERR_INIT;

	assert_ok(dir_remove(AT_FDCWD, dir, &err), &err);
	assert_int_equal(access(dir, F_OK), -1);
}

static void depth_costs_no_descriptors(void **state)
{
	enum { DEPTH = 3000, OPEN = 24 };
	struct rlimit old, few = { OPEN, OPEN };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char dir[64];
		own_fd int at = make(places[i], dir);
		for (int level = 0; level < DEPTH; level++) {
			assert_int_equal(mkdirat(at, "d", 0700), 0);
			int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			fd_drop(&at);
			at = next;
			if (level % 100 == 0)
				put(at, "file");
		}
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		remove_it(dir);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	}
}

static void many_directories_with_something_in_them_go_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char dir[64], name[32];
		own_fd int top = make(places[i], dir);
		for (int n = 0; n < 3000; n++) {
			snprintf(name, sizeof name, "d%d", n);
			assert_int_equal(mkdirat(top, name, 0700), 0);
			snprintf(name, sizeof name, "d%d/%s", n, n % 3 ? "in" : "file");
			if (n % 3)
				assert_int_equal(mkdirat(top, name, n % 2 ? 0 : 0700), 0);
			else
				assert_int_equal(mknodat(top, name, S_IFREG | 0600, 0), 0);
		}
		remove_it(dir);
	}
}

static void no_link_is_followed(void **state)
{
	char dir[64], kept[64];
	own_fd int outside = make(places[0], kept);
	own_fd int top = make(places[0], dir);

	(void)state;
	put(outside, "stays");
	assert_int_equal(mkdirat(top, "a", 0700), 0);
	assert_int_equal(symlinkat(kept, top, "a/directory"), 0);
	assert_int_equal(symlinkat("..", top, "a/up"), 0);
	assert_int_equal(symlinkat("nowhere", top, "broken"), 0);
	remove_it(dir);
	assert_int_equal(faccessat(outside, "stays", F_OK, 0), 0);
	/* A link itself goes, and what it leads to stays. */
	assert_int_equal(symlink(kept, dir), 0);
	remove_it(dir);
	assert_int_equal(faccessat(outside, "stays", F_OK, 0), 0);
	remove_it(kept);
}

static void what_is_closed_to_its_owner_is_opened_up(void **state)
{
	static const mode_t modes[] = { 0, 0100, 0400, 0500 };
	char dir[64], name[32];
	own_fd int top = make(places[0], dir);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		snprintf(name, sizeof name, "d%zu", i);
		assert_int_equal(mkdirat(top, name, 0700), 0);
		own_fd int sub = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		put(sub, "file");
		assert_int_equal(mkdirat(sub, "in", 0), 0);
		assert_int_equal(fchmod(sub, modes[i]), 0);
	}
	assert_int_equal(fchmod(top, 0), 0);
	remove_it(dir);
	remove_it(dir); /* what is not there is gone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_costs_no_descriptors),
		cmocka_unit_test(many_directories_with_something_in_them_go_all),
		cmocka_unit_test(no_link_is_followed),
		cmocka_unit_test(what_is_closed_to_its_owner_is_opened_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
