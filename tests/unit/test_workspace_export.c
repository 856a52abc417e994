#include "test.h"

#include "base/proc.h"
#include "workspace_bench.h"

static void hear(void *arg, const struct change *c, enum export_verdict verdict, const char *why)
{
	struct str *s = arg;
	(void)why;
	str_addf(s, "%s %s\n", export_verdict_name(verdict), c->path);
}

static char *exported(struct bench *b, struct export_options o, int failures)
{
	own_changes struct changes c = CHANGES_INIT;
	own_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	if (o.to == 0)
		o.to = b->to;
	assert_ok(workspace_changes(&b->w, 1000000, &c, &err), &err);
	int failed = workspace_export(&b->w, &c, &o, hear, &out, &err);
	assert_ok(failed, &err);
	assert_int_equal(failed, failures);
	return str_steal(&out);
}

static void export_brings_files_and_holds_the_rest(void **state)
{
	struct bench *b = *state;
	struct stat st;

	put(b->lower, "gone", "x", 0644);
	put(b->to, "gone", "x", 0644);
	put(b->upper, "a/b/file", "hello", 04755);
	put(b->upper, ".envrc", "evil", 0755);
	assert_int_equal(symlinkat("a/b/file", b->upper, "inside"), 0);
	assert_int_equal(symlinkat("../x", b->upper, "outside"), 0);
	assert_int_equal(symlinkat("/etc/passwd", b->upper, "absolute"), 0);
	assert_int_equal(symlinkat("a/../../x", b->upper, "winding"), 0);
	assert_int_equal(mkfifoat(b->upper, "fifo", 0666), 0);
	whiteout(b->upper, "gone");
	own_mem char *dry = exported(b, (struct export_options){ .dry_run = true }, 0);
	assert_false(exists(b->to, "a"));
	own_mem char *told = exported(b, (struct export_options){ 0 }, 0);
	assert_string_equal(dry, told);
	assert_string_equal(told,
	                    "held .envrc\nexported a\nexported a/b\nexported a/b/file\nrefused absolute\n"
	                    "refused fifo\ndeletion gone\nheld inside\nrefused outside\nrefused winding\n");
	assert_true(holds(b->to, "a/b/file", "hello"));
	assert_int_equal(fstatat(b->to, "a/b/file", &st, 0), 0);
	assert_int_equal(st.st_mode & 07000, 0);
	assert_int_equal(st.st_mode & 0100, 0100);
	assert_false(exists(b->to, ".envrc"));
	assert_false(exists(b->to, "fifo"));
	assert_false(exists(b->to, "inside"));
	assert_true(exists(b->to, "gone"));
	own_mem char *all =
		exported(b, (struct export_options){ .executable_config = true, .deletions = true }, 0);
	assert_true(holds(b->to, ".envrc", "evil"));
	assert_false(exists(b->to, "gone"));
	assert_false(exists(b->to, "absolute"));
	assert_false(exists(b->to, "winding"));
	char target[32] = "";
	assert_true(readlinkat(b->to, "inside", target, sizeof target - 1) > 0);
	assert_string_equal(target, "a/b/file");
}

static void export_can_be_limited_to_paths(void **state)
{
	struct bench *b = *state;
	own_strv struct strv only = STRV_INIT;

	strv_add(&only, "a");
	put(b->upper, "a/one", "1", 0644);
	put(b->upper, "ab", "2", 0644);
	own_mem char *told = exported(b, (struct export_options){ .only = &only }, 0);
	assert_string_equal(told, "exported a\nexported a/one\n");
	assert_false(exists(b->to, "ab"));
}

