#include "registry_home.h"

/* What a crash of the host leaves where the disk had a file's name before its contents. */
static void empty_the_record(int dir)
{
	own_fd int fd = openat(dir, RECORD_FILE, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
}

static void a_record_that_is_placed_keeps_the_one_that_is_on_the_disk(void **state)
{
	struct home *h = *state;
	own_record struct record r = RECORD_INIT;
	struct err err = ERR_INIT;
	own_fd int dir = registry_create(h->fd, "placed", &r, &err);

	assert_ok(dir, &err);
	assert_ok(registry_settle(h->fd, dir, &err), &err);
	for (uint64_t refused = 1; refused <= 2; refused++) {
		own_record struct record now = RECORD_INIT;
		r.refused = refused;
		assert_ok(registry_place(dir, &r, &err), &err);
		assert_ok(registry_load(dir, &now, &err), &err);
		assert_int_equal(now.refused, refused);
	}
	own_record struct record kept = RECORD_INIT, last = RECORD_INIT;
	empty_the_record(dir);
	assert_ok(registry_load(dir, &kept, &err), &err);
	assert_int_equal(kept.refused, 0);
	/* Once all of it is on the disk, nothing else is needed. */
	assert_ok(registry_save(dir, &r, &err), &err);
	assert_int_not_equal(faccessat(dir, RECORD_KEPT, F_OK, 0), 0);
	assert_ok(registry_load(dir, &last, &err), &err);
	assert_int_equal(last.refused, 2);
}

static void a_broken_record_is_not_replaced_by_what_was_kept(void **state)
{
	struct home *h = *state;
	own_record struct record r = RECORD_INIT, out = RECORD_INIT;
	struct err err = ERR_INIT;
	own_fd int dir = registry_create(h->fd, "broken", &r, &err);

	assert_ok(dir, &err);
	assert_ok(registry_place(dir, &r, &err), &err);
	assert_ok(file_write(dir, RECORD_FILE, "{", 1, 0600, &err), &err);
	assert_refused(registry_load(dir, &out, &err), &err, ERR_INPUT, RECORD_FILE);
}

static void a_bottle_whose_record_never_reached_the_disk_is_swept(void **state)
{
	struct home *h = *state;
	own_record struct record r = RECORD_INIT, other = RECORD_INIT, out = RECORD_INIT;
	struct err err = ERR_INIT;
	own_fd int dir = registry_create(h->fd, "lost", &r, &err);
	own_fd int settled = registry_create(h->fd, "settled", &other, &err);

	assert_ok(dir, &err);
	assert_ok(settled, &err);
	assert_ok(registry_settle(h->fd, settled, &err), &err);
	assert_ok(registry_sweep(h->fd, &err), &err);
	assert_int_equal(faccessat(h->fd, r.slug, F_OK, 0), 0); /* it can be read */
	empty_the_record(dir);
	empty_the_record(settled);
	assert_refused(registry_load(dir, &out, &err), &err, ERR_INPUT, "bottle cleanup");
	assert_ok(registry_sweep(h->fd, &err), &err);
	assert_int_not_equal(faccessat(h->fd, r.slug, F_OK, 0), 0);
	/* That one was emptied by somebody else: left alone, as every broken one is. */
	assert_int_equal(faccessat(h->fd, other.slug, F_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_HOME(a_record_that_is_placed_keeps_the_one_that_is_on_the_disk),
		IN_HOME(a_broken_record_is_not_replaced_by_what_was_kept),
		IN_HOME(a_bottle_whose_record_never_reached_the_disk_is_swept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
