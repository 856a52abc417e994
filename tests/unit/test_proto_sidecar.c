#include "test.h"

#include <string.h>

#include "proto/egress.h"
#include "proto/sidecar.h"

static struct strv two_records(void)
{
	struct strv made = STRV_INIT;

	strv_add(&made, "{\"a\":1}");
	strv_add(&made, "{\"b\":2}");
	return made;
}

/* One of each kind but AUDIT; texts and bytes are borrowed. */
static const struct sidecar_message kinds[] = {
	{ .say = SIDECAR_READY },
	{ .say = SIDECAR_FAILED, .why = { ERR_UNCONFINED, 0, "the cage" } },
	{ .say = SIDECAR_LOG, .level = LOG_INFO, .text = (char *)"a line" },
	{ .say = SIDECAR_STATE, .text = (char *)"{\"open\":2}" },
	{ .say = SIDECAR_RESOLVER,
	  .resolv_conf = { (char *)"nameserver ::1\n", 15, 0 },
	  .hosts = { (char *)"a\0b", 3, 0 } },
	{ .say = SIDECAR_STOP },
};

static void assert_same(const struct sidecar_message *got, const struct sidecar_message *m)
{
	assert_int_equal(got->say, m->say);
	assert_int_equal(got->level, m->level);
	assert_true(str_is(got->text, m->text));
	assert_int_equal(got->why.kind, m->why.kind);
	assert_string_equal(got->why.text, m->why.text);
	assert_int_equal(got->resolv_conf.len, m->resolv_conf.len);
	assert_memory_equal(str_c(&got->resolv_conf), str_c(&m->resolv_conf), m->resolv_conf.len);
	assert_int_equal(got->hosts.len, m->hosts.len);
	assert_memory_equal(str_c(&got->hosts), str_c(&m->hosts), m->hosts.len);
	assert_int_equal(got->records.n, m->records.n);
	for (size_t i = 0; i < m->records.n; i++)
		assert_string_equal(got->records.v[i], m->records.v[i]);
}

static void every_message_comes_back_as_it_went(void **state)
{
	own_sidecar_message struct sidecar_message audit = { .say = SIDECAR_AUDIT, .records = two_records() };

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(kinds); i++) {
		const struct sidecar_message *m = i < ARRAY_LEN(kinds) ? &kinds[i] : &audit;
		own_sidecar_message struct sidecar_message got = SIDECAR_MESSAGE_INIT;
		own_str struct str bytes = STR_INIT;
		struct err err = ERR_INIT;
		sidecar_message_encode(m, &bytes);
		assert_ok(sidecar_message_decode(&bytes, &got, &err), &err);
		assert_same(&got, m);
	}
}

static void assert_none_of_it_decodes(const struct str *whole, size_t n)
{
	/* Of exactly that size, so that a sanitizer sees a read behind the end. */
	own_mem char *cut = xmalloc(n ? n : 1);
	const struct str in = { cut, n, 0 };
	struct sidecar_message got = { .level = LOG_WARN };
	struct err err = ERR_INIT;

	memcpy(cut, whole->data, n);
	assert_refused(sidecar_message_decode(&in, &got, &err), &err, ERR_INPUT, "sidecar message");
	assert_int_equal(got.level, LOG_WARN);
	assert_null(got.text);
	assert_null(got.records.v);
}

static void a_message_that_is_cut_or_longer_is_refused(void **state)
{
	own_sidecar_message struct sidecar_message audit = { .say = SIDECAR_AUDIT, .records = two_records() };

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(kinds); i++) {
		own_str struct str bytes = STR_INIT;
		sidecar_message_encode(i < ARRAY_LEN(kinds) ? &kinds[i] : &audit, &bytes);
		for (size_t n = 0; n < bytes.len; n++)
			assert_none_of_it_decodes(&bytes, n);
		str_addc(&bytes, '\0');
		assert_none_of_it_decodes(&bytes, bytes.len);
	}
}

static void no_length_reaches_behind_the_message(void **state)
{
	static const uint32_t lengths[] = { 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff };
	own_sidecar_message struct sidecar_message audit = { .say = SIDECAR_AUDIT, .records = two_records() };

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(kinds); i++) {
		const struct sidecar_message *m = i < ARRAY_LEN(kinds) ? &kinds[i] : &audit;
		own_str struct str bytes = STR_INIT;
		sidecar_message_encode(m, &bytes);
		if (bytes.len < 5)
			continue;
		/* Behind the type there is a count, a length, or a number that is out of range. */
		for (size_t k = 0; k < ARRAY_LEN(lengths); k++) {
			memcpy(bytes.data + 1, &lengths[k], 4);
			assert_none_of_it_decodes(&bytes, bytes.len);
		}
	}
}

