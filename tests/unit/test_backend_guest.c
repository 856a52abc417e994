#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backend/guest.h"
#include "base/clock.h"

enum { PATIENCE_MS = 60 * 1000 };

/* A keeper's guest whose init is this test: it says what no init should. */
struct bench {
	struct loop loop;
	struct guest guest;
	int init; /* init's end of the socket */
	struct program program;
	int started, exited, failed, deaths, status;
	struct str why;
};

static int live_on(void *arg, struct err *err)
{
	int *ours = arg;

	fd_drop(ours); /* forked, it has a copy of the test's end */
	pause();
	return fail_errno(err, "a signal that did not end it");
}

static void on_started(void *arg, int terminal)
{
	struct bench *b = arg;

	b->started++;
	fd_drop(&terminal);
}

static void on_exited(void *arg, int status)
{
	struct bench *b = arg;

	b->exited++;
	b->status = status;
}

static void on_failed(void *arg, int status, const char *why)
{
	struct bench *b = arg;

	b->failed++;
	b->status = status;
	str_reset(&b->why);
	str_add(&b->why, why);
}

static void on_died(void *arg, const struct err *why)
{
	(void)why;
	((struct bench *)arg)->deaths++;
}

static int up(void **state)
{
	struct bench *b = xcalloc(1, sizeof *b);
	struct err err = ERR_INIT;
	int pair[2];
	const struct proc_spec spec = { .child = live_on, .arg = &pair[1], .die_with_parent = true };

	*b = (struct bench){ .loop = LOOP_INIT, .guest = GUEST_INIT };
	assert_ok(loop_init(&b->loop, &err), &err);
	assert_ok(msg_pair(pair, &err), &err);
	b->guest.socket = pair[0];
	b->init = pair[1];
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	assert_ok(proc_fork(&spec, &b->guest.init, &err), &err);
	assert_ok(guest_listen(&b->guest, &b->loop, on_died, b, &err), &err);
	b->program =
		(struct program){ .started = on_started, .exited = on_exited, .failed = on_failed, .arg = b };
	*state = b;
	return 0;
}

static int down(void **state)
{
	struct bench *b = *state;

	guest_close(&b->guest);
	fd_drop(&b->init);
	loop_clear(&b->loop);
	str_clear(&b->why);
	free(b);
	return 0;
}

static void say(struct bench *b, const struct init_msg *m, const int *fds, size_t nfds)
{
	struct err err = ERR_INIT;

	assert_ok(init_msg_send(b->init, m, fds, nfds, &err), &err);
}

static void run_a_program(struct bench *b)
{
	struct init_run run = { .cwd = (char *)"/", .uid = 1000, .gid = 1000 };
	struct err err = ERR_INIT;

	strv_add(&run.argv, "true");
	assert_ok(guest_run(&b->guest, &run, NULL, &b->program, &err), &err);
	assert_int_not_equal(b->program.id, 0);
	strv_clear(&run.argv);
}

/* Until @counter is @wanted; what was said before has been heard then. */
static void run_until(struct bench *b, const int *counter, int wanted)
{
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	struct err err = ERR_INIT;

	while (*counter != wanted && clock_ms() < deadline)
		assert_ok(loop_step(&b->loop, 100, &err), &err);
	assert_int_equal(*counter, wanted);
}

static void assert_killed_because(struct bench *b, const char *word)
{
	int status;
	struct err err = ERR_INIT;

	run_until(b, &b->deaths, 1);
	assert_true(b->guest.dead);
	if (!strstr(b->guest.why.text, word))
		fail_msg("\"%s\" does not say \"%s\"", b->guest.why.text, word);
	assert_int_equal(proc_wait_for(&b->guest.init, PATIENCE_MS, &status, &err), 1);
	assert_int_equal(proc_exit_code(status), 128 + 9);
}

static void a_program_starts_once_and_ends_once(void **state)
{
	struct bench *b = *state;

	run_a_program(b);
	uint32_t id = b->program.id;
	say(b, &(struct init_msg){ .kind = INIT_STARTED, .id = id, .pid = 5 }, NULL, 0);
	say(b, &(struct init_msg){ .kind = INIT_EXITED, .id = id, .status = 3 << 8 }, NULL, 0);
	/* It has ended: what init says about it from now on concerns nobody. */
	say(b, &(struct init_msg){ .kind = INIT_EXITED, .id = id, .status = 0 }, NULL, 0);
	say(b, &(struct init_msg){ .kind = INIT_STARTED, .id = id, .pid = 5 }, NULL, 0);
	say(b, &(struct init_msg){ .kind = INIT_READY }, NULL, 0);
	run_until(b, &b->exited, 1);
	while (!b->guest.ready)
		assert_int_equal(loop_step(&b->loop, PATIENCE_MS, &(struct err)ERR_INIT), 0);
	assert_int_equal(b->started, 1);
	assert_int_equal(b->exited, 1);
	assert_int_equal(proc_exit_code(b->status), 3);
	assert_int_equal(b->deaths, 0);
}

