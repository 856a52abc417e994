#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "sidecar/sidecar.h"

extern char **environ;

enum { PATIENCE_MS = 60 * 1000, LAST_WORDS = 300 };

/* ---- what this program is when a keeper starts it: the name says how it behaves ---- */

struct inside {
	int control;
	struct str config;
};

static void say_text(int control, enum sidecar_say say, const char *text)
{
	struct sidecar_message m = { .say = say, .level = LOG_INFO, .text = (char *)text };
	struct err err = ERR_INIT;

	if (sidecar_say(control, &m, &err) != 0)
		_exit(90);
}

static void say_bytes(int control, const char *bytes, size_t n, const int *fds, size_t nfds)
{
	own_str struct str s = STR_INIT;
	struct err err = ERR_INIT;

	str_addn(&s, bytes, n);
	if (msg_send(control, &s, fds, nfds, &err) != 0)
		_exit(91);
}

static void say_record(int control, const char *record)
{
	own_sidecar_message struct sidecar_message m = { .say = SIDECAR_AUDIT };
	struct err err = ERR_INIT;

	strv_add(&m.records, record);
	if (sidecar_say(control, &m, &err) != 0)
		_exit(92);
}

static void say_ready(int control)
{
	struct err err = ERR_INIT;

	if (sidecar_say_ready(control, &err) != 0)
		_exit(93);
}

static void wait_for_stop(int control)
{
	own_msg struct msg raw = MSG_INIT;
	own_sidecar_message struct sidecar_message m = SIDECAR_MESSAGE_INIT;
	struct err err = ERR_INIT;

	if (msg_recv(control, &raw, &err) != 1 || sidecar_message_decode(&raw.bytes, &m, &err) != 0 ||
	    m.say != SIDECAR_STOP)
		_exit(94);
}

static _Noreturn void wait_for_ever(void)
{
	for (;;)
		pause();
}

/* Says what it was given, and the names of its variables. */
static void tell_all(const struct inside *in)
{
	own_str struct str names = STR_INIT;

	for (char **e = environ; *e; e++)
		str_addf(&names, "%.*s ", (int)strcspn(*e, "="), *e);
	str_addf(&names, "%s", getenv("LISTEN_FDNAMES"));
	struct sockaddr_storage at;
	socklen_t n = sizeof at;
	say_text(in->control, SIDECAR_LOG, str_c(&in->config));
	say_text(in->control, SIDECAR_LOG,
	         getsockname(3, (struct sockaddr *)&at, &n) == 0 ? "a socket" : "none");
	say_text(in->control, SIDECAR_STATE, "{\"old\":1}");
	say_text(in->control, SIDECAR_STATE, str_c(&names));
	say_record(in->control, "{\"first\":1}");
	say_ready(in->control);
	wait_for_stop(in->control);
	say_record(in->control, "{\"last\":1}");
}

static void say_much_at_the_end(const struct inside *in)
{
	own_mem char *record = xasprintf("{\"words\":\"%02000d\"}", 0);

	say_ready(in->control);
	wait_for_stop(in->control);
	for (int i = 0; i < LAST_WORDS; i++)
		say_record(in->control, record);
}

static void die_first(const struct inside *in)
{
	(void)in;
	_exit(7);
}

static void give_reason(const struct inside *in)
{
	struct err why = ERR_INIT, err = ERR_INIT;

	fail(&why, ERR_UNCONFINED, "there is no cage for me");
	sidecar_say_failed(in->control, &why, &err);
}

static void say_garbage(const struct inside *in)
{
	say_ready(in->control);
	say_bytes(in->control, "\x04\xff\xff\xff\xff", 5, NULL, 0);
	wait_for_ever();
}

static void send_descriptor(const struct inside *in)
{
	char ready = SIDECAR_READY;

	say_bytes(in->control, &ready, 1, (int[]){ 0 }, 1);
	wait_for_ever();
}

static void say_what_keepers_say(const struct inside *in)
{
	char stop = SIDECAR_STOP;

	say_bytes(in->control, &stop, 1, NULL, 0);
	wait_for_ever();
}

static void say_what_nobody_says(const struct inside *in)
{
	char own = SIDECAR_OWN + 3;

	say_bytes(in->control, &own, 1, NULL, 0);
	wait_for_ever();
}

static void hang_up(const struct inside *in)
{
	say_ready(in->control);
	close(in->control);
	wait_for_ever();
}

static void be_deaf(const struct inside *in)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	say_ready(in->control);
	wait_for_ever();
}

/* More than anybody hears out. */
static void talk_for_ever(const struct inside *in)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	say_ready(in->control);
	for (;;)
		say_text(in->control, SIDECAR_LOG, "word");
}

