#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/msg.h"
#include "egress/audit.h"
#include "proto/sidecar.h"

struct fixture {
	struct loop loop;
	struct audit audit;
	int pair[2];
	unsigned drained, lost;
	bool inside; /* audit_add() is on the stack */
};

static void on_drained(void *arg)
{
	struct fixture *f = arg;

	assert_false(f->inside);
	f->drained++;
}

static void on_lost(void *arg)
{
	((struct fixture *)arg)->lost++;
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	struct err err = ERR_INIT;

	f->loop = (struct loop)LOOP_INIT;
	assert_ok(loop_init(&f->loop, &err), &err);
	assert_ok(msg_pair(f->pair, &err), &err);
	for (int i = 0; i < 2; i++)
		fcntl(f->pair[i], F_SETFL, fcntl(f->pair[i], F_GETFL) | O_NONBLOCK);
	audit_init(&f->audit, &f->loop, f->pair[0], 100);
	f->audit.drained = on_drained;
	f->audit.lost = on_lost;
	f->audit.arg = f;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	audit_clear(&f->audit);
	loop_clear(&f->loop);
	close(f->pair[0]);
	if (f->pair[1] >= 0)
		close(f->pair[1]);
	free(f);
	return 0;
}

static void add(struct fixture *f)
{
	static const struct audit_entry entry = { .id = "i",
		                                  .method = "GET",
		                                  .host = "h",
		                                  .scheme = "",
		                                  .path = "/",
		                                  .query = "",
		                                  .route = "",
		                                  .rule = "",
		                                  .reason = "r",
		                                  .detail = "" };

	f->inside = true;
	audit_add(&f->audit, &entry);
	f->inside = false;
}

static unsigned read_all(struct fixture *f)
{
	unsigned records = 0;

	for (;;) {
		own_msg struct msg m = MSG_INIT;
		own_sidecar_message struct sidecar_message said = SIDECAR_MESSAGE_INIT;
		struct err err = ERR_INIT;
		if (msg_recv(f->pair[1], &m, &err) <= 0)
			return records;
		assert_ok(sidecar_message_decode(&m.bytes, &said, &err), &err);
		records += said.records.n;
	}
}

static void a_keeper_that_does_not_read_fills_the_queue_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	unsigned added = 0, read = 0;

	for (; !audit_is_full(&f->audit); added++)
		add(f);
	assert_true(f->audit.stuck);
	add(f); /* what was under way when it became full is recorded too */
	assert_int_equal(f->drained, 0);
	read += read_all(f);
	audit_flush(&f->audit);
	/* Whoever waits is told from the loop, in nobody's middle. */
	assert_int_equal(f->drained, 0);
	assert_ok(loop_step(&f->loop, 0, &err), &err);
	assert_int_equal(f->drained, 1);
	read += read_all(f);
	assert_int_equal(read, added + 1);
	assert_false(audit_is_full(&f->audit));
}

static void no_record_shows_a_secret(void **state)
{
	struct fixture *f = *state;
	static const char secret[] = "s3cr\"t-value";
	own_str struct str path = STR_INIT, detail = STR_INIT;

	/* Across the place where a long path is cut, where half of it would be left. */
	str_add(&path, "/s3cr%22t-value/");
	while (path.len < 1024 - 6)
		str_addc(&path, 'x');
	str_add(&path, secret);
	for (int hidden = 0; hidden < 2; hidden++) {
		struct echo_set set = { 0 };
		if (hidden)
			echo_set_add(&set, secret, strlen(secret));
		echo_set_ready(&set);
		f->audit.secrets = &set;
		str_reset(&detail);
		str_add(&detail, ",\"headers\":");
		audit_print_text(&f->audit, &detail, slice_of(secret), 4);
		const struct audit_entry entry = { .id = "i",
			                           .method = secret,
			                           .host = "h",
			                           .scheme = "",
			                           .route = "",
			                           .reason = "r",
			                           .path = str_c(&path),
			                           .query = secret,
			                           .rule = secret,
			                           .detail = str_c(&detail) };
		audit_add(&f->audit, &entry);
		audit_flush(&f->audit);
		own_msg struct msg m = MSG_INIT;
		own_sidecar_message struct sidecar_message said = SIDECAR_MESSAGE_INIT;
		struct err err = ERR_INIT;
		assert_int_equal(msg_recv(f->pair[1], &m, &err), 1);
		assert_ok(sidecar_message_decode(&m.bytes, &said, &err), &err);
		assert_int_equal(said.records.n, 1);
		/* The control is the same record of a gateway that holds no secret. */
		assert_int_equal(strstr(said.records.v[0], "s3cr") == NULL, hidden);
		assert_int_equal(strstr(said.records.v[0], "*****") != NULL, hidden);
		f->audit.secrets = NULL;
		echo_set_clear(&set);
	}
}

static void a_keeper_that_is_gone_is_noticed(void **state)
{
	struct fixture *f = *state;

	close(f->pair[1]);
	f->pair[1] = -1;
	add(f);
	audit_flush(&f->audit);
	assert_int_equal(f->lost, 1);
}

static void values_of_a_query_are_masked(void **state)
{
	static const struct {
		const char *query, *masked;
	} cases[] = {
		{ "a=1&b=2", "a=***&b=***" },
		{ "a=b=c;d", "a=***;***" },
		{ "sk-live-bare-token&k=v", "***&k=***" },
		{ "a=1&&b=2", "a=***&&b=***" },
		{ "", "" },
		{ "a=", "a=***" },
		{ "=x", "=***" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str out = STR_INIT;
		audit_mask_query(cases[i].query, strlen(cases[i].query), &out);
		assert_string_equal(str_c(&out), cases[i].masked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_keeper_that_does_not_read_fills_the_queue_and_loses_nothing,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_keeper_that_is_gone_is_noticed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_record_shows_a_secret, set_up, tear_down),
		cmocka_unit_test(values_of_a_query_are_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
