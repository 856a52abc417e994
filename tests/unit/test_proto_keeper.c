#include "test.h"

#include <fcntl.h>
#include <string.h>

#include "proto/keeper.h"

static void fill_exec(struct keeper_message *m)
{
	*m = (struct keeper_message){ .say = KEEPER_EXEC, .terminal = true, .rows = 24, .columns = 80 };
	strv_add(&m->argv, "sh");
	strv_add(&m->argv, "-c");
	strv_add(&m->argv, "");
	strv_add(&m->env, "A=b");
	m->directory = xstrdup("/workspace/a");
	m->user = xstrdup("agent");
}

static void a_command_comes_back_as_it_went(void **state)
{
	own_keeper_message struct keeper_message m, got = KEEPER_MESSAGE_INIT;
	own_str struct str bytes = STR_INIT;
	struct err err = ERR_INIT;

	(void)state;
	fill_exec(&m);
	keeper_message_encode(&m, &bytes);
	assert_ok(keeper_message_decode(&bytes, &got, &err), &err);
	assert_int_equal(got.say, KEEPER_EXEC);
	assert_int_equal(got.argv.n, 3);
	assert_string_equal(got.argv.v[1], "-c");
	assert_string_equal(got.argv.v[2], "");
	assert_string_equal(strv_env(&got.env, "A"), "b");
	assert_string_equal(got.directory, "/workspace/a");
	assert_string_equal(got.user, "agent");
	assert_true(got.terminal && !got.self);
	assert_int_equal(got.rows, 24);
	assert_int_equal(got.columns, 80);
}

/* One of each kind but EXEC; texts and bytes are borrowed. */
static const struct keeper_message kinds[] = {
	{ .say = KEEPER_LAUNCH, .rows = 1, .columns = UINT16_MAX, .text = (char *)"dev-abcde" },
	{ .say = KEEPER_INFO },
	{ .say = KEEPER_ATTACH, .rows = 50, .columns = 132 },
	{ .say = KEEPER_INPUT, .bytes = { (char *)"a\0b", 3, 0 } },
	{ .say = KEEPER_RESIZE, .rows = 2, .columns = 3 },
	{ .say = KEEPER_SIGNAL, .number = 15 },
	{ .say = KEEPER_STOP },
	{ .say = KEEPER_STEP, .text = (char *)"starting the guest", .down = true },
	{ .say = KEEPER_NOTE, .text = (char *)"a line" },
	{ .say = KEEPER_STARTED, .number = 3, .text = (char *)"dev-abcde" },
	{ .say = KEEPER_OUTPUT, .error_stream = true, .bytes = { (char *)"\xff\0", 2, 0 } },
	{ .say = KEEPER_EXITED, .number = 137 },
	{ .say = KEEPER_ENDED },
	{ .say = KEEPER_STATUS, .text = (char *)"{}" },
	{ .say = KEEPER_FAILED, .why = { ERR_UNCONFINED, 13, "no" } },
	{ .say = KEEPER_TOOK, .number = KEEPER_BYTES },
};

static void every_other_message_comes_back_as_it_went(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		own_str struct str bytes = STR_INIT;
		own_keeper_message struct keeper_message got = KEEPER_MESSAGE_INIT;
		struct err err = ERR_INIT;
		keeper_message_encode(&kinds[i], &bytes);
		assert_ok(keeper_message_decode(&bytes, &got, &err), &err);
		assert_int_equal(got.say, kinds[i].say);
		assert_int_equal(got.rows, kinds[i].rows);
		assert_int_equal(got.columns, kinds[i].columns);
		assert_int_equal(got.number, kinds[i].number);
		assert_int_equal(got.down, kinds[i].down);
		assert_int_equal(got.error_stream, kinds[i].error_stream);
		assert_true(str_is(got.text, kinds[i].text));
		assert_int_equal(got.bytes.len, kinds[i].bytes.len);
		assert_memory_equal(str_c(&got.bytes), str_c(&kinds[i].bytes), kinds[i].bytes.len);
		assert_int_equal(got.why.kind, kinds[i].why.kind);
		assert_int_equal(got.why.sys, kinds[i].why.sys);
		assert_string_equal(got.why.text, kinds[i].why.text);
	}
}

