#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/proc.h"

struct bench {
	char path[64];
	int dir;
};

static int up(void **state)
{
	struct bench *b = xcalloc(1, sizeof *b);
	snprintf(b->path, sizeof b->path, "/tmp/draft-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = b;
	return 0;
}

static int down(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	assert_ok(dir_remove(AT_FDCWD, b->path, &err), &err);
	fd_drop(&b->dir);
	free(b);
	return 0;
}

/* The names there are, each with a blank; order is not looked at. */
static char *names_in(const char *path)
{
	own_str struct str out = STR_INIT;
	DIR *d = opendir(path);

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			str_addf(&out, "%s ", e->d_name);
	closedir(d);
	return str_steal(&out);
}

static void assert_names(const struct bench *b, const char *wanted)
{
	own_mem char *names = names_in(b->path);
	assert_string_equal(names, wanted);
}

static void begin(struct bench *b, struct draft *d, const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(draft_open(d, b->dir, 0600), 0);
	assert_ok(file_write_all(d->fd, text, strlen(text), &err), &err);
}

static void assert_holds(struct bench *b, const char *name, const char *text)
{
	own_str struct str got = STR_INIT;
	struct err err = ERR_INIT;

	assert_ok(file_read(b->dir, name, 100, &got, &err), &err);
	assert_string_equal(str_c(&got), text);
}

static void a_draft_has_no_name_until_it_is_placed(void **state)
{
	struct bench *b = *state;
	own_draft struct draft d = DRAFT_INIT;

	begin(b, &d, "one");
	if (d.temp[0]) {
		print_message("this file system has no files without a name\n");
		skip();
	}
	assert_names(b, "");
	assert_int_equal(draft_place(&d, "name"), 0);
	assert_names(b, "name ");
	assert_holds(b, "name", "one");
}

static void a_draft_takes_the_place_of_a_file_and_of_a_link(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;

	for (int i = 0; i < 2; i++) {
		own_draft struct draft d = DRAFT_INIT;
		if (i == 0)
			assert_ok(file_place(b->dir, "name", "old", 3, 0600, &err), &err);
		else
			assert_int_equal(symlinkat("/etc/passwd", b->dir, "name"), 0);
		begin(b, &d, "new");
		assert_int_equal(draft_place(&d, "name"), 0);
		draft_drop(&d);
		assert_names(b, "name ");
		assert_holds(b, "name", "new");
		assert_int_equal(unlinkat(b->dir, "name", 0), 0);
	}
}

static void a_draft_that_finds_no_place_can_try_again_or_is_gone(void **state)
{
	struct bench *b = *state;

	assert_int_equal(mkdirat(b->dir, "name", 0700), 0);
	for (int again = 0; again < 2; again++) {
		own_draft struct draft d = DRAFT_INIT;
		begin(b, &d, "text");
		assert_int_equal(draft_place(&d, "name"), -1);
		assert_int_equal(errno, EISDIR);
		if (again) {
			assert_int_equal(unlinkat(b->dir, "name", AT_REMOVEDIR), 0);
			assert_int_equal(draft_place(&d, "name"), 0);
			assert_holds(b, "name", "text");
		}
		draft_drop(&d);
		assert_names(b, "name ");
	}
}

/* Where nothing can be linked by its descriptor. */
static int draft_without_proc(void *arg, struct err *err)
{
	struct bench *b = arg;
	own_draft struct draft d = DRAFT_INIT, gone = DRAFT_INIT;

	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/proc", "tmpfs", 0, NULL) != 0)
		return fail_errno(err, "hiding /proc");
	begin(b, &d, "text");
	begin(b, &gone, "gone");
	assert_true(d.temp[0] && gone.temp[0]);
	return draft_place(&d, "name") == 0 ? 0 : fail_errno(err, "placing");
}

static void a_draft_can_have_a_hidden_name_instead(void **state)
{
	struct bench *b = *state;
	const struct proc_spec spec = { .child = draft_without_proc, .arg = b, .die_with_parent = true };
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;
	int status = -1;

	if (geteuid() != 0) {
		print_message("only root hides /proc\n");
		skip();
	}
	assert_ok(proc_fork(&spec, &child, &err), &err);
	assert_ok(proc_wait(&child, &status, &err), &err);
	assert_int_equal(status, 0);
	assert_names(b, "name ");
	assert_holds(b, "name", "text");
}

static void a_directory_that_can_not_be_written_is_an_error(void **state)
{
	struct bench *b = *state;
	own_draft struct draft d = DRAFT_INIT;

	own_fd int gone = (assert_int_equal(mkdirat(b->dir, "gone", 0700), 0),
	                   openat(b->dir, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	assert_int_equal(unlinkat(b->dir, "gone", AT_REMOVEDIR), 0);
	assert_int_equal(draft_open(&d, gone, 0600), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(d.fd, -1);
	begin(b, &d, "control");
}

#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_draft_has_no_name_until_it_is_placed),
		ON_BENCH(a_draft_takes_the_place_of_a_file_and_of_a_link),
		ON_BENCH(a_draft_that_finds_no_place_can_try_again_or_is_gone),
		ON_BENCH(a_draft_can_have_a_hidden_name_instead),
		ON_BENCH(a_directory_that_can_not_be_written_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
