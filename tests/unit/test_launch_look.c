/* What a shared workspace holds that a tool of the host obeys: at the start, and what is new at the end. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "launch/look.h"

enum { ENOUGH_MS = 600000 };

struct place {
	char path[64];
	int dir;
	struct plan plan;
	struct look look;
};

static int place_up(void **state)
{
	struct place *p = xcalloc(1, sizeof *p);

	snprintf(p->path, sizeof p->path, "/tmp/look-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->dir >= 0);
	p->plan.workspace = p->path;
	p->plan.workspace_mode = MANIFEST_WORKSPACE_MOUNT;
	p->look = (struct look)LOOK_INIT;
	*state = p;
	return 0;
}

static int place_down(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;

	look_clear(&p->look);
	fd_drop(&p->dir);
	assert_ok(dir_remove(AT_FDCWD, p->path, &err), &err);
	free(p);
	return 0;
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, place_up, place_down)

static void put(struct place *p, const char *path, const char *text)
{
	own_mem char *copy = xstrdup(path);

	for (char *s = strchr(copy, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdirat(p->dir, copy, 0755);
		*s = '/';
	}
	own_fd int fd = openat(p->dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* As git clone --bare leaves it; without objects git takes it for none. */
static void put_repository(struct place *p, const char *at, bool objects)
{
	static const char *const files[] = { "HEAD", "config", "refs/main", "objects/x" };

	for (size_t i = 0; i < ARRAY_LEN(files) - !objects; i++) {
		own_mem char *path = xasprintf("%s%s%s", at, *at ? "/" : "", files[i]);
		put(p, path, "x");
	}
}

static void begin(struct place *p)
{
	struct err err = ERR_INIT;

	assert_ok(look_begin(&p->look, &p->plan, &err), &err);
}

static void assert_paths(const struct strv *paths, const char *wanted)
{
	own_str struct str all = STR_INIT;

	for (size_t i = 0; i < paths->n; i++)
		str_addf(&all, "%s%s", i ? " " : "", paths->v[i]);
	assert_string_equal(str_c(&all), wanted);
}

static void a_repository_by_another_name_is_kept_whole(void **state)
{
	struct place *p = *state;
	own_look_again struct look_again a = LOOK_AGAIN_INIT;

	put_repository(p, "sub/thing.git", true);
	put_repository(p, "plain", false); /* control */
	assert_int_equal(linkat(p->dir, "sub/thing.git/config", p->dir, "other-name", 0), 0);
	assert_int_equal(linkat(p->dir, "sub/thing.git/refs/main", p->dir, "history", 0), 0);
	begin(p);
	assert_paths(&p->look.obeyed, "sub/thing.git");
	put(p, "sub/thing.git/hooks/post-update", "x"); /* the host's own: the guest could not */
	put(p, "other-name", "evil");
	put(p, "history", "1");
	look_end(&p->look, ENOUGH_MS, &a);
	assert_paths(&a.fresh, "");
	assert_paths(&a.changed, "sub/thing.git/config");
	assert_null(a.cut);
}

static void a_directory_that_became_a_repository_is_named(void **state)
{
	struct place *p = *state;
	own_look_again struct look_again first = LOOK_AGAIN_INIT, second = LOOK_AGAIN_INIT;

	put_repository(p, "docs", false);
	begin(p);
	assert_paths(&p->look.obeyed, "");
	put(p, "docs/more", "x");
	look_end(&p->look, ENOUGH_MS, &first);
	assert_paths(&first.fresh, ""); /* control */
	put_repository(p, "docs", true);
	look_end(&p->look, ENOUGH_MS, &second);
	assert_paths(&second.fresh, "docs");
}

static void nor_may_the_workspace_itself_be_one(void **state)
{
	struct place *p = *state;
	own_look_again struct look_again a = LOOK_AGAIN_INIT;
	struct err err = ERR_INIT;

	put_repository(p, "", false); /* control */
	begin(p);
	put_repository(p, "", true);
	look_end(&p->look, ENOUGH_MS, &a);
	assert_paths(&a.fresh, ".");
	look_clear(&p->look);
	assert_refused(look_begin(&p->look, &p->plan, &err), &err, ERR_DENIED, "use workspace: copy");
}