static void assert_none_of_it_decodes(const struct str *whole, size_t n)
{
	/* Of exactly that size, so that a sanitizer sees a read behind the end. */
	own_mem char *cut = xmalloc(n ? n : 1);
	const struct str in = { cut, n, 0 };
	struct keeper_message got = { .number = 7 };
	struct err err = ERR_INIT;

	memcpy(cut, whole->data, n);
	assert_refused(keeper_message_decode(&in, &got, &err), &err, ERR_INPUT, "keeper message");
	assert_int_equal(got.number, 7);
	assert_null(got.argv.v);
}

static void a_message_that_is_cut_or_longer_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(kinds); i++) {
		own_keeper_message struct keeper_message exec = KEEPER_MESSAGE_INIT;
		own_str struct str bytes = STR_INIT;
		fill_exec(&exec);
		keeper_message_encode(i < ARRAY_LEN(kinds) ? &kinds[i] : &exec, &bytes);
		for (size_t n = 0; n < bytes.len; n++)
			assert_none_of_it_decodes(&bytes, n);
		str_addc(&bytes, '\0');
		assert_none_of_it_decodes(&bytes, bytes.len);
	}
}

/* Wherever a length or a count stands, and everywhere else too: a number that is far beyond the
 * message neither reads behind it nor makes room for what isn't there. */
static void no_length_reaches_behind_the_message(void **state)
{
	static const uint32_t lengths[] = { 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff, 4097, 65537 };
	own_keeper_message struct keeper_message exec = KEEPER_MESSAGE_INIT;
	own_str struct str bytes = STR_INIT;

	(void)state;
	fill_exec(&exec);
	keeper_message_encode(&exec, &bytes);
	/* Up to the command's directory each four bytes are a count, a length or a text. */
	for (size_t at = 1; at + 4 <= bytes.len; at++)
		for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
			own_mem char *changed = xmalloc(bytes.len);
			own_keeper_message struct keeper_message got = KEEPER_MESSAGE_INIT;
			struct str in = { changed, bytes.len, 0 };
			struct err err = ERR_INIT;
			memcpy(changed, bytes.data, bytes.len);
			memcpy(changed + at, &lengths[i], 4);
			if (keeper_message_decode(&in, &got, &err) == 0)
				assert_true(got.argv.n <= 3 && got.env.n <= 1);
			if (at == 1) /* the count of words itself */
				assert_int_equal(err.kind, ERR_INPUT);
		}
}

struct packed {
	struct str bytes;
};

static struct str *begin(struct packed *p, enum keeper_say say)
{
	str_reset(&p->bytes);
	pack_u8(&p->bytes, (uint8_t)say);
	return &p->bytes;
}

static void what_is_over_a_limit_or_of_no_kind_is_refused(void **state)
{
	struct packed p = { STR_INIT };
	own_mem char *big = xcalloc(1, KEEPER_STATUS_MAX + 2);

	(void)state;
	memset(big, 'x', KEEPER_STATUS_MAX + 1);
	assert_none_of_it_decodes(begin(&p, 0), 1);
	assert_none_of_it_decodes(begin(&p, KEEPER_TOOK + 1), 1);
	assert_none_of_it_decodes(begin(&p, 255), 1);

	pack_u32(begin(&p, KEEPER_RESIZE), UINT16_MAX + 1);
	pack_u32(&p.bytes, 1);
	assert_none_of_it_decodes(&p.bytes, p.bytes.len);

	pack_bytes(begin(&p, KEEPER_INPUT), big, KEEPER_BYTES + 1);
	assert_none_of_it_decodes(&p.bytes, p.bytes.len);

	pack_text(begin(&p, KEEPER_STATUS), big);
	assert_none_of_it_decodes(&p.bytes, p.bytes.len);

	big[KEEPER_TEXT + 1] = '\0';
	pack_text(begin(&p, KEEPER_NOTE), big);
	assert_none_of_it_decodes(&p.bytes, p.bytes.len);

	pack_bytes(begin(&p, KEEPER_NOTE), "a\0b", 3);
	assert_none_of_it_decodes(&p.bytes, p.bytes.len);

	pack_u8(begin(&p, KEEPER_STEP), 2); /* neither yes nor no */
	pack_text(&p.bytes, "step");
	assert_none_of_it_decodes(&p.bytes, p.bytes.len);

	static const uint32_t no_kinds[] = { ERR_NONE, ERR_SYSTEM + 1, 0xffffffff };
	for (size_t i = 0; i < ARRAY_LEN(no_kinds); i++) {
		pack_u32(begin(&p, KEEPER_FAILED), no_kinds[i]);
		pack_u32(&p.bytes, 0);
		pack_text(&p.bytes, "why");
		assert_none_of_it_decodes(&p.bytes, p.bytes.len);
	}
	str_clear(&p.bytes);
}

