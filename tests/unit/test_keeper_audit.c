/* The audit chain: what is appended verifies, and every way of tampering shows. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "keeper/audit.h"

static int place(void **state)
{
	char path[] = "/tmp/audit.XXXXXX";

	if (!mkdtemp(path))
		return -1;
	int *dir = xmalloc(sizeof *dir);
	*dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = dir;
	return *dir >= 0 ? 0 : -1;
}

static int leave(void **state)
{
	char link[64], path[4096];
	int dir = *(int *)*state;

	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	ssize_t n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	struct err err = ERR_INIT;
	dir_remove(AT_FDCWD, path, &err);
	close(dir);
	free(*state);
	return 0;
}

static void append(int dir, int n, struct audit_claim *claim, char head[SHA256_TEXT])
{
	own_audit struct audit a = AUDIT_INIT;
	struct err err = ERR_INIT;

	assert_ok(audit_open(dir, NULL, 1 << 20, &a, &err), &err);
	for (int i = 0; i < n; i++) {
		own_mem char *text = xasprintf("{\"kind\":\"test\",\"i\":%d}", i);
		assert_ok(audit_append_text(&a, text, &err), &err);
	}
	memcpy(head, a.head, SHA256_TEXT);
	*claim = (struct audit_claim){ a.count, head };
}

static void what_was_appended_verifies(void **state)
{
	int dir = *(int *)*state;
	struct audit_claim claim;
	struct audit_found found;
	char head[SHA256_TEXT];
	struct err err = ERR_INIT;

	append(dir, 3, &claim, head);
	append(dir, 2, &claim, head);
	assert_int_equal(claim.count, 5);
	assert_ok(audit_verify(dir, &claim, AUDIT_ENDED, &found, &err), &err);
	assert_int_equal(found.count, 5);
	assert_string_equal(found.head, head);
}

/* Replaces the log's text by what @edit makes of it. */
static void tamper(int dir, void (*edit)(struct str *text))
{
	own_str struct str text = STR_INIT;
	struct err err = ERR_INIT;

	assert_ok(file_read(dir, AUDIT_FILE, 1 << 20, &text, &err), &err);
	edit(&text);
	assert_ok(file_write(dir, AUDIT_FILE, text.data, text.len, 0600, &err), &err);
}

static void change_a_byte(struct str *t)
{
	*(char *)strstr(t->data, "\"i\":1") = '\'';
}
static void change_a_value(struct str *t)
{
	strstr(t->data, "\"i\":1")[4] = '7';
}
static void cut_the_end(struct str *t)
{
	t->len -= 5;
}
static void drop_the_last_line(struct str *t)
{
	t->len--;
	while (t->len > 0 && t->data[t->len - 1] != '\n')
		t->len--;
}
static void drop_the_first_line(struct str *t)
{
	str_cut_front(t, (size_t)(strchr(t->data, '\n') - t->data) + 1);
}
static void repeat_the_first_line(struct str *t)
{
	own_mem char *line = xstrndup(t->data, (size_t)(strchr(t->data, '\n') - t->data) + 1);

	str_add(t, line);
}
static void change_the_last_value(struct str *t)
{
	strstr(t->data, "\"i\":3")[4] = '7';
}

static void every_tampering_shows(void **state)
{
	static void (*const edits[])(struct str *) = { change_a_byte,        change_a_value,
		                                       cut_the_end,          drop_the_last_line,
		                                       drop_the_first_line,  repeat_the_first_line,
		                                       change_the_last_value };
	int dir = *(int *)*state;

	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		struct audit_claim claim;
		struct audit_found found = { 0 };
		char head[SHA256_TEXT];
		struct err err = ERR_INIT;
		unlinkat(dir, AUDIT_FILE, 0);
		append(dir, 4, &claim, head);
		assert_ok(audit_verify(dir, &claim, AUDIT_ENDED, &found, &err), &err);
		tamper(dir, edits[i]);
		assert_int_equal(audit_verify(dir, &claim, AUDIT_AHEAD, &found, &err), -1);
		assert_int_equal(err.kind, ERR_UNCONFINED);
	}
}