static const struct behaviour {
	const char *name;
	void (*be)(const struct inside *in);
} behaviours[] = {
	{ "tells-all", tell_all },
	{ "says-much-at-the-end", say_much_at_the_end },
	{ "dies-first", die_first },
	{ "gives-reason", give_reason },
	{ "garbage", say_garbage },
	{ "descriptor", send_descriptor },
	{ "keepers", say_what_keepers_say },
	{ "nobodys", say_what_nobody_says },
	{ "hangs-up", hang_up },
	{ "deaf", be_deaf },
	{ "talks-on", talk_for_ever },
};

static _Noreturn void be(const char *name)
{
	struct inside in = { .config = STR_INIT };
	struct err err = ERR_INIT;
	unsigned long control, config;

	if (!str_number(getenv(SIDECAR_CONTROL_ENV), 3, 100, &control) ||
	    !str_number(getenv(SIDECAR_CONFIG_ENV), 3, 100, &config) ||
	    file_read_fd((int)config, "config", 4096, &in.config, &err) != 0)
		_exit(95);
	in.control = (int)control;
	for (size_t i = 0; i < ARRAY_LEN(behaviours); i++)
		if (str_is(behaviours[i].name, name)) {
			behaviours[i].be(&in);
			_exit(0);
		}
	_exit(96);
}

/* ---- the keeper's side ---- */

struct bench {
	struct loop loop;
	struct sidecar sidecar;
	struct strv records, lines;
	int deaths;
	struct err why;
	bool slow; /* in hearing */
};

static void on_audit(void *arg, const char *record)
{
	strv_add(&((struct bench *)arg)->records, record);
}

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct bench *b = arg;

	assert_int_equal(level, LOG_INFO);
	if (b->slow)
		nanosleep(&(struct timespec){ .tv_nsec = 1000 * 1000 }, NULL);
	else
		strv_add(&b->lines, line);
}

static void on_died(void *arg, const char *name, const struct err *why)
{
	struct bench *b = arg;

	assert_string_equal(name, b->sidecar.name);
	b->deaths++;
	b->why = *why;
}

static const struct sidecar_events events = { on_audit, on_log, on_died, NULL };

static void start(struct bench *b, const char *name)
{
	char program[4096];
	own_str struct str config = STR_INIT;
	struct err err = ERR_INIT;

	*b = (struct bench){ .loop = LOOP_INIT, .sidecar = SIDECAR_INIT };
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	assert_true(n > 0);
	program[n] = '\0';
	own_fd int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0);
	str_add(&config, "what it is told");
	const struct sidecar_listener listeners[] = { { "proxy", listener } };
	const struct sidecar_spec spec = { .name = name,
		                           .program = program,
		                           .host_network = true,
		                           .listeners = listeners,
		                           .nlisteners = 1,
		                           .config = &config,
		                           .events = &events,
		                           .arg = b };
	assert_ok(loop_init(&b->loop, &err), &err);
	assert_ok(sidecar_start(&b->loop, &spec, &b->sidecar, &err), &err);
}

static void run_until(struct bench *b, const bool *done)
{
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	struct err err = ERR_INIT;

	while (!*done && clock_ms() < deadline)
		assert_ok(loop_step(&b->loop, 100, &err), &err);
	assert_true(*done);
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) != 0 && errno == ESRCH;
}

/* Stopped and reaped: a descriptor, an id, a process less. */
static void end(struct bench *b)
{
	pid_t pid = b->sidecar.proc.pid;

	sidecar_stop(&b->sidecar);
	assert_true(pid == 0 || is_gone(pid));
	assert_int_equal(b->sidecar.control, -1);
	sidecar_stop(&b->sidecar); /* once more is fine */
	loop_clear(&b->loop);
	strv_clear(&b->records);
	strv_clear(&b->lines);
}

static void it_is_given_its_sockets_and_its_configuration_and_nothing_else(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "tells-all");
	run_until(&b, &b.sidecar.ready);
	assert_int_equal(b.lines.n, 2);
	assert_string_equal(b.lines.v[0], "what it is told");
	assert_string_equal(b.lines.v[1], "a socket");
	/* The newest state is kept. */
	assert_string_equal(b.sidecar.state, "LISTEN_FDNAMES BOTTLE_CONTROL_FD BOTTLE_CONFIG_FD LISTEN_PID "
	                                     "LISTEN_FDS proxy");
	assert_int_equal(b.records.n, 1);
	assert_string_equal(b.records.v[0], "{\"first\":1}");
	sidecar_stop(&b.sidecar);
	assert_int_equal(b.records.n, 2);
	assert_string_equal(b.records.v[1], "{\"last\":1}");
	assert_int_equal(b.deaths, 0);
	end(&b);
}

