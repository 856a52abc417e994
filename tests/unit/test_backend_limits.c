#include "test.h"

#include <unistd.h>

#include "backend/limits.h"
#include "cage/cage.h"

/* A host that gives us no control group, and one that does: both are right, and say so. */
static void a_limit_that_must_hold_and_can_not_is_refused(void **state)
{
	(void)state;
	const struct guest_request r = { .slug = "limits-ab12c" };
	const struct cage_resources want = { 512UL << 20, 1024, 2 };
	struct guest g = GUEST_INIT;
	struct err err = ERR_INIT;
	int group = -1, can = cage_probe_cgroup(&(struct err)ERR_INIT);

	if (can > 0 && (can & CAGE_MEMORY)) {
		assert_ok(limits_make(&r, &want, CAGE_MEMORY, &g, &group, &err), &err);
		assert_true(group >= 0);
		close(group);
	} else {
		assert_refused(limits_make(&r, &want, CAGE_MEMORY, &g, &group, &err), &err, ERR_UNCONFINED,
		               "written limit");
		assert_int_equal(group, -1);
	}
	limits_remove(&g);
	assert_null(g.cgroup);
}

static void a_limit_that_something_else_enforces_needs_no_group(void **state)
{
	(void)state;
	const struct guest_request r = { .slug = "limits-cd34e" };
	const struct cage_resources want = { 512UL << 20, 1024, 2 };
	struct guest g = GUEST_INIT;
	struct err err = ERR_INIT;
	int group = -1;

	assert_ok(limits_make(&r, &want, 0, &g, &group, &err), &err);
	assert_string_equal(g.cgroup, "bot-bottle-limits-cd34e");
	if (group >= 0)
		close(group);
	limits_remove(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_that_must_hold_and_can_not_is_refused),
		cmocka_unit_test(a_limit_that_something_else_enforces_needs_no_group),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
