#include "registry_home.h"

#include <sys/stat.h>
#include <unistd.h>

#include "registry/paths.h"

static void places_follow_the_environment(void **state)
{
	own_paths struct paths p = PATHS_INIT;
	struct err err = ERR_INIT;
	const struct places from = { .home = "/home/a",
		                     .xdg_state_home = "relative/state",
		                     .xdg_cache_home = "/var/cache/a",
		                     .xdg_config_home = "",
		                     .runtime_directory = "/run/one:/run/two" };
	(void)state;
	assert_ok(paths_resolve(&from, &p, &err), &err);
	assert_string_equal(p.state, "/home/a/.local/state/bot-bottle");
	assert_string_equal(p.cache, "/var/cache/a/bot-bottle");
	assert_string_equal(p.config, "/home/a/.config/bot-bottle");
	assert_string_equal(p.runtime, "/run/one");
}

static void sockets_fall_back_to_the_state_directory(void **state)
{
	own_paths struct paths p = PATHS_INIT, q = PATHS_INIT;
	struct err err = ERR_INIT;
	const struct places bare = { .password_home = "/home/b", .home = "not/absolute" };
	const struct places session = { .home = "/home/b",
		                        .xdg_runtime_dir = "/run/user/7",
		                        .runtime_directory = "/run/one" };
	(void)state;
	assert_ok(paths_resolve(&bare, &p, &err), &err);
	assert_string_equal(p.runtime, "/home/b/.local/state/bot-bottle/run");
	assert_ok(paths_resolve(&session, &q, &err), &err);
	assert_string_equal(q.runtime, "/run/user/7/bot-bottle");
}

static void no_home_is_an_error_only_where_it_matters(void **state)
{
	own_paths struct paths p = PATHS_INIT, q = PATHS_INIT;
	struct err err = ERR_INIT;
	const struct places nothing = { .xdg_state_home = "/s" };
	const struct places enough = { .xdg_state_home = "/s",
		                       .xdg_cache_home = "/c",
		                       .xdg_config_home = "/x" };
	(void)state;
	assert_refused(paths_resolve(&nothing, &p, &err), &err, ERR_MISSING, "HOME");
	assert_null(p.state);
	assert_ok(paths_resolve(&enough, &q, &err), &err);
	assert_string_equal(q.state, "/s/bot-bottle");
}

static void a_place_that_others_may_enter_is_refused(void **state)
{
	struct home *h = *state;
	own_mem char *path = xasprintf("%s/deep/er", h->path);
	struct err err = ERR_INIT;
	own_fd int made = paths_open_private(path, "set X", &err);
	struct stat st;

	assert_ok(made, &err);
	assert_int_equal(fstat(made, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(chmod(path, 0750), 0);
	assert_refused(paths_open_private(path, "set X", &err), &err, ERR_DENIED, "chmod 700");
	assert_refused(paths_try_private(path, "set X", &err), &err, ERR_DENIED, "chmod 700");
	assert_null(strstr(err.text, "set X"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void a_place_of_another_user_is_refused(void **state)
{
	struct home *h = *state;
	own_mem char *path = xasprintf("%s/theirs", h->path);
	struct err err = ERR_INIT;

	assert_int_equal(mkdir(path, 0700), 0);
	if (geteuid() != 0 || chown(path, 65000, 65000) != 0) {
		print_message("only root can make a directory of another user\n");
		skip();
	}
	assert_refused(paths_open_private(path, "set X", &err), &err, ERR_DENIED, "65000");
	assert_refused(paths_try_private(path, "set X", &err), &err, ERR_DENIED, "not to you; set X");
}

static void a_place_is_tried_without_making_it(void **state)
{
	struct home *h = *state;
	own_mem char *path = xasprintf("%s/not/there", h->path);
	own_mem char *in_file = xasprintf("%s/file/there", h->path);
	own_mem char *in_closed = xasprintf("%s/closed/there", h->path);
	struct err err = ERR_INIT;

	assert_ok(paths_try_private(path, "set X", &err), &err);
	assert_int_equal(faccessat(h->fd, "not", F_OK, 0), -1);
	assert_ok(file_write(h->fd, "file", "", 0, 0600, &err), &err);
	assert_refused(paths_try_private(in_file, "set X", &err), &err, ERR_SYSTEM, "Not a directory; set X");
	assert_refused(paths_open_private(in_file, "set X", &err), &err, ERR_SYSTEM, "; set X");
	assert_int_equal(mkdirat(h->fd, "closed", 0500), 0);
	if (geteuid() != 0)
		assert_refused(paths_try_private(in_closed, "set X", &err), &err, ERR_DENIED, "; set X");
}

static void a_place_that_fails_names_its_variable(void **state)
{
	static const struct {
		struct places from;
		const char *state, *runtime;
	} cases[] = {
		{ { .home = "/h" }, "HOME, or XDG_STATE_HOME,", "HOME, or XDG_STATE_HOME," },
		{ { .home = "/h", .xdg_state_home = "/s" }, "set XDG_STATE_HOME", "set XDG_STATE_HOME" },
		{ { .home = "/h", .xdg_runtime_dir = "/r" }, "XDG_STATE_HOME", "unset XDG_RUNTIME_DIR" },
		{ { .home = "/h", .runtime_directory = "/r" }, "XDG_STATE_HOME", "unset RUNTIME_DIRECTORY" },
	};
	struct err err = ERR_INIT;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_paths struct paths p = PATHS_INIT;
		assert_ok(paths_resolve(&cases[i].from, &p, &err), &err);
		assert_non_null(strstr(p.state_fix, cases[i].state));
		assert_non_null(strstr(p.runtime_fix, cases[i].runtime));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_follow_the_environment),
		cmocka_unit_test(sockets_fall_back_to_the_state_directory),
		cmocka_unit_test(no_home_is_an_error_only_where_it_matters),
		IN_HOME(a_place_that_others_may_enter_is_refused),
		IN_HOME(a_place_of_another_user_is_refused),
		IN_HOME(a_place_is_tried_without_making_it),
		cmocka_unit_test(a_place_that_fails_names_its_variable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
