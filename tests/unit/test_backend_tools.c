/* Directories of the host that a guest may be shown as tools, and those that it may not. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/namespace.h"
#include "base/file.h"

struct place {
	char top[64], home[96];
};

static void make(const char *home, const char *below)
{
	own_mem char *path = xasprintf("%s/%s", home, below);
	struct err err = ERR_INIT;
	own_fd int dir = dir_make(AT_FDCWD, path, 0700, &err);

	if (dir < 0)
		fail_msg("%s", err.text);
}

static void begin(struct place *p)
{
	snprintf(p->top, sizeof p->top, "/tmp/test-tools.XXXXXX");
	assert_non_null(mkdtemp(p->top));
	snprintf(p->home, sizeof p->home, "%s/home", p->top);
	make(p->home, "agent/bin");
}

static void end(struct place *p)
{
	struct err err = ERR_INIT;

	assert_ok(dir_remove(AT_FDCWD, p->top, &err), &err);
}

static int check(const char *home, const char *tool, struct err *err)
{
	own_strv struct strv tools = STRV_INIT;

	*err = (struct err)ERR_INIT;
	strv_add(&tools, tool);
	return tools_check(&tools, home, err);
}

static void what_holds_credentials_is_refused_with_all_above_and_below_it(void **state)
{
	static const char *const refused[] = {
		".",
		".ssh",
		".ssh/keys",
		".aws",
		".cargo",
		".m2",
		".m2/repository",
		".gem",
		".gradle",
		".config",
		".config/git",
		".config/pypoetry",
		".composer",
		".config/composer",
		".oci",
		".pulumi",
		".config/helm",
		".config/gh",
		".local",
		".local/share",
	};
	/* The controls: programs beside them. */
	static const char *const allowed[] = { "agent",     "agent/bin",          ".cargo/bin",
		                               ".gem/ruby", ".local/share/agent", ".config/agent",
		                               ".sshd" };
	struct place p;
	struct err err;

	(void)state;
	begin(&p);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		own_mem char *tool = xasprintf("%s/%s", p.home, refused[i]);
		make(p.home, refused[i]);
		assert_refused(check(p.home, tool, &err), &err, ERR_DENIED, "credentials");
	}
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		own_mem char *tool = xasprintf("%s/%s", p.home, allowed[i]);
		make(p.home, allowed[i]);
		assert_ok(check(p.home, tool, &err), &err);
	}
	end(&p);
}

static void links_hide_no_credentials(void **state)
{
	struct place p;
	struct err err;

	(void)state;
	begin(&p);
	make(p.home, "dotfiles/ssh");
	make(p.home, ".aws");
	own_mem char *by_link = xasprintf("%s/by-link", p.top);
	own_mem char *ssh = xasprintf("%s/.ssh", p.home);
	own_mem char *dotfiles = xasprintf("%s/dotfiles", p.home);
	own_mem char *aws = xasprintf("%s/.aws", p.home);
	own_mem char *aws_by_link = xasprintf("%s/.aws", by_link);
	own_mem char *agent_by_link = xasprintf("%s/agent", by_link);
	assert_int_equal(symlink(p.home, by_link), 0);
	/* The control, before the keys lie there. */
	assert_ok(check(p.home, dotfiles, &err), &err);
	assert_int_equal(symlink("dotfiles/ssh", ssh), 0);
	assert_refused(check(p.home, dotfiles, &err), &err, ERR_DENIED, "credentials");
	/* Whichever of the two names is the home's. */
	assert_refused(check(by_link, aws, &err), &err, ERR_DENIED, "credentials");
	assert_refused(check(p.home, aws_by_link, &err), &err, ERR_DENIED, "credentials");
	assert_ok(check(by_link, agent_by_link, &err), &err);
	end(&p);
}

static void without_a_home_no_directory_is_known_to_hold_none(void **state)
{
	own_strv struct strv none = STRV_INIT;
	struct place p;
	struct err err;

	(void)state;
	begin(&p);
	own_mem char *agent = xasprintf("%s/agent", p.home);
	assert_refused(check(NULL, agent, &err), &err, ERR_DENIED, "set HOME");
	assert_refused(check("/tmp/no-such-home", agent, &err), &err, ERR_DENIED, "set HOME");
	assert_ok(tools_check(&none, NULL, &err), &err);
	assert_ok(check(p.home, agent, &err), &err);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_holds_credentials_is_refused_with_all_above_and_below_it),
		cmocka_unit_test(links_hide_no_credentials),
		cmocka_unit_test(without_a_home_no_directory_is_known_to_hold_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
