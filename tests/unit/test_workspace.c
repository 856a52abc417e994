#include "test.h"

#include <limits.h>

#include "workspace/changes.h"
#include "workspace_bench.h"

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

/* Of a terabyte, with @byte at its end and nothing before that. */
static void put_sparse(int dir, const char *name, char byte)
{
	const off_t size = (off_t)1 << 40;
	own_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	if (ftruncate(fd, size) != 0)
		skip(); /* this file system has no files of that length */
	assert_int_equal(pwrite(fd, &byte, 1, size - 1), 1);
}

static void a_hole_is_not_read(void **state)
{
	struct bench *b = *state;

	put_sparse(b->lower, "same", 'x');
	put_sparse(b->upper, "same", 'x');
	put_sparse(b->lower, "other", 'x');
	put_sparse(b->upper, "other", 'y');
	assert_changes(b, "modified other\n");
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
	assert_changes(b, "added moved?\nmore\n");
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
	assert_true(workspace_excluded_anywhere(&globs, ".env"));
	assert_false(workspace_excluded_anywhere(&globs, "a.key"));
	assert_false(workspace_excluded_anywhere(NULL, ".env"));
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
		{ "sub/commondir", true },		{ "sub/CommonDir", true },
		{ "sub/config.worktree", true },	{ "sub/config", false },
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
		{ "mise.local.toml", true },		{ ".mise.local.toml", true },
		{ ".Rprofile", true },			{ ".RData", true },
		{ "a/.ghci", true },			{ ".pdbrc", true },
		{ ".irbrc", true },			{ ".pryrc", true },
		{ ".ocamlinit", true },			{ ".octaverc", true },
		{ ".perldb", true },			{ ".helix/languages.toml", true },
		{ ".iex.exs", true },			{ "_darcs/prefs/defaults", true },
		{ "jupyter_server_config.py", true },	{ "hie.yaml", true },
		{ "rust-toolchain.toml", true },	{ "sub/Rust-Toolchain", true },
		{ ".python-version", true },		{ "global.json", true },
		{ ".bazelversion", true },		{ ".bundle/config", true },
		{ "lefthook-local.yml", true },		{ ".lefthook.jsonc", true },
		{ ".lefthook-local/pre-push/x", true }, { ".lintstagedrc", true },
		{ ".lintstagedrc.mjs", true },		{ ".huskyrc.json", true },
		{ ".bsp/sbt.json", true },		{ ".lsp/config.edn", true },
		{ "BuildServer.json", true },		{ ".externalToolBuilders/a", true },
		{ ".flake8", true },			{ "ansible.cfg", true },
		{ "jupyter_lab_config.json", true },	{ "opencode.jsonc", true },
		{ ".repo/repo/main.py", true },		{ "_FOSSIL_", true },
		{ ".rvmrc", true },			{ ".latexmkrc", true },
		{ "a.ipr", true },			{ ".vim/coc-settings.json", true },
		{ ".woodpecker/a.yaml", true },		{ ".woodpecker.yaml", true },
		{ ".drone.star", true },		{ "Jenkinsfile", true },
		{ ".builds/a.yml", true },		{ "azure-pipelines.yml", true },
		{ "woodpecker.yaml", false },		{ "jenkins", false },
		{ "rust-toolchain.txt", false },	{ "lefthook", false },
		{ "my-lefthook.yml", false },		{ "lint-staged.configs", false },
		{ "jupyter_config", false },		{ "bsp/x", false },
		{ "Makefile", false },			{ "package.json", false },
		{ "Rprofile", false },			{ "a.m", false },
		{ "mise.lock", false },			{ ".nvmrc", false },
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
	put(b->upper, "bare/refs/main", "0", 0644);
	/* The control: git takes it for none, and the name that would make it one is held when it comes. */
	assert_changes(b, "added bare\nadded bare/HEAD\nadded bare/config\nadded bare/refs\n"
	                  "added bare/refs/main\n");
	put(b->upper, "bare/Objects/x", "0", 0644);
	assert_changes(b, "added bare\nadded bare/HEAD!\nadded bare/Objects!\nadded bare/Objects/x!\n"
	                  "added bare/config!\nadded bare/refs!\nadded bare/refs/main!\n");
}

