#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "workspace/workspace.h"

struct bench {
	char path[64];
	int top, lower, upper, to;
	struct workspace w;
};

static int made_dir(int at, const char *name)
{
	if (mkdirat(at, name, 0755) != 0)
		return -1;
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int bench_up(void **state)
{
	struct bench *b = xcalloc(1, sizeof *b);
	snprintf(b->path, sizeof b->path, "/tmp/workspace-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->top = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->lower = made_dir(b->top, "lower");
	b->upper = made_dir(b->top, "upper");
	b->to = made_dir(b->top, "to");
	assert_true(b->to >= 0);
	b->w = (struct workspace){ .lower = b->lower, .upper = b->upper };
	*state = b;
	return 0;
}

static int bench_down(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	assert_ok(dir_remove(AT_FDCWD, b->path, &err), &err);
	fd_drop(&b->top);
	fd_drop(&b->lower);
	fd_drop(&b->upper);
	fd_drop(&b->to);
	free(b);
	return 0;
}

static void put(int dir, const char *path, const char *text, mode_t mode)
{
	own_mem char *copy = xstrdup(path);
	struct err err = ERR_INIT;

	for (char *p = strchr(copy, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdirat(dir, copy, 0755) != 0)
			assert_int_equal(errno, EEXIST);
		*p = '/';
	}
	own_fd int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_ok(file_write_all(fd, text, strlen(text), &err), &err);
	if (fchmod(fd, mode) != 0) {
		assert_int_equal(errno, EPERM);
		assert_int_not_equal(mode & 06000, 0);
		print_message("no file may have set-id bits here\n"); /* Nix builds under such a filter */
		skip();
	}
}

static bool holds(int dir, const char *path, const char *text)
{
	own_str struct str got = STR_INIT;
	struct err err = ERR_INIT;

	return file_read(dir, path, 1 << 20, &got, &err) == 0 && str_is(str_c(&got), text);
}

static bool exists(int dir, const char *path)
{
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void whiteout(int dir, const char *path)
{
	if (mknodat(dir, path, S_IFCHR | 0600, makedev(0, 0)) != 0) {
		print_message("this kernel lets nobody make a whiteout: %s\n", strerror(errno));
		skip();
	}
}

static void mark(struct bench *b, const char *path, const char *name, const char *value)
{
	own_mem char *full = xasprintf("%s/upper/%s", b->path, path);
	if (setxattr(full, name, value, strlen(value), 0) != 0) {
		print_message("/tmp takes no extended attributes: %s\n", strerror(errno));
		skip();
	}
}

/* "status path[!]" lines, ! for what a tool would execute, ? for what can't be looked at. */
static char *told_of(const struct workspace *w, size_t limit)
{
	own_changes struct changes c = CHANGES_INIT;
	own_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	assert_ok(workspace_changes(w, limit, &c, &err), &err);
	for (size_t i = 0; i < c.n; i++)
		str_addf(&out, "%s %s%s%s\n", change_status_name(c.v[i].status), c.v[i].path,
		         c.v[i].executable ? "!" : "", c.v[i].unreadable ? "?" : "");
	if (c.more)
		str_add(&out, "more\n");
	return str_steal(&out);
}

static size_t count_of(const struct workspace *w)
{
	struct err err = ERR_INIT;
	size_t n = 0;
	bool more = false;
	assert_ok(workspace_count(w, 1000000, &n, &more, &err), &err);
	return n;
}

#define assert_changes(b, text)                                 \
	do {                                                    \
		own_mem char *got_ = told_of(&(b)->w, 1000000); \
		assert_string_equal(got_, text);                \
	} while (0)

static void each_kind_of_change_is_told(void **state)
{
	struct bench *b = *state;

	put(b->lower, "same", "one", 0644);
	put(b->lower, "other", "one", 0644);
	put(b->lower, "longer", "one", 0644);
	put(b->lower, "mode", "one", 0644);
	put(b->lower, "type", "one", 0644);
	put(b->lower, "d/deep", "one", 0644);
	put(b->lower, "untouched", "one", 0644);
	put(b->upper, "same", "one", 0644);
	put(b->upper, "other", "two", 0644);
	put(b->upper, "longer", "one more", 0644);
	put(b->upper, "mode", "one", 0755);
	put(b->upper, "new/file", "x", 0644);
	put(b->upper, "d/added", "x", 0644);
	assert_int_equal(symlinkat("other", b->upper, "type"), 0);
	assert_int_equal(symlinkat("/etc/shadow", b->upper, "evil"), 0);
	assert_changes(b, "added d/added\nadded evil\nmodified longer\nmode-changed mode\nadded new\n"
	                  "added new/file\nmodified other\ntype-changed type\n");
	assert_int_equal(count_of(&b->w), 7); /* all but the directory */
}

static void whiteouts_are_deletions(void **state)
{
	struct bench *b = *state;

	put(b->lower, "gone", "x", 0644);
	put(b->lower, "d/one", "x", 0644);
	put(b->lower, "d/two", "x", 0644);
	whiteout(b->upper, "gone");
	whiteout(b->upper, "d");
	whiteout(b->upper, "never-was");
	assert_changes(b, "deleted d\ndeleted gone\n");
	assert_int_equal(count_of(&b->w), 2);
}

static void a_whiteout_may_be_an_attribute(void **state)
{
	struct bench *b = *state;

	put(b->lower, "gone", "x", 0644);
	put(b->upper, "gone", "", 0644);
	assert_changes(b, "modified gone\n"); /* control */
	mark(b, "gone", "user.overlay.whiteout", "y");
	assert_changes(b, "deleted gone\n");
}

static void an_opaque_directory_hides_what_was_there(void **state)
{
	struct bench *b = *state;

	put(b->lower, "d/old", "x", 0644);
	put(b->lower, "d/sub/inner", "x", 0644);
	put(b->lower, "d/kept", "x", 0644);
	put(b->upper, "d/kept", "x", 0644);
	put(b->upper, "d/sub/fresh", "x", 0644);
	assert_changes(b, "added d/sub/fresh\n"); /* control */
	mark(b, "d", "user.overlay.opaque", "y");
	assert_changes(b, "deleted d/old\nadded d/sub/fresh\ndeleted d/sub/inner\n");
}

static void a_redirect_is_not_followed(void **state)
{
	struct bench *b = *state;

	put(b->lower, "secret/key", "x", 0644);
	assert_int_equal(mkdirat(b->upper, "moved", 0755), 0);
	mark(b, "moved", "user.overlay.redirect", "/secret");
	assert_changes(b, "added moved\nmodified moved?\n");
}

static void hidden_files_are_neither_deleted_nor_replaced(void **state)
{
	struct bench *b = *state;
	own_strv struct strv globs = STRV_INIT;

	strv_add(&globs, ".env");
	strv_add(&globs, "secrets/*.key");
	put(b->lower, ".env", "SECRET=1", 0600);
	put(b->lower, "secrets/a.key", "k", 0600);
	put(b->upper, "sub/.env", "planted", 0644);
	whiteout(b->upper, ".env");
	assert_int_equal(mkdirat(b->upper, "secrets", 0755), 0);
	whiteout(b->upper, "secrets/a.key");
	assert_changes(b, "deleted .env\ndeleted secrets/a.key\nadded sub\nadded sub/.env\n"); /* control */
	b->w.exclude = &globs;
	assert_changes(b, "added sub\nadded sub/.env?\n");
	assert_true(workspace_excluded(&globs, "a/.env/inside"));
	assert_false(workspace_excluded(&globs, "a/secrets/a.key"));
	assert_false(workspace_excluded(&globs, "env"));
}

static void what_a_host_tool_would_obey_is_known(void **state)
{
	static const struct {
		const char *path;
		bool held;
		/* clang-format off */
	} cases[] = {
		{ ".git/hooks/pre-commit", true },	{ ".git/config", true },
		{ ".git/config.worktree", true },	{ ".git/info/attributes", true },
		{ ".git/objects/info/alternates", true }, { ".git/modules/a/config", true },
		{ "sub/.git/hooks/x", true },		{ ".git", true },
		{ ".git/commondir", true },		{ ".git/HEAD/x", true },
		{ ".git/HEAD", false },			{ ".git/index", false },
		{ ".git/refs/heads/main", false },	{ ".git/objects/ab/cdef", false },
		{ ".git/logs/HEAD", false },		{ ".git/", false },
		{ ".GIT/HEAD", true },			{ ".Git/hooks/x", true },
		{ ".gi\xc5\xbf" "t", false },		{ "git~1/config", true },
		{ ".git./config", true },		{ ".git /config", true },
		{ ".git::$INDEX_ALLOCATION/config", true },
		{ ".g\xe2\x80\x8cit/config", true },	{ "\xef\xbc\x8egit/config", true },
		{ ".envrc", true },			{ "deep/down/.envrc", true },
		{ ".ENVRC", true },			{ ".vscode/tasks.json", true },
		{ ".v\xc5\xbf" "code/tasks.json", true }, { ".claude/settings.json", true },
		{ ".mcp.json", true },			{ ".idea/x", true },
		{ ".hu\xe2\x80\x8bsky/pre-push", true }, { ".gitattributes", true },
		{ ".con\xef\xac\x81g/x", true },	{ "x.code-workspace", true },
		{ ".npmrc", true },			{ ".pre-commit-config.yaml", true },
		{ "Makefile", false },			{ "package.json", false },
		{ "src/main.c", false },		{ "git/config", false },
		{ "config", false },			{ "vscode/x", false },
		{ ".gitignore", false },		{ "envrc", false },
	};
	/* clang-format on */
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if ((workspace_executable(cases[i].path) != NULL) != cases[i].held)
			fail_msg("%s is judged wrongly", cases[i].path);
}

static void a_repository_under_another_name_is_held_back(void **state)
{
	struct bench *b = *state;

	put(b->upper, "bare/HEAD", "ref: refs/heads/main", 0644);
	put(b->upper, "bare/config", "[core] fsmonitor = evil", 0644);
	put(b->upper, "bare/refs/heads/main", "0", 0644);
	assert_changes(b, "added bare\nadded bare/HEAD\nadded bare/config\nadded bare/refs\n"
	                  "added bare/refs/heads\nadded bare/refs/heads/main\n"); /* control: no objects */
	put(b->upper, "bare/objects/x", "0", 0644);
	assert_changes(b, "added bare\nadded bare/HEAD!\nadded bare/config!\nadded bare/objects!\n"
	                  "added bare/objects/x!\nadded bare/refs!\nadded bare/refs/heads!\n"
	                  "added bare/refs/heads/main!\n");
}

static void the_config_of_an_old_bare_repository_is_held_back(void **state)
{
	struct bench *b = *state;

	put(b->lower, "bare/HEAD", "ref: refs/heads/main", 0644);
	put(b->lower, "bare/refs/heads/main", "0", 0644);
	put(b->lower, "bare/objects/x", "0", 0644);
	put(b->upper, "bare/config", "[core] fsmonitor = evil", 0644);
	put(b->upper, "bare/objects/y", "0", 0644);
	assert_changes(b, "added bare/config!\nadded bare/objects/y\n");
}

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

static void deep_trees_are_bounded(void **state)
{
	struct bench *b = *state;
	own_changes struct changes c = CHANGES_INIT;
	struct err err = ERR_INIT;
	own_fd int at = dup(b->upper);

	for (int i = 0; i < WORKSPACE_DEPTH + 60; i++) {
		int next = made_dir(at, "directory-with-a-long-name-so-that-paths-run-over");
		assert_true(next >= 0);
		fd_drop(&at);
		at = next;
	}
	assert_ok(workspace_changes(&b->w, 100000, &c, &err), &err);
	assert_true(c.more);
	assert_non_null(c.v[c.n - 1].unreadable);
	assert_true(c.n <= WORKSPACE_DEPTH + 2);
}

static void many_files_are_counted_up_to_the_limit(void **state)
{
	enum { FILES = 100000, LIMIT = 1000 };
	struct bench *b = *state;
	struct err err = ERR_INIT;
	size_t n = 0;
	bool more = false;

	for (int i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof name, "f%06d", i);
		own_fd int fd = openat(b->upper, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		assert_true(fd >= 0);
	}
	assert_ok(workspace_count(&b->w, LIMIT, &n, &more, &err), &err);
	assert_int_equal(n, LIMIT);
	assert_true(more);
	assert_ok(workspace_count(&b->w, 1000000, &n, &more, &err), &err);
	assert_int_equal(n, FILES);
	own_mem char *told = told_of(&b->w, 3);
	assert_string_equal(told, "added f000000\nadded f000001\nadded f000002\nmore\n");
}

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

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, bench_up, bench_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(each_kind_of_change_is_told),
		ON_BENCH(whiteouts_are_deletions),
		ON_BENCH(a_whiteout_may_be_an_attribute),
		ON_BENCH(an_opaque_directory_hides_what_was_there),
		ON_BENCH(a_redirect_is_not_followed),
		ON_BENCH(hidden_files_are_neither_deleted_nor_replaced),
		cmocka_unit_test(what_a_host_tool_would_obey_is_known),
		ON_BENCH(a_repository_under_another_name_is_held_back),
		ON_BENCH(the_config_of_an_old_bare_repository_is_held_back),
		ON_BENCH(export_brings_files_and_holds_the_rest),
		ON_BENCH(export_can_be_limited_to_paths),
		ON_BENCH(export_never_writes_through_a_link_of_the_destination),
		ON_BENCH(a_deleted_directory_keeps_what_the_bottle_never_saw),
		ON_BENCH(a_hole_stays_a_hole),
		ON_BENCH(ownership_is_mapped_back_when_root_exports),
		ON_BENCH(swapping_entries_brings_out_nothing_foreign),
		ON_BENCH(deep_trees_are_bounded),
		ON_BENCH(many_files_are_counted_up_to_the_limit),
		ON_BENCH(a_diff_is_unified),
		ON_BENCH(a_diff_of_added_and_deleted_files_names_dev_null),
		ON_BENCH(a_diff_shows_no_control_bytes_and_names_binaries),
		ON_BENCH(a_hopeless_diff_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