static void what_it_says_at_its_end_is_heard_to_the_last_word(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "says-much-at-the-end");
	run_until(&b, &b.sidecar.ready);
	sidecar_stop(&b.sidecar);
	assert_int_equal(b.records.n, LAST_WORDS);
	assert_int_equal(b.deaths, 0);
	end(&b);
}

/* Each ends it, is told once and with its cause, and leaves no process behind. */
static void what_ends_it_is_told_once(void **state)
{
	static const struct {
		const char *name;
		bool ready;
		enum err_kind kind;
		const char *word;
	} cases[] = {
		{ "dies-first", false, ERR_UNCONFINED, "" },
		{ "gives-reason", false, ERR_UNCONFINED, "there is no cage for me" },
		{ "garbage", true, ERR_INPUT, "does not decode" },
		{ "descriptor", false, ERR_INPUT, "sent a descriptor" },
		{ "keepers", false, ERR_INPUT, "only a keeper sends" },
		{ "nobodys", false, ERR_INPUT, "message 67" },
		{ "hangs-up", true, ERR_UNCONFINED, "closed its control socket" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bench b;
		start(&b, cases[i].name);
		run_until(&b, &b.sidecar.dead);
		assert_int_equal(b.sidecar.ready, cases[i].ready);
		assert_int_equal(b.deaths, 1);
		assert_string_equal(err_kind_name(b.why.kind), err_kind_name(cases[i].kind));
		assert_non_null(strstr(b.why.text, cases[i].name));
		if (!strstr(b.why.text, cases[i].word))
			fail_msg("%s: %s", cases[i].name, b.why.text);
		end(&b);
		assert_int_equal(b.deaths, 1);
	}
}

static void one_that_hears_no_stop_is_killed(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "deaf");
	run_until(&b, &b.sidecar.ready);
	pid_t pid = b.sidecar.proc.pid;
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(kill(pid, 0), 0); /* the control: SIGTERM alone does nothing */
	end(&b);
	assert_int_equal(b.deaths, 0);
}

static void one_that_never_has_said_its_last_is_killed(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "talks-on");
	b.slow = true;
	run_until(&b, &b.sidecar.ready);
	end(&b);
	assert_int_equal(b.deaths, 0);
}

static void a_killed_one_is_told_like_any_other(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "deaf");
	run_until(&b, &b.sidecar.ready);
	proc_signal(&b.sidecar.proc, SIGKILL);
	run_until(&b, &b.sidecar.dead);
	assert_int_equal(b.deaths, 1);
	assert_int_equal(b.why.kind, ERR_UNCONFINED);
	end(&b);
}

static void new_names_of_servers_are_within_their_limit(void **state)
{
	struct bench b;
	own_mem char *big = xcalloc(1, SIDECAR_FILE_MAX + 1);
	const struct str wide = { big, SIDECAR_FILE_MAX + 1, 0 }, fits = { big, SIDECAR_FILE_MAX, 0 };
	struct err err = ERR_INIT;

	(void)state;
	start(&b, "deaf");
	run_until(&b, &b.sidecar.ready);
	assert_refused(sidecar_tell_resolver(&b.sidecar, &wide, &fits, &err), &err, ERR_INPUT,
	               "over the limit");
	assert_refused(sidecar_tell_resolver(&b.sidecar, &fits, &wide, &err), &err, ERR_INPUT,
	               "over the limit");
	err = (struct err)ERR_INIT;
	assert_ok(sidecar_tell_resolver(&b.sidecar, &fits, &fits, &err), &err);
	proc_signal(&b.sidecar.proc, SIGKILL);
	end(&b);
}

static void a_program_that_is_not_there_is_refused(void **state)
{
	own_loop struct loop loop = LOOP_INIT;
	struct sidecar none = SIDECAR_INIT;
	own_str struct str config = STR_INIT;
	const struct sidecar_spec spec = {
		.name = "none", .program = "/nonexistent/sidecar", .config = &config, .events = &events
	};
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(loop_init(&loop, &err), &err);
	assert_refused(sidecar_start(&loop, &spec, &none, &err), &err, ERR_MISSING, "/nonexistent/sidecar");
	assert_non_null(strstr(err.text, "sidecar none"));
	sidecar_stop(&none);
}

int main(int argc, char **argv)
{
	if (argc == 1 && getenv(SIDECAR_CONTROL_ENV))
		be(argv[0]);

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_given_its_sockets_and_its_configuration_and_nothing_else),
		cmocka_unit_test(what_it_says_at_its_end_is_heard_to_the_last_word),
		cmocka_unit_test(what_ends_it_is_told_once),
		cmocka_unit_test(one_that_hears_no_stop_is_killed),
		cmocka_unit_test(one_that_never_has_said_its_last_is_killed),
		cmocka_unit_test(a_killed_one_is_told_like_any_other),
		cmocka_unit_test(new_names_of_servers_are_within_their_limit),
		cmocka_unit_test(a_program_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
