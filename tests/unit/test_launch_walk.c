/* The table of steps walked with every point of failure, in both directions. */
#include "test.h"

#include <stdio.h>

#include "base/str.h"
#include "launch/walk.h"

struct told {
	int fails_at; /* step whose up() fails; -1: none */
	struct str log;
};

static int up(struct told *t, int i, struct err *err)
{
	str_addf(&t->log, "+%d", i);
	return t->fails_at == i ? fail(err, ERR_SYSTEM, "step %d", i) : 0;
}

static void down(struct told *t, int i)
{
	str_addf(&t->log, "-%d", i);
}

#define UP(i)                                        \
	static int up##i(void *arg, struct err *err) \
	{                                            \
		return up(arg, i, err);              \
	}
#define DOWN(i)                        \
	static void down##i(void *arg) \
	{                              \
		down(arg, i);          \
	}
UP(0)
UP(1)
/* clang-format off */
UP(2) UP(3) DOWN(0) DOWN(2) DOWN(3)
	/* clang-format on */

	static bool never(void *arg)
{
	(void)arg;
	return false;
}

static const struct step steps[] = {
	{ "zero", up0, down0, NULL },
	{ "one", up1, NULL, NULL },
	{ "two", up2, down2, NULL },
	{ "three", up3, down3, NULL },
};

static void each_failure_undoes_exactly_what_began(void **state)
{
	static const char *const want[] = { "+0-0", "+0+1-0", "+0+1+2-2-0", "+0+1+2+3-3-2-0" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct told t = { .fails_at = i };
		struct walk w = { .steps = steps, .nsteps = ARRAY_LEN(steps) };
		struct err err = ERR_INIT;
		assert_int_equal(walk_up(&w, &t, &err), -1);
		assert_int_equal(err.kind, ERR_SYSTEM);
		walk_down(&w, &t);
		assert_string_equal(str_c(&t.log), want[i]);
		walk_down(&w, &t);
		assert_string_equal(str_c(&t.log), want[i]);
		str_clear(&t.log);
	}
}

static void a_walk_without_failure_undoes_everything_in_reverse(void **state)
{
	struct told t = { .fails_at = -1 };
	struct walk w = { .steps = steps, .nsteps = ARRAY_LEN(steps) };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(walk_up(&w, &t, &err), 0);
	walk_down(&w, &t);
	assert_string_equal(str_c(&t.log), "+0+1+2+3-3-2-0");
	str_clear(&t.log);
}

static void a_row_that_is_not_wanted_is_passed_over_both_ways(void **state)
{
	static const struct step some[] = { { "zero", up0, down0, NULL },
		                            { "two", up2, down2, never },
		                            { "three", up3, down3, NULL } };
	struct told t = { .fails_at = -1 };
	struct walk w = { .steps = some, .nsteps = ARRAY_LEN(some) };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(walk_up(&w, &t, &err), 0);
	walk_down(&w, &t);
	assert_string_equal(str_c(&t.log), "+0+3-3-0");
	str_clear(&t.log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_undoes_exactly_what_began),
		cmocka_unit_test(a_walk_without_failure_undoes_everything_in_reverse),
		cmocka_unit_test(a_row_that_is_not_wanted_is_passed_over_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