static void a_command_without_words_is_none(void **state)
{
	struct keeper_message m = { .say = KEEPER_EXEC };
	own_str struct str bytes = STR_INIT;

	(void)state;
	keeper_message_encode(&m, &bytes);
	assert_none_of_it_decodes(&bytes, bytes.len);
}

static void a_command_has_so_many_words_and_no_more(void **state)
{
	own_keeper_message struct keeper_message m = { .say = KEEPER_EXEC };
	own_keeper_message struct keeper_message got = KEEPER_MESSAGE_INIT;
	own_str struct str bytes = STR_INIT;
	struct err err = ERR_INIT;

	(void)state;
	for (int i = 0; i < KEEPER_ARGS; i++)
		strv_add(&m.argv, "x");
	keeper_message_encode(&m, &bytes);
	assert_ok(keeper_message_decode(&bytes, &got, &err), &err);
	assert_int_equal(got.argv.n, KEEPER_ARGS);
	strv_add(&m.argv, "x");
	str_reset(&bytes);
	keeper_message_encode(&m, &bytes);
	assert_none_of_it_decodes(&bytes, bytes.len);
}

static void over_a_socket_it_is_heard_with_its_descriptors(void **state)
{
	own_keeper_message struct keeper_message got = KEEPER_MESSAGE_INIT;
	own_msg struct msg raw = MSG_INIT;
	struct err err = ERR_INIT;
	int pair[2];

	(void)state;
	assert_ok(msg_pair(pair, &err), &err);
	own_fd int ours = pair[0], theirs = pair[1];
	own_fd int beside = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_ok(keeper_say(ours, &kinds[9], &beside, 1, &err), &err);
	assert_int_equal(keeper_hear(theirs, &raw, &got, &err), 1);
	assert_int_equal(got.say, KEEPER_STARTED);
	assert_int_equal(raw.nfds, 1);

	own_str struct str nonsense = STR_INIT;
	str_add(&nonsense, "\xee nonsense");
	assert_ok(msg_send(ours, &nonsense, NULL, 0, &err), &err);
	own_keeper_message struct keeper_message none = KEEPER_MESSAGE_INIT;
	assert_refused(keeper_hear(theirs, &raw, &none, &err), &err, ERR_INPUT, "unknown");
	fd_drop(&ours);
	assert_int_equal(keeper_hear(theirs, &raw, &none, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_comes_back_as_it_went),
		cmocka_unit_test(every_other_message_comes_back_as_it_went),
		cmocka_unit_test(a_message_that_is_cut_or_longer_is_refused),
		cmocka_unit_test(no_length_reaches_behind_the_message),
		cmocka_unit_test(what_is_over_a_limit_or_of_no_kind_is_refused),
		cmocka_unit_test(a_command_without_words_is_none),
		cmocka_unit_test(a_command_has_so_many_words_and_no_more),
		cmocka_unit_test(over_a_socket_it_is_heard_with_its_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
