/* What is heard of names that are watched, and what is not. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "launch/lookout.h"

struct place {
	char path[64];
	int dir;
	struct loop loop;
	struct lookout lookout;
	struct strv hidden, obeyed;
};

static void on_lost(void *arg, const struct strv *hidden, const struct strv *obeyed)
{
	struct place *p = arg;

	for (size_t i = 0; i < hidden->n; i++)
		strv_add(&p->hidden, hidden->v[i]);
	for (size_t i = 0; i < obeyed->n; i++)
		strv_add(&p->obeyed, obeyed->v[i]);
}

static void write_file(struct place *p, const char *name, const char *text)
{
	own_fd int fd = openat(p->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* .env is hidden, sub/.envrc obeyed, and sub the way to it. */
static void begin(struct place *p)
{
	struct err err = ERR_INIT;

	*p = (struct place){ .path = "/tmp/test-lookout.XXXXXX", .loop = LOOP_INIT, .lookout = LOOKOUT_INIT };
	assert_non_null(mkdtemp(p->path));
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	write_file(p, ".env", "secret");
	assert_int_equal(mkdirat(p->dir, "sub", 0700), 0);
	write_file(p, "sub/.envrc", "kept");
	own_fd int sub = openat(p->dir, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(loop_init(&p->loop, &err), &err);
	assert_ok(lookout_post(&p->lookout, p->dir, ".env", ".env", true, &err), &err);
	assert_ok(lookout_post(&p->lookout, p->dir, "sub", "sub", false, &err), &err);
	assert_ok(lookout_post(&p->lookout, sub, ".envrc", "sub/.envrc", false, &err), &err);
	assert_ok(lookout_begin(&p->lookout, &p->loop, on_lost, p, &err), &err);
}

static void end(struct place *p)
{
	struct err err = ERR_INIT;

	lookout_clear(&p->lookout);
	loop_clear(&p->loop);
	strv_clear(&p->hidden);
	strv_clear(&p->obeyed);
	fd_drop(&p->dir);
	assert_ok(dir_remove(AT_FDCWD, p->path, &err), &err);
}

/* Everything that there is to hear. */
static void listen_out(struct place *p)
{
	struct err err = ERR_INIT;

	for (int i = 0; i < 100; i++)
		assert_ok(loop_step(&p->loop, 0, &err), &err);
}

static void rename_over(struct place *p, const char *name)
{
	write_file(p, "new", "other");
	assert_int_equal(renameat(p->dir, "new", p->dir, name), 0);
}

static void a_name_that_is_replaced_is_heard_of_once(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	rename_over(&p, ".env");
	rename_over(&p, "sub/.envrc");
	rename_over(&p, ".env");
	listen_out(&p);
	assert_int_equal(p.hidden.n, 1);
	assert_string_equal(p.hidden.v[0], ".env");
	assert_int_equal(p.obeyed.n, 1);
	assert_string_equal(p.obeyed.v[0], "sub/.envrc");
	end(&p);
}

static void removal_and_moving_away_are_heard_of(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(unlinkat(p.dir, ".env", 0), 0);
	assert_int_equal(renameat(p.dir, "sub", p.dir, "elsewhere"), 0);
	listen_out(&p);
	assert_int_equal(p.hidden.n, 1);
	assert_int_equal(p.obeyed.n, 1);
	assert_string_equal(p.obeyed.v[0], "sub");
	end(&p);
}

/* The control: none of this takes a mount away. */
static void what_happens_beside_it_or_in_it_is_not(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	write_file(&p, ".env", "written in place");
	write_file(&p, "sub/.envrc", "written in place");
	write_file(&p, "sub/.env", "the same name elsewhere");
	write_file(&p, ".env2", "another name");
	rename_over(&p, "sub/other");
	assert_int_equal(fchmodat(p.dir, ".env", 0640, 0), 0);
	listen_out(&p);
	assert_int_equal(p.hidden.n + p.obeyed.n, 0);
	end(&p);
}

static void a_directory_that_is_gone_has_lost_its_names(void **state)
{
	struct place p;
	struct err err = ERR_INIT;

	(void)state;
	begin(&p);
	assert_ok(dir_remove(p.dir, "sub", &err), &err);
	listen_out(&p);
	assert_int_equal(p.hidden.n, 0);
	assert_int_equal(p.obeyed.n, 2);
	end(&p);
}

static void who_could_not_hear_everything_believes_nothing(void **state)
{
	struct place p;
	own_str struct str text = STR_INIT;
	struct err err = ERR_INIT;
	unsigned long most;

	(void)state;
	begin(&p);
	assert_ok(file_read(AT_FDCWD, "/proc/sys/fs/inotify/max_queued_events", 64, &text, &err), &err);
	assert_true(str_number(strtok(text.data, "\n"), 1, 1 << 20, &most));
	for (unsigned long i = 0; i < most + 10; i++) {
		char name[32];
		snprintf(name, sizeof name, "f%lu", i % 100);
		assert_int_equal(mkdirat(p.dir, name, 0700), 0);
		assert_int_equal(unlinkat(p.dir, name, AT_REMOVEDIR), 0);
	}
	listen_out(&p);
	assert_int_equal(p.hidden.n, 1);
	assert_int_equal(p.obeyed.n, 2);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_is_replaced_is_heard_of_once),
		cmocka_unit_test(removal_and_moving_away_are_heard_of),
		cmocka_unit_test(what_happens_beside_it_or_in_it_is_not),
		cmocka_unit_test(a_directory_that_is_gone_has_lost_its_names),
		cmocka_unit_test(who_could_not_hear_everything_believes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
