#include "test.h"

#include "workspace_bench.h"

static char *diff_of(struct bench *b)
{
	own_changes struct changes c = CHANGES_INIT;
	own_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	assert_ok(workspace_changes(&b->w, 1000, &c, &err), &err);
	for (size_t i = 0; i < c.n; i++)
		workspace_diff(&b->w, &c.v[i], &out);
	return str_steal(&out);
}

static void a_diff_is_unified(void **state)
{
	struct bench *b = *state;

	put(b->lower, "f", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", 0644);
	put(b->upper, "f", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10", 0644);
	own_mem char *got = diff_of(b);
	assert_string_equal(got,
	                    "--- a/f\n+++ b/f\n@@ -2,8 +2,9 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n 9\n+10\n"
	                    "\\ No newline at end of file\n");
}

static void a_diff_of_added_and_deleted_files_names_dev_null(void **state)
{
	struct bench *b = *state;

	put(b->lower, "old", "x\n", 0644);
	put(b->upper, "new", "y\n", 0644);
	whiteout(b->upper, "old");
	own_mem char *got = diff_of(b);
	assert_string_equal(got, "--- /dev/null\n+++ b/new\n@@ -0,0 +1,1 @@\n+y\n"
	                         "--- a/old\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-x\n");
}

static void a_diff_shows_no_control_bytes_and_names_binaries(void **state)
{
	struct bench *b = *state;

	put(b->upper, "a\x1b[2J", "\x1b[31mred\n", 0644);
	own_fd int fd = openat(b->upper, "bin", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "a\0b", 3), 3);
	assert_int_equal(symlinkat("\x1b[2J", b->upper, "link"), 0);
	own_mem char *got = diff_of(b);
	assert_string_equal(got, "--- /dev/null\n+++ b/a\\x1b[2J\n@@ -0,0 +1,1 @@\n+\\x1b[31mred\n"
	                         "added file bin: binary\nadded symlink link -> \\x1b[2J\n");
}

static void permissions_that_changed_are_told_whatever_else_did(void **state)
{
	struct bench *b = *state;

	put(b->lower, "both", "a\n", 0600);
	put(b->upper, "both", "b\n", 0777);
	put(b->lower, "contents", "a\n", 0600); /* control */
	put(b->upper, "contents", "b\n", 0600);
	put(b->lower, "d/same", "a\n", 0600);
	put(b->upper, "d/same", "a\n", 0755);
	assert_int_equal(fchmodat(b->upper, "d", 0700, 0), 0);
	put(b->upper, "new", "b\n", 0777); /* control: there is nothing to compare */
	own_mem char *got = diff_of(b);
	assert_string_equal(got, "modified file both\nold mode 0600\nnew mode 0777\n"
	                         "--- a/both\n+++ b/both\n@@ -1,1 +1,1 @@\n-a\n+b\n"
	                         "--- a/contents\n+++ b/contents\n@@ -1,1 +1,1 @@\n-a\n+b\n"
	                         "mode-changed directory d\nold mode 0755\nnew mode 0700\n"
	                         "mode-changed file d/same\nold mode 0600\nnew mode 0755\n"
	                         "--- /dev/null\n+++ b/new\n@@ -0,0 +1,1 @@\n+b\n");
}

static void a_hopeless_diff_is_bounded(void **state)
{
	struct bench *b = *state;
	own_str struct str one = STR_INIT, two = STR_INIT;

	for (int i = 0; i < 40000; i++) {
		str_addf(&one, "a%d\n", i);
		str_addf(&two, "b%d\n", i);
	}
	put(b->lower, "f", str_c(&one), 0644);
	put(b->upper, "f", str_c(&two), 0644);
	own_mem char *got = diff_of(b);
	assert_non_null(strstr(got, "@@ -1,40000 +1,40000 @@"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_diff_is_unified),
		ON_BENCH(a_diff_of_added_and_deleted_files_names_dev_null),
		ON_BENCH(a_diff_shows_no_control_bytes_and_names_binaries),
		ON_BENCH(permissions_that_changed_are_told_whatever_else_did),
		ON_BENCH(a_hopeless_diff_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