static void export_never_writes_through_a_link_of_the_destination(void **state)
{
	struct bench *b = *state;
	own_fd int outside = made_dir(b->top, "outside");

	put(outside, "victim", "untouched", 0644);
	put(b->upper, "d/planted", "evil", 0644);
	put(b->upper, "file", "new", 0644);
	assert_int_equal(symlinkat("../outside", b->to, "d"), 0);
	assert_int_equal(symlinkat("../outside/victim", b->to, "file"), 0);
	own_mem char *told = exported(b, (struct export_options){ 0 }, 2);
	assert_string_equal(told, "failed d\nfailed d/planted\nexported file\n");
	assert_false(exists(outside, "planted"));
	assert_true(holds(outside, "victim", "untouched"));
	assert_true(holds(b->to, "file", "new")); /* the link itself was replaced */
}

static void a_deleted_directory_keeps_what_the_bottle_never_saw(void **state)
{
	struct bench *b = *state;
	own_strv struct strv globs = STRV_INIT;

	strv_add(&globs, ".env");
	put(b->lower, "d/.env", "SECRET", 0600);
	put(b->lower, "d/code", "x", 0644);
	whiteout(b->upper, "d");
	b->w.exclude = &globs;
	own_mem char *told = exported(b, (struct export_options){ .to = b->lower, .deletions = true }, 1);
	assert_string_equal(told, "failed d\n");
	assert_true(holds(b->lower, "d/.env", "SECRET"));
	assert_false(exists(b->lower, "d/code"));
}

static void a_hole_stays_a_hole(void **state)
{
	struct bench *b = *state;
	struct stat st;

	put(b->upper, "huge", "start", 0644);
	own_fd int fd = openat(b->upper, "huge", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	own_mem char *told = exported(b, (struct export_options){ 0 }, 0);
	assert_int_equal(fstatat(b->to, "huge", &st, 0), 0);
	assert_true(st.st_size == (off_t)1 << 40);
	assert_true(st.st_blocks < 10000);
}

static void ownership_is_mapped_back_when_root_exports(void **state)
{
	struct bench *b = *state;
	struct stat st;

	put(b->upper, "d/file", "x", 0644);
	if (geteuid() != 0 || fchownat(b->upper, "d/file", 1234567, 1234567, 0) != 0) {
		print_message("only root exports files of another id\n");
		skip();
	}
	own_mem char *told = exported(b, (struct export_options){ .owner = 65000, .group = 65001 }, 0);
	assert_int_equal(fstatat(b->to, "d/file", &st, 0), 0);
	assert_int_equal(st.st_uid, 65000);
	assert_int_equal(st.st_gid, 65001);
	assert_int_equal(fstatat(b->to, "d", &st, 0), 0);
	assert_int_equal(st.st_uid, 65000);
}

static int mode_at(int dir, const char *path)
{
	struct stat st;

	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (int)(st.st_mode & 07777) : -1;
}

static void who_may_use_a_file_is_not_the_guests_to_say(void **state)
{
	static const struct {
		const char *path;
		mode_t before, guest, after;
	} rows[] = {
		{ "closed", 0600, 0777, 0700 }, { "closed.d/x", 0600, 0666, 0600 },
		{ "shared", 0664, 0600, 0664 }, { "run", 0755, 0644, 0644 },
		{ "script", 0644, 0755, 0744 }, { "read-only", 0444, 0666, 0444 },
		{ "kept", 0750, 0750, 0750 },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put(b->lower, rows[i].path, "before", rows[i].before);
		put(b->upper, rows[i].path, i % 2 ? "before" : "after", rows[i].guest);
	}
	put(b->upper, "new", "x", 0777); /* control: what was not there is as the umask has it */
	assert_int_equal(fchmodat(b->lower, "closed.d", 0700, 0), 0);
	assert_int_equal(fchmodat(b->upper, "closed.d", 0777, 0), 0);
	const mode_t usual = umask(0);
	own_mem char *aside = exported(b, (struct export_options){ 0 }, 0);
	umask(022);
	own_mem char *back = exported(b, (struct export_options){ .to = b->lower }, 0);
	umask(usual);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(mode_at(b->to, rows[i].path), rows[i].after);
		assert_int_equal(mode_at(b->lower, rows[i].path), rows[i].after);
		assert_true(holds(b->lower, rows[i].path, i % 2 ? "before" : "after"));
	}
	assert_int_equal(mode_at(b->to, "new"), 0777);
	assert_int_equal(mode_at(b->lower, "new"), 0755);
	assert_int_equal(mode_at(b->to, "closed.d"), 0700);
	assert_int_equal(mode_at(b->lower, "closed.d"), 0700);
}