static void what_is_over_a_limit_or_of_no_kind_is_refused(void **state)
{
	own_mem char *big = xcalloc(1, SIDECAR_STATE_MAX + 2);
	own_sidecar_message struct sidecar_message many = { .say = SIDECAR_AUDIT };
	const struct {
		enum sidecar_say say;
		size_t limit;
	} texts[] = { { SIDECAR_STATE, SIDECAR_STATE_MAX }, { SIDECAR_LOG, SIDECAR_LOG_LINE } };
	struct err err = ERR_INIT;

	(void)state;
	for (int say = 0; say < SIDECAR_OWN; say++) {
		char byte = (char)say;
		struct str in = { &byte, 1, 0 };
		if (say != SIDECAR_READY && say != SIDECAR_STOP)
			assert_none_of_it_decodes(&in, 1);
	}
	memset(big, 'x', SIDECAR_STATE_MAX + 1);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		own_sidecar_message struct sidecar_message got = SIDECAR_MESSAGE_INIT;
		own_str struct str bytes = STR_INIT;
		own_mem char *text = xstrndup(big, texts[i].limit + 1);
		struct sidecar_message m = { .say = texts[i].say, .text = text };
		sidecar_message_encode(&m, &bytes);
		assert_none_of_it_decodes(&bytes, bytes.len);
		text[texts[i].limit] = '\0';
		str_reset(&bytes);
		sidecar_message_encode(&m, &bytes);
		assert_ok(sidecar_message_decode(&bytes, &got, &err), &err);
	}
	for (int i = 0; i <= SIDECAR_AUDIT_BATCH; i++)
		strv_add(&many.records, "{}");
	own_str struct str bytes = STR_INIT;
	sidecar_message_encode(&many, &bytes);
	assert_none_of_it_decodes(&bytes, bytes.len);

	struct sidecar_message wide = { .say = SIDECAR_RESOLVER, .hosts = { big, SIDECAR_FILE_MAX + 1, 0 } };
	str_reset(&bytes);
	sidecar_message_encode(&wide, &bytes);
	assert_none_of_it_decodes(&bytes, bytes.len);
}

/* What a sidecar says of its own is for its own decoder. */
static void a_sidecars_own_message_is_just_its_number(void **state)
{
	own_sidecar_message struct sidecar_message got = SIDECAR_MESSAGE_INIT;
	own_str struct str bytes = STR_INIT;
	own_mem char *pem = NULL;
	struct err err = ERR_INIT;

	(void)state;
	egress_ca_encode("-----BEGIN CERTIFICATE-----\n", &bytes);
	assert_ok(sidecar_message_decode(&bytes, &got, &err), &err);
	assert_int_equal(got.say, EGRESS_CA);
	assert_null(got.text);
	for (size_t n = 0; n < bytes.len; n++) {
		struct str cut = { bytes.data, n, 0 };
		assert_refused(egress_ca_decode(&cut, &pem, &err), &err, ERR_INPUT, "certificate");
	}
	assert_ok(egress_ca_decode(&bytes, &pem, &err), &err);
	assert_string_equal(pem, "-----BEGIN CERTIFICATE-----\n");
	str_addc(&bytes, '\0');
	own_mem char *none = NULL;
	assert_refused(egress_ca_decode(&bytes, &none, &err), &err, ERR_INPUT, "certificate");
}

static void a_long_line_of_the_log_is_cut_where_it_is_said(void **state)
{
	own_sidecar_message struct sidecar_message got = SIDECAR_MESSAGE_INIT;
	own_msg struct msg raw = MSG_INIT;
	own_mem char *line = xcalloc(1, SIDECAR_LOG_LINE + 100);
	struct err err = ERR_INIT;
	int pair[2];

	(void)state;
	memset(line, 'l', SIDECAR_LOG_LINE + 99);
	assert_ok(msg_pair(pair, &err), &err);
	own_fd int ours = pair[0], theirs = pair[1];
	assert_ok(sidecar_say_log(ours, LOG_WARN, line, &err), &err);
	assert_int_equal(msg_recv(theirs, &raw, &err), 1);
	assert_ok(sidecar_message_decode(&raw.bytes, &got, &err), &err);
	assert_int_equal(strlen(got.text), SIDECAR_LOG_LINE);
	assert_int_equal(got.level, LOG_WARN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_back_as_it_went),
		cmocka_unit_test(a_message_that_is_cut_or_longer_is_refused),
		cmocka_unit_test(no_length_reaches_behind_the_message),
		cmocka_unit_test(what_is_over_a_limit_or_of_no_kind_is_refused),
		cmocka_unit_test(a_sidecars_own_message_is_just_its_number),
		cmocka_unit_test(a_long_line_of_the_log_is_cut_where_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