/* Its objects, refs and config lie wherever commondir says. */
static void a_repository_that_is_only_a_worktree_is_held_back(void **state)
{
	struct bench *b = *state;

	put(b->upper, "other/config", "[extensions] worktreeConfig = true", 0644);
	put(b->upper, "other/objects/x", "0", 0644);
	put(b->upper, "other/refs/main", "0", 0644);
	put(b->upper, "sub/head", "ref: refs/heads/main", 0644);
	put(b->upper, "sub/index", "0", 0644);
	assert_changes(b, "added other\nadded other/config\nadded other/objects\nadded other/objects/x\n"
	                  "added other/refs\nadded other/refs/main\n"
	                  "added sub\nadded sub/head\nadded sub/index\n"); /* control: no commondir */
	put(b->lower, "sub/commondir", "../other", 0644);
	assert_changes(b, "added other\nadded other/config\nadded other/objects\nadded other/objects/x\n"
	                  "added other/refs\nadded other/refs/main\nadded sub/head!\nadded sub/index!\n");
}

static void a_repository_below_the_history_of_another_is_held_back(void **state)
{
	static const char *const tops[] = { ".git", "bare" };
	struct bench *b = *state;
	own_str struct str wanted = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		own_mem char *refs = xasprintf("%s/refs", tops[i]), *logs = xasprintf("%s/logs", tops[i]);
		own_mem char *head = xasprintf("%s/HEAD", tops[i]),
			     *objects = xasprintf("%s/objects/x", tops[i]);
		own_mem char *branch = xasprintf("%s/main", refs), *log = xasprintf("%s/HEAD", logs);
		own_mem char *log_of_branch = xasprintf("%s/refs/main", logs);
		own_mem char *inner_head = xasprintf("%s/x/HEAD", refs);
		own_mem char *inner_config = xasprintf("%s/x/config", refs);
		own_mem char *inner_objects = xasprintf("%s/x/objects/y", refs);
		put(b->lower, head, "ref: refs/heads/main", 0644);
		put(b->lower, objects, "0", 0644);
		put(b->lower, branch, "0", 0644);
		/* The control: history as a commit leaves it. */
		put(b->upper, branch, "1", 0644);
		put(b->upper, log, "0 1", 0644);
		put(b->upper, log_of_branch, "0 1", 0644);
		put(b->upper, inner_head, "ref: refs/heads/main", 0644);
		put(b->upper, inner_config, "[core] fsmonitor = evil", 0644);
		put(b->upper, inner_objects, "0", 0644);
		str_addf(&wanted,
		         "added %s\nadded %s\nadded %s/refs\nadded %s\nmodified %s\nadded %s/x\n"
		         "added %s!\nadded %s!\nadded %s/x/objects!\nadded %s!\n",
		         logs, log, logs, log_of_branch, branch, refs, inner_head, inner_config, refs,
		         inner_objects);
	}
	assert_changes(b, str_c(&wanted));
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

/* @n directories, each in the one before, all of that name. */
static void put_nested(int dir, const char *name, int n)
{
	own_fd int at = dup(dir);

	for (int i = 0; i < n; i++) {
		int next = made_dir(at, name);
		assert_true(next >= 0);
		fd_drop(&at);
		at = next;
	}
}

static void deep_trees_are_bounded(void **state)
{
	struct bench *b = *state;
	own_changes struct changes c = CHANGES_INIT;
	struct err err = ERR_INIT;

	put_nested(b->upper, "d", WORKSPACE_DEPTH + 60);
	assert_ok(workspace_changes(&b->w, 100000, &c, &err), &err);
	assert_true(c.more);
	assert_non_null(c.v[c.n - 1].unreadable);
	assert_int_equal(c.n, WORKSPACE_DEPTH + 1);
}

