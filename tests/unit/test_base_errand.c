#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/errand.h"
#include "base/file.h"

struct sums {
	int a, b;
};

static int add(void *arg, void *answer, struct err *err)
{
	struct sums *s = arg;

	(void)err;
	s->b++; /* its own copy */
	*(int *)answer = s->a + s->b;
	return 0;
}

static int refuse(void *arg, void *answer, struct err *err)
{
	(void)arg, (void)answer;
	return fail(err, ERR_DENIED, "not today");
}

/* What another process does to a file that SQLite has mapped. */
static int touch_what_was_cut(void *arg, void *answer, struct err *err)
{
	own_fd int fd = file_sealed("mapped", "x", 1, err);
	volatile char *page = mmap(NULL, 2 * 4096, PROT_READ, MAP_SHARED, fd, 0);

	(void)arg;
	*(int *)answer = (unsigned char)page[4096];
	return 0;
}

static int hang(void *arg, void *answer, struct err *err)
{
	(void)arg, (void)answer, (void)err;
	while (pause() < 0)
		;
	return 0;
}

static int leave(void *arg, void *answer, struct err *err)
{
	(void)arg, (void)answer, (void)err;
	_exit(0);
}

static void only_the_answer_comes_back(void **state)
{
	own_errand struct errand e = ERRAND_INIT;
	struct err err = ERR_INIT;
	struct sums s = { 2, 3 };
	int sum = 0;

	(void)state;
	assert_ok(errand_start(add, &s, sizeof sum, -1, &e, &err), &err);
	assert_int_equal(errand_wait(&e, 10000, &sum, &err), 1);
	assert_int_equal(sum, 6);
	assert_int_equal(s.b, 3);
}

static void its_error_is_returned_and_a_death_becomes_one(void **state)
{
	static const struct {
		int (*fn)(void *arg, void *answer, struct err *err);
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ refuse, ERR_DENIED, "not today" },
		{ touch_what_was_cut, ERR_SYSTEM, "signal 7" },
		{ leave, ERR_SYSTEM, "without an answer" },
	};

	(void)state;
	assert_int_equal(SIGBUS, 7);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_errand struct errand e = ERRAND_INIT;
		struct err err = ERR_INIT;
		int answer = 47;
		assert_ok(errand_start(cases[i].fn, NULL, sizeof answer, -1, &e, &err), &err);
		assert_refused(errand_wait(&e, 10000, &answer, &err), &err, cases[i].kind, cases[i].says);
		assert_int_equal(answer, 47);
	}
}

static void one_that_hangs_is_given_up(void **state)
{
	own_errand struct errand e = ERRAND_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(errand_start(hang, NULL, 0, -1, &e, &err), &err);
	pid_t pid = e.proc.pid;
	assert_int_equal(errand_wait(&e, 20, NULL, &err), 0);
	errand_clear(&e);
	assert_int_equal(kill(pid, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_answer_comes_back),
		cmocka_unit_test(its_error_is_returned_and_a_death_becomes_one),
		cmocka_unit_test(one_that_hangs_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
