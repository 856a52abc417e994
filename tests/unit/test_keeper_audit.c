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

	assert_ok(audit_open(dir, &a, &err), &err);
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
	assert_ok(audit_verify(dir, &claim, false, &found, &err), &err);
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
		assert_ok(audit_verify(dir, &claim, false, &found, &err), &err);
		tamper(dir, edits[i]);
		assert_int_equal(audit_verify(dir, &claim, true, &found, &err), -1);
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
	assert_ok(audit_verify(dir, &early, true, &found, &err), &err);
	assert_int_equal(audit_verify(dir, &early, false, &found, &err), -1);
}

static void a_record_can_not_bring_its_own_chain(void **state)
{
	int dir = *(int *)*state;
	own_audit struct audit a = AUDIT_INIT;
	struct err err = ERR_INIT;

	assert_ok(audit_open(dir, &a, &err), &err);
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
	assert_ok(audit_open(dir, &a, &err), &err);
	assert_ok(audit_append_text(&a, "{\"word\":\"first\"}", &err), &err);
	assert_refused(append_with_room_for(&a, 20, &err), &err, ERR_SYSTEM, "writing the audit log");
	assert_int_equal(a.count, 1);
	assert_ok(audit_verify(dir, &(struct audit_claim){ a.count, a.head }, false, &found, &err), &err);
	/* And it goes on when there is room again. */
	assert_ok(audit_append_text(&a, "{\"word\":\"second\"}", &err), &err);
	assert_ok(audit_verify(dir, &(struct audit_claim){ a.count, a.head }, false, &found, &err), &err);
	assert_int_equal(found.count, 2);
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
