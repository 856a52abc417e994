#include "test.h"

#include <errno.h>
#include <string.h>

#include "proto/init.h"
#include "proto/probe.h"

static void encode_run(struct str *out, size_t ntargets)
{
	own_init_msg struct init_msg m = { .kind = INIT_RUN,
		                           .id = 7,
		                           .run = { .terminal = true,
		                                    .rows = 24,
		                                    .columns = 80,
		                                    .uid = 1000,
		                                    .gid = 1000,
		                                    .targets = { 3 },
		                                    .ntargets = ntargets } };

	strv_add(&m.run.argv, "sh");
	strv_add(&m.run.argv, "-c");
	strv_add(&m.run.env, "A=b");
	m.run.cwd = xstrdup("/home/agent");
	init_msg_encode(&m, out);
}

static void a_program_to_run_comes_back_as_it_went(void **state)
{
	own_str struct str bytes = STR_INIT;
	own_init_msg struct init_msg got = INIT_MSG_INIT;
	struct err err = ERR_INIT;

	(void)state;
	encode_run(&bytes, 1);
	assert_ok(init_msg_decode(bytes.data, bytes.len, 1, &got, &err), &err);
	assert_int_equal(got.kind, INIT_RUN);
	assert_int_equal(got.id, 7);
	assert_true(got.run.terminal);
	assert_int_equal(got.run.columns, 80);
	assert_int_equal(got.run.argv.n, 2);
	assert_string_equal(got.run.argv.v[1], "-c");
	assert_string_equal(strv_env(&got.run.env, "A"), "b");
	assert_string_equal(got.run.cwd, "/home/agent");
	assert_int_equal(got.run.targets[0], 3);
}