static void the_same_start_said_twice_ends_the_guest(void **state)
{
	struct bench *b = *state;
	const struct init_msg m = { .kind = INIT_STARTED, .pid = 5 };
	struct init_msg twice = m;

	run_a_program(b);
	twice.id = b->program.id;
	say(b, &twice, NULL, 0);
	run_until(b, &b->started, 1);
	assert_int_equal(b->deaths, 0); /* the control: once is fine */
	say(b, &twice, NULL, 0);
	assert_killed_because(b, "said twice that program");
	assert_int_equal(b->started, 1);
	assert_int_equal(b->failed, 1);
	assert_int_equal(b->program.id, 0);
}

/* With a second terminal too: it is not taken, and nobody leaks it. */
static void a_second_terminal_ends_the_guest_and_is_closed(void **state)
{
	struct bench *b = *state;
	char byte;
	int pipes[2];

	run_a_program(b);
	struct init_msg m = { .kind = INIT_STARTED, .id = b->program.id, .pid = 5, .has_terminal = true };
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	own_fd int reads = pipes[0], writes = pipes[1];
	say(b, &m, &writes, 1);
	say(b, &m, &writes, 1);
	fd_drop(&writes);
	assert_killed_because(b, "said twice that program");
	assert_int_equal(read(reads, &byte, 1), 0); /* the end: no copy of it is open */
}

static void what_only_a_keeper_says_ends_the_guest(void **state)
{
	struct bench *b = *state;

	say(b, &(struct init_msg){ .kind = INIT_SIGNAL, .id = 1, .signal = 9 }, NULL, 0);
	assert_killed_because(b, "only a keeper sends");
}

static void nonsense_ends_the_guest(void **state)
{
	struct bench *b = *state;
	own_str struct str bytes = STR_INIT;
	struct err err = ERR_INIT;

	str_add(&bytes, "\x7fnonsense");
	assert_ok(msg_send(b->init, &bytes, NULL, 0, &err), &err);
	assert_killed_because(b, "malformed");
}

static void a_closed_socket_ends_the_guest_and_its_programs(void **state)
{
	struct bench *b = *state;
	own_msg struct msg raw = MSG_INIT;
	struct err err = ERR_INIT;

	run_a_program(b);
	assert_int_equal(msg_recv(b->init, &raw, &err), 1);
	fd_drop(&b->init);
	assert_killed_because(b, "closed its socket");
	assert_int_equal(b->failed, 1);
	assert_int_equal(b->status, 125);
}

static void the_reason_of_a_failure_is_shown_escaped_and_has_a_shells_status(void **state)
{
	static const struct {
		int sys, status;
	} cases[] = { { ENOENT, 127 }, { EACCES, 126 }, { ENOEXEC, 126 }, { ENOMEM, 125 }, { 0, 125 } };
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run_a_program(b);
		say(b,
		    &(struct init_msg){ .kind = INIT_FAILED,
		                        .id = b->program.id,
		                        .sys = cases[i].sys,
		                        .text = (char *)"no\x1b[31m" },
		    NULL, 0);
		run_until(b, &b->failed, (int)i + 1);
		assert_int_equal(b->status, cases[i].status);
		assert_string_equal(str_c(&b->why), "no\\x1b[31m");
	}
}

static void one_that_was_forgotten_is_hung_up_and_heard_no_more(void **state)
{
	struct bench *b = *state;
	own_msg struct msg raw = MSG_INIT;
	own_init_msg struct init_msg asked = INIT_MSG_INIT, hung_up = INIT_MSG_INIT;
	struct err err = ERR_INIT;

	run_a_program(b);
	uint32_t id = b->program.id;
	guest_forget(&b->guest, &b->program);
	assert_int_equal(msg_recv(b->init, &raw, &err), 1);
	assert_ok(init_msg_decode(raw.bytes.data, raw.bytes.len, 0, &asked, &err), &err);
	assert_int_equal(asked.kind, INIT_RUN);
	assert_int_equal(msg_recv(b->init, &raw, &err), 1);
	assert_ok(init_msg_decode(raw.bytes.data, raw.bytes.len, 0, &hung_up, &err), &err);
	assert_int_equal(hung_up.kind, INIT_SIGNAL);
	assert_int_equal(hung_up.id, id);
	assert_int_equal(hung_up.signal, 1);
	say(b, &(struct init_msg){ .kind = INIT_STARTED, .id = id, .pid = 5 }, NULL, 0);
	say(b, &(struct init_msg){ .kind = INIT_EXITED, .id = id }, NULL, 0);
	say(b, &(struct init_msg){ .kind = INIT_READY }, NULL, 0);
	while (!b->guest.ready)
		assert_ok(loop_step(&b->loop, PATIENCE_MS, &err), &err);
	assert_int_equal(b->started + b->exited + b->failed + b->deaths, 0);
}

