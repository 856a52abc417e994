#include "test.h"
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "ui/ui.h"

enum { PATIENCE_MS = 60 * 1000 };

/* --- what asks a person, on a terminal of its own --- */

struct talk {
	const char *keys;
	const char *wait_for; /* typed once this was shown */
	int (*ask)(struct err *err);
	int slave;
};

static int on_terminal(void *arg, struct err *err)
{
	struct talk *talk = arg;

	if (setsid() < 0 || ioctl(talk->slave, TIOCSCTTY, 0) < 0)
		return fail_errno(err, "take the terminal");
	setenv("TERM", "xterm", 1);
	_exit(talk->ask(err));
}

/* Runs @ask with the terminal, types, and returns its exit status; what the terminal showed
 * is added to @shown. */
static int hold_talk(struct talk *talk, struct str *shown)
{
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;
	struct winsize size = { .ws_row = 20, .ws_col = 100 };
	int master, slave, status = -1;
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	bool typed = false;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	own_fd int held_master = master;
	own_fd int held_slave = slave;
	talk->slave = slave;
	assert_ok(proc_fork(&(struct proc_spec){ .child = on_terminal,
	                                         .arg = talk,
	                                         .die_with_parent = true,
	                                         .fds = &(struct proc_fd){ slave, slave },
	                                         .nfds = 1 },
	                    &child, &err),
	          &err);
	fd_drop(&held_slave);
	while (clock_ms() < deadline) {
		struct pollfd p = { .fd = held_master, .events = POLLIN };
		char bytes[4096];
		ssize_t n;

		if (poll(&p, 1, 100) > 0) {
			n = read(held_master, bytes, sizeof bytes);
			if (n <= 0)
				break;
			str_addn(shown, bytes, (size_t)n);
		}
		if (!typed && strstr(str_c(shown), talk->wait_for)) {
			typed = true;
			assert_int_equal(write(held_master, talk->keys, strlen(talk->keys)),
			                 strlen(talk->keys));
		}
	}
	assert_int_equal(proc_wait_for(&child, PATIENCE_MS, &status, &err), 1);
	return proc_exit_code(status);
}

static const struct ui_choice fruits[] = {
	{ "apple", NULL },
	{ "banana", "yellow" },
	{ "cherry", NULL },
	{ "date", "\033[31mred" },
};

static int pick_one(struct err *err)
{
	int picked = ui_pick("Which agent?", fruits, ARRAY_LEN(fruits), err);

	return picked < 0 ? 100 : picked;
}

/* The order as a number: 0 then 2 is 13 (each one counted from 1). */
static int pick_order(struct err *err)
{
	size_t order[ARRAY_LEN(fruits)];
	int n = ui_pick_many("Which bottles?", fruits, ARRAY_LEN(fruits), order, err);
	int sum = 0;

	for (int i = 0; i < n; i++)
		sum = sum * 10 + (int)order[i] + 1;
	return n < 0 ? 250 : sum;
}

static int ask_secret(struct err *err)
{
	own_secret struct secret secret = SECRET_INIT;

	if (ui_ask_secret("token", &secret, err) < 0)
		return err->kind == ERR_DENIED ? 90 : 91;
	return str_is(secret_expose(&secret), "hunter2") ? 0 : 92;
}

static int ask_yes(struct err *err)
{
	bool yes = false;

	return ui_ask("Free it?", &yes, err) < 0 ? 91 : yes;
}

static void a_person_on_a_terminal_is_understood(void **state)
{
	static const struct {
		int (*ask)(struct err *err);
		const char *wait_for, *keys;
		int status;
	} cases[] = {
		{ pick_one, "Esc leaves", "\r", 0 },
		{ pick_one, "Esc leaves", "\033OB\033OB\r", 2 },
		{ pick_one, "Esc leaves", "\033OB\033OB\033OA\r", 1 },
		{ pick_one, "Esc leaves", "xEsc\177\177\177", 100 }, /* Ctrl-C is typed behind it */
		{ pick_one, "Esc leaves", "an\r", 1 },
		{ pick_one, "Esc leaves", "zzz\r\177\177\177\r", 0 }, /* Enter on nothing takes nothing */
		{ pick_one, "Esc leaves", "\003", 100 },
		{ pick_order, "Esc leaves", " \033OB\033OB \r", 13 },
		{ pick_order, "Esc leaves", " \033OB \tJ\t\r", 21 }, /* moved down */
		{ pick_order, "Esc leaves", " \033OB \t\033OBK\t\r", 21 },
		{ pick_order, "Esc leaves", " \033OB \t \t\r", 2 }, /* removed in the panel */
		{ pick_order, "Esc leaves", "  \r", 0 },
		{ ask_secret, "not shown", "hunter2\r", 0 },
		{ ask_secret, "not shown", "wrong\025hunterX\1772\r", 0 },
		{ ask_secret, "not shown", "hun\003", 90 },
		{ ask_secret, "not shown", "\r", 91 },
		{ ask_yes, "[y/N]", "y\r", 1 },
		{ ask_yes, "[y/N]", "\r", 0 },
		{ ask_yes, "[y/N]", "yeah\r", 0 },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str shown = STR_INIT;
		own_mem char *keys =
			xasprintf("%s%s", cases[i].keys, strchr(cases[i].keys, 'E') ? "\003" : "");
		struct talk talk = { .ask = cases[i].ask, .wait_for = cases[i].wait_for, .keys = keys };

		assert_int_equal(hold_talk(&talk, &shown), cases[i].status);
		/* The note's escape sequence reached the screen as text alone, and no secret did. */
		assert_null(strstr(str_c(&shown), "\033[31mred"));
		assert_null(strstr(str_c(&shown), "hunter"));
	}
}

static int ask_without_terminal(void *arg, struct err *err)
{
	bool yes = true;

	(void)arg;
	setsid();
	assert_int_equal(ui_ask("Free it?", &yes, err), -1);
	_exit(err->kind == ERR_MISSING ? 0 : 1);
}

static void without_a_terminal_nobody_is_asked(void **state)
{
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;
	int status = -1;
	(void)state;

	assert_ok(proc_fork(&(struct proc_spec){ .child = ask_without_terminal, .new_session = true }, &child,
	                    &err),
	          &err);
	assert_ok(proc_wait(&child, &status, &err), &err);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_person_on_a_terminal_is_understood),
		cmocka_unit_test(without_a_terminal_nobody_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