static void every_other_message_comes_back_as_it_went(void **state)
{
	const struct init_msg cases[] = {
		{ .kind = INIT_RESIZE, .id = 1, .rows = 50, .columns = 132 },
		{ .kind = INIT_SIGNAL, .id = 2, .signal = 15 },
		{ .kind = INIT_READY },
		{ .kind = INIT_STARTED, .id = 3, .pid = 4, .has_terminal = true },
		{ .kind = INIT_FAILED, .id = 5, .sys = ENOENT, .text = "nope: No such file or directory" },
		{ .kind = INIT_EXITED, .id = 6, .status = 0x0100 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str bytes = STR_INIT;
		own_init_msg struct init_msg got = INIT_MSG_INIT;
		struct err err = ERR_INIT;
		init_msg_encode(&cases[i], &bytes);
		assert_ok(init_msg_decode(bytes.data, bytes.len, cases[i].has_terminal, &got, &err), &err);
		assert_int_equal(got.kind, cases[i].kind);
		assert_int_equal(got.id, cases[i].id);
		assert_int_equal(got.rows, cases[i].rows);
		assert_int_equal(got.signal, cases[i].signal);
		assert_int_equal(got.pid, cases[i].pid);
		assert_int_equal(got.sys, cases[i].sys);
		assert_int_equal(got.status, cases[i].status);
		if (cases[i].text)
			assert_string_equal(got.text, cases[i].text);
	}
}

/* Neither shortened nor lengthened anywhere, nor with another number of descriptors. */
static void a_message_that_is_not_whole_is_refused(void **state)
{
	own_str struct str bytes = STR_INIT;
	own_init_msg struct init_msg got = INIT_MSG_INIT;
	struct err err = ERR_INIT;

	(void)state;
	encode_run(&bytes, 1);
	for (size_t n = 0; n < bytes.len; n++)
		assert_refused(init_msg_decode(bytes.data, n, 1, &got, &err), &err, ERR_INPUT, "malformed");
	assert_refused(init_msg_decode(bytes.data, bytes.len, 0, &got, &err), &err, ERR_INPUT, "malformed");
	assert_refused(init_msg_decode(bytes.data, bytes.len, 2, &got, &err), &err, ERR_INPUT, "malformed");
	str_addc(&bytes, 'x');
	assert_refused(init_msg_decode(bytes.data, bytes.len, 1, &got, &err), &err, ERR_INPUT, "malformed");
}

static void numbers_out_of_range_are_refused(void **state)
{
	const struct init_msg cases[] = {
		{ .kind = INIT_SIGNAL, .signal = 1000 },    { .kind = INIT_STARTED, .pid = -1 },
		{ .kind = INIT_EXITED, .status = 0x10000 }, { .kind = INIT_FAILED, .sys = 100000 },
		{ .kind = INIT_RESIZE, .rows = 20000 },     { .kind = (enum init_kind)99 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str bytes = STR_INIT;
		own_init_msg struct init_msg got = INIT_MSG_INIT;
		struct err err = ERR_INIT;
		init_msg_encode(&cases[i], &bytes);
		assert_refused(init_msg_decode(bytes.data, bytes.len, 0, &got, &err), &err, ERR_INPUT,
		               "malformed");
	}
}

static void a_task_and_its_report_come_back_as_they_went(void **state)
{
	static struct probe_task task, got;
	static struct probe_report report, read;
	own_str struct str bytes = STR_INIT;
	own_str struct str answer = STR_INIT;
	struct err err = ERR_INIT;

	(void)state;
	task = (struct probe_task){
		.launch = { 1, 2 },
		.deadline_ms = 500,
		.n = 1,
		.targets = { { .id = 9, .family = PROBE_UDP, .port = 53, .nonce = { 3 }, .want = 4 } }
	};
	task.targets[0].address = xstrdup("127.0.0.1");
	str_add(&task.targets[0].request, "hello");
	probe_task_encode(&task, &bytes);
	assert_ok(probe_task_decode(bytes.data, bytes.len, &got, &err), &err);
	assert_int_equal(got.targets[0].id, 9);
	assert_int_equal(got.targets[0].family, PROBE_UDP);
	assert_string_equal(got.targets[0].address, "127.0.0.1");
	assert_string_equal(got.targets[0].request.data, "hello");
	assert_int_equal(got.launch[1], 2);
	for (size_t n = 0; n < bytes.len; n++) {
		static struct probe_task none;
		assert_refused(probe_task_decode(bytes.data, n, &none, &err), &err, ERR_INPUT, "malformed");
	}

	report = (struct probe_report){ .launch = { 5 },
		                        .n = 1,
		                        .results = { { .id = 9,
		                                       .outcome = PROBE_REFUSED,
		                                       .stage = PROBE_AT_CONNECT,
		                                       .error = ECONNREFUSED } } };
	probe_report_encode(&report, &answer);
	assert_ok(probe_report_decode(answer.data, answer.len, &read, &err), &err);
	assert_int_equal(read.results[0].error, ECONNREFUSED);
	assert_int_equal(read.results[0].outcome, PROBE_REFUSED);
	assert_int_equal(read.launch[0], 5);
	for (size_t n = 0; n < answer.len; n++) {
		static struct probe_report none;
		assert_refused(probe_report_decode(answer.data, n, &none, &err), &err, ERR_INPUT,
		               "malformed");
	}
	probe_task_clear(&task);
	probe_task_clear(&got);
	probe_report_clear(&report);
	probe_report_clear(&read);
}

static char *long_text(size_t n)
{
	char *text = xmalloc(n + 1);

	memset(text, 'x', n);
	text[n] = '\0';
	return text;
}

static void add_long(struct strv *to, size_t n)
{
	strv_take(to, long_text(n));
}

static void put_last(struct strv *in, char *text)
{
	free(in->v[in->n - 1]);
	in->v[in->n - 1] = text;
}

/* As a backend asks for it: with words of its own before it, and each variable as two words more. */
static void assert_can_be_asked_for(const struct strv *argv, const struct strv *env)
{
	own_init_msg struct init_msg m = { .kind = INIT_RUN, .id = 1 };
	own_init_msg struct init_msg got = INIT_MSG_INIT;
	own_str struct str bytes = STR_INIT;
	struct err err = ERR_INIT;

	for (int i = 0; i < 14; i++)
		strv_add(&m.run.argv, "machine");
	for (size_t i = 0; i < env->n; i++) {
		strv_add(&m.run.argv, "-e");
		strv_add(&m.run.argv, env->v[i]);
	}
	for (size_t i = 0; i < argv->n; i++)
		strv_add(&m.run.argv, argv->v[i]);
	add_long(&m.run.env, 4096);
	add_long(&m.run.argv, 4096);
	m.run.cwd = long_text(4095);
	m.run.cwd[0] = '/';
	init_msg_encode(&m, &bytes);
	assert_true(bytes.len <= MSG_MAX);
	assert_ok(init_msg_decode(bytes.data, bytes.len, 0, &got, &err), &err);
}

static void a_command_within_its_limits_can_be_asked_for_and_no_other_is(void **state)
{
	static const struct {
		size_t words, each, variables, value;
		const char *refused; /* with one byte, or one word, more */
		bool a_word_more;
	} cases[] = {
		{ INIT_WORDS_MAX, 1, 0, 0, "4097 words, over the limit of 4096", true },
		{ INIT_WORDS_MAX, 1, 1000, 40, "4097 words", true },
		{ 1, INIT_TEXT_MAX, 0, 0, "word 1 of the command has 65537 bytes, over the limit of 65536",
		  false },
		{ 1, 1, 1, INIT_TEXT_MAX - 2, "the variable V has 65537 bytes", false },
		{ 4, INIT_COMMAND_MAX / 4 - INIT_WORD_EXTRA, 0, 0, "together, over the limit of 114688",
		  false },
		{ 1, INIT_TEXT_MAX, 1, INIT_COMMAND_MAX - INIT_TEXT_MAX - 2 * INIT_WORD_EXTRA - 2, "together",
		  true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_strv struct strv argv = STRV_INIT, env = STRV_INIT;
		struct err err = ERR_INIT;
		for (size_t n = 0; n < cases[i].words; n++)
			add_long(&argv, cases[i].each);
		for (size_t n = 0; n < cases[i].variables; n++) {
			own_mem char *value = long_text(cases[i].value);
			strv_addf(&env, "V=%s", value);
		}
		assert_ok(init_check_command(&argv, &env, &err), &err);
		assert_can_be_asked_for(&argv, &env);
		struct strv *last = env.n == 1 && !cases[i].a_word_more ? &env : &argv;
		own_mem char *more = xasprintf("%sx", last->v[last->n - 1]);
		if (cases[i].a_word_more)
			strv_add(&argv, "x");
		else
			put_last(last, mem_steal(&more));
		assert_refused(init_check_command(&argv, &env, &err), &err, ERR_USAGE, cases[i].refused);
		assert_non_null(strstr(err.text, "file"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_to_run_comes_back_as_it_went),
		cmocka_unit_test(every_other_message_comes_back_as_it_went),
		cmocka_unit_test(a_message_that_is_not_whole_is_refused),
		cmocka_unit_test(numbers_out_of_range_are_refused),
		cmocka_unit_test(a_command_within_its_limits_can_be_asked_for_and_no_other_is),
		cmocka_unit_test(a_task_and_its_report_come_back_as_they_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