static void a_look_that_takes_too_long_is_cut(void **state)
{
	struct place *p = *state;
	own_look_again struct look_again none = LOOK_AGAIN_INIT, all = LOOK_AGAIN_INIT;

	put(p, ".envrc", "export A=1");
	begin(p);
	put(p, ".envrc", "export A=2");
	put(p, "sub/.envrc", "export B=1");
	look_end(&p->look, 0, &none);
	assert_non_null(none.cut);
	assert_string_equal(none.cut, "it took too long");
	assert_paths(&none.fresh, "");
	assert_paths(&none.changed, ".envrc");
	look_end(&p->look, ENOUGH_MS, &all); /* control */
	assert_null(all.cut);
	assert_paths(&all.fresh, "sub/.envrc");
	assert_paths(&all.changed, ".envrc");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In whatever order the directory gave them. */
static void assert_same_paths(const struct strv *paths, const char *wanted)
{
	own_strv struct strv sorted = STRV_INIT;

	strv_copy(&sorted, paths);
	if (sorted.n > 0)
		qsort(sorted.v, sorted.n, sizeof *sorted.v, by_text);
	assert_paths(&sorted, wanted);
}

static void assert_posts(const struct lookout *o, const char *wanted)
{
	own_strv struct strv seen = STRV_INIT;

	for (size_t i = 0; i < o->n; i++)
		strv_addf(&seen, "%s%s", o->posts[i].hidden ? "-" : "", o->posts[i].path);
	assert_same_paths(&seen, wanted);
}

/* By a pattern with a slash: so what leads to it is watched and must stay, as what leads to what is
 * obeyed. */
static void what_is_hidden_by_its_path_must_stay_there(void **state)
{
	struct place *p = *state;

	static const char *const globs[] = { "a/*/key", ".env", "d/e/*", "*.env", "f/*" };

	put(p, "a/b/key", "x");
	put(p, "a/b/.envrc", "x");
	put(p, "c/.env", "x"); /* the controls: hidden wherever they are */
	put(p, "d/e/both.env", "x");
	put(p, "f/g", "x");
	assert_int_equal(mkfifoat(p->dir, "f/h", 0600), 0);
	for (size_t i = 0; i < ARRAY_LEN(globs); i++)
		strv_add(&p->plan.workspace_exclude, globs[i]);
	begin(p);
	strv_clear(&p->plan.workspace_exclude);
	assert_same_paths(&p->look.hidden, "a/b/key c/.env d/e/both.env f/g f/h");
	assert_same_paths(&p->look.placed, "a/b/key f/g");
	assert_posts(&p->look.lookout,
	             "-a -a/b -a/b/key -c/.env -d/e/both.env -f -f/g -f/h a a/b a/b/.envrc");
}

/* A guest makes paths of any length, and as many names below them: none costs more for that. */
static void names_below_a_long_path_are_judged_by_themselves(void **state)
{
	const struct met envrc = { .dir = -1, .name = ".envrc", .path = "a/.envrc", .type = DT_REG };
	const struct met plain = { .dir = -1, .name = "plain", .path = ".envrc/plain", .type = DT_REG };

	(void)state;
	assert_true(met_is_obeyed(&envrc));
	assert_false(met_is_obeyed(&plain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_PLACE(a_repository_by_another_name_is_kept_whole),
		IN_A_PLACE(a_directory_that_became_a_repository_is_named),
		IN_A_PLACE(nor_may_the_workspace_itself_be_one),
		IN_A_PLACE(a_look_that_takes_too_long_is_cut),
		IN_A_PLACE(what_is_hidden_by_its_path_must_stay_there),
		cmocka_unit_test(names_below_a_long_path_are_judged_by_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