static void a_log_that_grew_contains_the_claim_only_where_that_is_asked(void **state)
{
	int dir = *(int *)*state;
	struct audit_claim early, late;
	struct audit_found found;
	char early_head[SHA256_TEXT], late_head[SHA256_TEXT];
	struct err err = ERR_INIT;

	append(dir, 2, &early, early_head);
	append(dir, 2, &late, late_head);
	assert_ok(audit_verify(dir, &early, AUDIT_AHEAD, &found, &err), &err);
	assert_int_equal(audit_verify(dir, &early, AUDIT_ENDED, &found, &err), -1);
}

static void a_record_can_not_bring_its_own_chain(void **state)
{
	int dir = *(int *)*state;
	own_audit struct audit a = AUDIT_INIT;
	struct err err = ERR_INIT;

	assert_ok(audit_open(dir, NULL, 1 << 20, &a, &err), &err);
	assert_int_equal(audit_append_text(&a, "{\"seq\":9}", &err), -1);
	assert_int_equal(audit_append_text(&a, "{\"prev\":\"x\"}", &err), -1);
	assert_int_equal(audit_append_text(&a, "[1]", &err), -1);
	assert_int_equal(audit_append_text(&a, "{\"a\":1}\n{\"b\":2}", &err), -1);
	assert_int_equal(a.count, 0);
	assert_ok(audit_append_text(&a, "{\"a\":1}", &err), &err);
}