static void what_one_group_was_given_is_not_anothers(void **state)
{
	struct bench *b = *state;

	put(b->lower, "theirs", "before", 0660);
	put(b->lower, "ours", "before", 0660);
	if (geteuid() != 0 || fchownat(b->lower, "theirs", -1, 65002, 0) != 0 ||
	    fchownat(b->lower, "ours", -1, 65001, 0) != 0) {
		print_message("only root has files of groups that are not its own\n");
		skip();
	}
	put(b->upper, "theirs", "after", 0660);
	put(b->upper, "ours", "after", 0660);
	own_mem char *told = exported(b, (struct export_options){ .to = b->lower, .group = 65001 }, 0);
	assert_int_equal(mode_at(b->lower, "theirs"), 0600);
	assert_int_equal(mode_at(b->lower, "ours"), 0660); /* control */
}

/* The guest's part: a file and a directory that turn into links and back, without end. */
static int swap_without_end(void *arg, struct err *err)
{
	int upper = *(int *)arg;

	(void)err;
	for (;;) {
		renameat2(upper, "file", upper, "link", RENAME_EXCHANGE);
		renameat2(upper, "d", upper, "dirlink", RENAME_EXCHANGE);
	}
	return 0;
}

static void swapping_entries_brings_out_nothing_foreign(void **state)
{
	enum { ROUNDS = 300 };
	struct bench *b = *state;
	own_fd int outside = made_dir(b->top, "outside");
	own_proc struct proc guest = PROC_INIT;
	struct err err = ERR_INIT;

	put(outside, "secret", "FOREIGN", 0644);
	put(b->upper, "file", "own", 0644);
	put(b->upper, "d/secret", "own", 0644);
	assert_int_equal(symlinkat("../outside/secret", b->upper, "link"), 0);
	assert_int_equal(symlinkat("../outside", b->upper, "dirlink"), 0);
	const struct proc_spec spec = { .child = swap_without_end,
		                        .arg = &b->upper,
		                        .die_with_parent = true };
	assert_ok(proc_fork(&spec, &guest, &err), &err);
	for (int i = 0; i < ROUNDS; i++) {
		own_changes struct changes c = CHANGES_INIT;
		own_str struct str out = STR_INIT;
		struct export_options o = { .to = b->to, .executable_config = true, .deletions = true };
		assert_ok(workspace_changes(&b->w, 1000, &c, &err), &err);
		for (size_t j = 0; j < c.n; j++)
			workspace_diff(&b->w, &c.v[j], &out);
		assert_null(strstr(str_c(&out), "FOREIGN"));
		assert_ok(workspace_export(&b->w, &c, &o, hear, &out, &err), &err);
		static const char *const names[] = { "file", "link", "d/secret", "dirlink/secret" };
		for (size_t j = 0; j < ARRAY_LEN(names); j++)
			assert_false(holds(b->to, names[j], "FOREIGN"));
	}
	assert_true(holds(outside, "secret", "FOREIGN")); /* control: it could be read there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(export_brings_files_and_holds_the_rest),
		ON_BENCH(export_can_be_limited_to_paths),
		ON_BENCH(export_never_writes_through_a_link_of_the_destination),
		ON_BENCH(a_deleted_directory_keeps_what_the_bottle_never_saw),
		ON_BENCH(a_hole_stays_a_hole),
		ON_BENCH(ownership_is_mapped_back_when_root_exports),
		ON_BENCH(who_may_use_a_file_is_not_the_guests_to_say),
		ON_BENCH(what_one_group_was_given_is_not_anothers),
		ON_BENCH(swapping_entries_brings_out_nothing_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