static void long_paths_are_bounded(void **state)
{
	static const char name[] = "directory-with-a-long-name-so-that-paths-run-over";
	enum { FITS = PATH_MAX / sizeof name };
	struct bench *b = *state;
	own_changes struct changes c = CHANGES_INIT, control = CHANGES_INIT;
	struct err err = ERR_INIT;

	put_nested(b->upper, name, FITS);
	assert_ok(workspace_changes(&b->w, 100000, &control, &err), &err);
	assert_false(control.more);
	assert_int_equal(control.n, FITS);
	assert_int_equal(renameat(b->upper, name, b->top, "short"), 0);
	put_nested(b->upper, name, FITS + 100);
	assert_ok(workspace_changes(&b->w, 100000, &c, &err), &err);
	assert_true(c.more);
	assert_non_null(c.v[c.n - 1].unreadable);
	for (size_t i = 0; i < c.n; i++)
		assert_true(strlen(c.v[i].path) < PATH_MAX + sizeof name);
}

/* A name costs when it is read, though the walk is still below an earlier one. */
static void names_that_wait_for_the_walk_are_counted(void **state)
{
	struct bench *b = *state;
	static const char *const files[] = { "a/a/1", "a/a/2", "a/b", "b", "c" };
	const struct changes_budget just = { 7, 1000 }, less = { 6, 1000 };
	own_changes struct changes all = CHANGES_INIT, some = CHANGES_INIT;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		put(b->upper, files[i], "x", 0644);
	assert_ok(changes_within(&b->w, 1000, just, &all, &err), &err);
	assert_int_equal(all.n, 7);
	assert_false(all.more); /* control */
	assert_ok(changes_within(&b->w, 1000, less, &some, &err), &err);
	assert_true(some.more);
	assert_int_equal(some.n, 6);
	/* One of the two in the deepest directory, and everything above it. */
	assert_string_equal(some.v[1].path, "a/a");
	assert_string_equal(some.v[3].path, "a/b");
	assert_string_equal(some.v[5].path, "c");
}

static void bytes_of_paths_and_targets_are_counted(void **state)
{
	struct bench *b = *state;
	const struct changes_budget just = { 100, 14 }, less = { 100, 13 };
	own_changes struct changes all = CHANGES_INIT, some = CHANGES_INIT;
	struct err err = ERR_INIT;

	put(b->upper, "file", "x", 0644);
	assert_int_equal(symlinkat("target", b->upper, "l"), 0);
	assert_ok(changes_within(&b->w, 1000, just, &all, &err), &err);
	assert_int_equal(all.n, 2);
	assert_false(all.more); /* control */
	assert_ok(changes_within(&b->w, 1000, less, &some, &err), &err);
	assert_int_equal(some.n, 1);
	assert_true(some.more);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(each_kind_of_change_is_told),
		ON_BENCH(a_hole_is_not_read),
		ON_BENCH(whiteouts_are_deletions),
		ON_BENCH(a_whiteout_may_be_an_attribute),
		ON_BENCH(an_opaque_directory_hides_what_was_there),
		ON_BENCH(a_redirect_is_not_followed),
		ON_BENCH(hidden_files_are_neither_deleted_nor_replaced),
		cmocka_unit_test(what_a_host_tool_would_obey_is_known),
		ON_BENCH(a_repository_under_another_name_is_held_back),
		ON_BENCH(a_repository_that_is_only_a_worktree_is_held_back),
		ON_BENCH(a_repository_below_the_history_of_another_is_held_back),
		ON_BENCH(the_config_of_an_old_bare_repository_is_held_back),
		ON_BENCH(deep_trees_are_bounded),
		ON_BENCH(long_paths_are_bounded),
		ON_BENCH(names_that_wait_for_the_walk_are_counted),
		ON_BENCH(bytes_of_paths_and_targets_are_counted),
		ON_BENCH(many_files_are_counted_up_to_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