/* The log with its limit of bytes: what fits of a line is written, and then no more. */
static int append_with_room_for(struct audit *a, rlim_t bytes, struct err *err)
{
	struct rlimit before, little;
	struct stat st;

	assert_int_equal(fstat(a->fd, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	little = (struct rlimit){ (rlim_t)st.st_size + bytes, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	int rc = audit_append_text(a, "{\"word\":\"cut\"}", err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	return rc;
}

static void a_line_that_does_not_fit_leaves_the_log_whole(void **state)
{
	int dir = *(int *)*state;
	struct sigaction quiet = { .sa_handler = SIG_IGN };
	own_audit struct audit a = AUDIT_INIT;
	struct audit_found found;
	struct err err = ERR_INIT;

	assert_int_equal(sigaction(SIGXFSZ, &quiet, NULL), 0);
	assert_ok(audit_open(dir, NULL, 1 << 20, &a, &err), &err);
	assert_ok(audit_append_text(&a, "{\"word\":\"first\"}", &err), &err);
	assert_refused(append_with_room_for(&a, 20, &err), &err, ERR_SYSTEM, "writing the audit log");
	assert_int_equal(a.count, 1);
	assert_ok(audit_verify(dir, &(struct audit_claim){ a.count, a.head }, AUDIT_ENDED, &found, &err),
	          &err);
	/* And it goes on when there is room again. */
	assert_ok(audit_append_text(&a, "{\"word\":\"second\"}", &err), &err);
	assert_ok(audit_verify(dir, &(struct audit_claim){ a.count, a.head }, AUDIT_ENDED, &found, &err),
	          &err);
	assert_int_equal(found.count, 2);
}

/* The first @n lines and @part bytes of what follows, as a kill in the middle of a write leaves it. */
static void cut_after(int dir, size_t n, size_t part)
{
	own_str struct str text = STR_INIT;
	struct err err = ERR_INIT;
	size_t at = 0;

	assert_ok(file_read(dir, AUDIT_FILE, 1 << 20, &text, &err), &err);
	while (n-- > 0)
		at = (size_t)(strchr(text.data + at, '\n') - text.data) + 1;
	assert_true(at + part < text.len);
	assert_ok(file_write(dir, AUDIT_FILE, text.data, at + part, 0600, &err), &err);
}

static void a_line_that_was_cut_is_named_and_not_continued(void **state)
{
	int dir = *(int *)*state;
	own_audit struct audit a = AUDIT_INIT;
	struct audit_claim all, two;
	struct audit_found found = { 0 };
	char all_head[SHA256_TEXT], two_head[SHA256_TEXT];
	struct err err = ERR_INIT;

	append(dir, 2, &two, two_head);
	append(dir, 2, &all, all_head);
	cut_after(dir, 2, 30);
	assert_refused(audit_verify(dir, &two, AUDIT_AHEAD, &found, &err), &err, ERR_UNCONFINED,
	               "line 3 of the audit log is cut short");
	assert_non_null(strstr(err.text, "30 bytes"));
	assert_non_null(strstr(err.text, "bottle cleanup"));
	assert_refused(audit_verify(dir, &two, AUDIT_ENDED, &found, &err), &err, ERR_UNCONFINED,
	               "line 3 of the audit log is cut short");
	assert_refused(audit_open(dir, &two, 1 << 20, &a, &err), &err, ERR_UNCONFINED, "line 3");
	/* A keeper that lives may just be writing it. */
	assert_ok(audit_verify(dir, &two, AUDIT_GROWING, &found, &err), &err);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.cut, 30);
	/* But not one that the record knows as whole. */
	assert_refused(audit_verify(dir, &all, AUDIT_GROWING, &found, &err), &err, ERR_UNCONFINED,
	               "2 lines and a part of one, and the record says 4");
}

static void a_line_that_was_cut_is_mended_into_the_chain(void **state)
{
	/* Also parts shorter and longer than the line that stands in their place, and none. */
	static const size_t parts[] = { 1, 30, 100, 0 };
	int dir = *(int *)*state;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		own_audit struct audit a = AUDIT_INIT;
		own_str struct str text = STR_INIT;
		struct audit_claim all, two;
		struct audit_found found = { 0 };
		char all_head[SHA256_TEXT], two_head[SHA256_TEXT];
		struct err err = ERR_INIT;

		unlinkat(dir, AUDIT_FILE, 0);
		append(dir, 2, &two, two_head);
		append(dir, 2, &all, all_head);
		cut_after(dir, 2, parts[i]);
		assert_ok(audit_mend(dir, &two, &found, &err), &err);
		assert_int_equal(found.cut, parts[i]);
		assert_int_equal(found.count, parts[i] ? 3 : 2);
		struct audit_claim now = { found.count, found.head };
		assert_ok(audit_open(dir, &now, 1 << 20, &a, &err), &err);
		assert_ok(audit_append_text(&a, "{\"kind\":\"after\"}", &err), &err);
		assert_ok(audit_verify(dir, &(struct audit_claim){ a.count, a.head }, AUDIT_ENDED, &found,
		                       &err),
		          &err);
		assert_ok(file_read(dir, AUDIT_FILE, 1 << 20, &text, &err), &err);
		assert_true(!strstr(text.data, "\"kind\":\"mended\"") == (parts[i] == 0));
	}
}

static void a_log_that_was_tampered_with_is_not_mended(void **state)
{
	int dir = *(int *)*state;
	struct audit_claim all, two;
	struct audit_found found = { 0 };
	char all_head[SHA256_TEXT], two_head[SHA256_TEXT];
	own_str struct str before = STR_INIT, after = STR_INIT;
	struct err err = ERR_INIT;

	append(dir, 2, &two, two_head);
	append(dir, 2, &all, all_head);
	cut_after(dir, 3, 30);
	assert_ok(file_read(dir, AUDIT_FILE, 1 << 20, &before, &err), &err);
	/* The record knows of a fourth line. */
	assert_refused(audit_mend(dir, &all, &found, &err), &err, ERR_UNCONFINED, "the record says 4");
	assert_ok(file_read(dir, AUDIT_FILE, 1 << 20, &after, &err), &err);
	assert_string_equal(after.data, before.data);
	tamper(dir, change_a_value);
	assert_refused(audit_mend(dir, &two, &found, &err), &err, ERR_UNCONFINED, "line ");
}

static void a_full_log_takes_no_line_more_but_what_ends_the_bottle(void **state)
{
	int dir = *(int *)*state;
	own_audit struct audit a = AUDIT_INIT, again = AUDIT_INIT;
	struct audit_found found = { 0 };
	struct stat st;
	struct err err = ERR_INIT;
	size_t lines = 0;

	assert_ok(audit_open(dir, NULL, 2000, &a, &err), &err);
	while (audit_append_text(&a, "{\"word\":\"again\"}", &err) == 0)
		lines++;
	assert_int_equal(err.kind, ERR_UNCONFINED);
	assert_non_null(strstr(err.text, "the audit log is full"));
	assert_true(lines > 5);
	assert_int_equal(fstatat(dir, AUDIT_FILE, &st, 0), 0);
	assert_true(st.st_size <= 2000);
	audit_close_up(&a);
	err = (struct err)ERR_INIT;
	assert_ok(audit_append_text(&a, "{\"kind\":\"end\"}", &err), &err);
	while (audit_append_text(&a, "{\"kind\":\"and on\"}", &err) == 0)
		;
	assert_int_equal(fstatat(dir, AUDIT_FILE, &st, 0), 0);
	assert_true(st.st_size <= 2000 + AUDIT_RESERVE);
	struct audit_claim claim = { a.count, a.head };
	err = (struct err)ERR_INIT;
	assert_ok(audit_verify(dir, &claim, AUDIT_ENDED, &found, &err), &err);
	assert_refused(audit_open(dir, &claim, 2000, &again, &err), &err, ERR_UNCONFINED, "limits.audit_mib");
	/* With a higher limit it goes on (control). */
	err = (struct err)ERR_INIT;
	assert_ok(audit_open(dir, &claim, 1 << 20, &again, &err), &err);
	assert_ok(audit_append_text(&again, "{\"kind\":\"start\"}", &err), &err);
}

static void bytes_that_are_not_utf8_do_not_break_the_chain(void **state)
{
	int dir = *(int *)*state;
	own_audit struct audit a = AUDIT_INIT;
	own_json json *record = json_object_of();
	own_str struct str text = STR_INIT;
	struct audit_found found = { 0 };
	struct err err = ERR_INIT;

	assert_ok(audit_open(dir, NULL, 1 << 20, &a, &err), &err);
	json_set_string(record, "bad", "a\xff\xfe\"\xc3");
	json_set_string(record, "good", "\xc3\xbc");
	assert_ok(audit_append(&a, record, &err), &err);
	assert_ok(audit_append_text(&a, "{\"kind\":\"test\"}", &err), &err);
	const struct audit_claim claim = { a.count, a.head };
	assert_ok(audit_verify(dir, &claim, AUDIT_ENDED, &found, &err), &err);
	assert_ok(file_read(dir, AUDIT_FILE, 1 << 20, &text, &err), &err);
	assert_non_null(strstr(text.data, "\"a\xef\xbf\xbd\xef\xbf\xbd\\\"\xef\xbf\xbd\""));
	assert_non_null(strstr(text.data, "\"\xc3\xbc\""));
}

static void what_is_no_line_is_told_from_what_was_cut(void **state)
{
	int dir = *(int *)*state;
	struct audit_found found = { 0 };
	struct err err = ERR_INIT;
	own_mem char *zeros = xcalloc(1, AUDIT_LINE_MAX + 2);

	assert_ok(file_write(dir, AUDIT_FILE, "{}\0{}\n", 6, 0600, &err), &err);
	assert_refused(audit_verify(dir, NULL, AUDIT_AHEAD, &found, &err), &err, ERR_UNCONFINED,
	               "line 1 of the audit log is not a JSON object");
	/* What a file system leaves of a write that never reached the disk. */
	assert_ok(file_write(dir, AUDIT_FILE, zeros, 100, 0600, &err), &err);
	assert_refused(audit_verify(dir, NULL, AUDIT_AHEAD, &found, &err), &err, ERR_UNCONFINED,
	               "line 1 of the audit log is cut short");
	assert_ok(audit_mend(dir, NULL, &found, &err), &err);
	assert_int_equal(found.count, 1);
	assert_ok(file_write(dir, AUDIT_FILE, zeros, AUDIT_LINE_MAX + 2, 0600, &err), &err);
	assert_refused(audit_verify(dir, NULL, AUDIT_GROWING, &found, &err), &err, ERR_UNCONFINED,
	               "over the limit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_appended_verifies, place, leave),
		cmocka_unit_test_setup_teardown(every_tampering_shows, place, leave),
		cmocka_unit_test_setup_teardown(a_log_that_grew_contains_the_claim_only_where_that_is_asked,
		                                place, leave),
		cmocka_unit_test_setup_teardown(a_record_can_not_bring_its_own_chain, place, leave),
		cmocka_unit_test_setup_teardown(a_line_that_does_not_fit_leaves_the_log_whole, place, leave),
		cmocka_unit_test_setup_teardown(a_line_that_was_cut_is_named_and_not_continued, place, leave),
		cmocka_unit_test_setup_teardown(a_line_that_was_cut_is_mended_into_the_chain, place, leave),
		cmocka_unit_test_setup_teardown(a_log_that_was_tampered_with_is_not_mended, place, leave),
		cmocka_unit_test_setup_teardown(a_full_log_takes_no_line_more_but_what_ends_the_bottle, place,
		                                leave),
		cmocka_unit_test_setup_teardown(bytes_that_are_not_utf8_do_not_break_the_chain, place, leave),
		cmocka_unit_test_setup_teardown(what_is_no_line_is_told_from_what_was_cut, place, leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