static struct proc stand_on_a_process(struct bench *b)
{
	struct proc base = PROC_INIT;
	const struct proc_spec spec = { .child = live_on, .arg = &b->init, .die_with_parent = true };
	struct err err = ERR_INIT;

	assert_ok(proc_fork(&spec, &base, &err), &err);
	assert_ok(guest_stands_on(&b->guest, fcntl(base.pidfd, F_DUPFD_CLOEXEC, 3), &err), &err);
	return base;
}

/* A monitor that is gone takes the machine along, and the command that carried a program there ends too. */
static void the_end_of_what_it_stands_on_is_no_end_of_a_program(void **state)
{
	struct bench *b = *state;
	own_proc struct proc base = stand_on_a_process(b);

	run_a_program(b);
	say(b, &(struct init_msg){ .kind = INIT_EXITED, .id = b->program.id, .status = 3 << 8 }, NULL, 0);
	run_until(b, &b->exited, 1); /* control: while it is there */
	run_a_program(b);
	proc_clear(&base);
	say(b, &(struct init_msg){ .kind = INIT_EXITED, .id = b->program.id, .status = 1 << 8 }, NULL, 0);
	assert_killed_because(b, "the machine's monitor ended");
	assert_int_equal(b->exited, 1);
	assert_int_equal(b->failed, 1);
}

static void an_end_that_is_wanted_ends_nothing_else(void **state)
{
	struct bench *b = *state;
	own_proc struct proc base = stand_on_a_process(b);

	guest_stands_alone(&b->guest);
	proc_clear(&base);
	run_a_program(b);
	say(b, &(struct init_msg){ .kind = INIT_EXITED, .id = b->program.id }, NULL, 0);
	run_until(b, &b->exited, 1);
	assert_int_equal(b->deaths, 0);
}

static void so_many_programs_run_and_no_more(void **state)
{
	struct bench *b = *state;
	static struct program programs[GUEST_PROGRAMS_MAX];
	struct init_run run = { .cwd = (char *)"/" };
	struct program over = { 0 };
	struct err err = ERR_INIT;

	strv_add(&run.argv, "true");
	for (size_t i = 0; i < GUEST_PROGRAMS_MAX; i++) {
		own_msg struct msg raw = MSG_INIT;
		assert_ok(guest_run(&b->guest, &run, NULL, &programs[i], &err), &err);
		assert_int_equal(msg_recv(b->init, &raw, &err), 1);
	}
	assert_refused(guest_run(&b->guest, &run, NULL, &over, &err), &err, ERR_BUSY, "still run");
	guest_forget(&b->guest, &programs[3]);
	assert_ok(guest_run(&b->guest, &run, NULL, &over, &err), &err);
	strv_clear(&run.argv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_program_starts_once_and_ends_once, up, down),
		cmocka_unit_test_setup_teardown(the_same_start_said_twice_ends_the_guest, up, down),
		cmocka_unit_test_setup_teardown(a_second_terminal_ends_the_guest_and_is_closed, up, down),
		cmocka_unit_test_setup_teardown(what_only_a_keeper_says_ends_the_guest, up, down),
		cmocka_unit_test_setup_teardown(nonsense_ends_the_guest, up, down),
		cmocka_unit_test_setup_teardown(a_closed_socket_ends_the_guest_and_its_programs, up, down),
		cmocka_unit_test_setup_teardown(
			the_reason_of_a_failure_is_shown_escaped_and_has_a_shells_status, up, down),
		cmocka_unit_test_setup_teardown(one_that_was_forgotten_is_hung_up_and_heard_no_more, up,
		                                down),
		cmocka_unit_test_setup_teardown(the_end_of_what_it_stands_on_is_no_end_of_a_program, up,
		                                down),
		cmocka_unit_test_setup_teardown(an_end_that_is_wanted_ends_nothing_else, up, down),
		cmocka_unit_test_setup_teardown(so_many_programs_run_and_no_more, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
