/* The list of store paths that a guest is shown: whole and plain, or refused by its line. */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/closure.h"
#include "base/file.h"

/* <place>/{share,store/tools/bin,store/library,store/file,store/link} */
struct host {
	char place[40];
	char *share;
	int dir;
};

static void put_file(const struct host *h, const char *directory, const char *name, const char *text,
                     size_t n)
{
	own_fd int dir = openat(h->dir, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_INIT;

	assert_ok(file_place(dir, name, text, n, 0644, &err), &err);
}

static void write_list(const struct host *h, const char *text, size_t n)
{
	put_file(h, "share", "closure", text, n);
}

static int make_host(void **state)
{
	static const char *const dirs[] = { "share",           "store",         "store/tools",
		                            "store/tools/bin", "store/library", "store/bin" };
	struct host *h = xcalloc(1, sizeof *h);

	snprintf(h->place, sizeof h->place, "/tmp/bb-closure-XXXXXX");
	assert_non_null(mkdtemp(h->place));
	h->dir = open(h->place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	h->share = xasprintf("%s/share", h->place);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		assert_int_equal(mkdirat(h->dir, dirs[i], 0755), 0);
	put_file(h, "store", "file", "x", 1);
	assert_int_equal(symlinkat("library", h->dir, "store/link"), 0);
	assert_int_equal(symlinkat("../store/tools", h->dir, "share/guest"), 0);
	assert_int_equal(mkfifoat(h->dir, "store/pipe", 0600), 0);
	*state = h;
	return 0;
}

static int remove_host(void **state)
{
	struct host *h = *state;
	struct err err = ERR_INIT;

	fd_drop(&h->dir);
	assert_ok(dir_remove(AT_FDCWD, h->place, &err), &err);
	mem_drop(&h->share);
	free(h);
	return 0;
}

static void write_good(const struct host *h)
{
	own_mem char *text =
		xasprintf("%s/store/tools\n%s/store/library\n%s/store/file\n", h->place, h->place, h->place);

	write_list(h, text, strlen(text));
}

static void a_good_list_is_taken_in_its_order_and_the_programs_are_found(void **state)
{
	const struct host *h = *state;
	own_closure struct closure c = CLOSURE_INIT;
	own_mem char *bin = xasprintf("%s/store/tools/bin", h->place);
	own_mem char *below = xasprintf("%s/store/library/a/b", h->place);
	own_mem char *beside = xasprintf("%s/store/library-2", h->place);
	struct err err = ERR_INIT;

	write_good(h);
	assert_ok(closure_load(h->share, &c, &err), &err);
	assert_int_equal(c.paths.n, 3);
	assert_true(str_ends(c.paths.v[0], "/store/tools"));
	assert_true(str_ends(c.paths.v[2], "/store/file"));
	assert_string_equal(c.bin, bin);
	assert_true(closure_holds(&c, c.paths.v[1]));
	assert_true(closure_holds(&c, below));
	assert_false(closure_holds(&c, beside));
	assert_false(closure_holds(&c, h->place));
}

static void to_have_no_list_is_fine_and_to_have_no_data_at_all_too(void **state)
{
	const struct host *h = *state;
	own_closure struct closure c = CLOSURE_INIT;
	own_mem char *nowhere = xasprintf("%s/nowhere", h->place);
	struct err err = ERR_INIT;

	assert_int_equal(unlinkat(h->dir, "share/guest", 0), 0);
	assert_ok(closure_load(h->share, &c, &err), &err);
	assert_ok(closure_load(nowhere, &c, &err), &err);
	assert_int_equal(c.paths.n, 0);
	assert_null(c.bin);
	/* Then nothing is held back. */
	assert_true(closure_shows(&c, "/nix/store"));
	assert_false(closure_is_all(&c));
}

static void a_bad_line_is_refused_with_its_number_and_the_remedy(void **state)
{
	static const struct {
		const char *line; /* %s is the place */
		const char *says;
	} cases[] = {
		{ "usr", "is no absolute path in its plain form" },
		{ "", "is no absolute path in its plain form" },
		{ "/", "is no absolute path in its plain form" },
		{ "%s/store/../store/library", "is no absolute path in its plain form" },
		{ "%s/store/./library", "is no absolute path in its plain form" },
		{ "%s/store//library", "is no absolute path in its plain form" },
		{ "%s/store/library/", "is no absolute path in its plain form" },
		{ "%s/store/..", "is no absolute path in its plain form" },
		{ "%s/store/library ", "is not there" },
		{ "%s/store/library\r", "\\x0d is not there" },
		{ "%s/store/\033[2J", "\\x1b[2J is not there" },
		{ "%s/store/missing", "is not there" },
		{ "%s/store/file/below", "is not there" },
		{ "%s/store/link", "is a symbolic link" },
		{ "%s/store/pipe", "is neither a directory nor a file" },
		{ "/etc", "not for programs" },
		{ "/etc/shadow", "not for programs" },
		{ "/proc/1/root", "not for programs" },
		{ "/dev/null", "not for programs" },
		{ "/home/somebody/.ssh", "not for programs" },
		{ "/var/lib", "not for programs" },
		{ "/nix", "not for programs" },
		{ "/nix/store", "not for programs" },
		{ "/nix/var/nix/db", "not for programs" },
	};
	const struct host *h = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_closure struct closure c = CLOSURE_INIT;
		own_str struct str text = STR_INIT;
		struct err err = ERR_INIT;
		bool placed = str_starts(cases[i].line, "%s");
		str_addf(&text, "%s/store/tools\n%s%s\n%s/store/file\n", h->place, placed ? h->place : "",
		         cases[i].line + (placed ? 2 : 0), h->place);
		write_list(h, text.data, text.len);
		assert_refused(closure_load(h->share, &c, &err), &err, ERR_INPUT, cases[i].says);
		assert_non_null(strstr(err.text, "/share/closure line 2: "));
		assert_non_null(strstr(err.text, "install the package again"));
		assert_int_equal(c.paths.n, 0);
	}
}

static void a_zero_byte_does_not_hide_the_rest_of_a_line(void **state)
{
	const struct host *h = *state;
	own_closure struct closure c = CLOSURE_INIT;
	own_str struct str text = STR_INIT;
	struct err err = ERR_INIT;

	str_addf(&text, "%s/store/tools", h->place);
	str_addn(&text, "\0/../..\n", 8);
	write_list(h, text.data, text.len);
	assert_refused(closure_load(h->share, &c, &err), &err, ERR_INPUT, "line 1: ");
}

static void too_many_and_too_long_are_refused(void **state)
{
	const struct host *h = *state;
	own_closure struct closure c = CLOSURE_INIT;
	own_str struct str text = STR_INIT;
	struct err err = ERR_INIT;

	for (int i = 0; i < CLOSURE_PATHS_MAX; i++)
		str_addf(&text, "%s/store/tools\n", h->place);
	write_list(h, text.data, text.len);
	/* The control: so many pass. */
	assert_ok(closure_load(h->share, &c, &err), &err);
	str_addf(&text, "%s/store/tools\n", h->place);
	write_list(h, text.data, text.len);
	assert_refused(closure_load(h->share, &c, &err), &err, ERR_INPUT, "line 4001: ");
	assert_non_null(strstr(err.text, "is one line too many"));

	str_reset(&text);
	str_addf(&text, "%s/store/tools\n/", h->place);
	for (int i = 0; i < CLOSURE_PATH_MAX; i++)
		str_addc(&text, 'x');
	write_list(h, text.data, text.len);
	assert_refused(closure_load(h->share, &c, &err), &err, ERR_INPUT, "line 2: ");
	assert_non_null(strstr(err.text, "is too long"));

	str_reset(&text);
	str_reserve(&text, CLOSURE_BYTES + 1);
	for (int i = 0; i <= CLOSURE_BYTES; i++)
		str_addc(&text, 'x');
	write_list(h, text.data, text.len);
	assert_refused(closure_load(h->share, &c, &err), &err, ERR_INPUT, "closure");
}

static void half_an_installation_is_refused(void **state)
{
	const struct host *h = *state;
	own_closure struct closure c = CLOSURE_INIT;
	struct err err = ERR_INIT;

	/* A guest without a list. */
	assert_refused(closure_load(h->share, &c, &err), &err, ERR_MISSING, "the list of what guest needs");
	/* An empty list. */
	write_list(h, "", 0);
	assert_refused(closure_load(h->share, &c, &err), &err, ERR_INPUT, "is empty");
	/* A list without a guest; one whose programs are in no path of the list; one without them. */
	write_good(h);
	assert_ok(closure_load(h->share, &c, &err), &err);
	assert_int_equal(unlinkat(h->dir, "share/guest", 0), 0);
	assert_refused(closure_load(h->share, &c, &err), &err, ERR_MISSING, "/share/guest/bin");
	assert_int_equal(symlinkat("../store", h->dir, "share/guest"), 0);
	assert_refused(closure_load(h->share, &c, &err), &err, ERR_INPUT,
	               "no directory of a path in closure");
	assert_int_equal(unlinkat(h->dir, "share/guest", 0), 0);
	assert_int_equal(symlinkat("../store/library", h->dir, "share/guest"), 0);
	assert_refused(closure_load(h->share, &c, &err), &err, ERR_MISSING, "/share/guest/bin");
	/* A list that is not a file of its own. */
	assert_int_equal(unlinkat(h->dir, "share/closure", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", h->dir, "share/closure"), 0);
	assert_int_equal(closure_load(h->share, &c, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_good_list_is_taken_in_its_order_and_the_programs_are_found,
		                                make_host, remove_host),
		cmocka_unit_test_setup_teardown(to_have_no_list_is_fine_and_to_have_no_data_at_all_too,
		                                make_host, remove_host),
		cmocka_unit_test_setup_teardown(a_bad_line_is_refused_with_its_number_and_the_remedy,
		                                make_host, remove_host),
		cmocka_unit_test_setup_teardown(a_zero_byte_does_not_hide_the_rest_of_a_line, make_host,
		                                remove_host),
		cmocka_unit_test_setup_teardown(too_many_and_too_long_are_refused, make_host, remove_host),
		cmocka_unit_test_setup_teardown(half_an_installation_is_refused, make_host, remove_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
