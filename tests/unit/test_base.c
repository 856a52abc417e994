#include "test.h"

#include <openssl/evp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/msg.h"
#include "base/proc.h"
#include "base/sha256.h"
#include "base/utf8.h"

static void nouns_are_counted(void **state)
{
	(void)state;
	assert_string_equal(str_plural(0), "s");
	assert_string_equal(str_plural(1), "");
	assert_string_equal(str_plural(2), "s");
}

static void a_text_that_does_not_fit_shows_that_it_was_cut(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	char long_text[1000];

	memset(long_text, 'x', sizeof long_text);
	long_text[sizeof long_text - 1] = '\0';
	assert_int_equal(fail(&err, ERR_INPUT, "%s", long_text), -1);
	assert_true(str_ends(err.text, "..."));
	errno = ENOENT;
	assert_int_equal(fail_errno(&err, "open x"), -1);
	assert_int_equal(err.kind, ERR_MISSING);
	fail_in(&err, "bottle %s", "a");
	assert_string_equal(err.text, "bottle a: open x: No such file or directory");
}

static void base64_has_one_spelling_per_byte_string(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool url, ok;
		const char *bytes;
	} cases[] = {
		{ "aGVsbG8=", false, true, "hello" },
		{ "aGVsbG8", false, true, "hello" },
		{ "aGVsbG9=", false, false, "" },
		{ "aGVsbG8==", false, false, "" },
		{ "-_-_", true, true, "\xfb\xff\xbf" },
		{ "-_-_", false, false, "" },
		{ "a", false, false, "" },
		{ "aGVs\nbG8=", false, false, "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str out = STR_INIT;
		assert_int_equal(base64_decode(&out, cases[i].text, strlen(cases[i].text), cases[i].url),
		                 cases[i].ok);
		assert_string_equal(str_c(&out), cases[i].bytes);
	}
}

static void numbers_are_whole_and_bounded(void **state)
{
	(void)state;
	unsigned long n = 7;

	assert_true(str_number("65535", 1, 65535, &n) && n == 65535);
	assert_false(str_number("65536", 1, 65535, &n));
	assert_false(str_number("+1", 0, 9, &n));
	assert_false(str_number("", 0, 9, &n));
	assert_false(str_number("99999999999999999999999", 0, 5, &n));
	assert_int_equal(str_distance("egres", "egress"), 1);
	assert_int_equal(str_distance("hots", "host"), 1);
}

static void numbers_and_times_are_printed(void **state)
{
	static const struct {
		int64_t unix_ms;
		const char *text;
	} times[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 951782400007, "2000-02-29T00:00:00.007Z" },
		{ 1767225599999, "2025-12-31T23:59:59.999Z" },
	};
	own_str struct str out = STR_INIT;

	(void)state;
	str_add_number(&out, 0);
	str_addc(&out, ' ');
	str_add_number(&out, 18446744073709551615u);
	assert_string_equal(out.data, "0 18446744073709551615");
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		char text[CLOCK_TEXT];
		clock_text(times[i].unix_ms, text);
		assert_string_equal(text, times[i].text);
	}
}

static void a_format_is_printed_whole_whatever_room_there_is(void **state)
{
	(void)state;
	for (size_t before = 0; before < 70; before++) {
		own_str struct str out = STR_INIT;
		for (size_t i = 0; i < before; i++)
			str_addc(&out, '.');
		str_addf(&out, "%s-%d", "0123456789012345678901234567890", 42);
		assert_int_equal(out.len, before + 34);
		assert_string_equal(out.data + before, "0123456789012345678901234567890-42");
	}
}

static void escaped_text_has_no_control_bytes(void **state)
{
	(void)state;
	own_str struct str s = STR_INIT;

	str_add_escaped(&s, "a\x1b]52;c\x07\\", 9, 9);
	assert_string_equal(s.data, "a\\x1b]52;c\\x07\\\\");
}

static void utf8_has_one_form_per_character(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		bool ok;
	} texts[] = {
		{ "", true },
		{ "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", true },
		{ "\xc0\x80", false },
		{ "\xed\xa0\x80", false },
		{ "\xe2\x82", false },
		{ "\x80", false },
		{ "\xf4\x90\x80\x80", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(utf8_is_valid(texts[i].bytes, strlen(texts[i].bytes)), texts[i].ok);
}

static void packed_values_come_back_and_short_ones_are_bad(void **state)
{
	(void)state;
	own_str struct str s = STR_INIT;
	own_strv struct strv sv = STRV_INIT, back = STRV_INIT;

	strv_add(&sv, "one");
	strv_add(&sv, "");
	pack_u32(&s, 42);
	pack_text(&s, "hi");
	pack_strv(&s, &sv);
	struct unpack u = unpack_of(s.data, s.len);
	assert_int_equal(unpack_u32(&u), 42);
	own_mem char *hi = unpack_text(&u, 2);
	assert_string_equal(hi, "hi");
	unpack_strv(&u, 2, 3, &back);
	assert_true(unpack_ok(&u));
	assert_int_equal(back.n, 2);
	for (size_t cut = 0; cut < s.len; cut++) {
		own_strv struct strv part = STRV_INIT;
		struct unpack v = unpack_of(s.data, cut);
		unpack_u32(&v);
		own_mem char *text = unpack_text(&v, 2);
		unpack_strv(&v, 2, 3, &part);
		assert_false(unpack_ok(&v));
	}
}

static void messages_carry_descriptors(void **state)
{
	(void)state;
	int pair[2];
	struct err err = ERR_INIT;

	assert_int_equal(msg_pair(pair, &err), 0);
	own_fd int a = pair[0];
	own_fd int b = pair[1];
	own_str struct str s = STR_INIT;
	own_msg struct msg m = MSG_INIT;
	pack_text(&s, "x");
	assert_int_equal(msg_send(a, &s, &a, 1, &err), 0);
	assert_int_equal(msg_recv(b, &m, &err), 1);
	assert_int_equal(m.nfds, 1);
	assert_int_equal(m.bytes.len, s.len);
	fd_drop(&a);
	msg_clear(&m);
	assert_int_equal(msg_recv(b, &m, &err), 0);
}

static void what_was_said_before_a_reset_is_heard(void **state)
{
	int pair[2];
	struct err err = ERR_INIT;
	own_str struct str s = STR_INIT;
	own_msg struct msg m = MSG_INIT;

	(void)state;
	assert_int_equal(msg_pair(pair, &err), 0);
	own_fd int a = pair[0];
	own_fd int b = pair[1];
	pack_text(&s, "why");
	assert_int_equal(msg_send(b, &s, NULL, 0, &err), 0); /* never read by a */
	assert_int_equal(msg_send(a, &s, NULL, 0, &err), 0);
	fd_drop(&a);
	assert_int_equal(msg_recv(b, &m, &err), 1);
	assert_int_equal(m.bytes.len, s.len);
	assert_int_equal(msg_recv(b, &m, &err), 0);
}

static void a_process_is_found_by_pid_and_start(void **state)
{
	struct proc found = PROC_INIT;

	(void)state;
	unsigned long long start = proc_start_time(getpid());
	assert_int_equal(proc_find(getpid(), start, &found), 0);
	assert_true(found.pidfd >= 0);
	fd_drop(&found.pidfd);
	assert_int_equal(proc_find(getpid(), start + 1, &found), -1);
	assert_int_equal(proc_find(0, start, &found), -1);
	assert_int_equal(found.pidfd, -1);
}

/* This program as that child: its environment, and every descriptor that is open. */
static int tell_what_it_was_given(void)
{
	unsigned long pid = 0;

	for (char **e = environ; *e; e++)
		if (!str_starts(*e, "LISTEN_PID="))
			printf("%s\n", *e);
	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%s%d", fd ? " " : "", fd);
	printf("\n");
	return str_number(getenv("LISTEN_PID"), 1, UINT32_MAX, &pid) && (pid_t)pid == getpid() ? 3 : 4;
}

static void a_child_gets_just_what_its_spec_names(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	own_str struct str out = STR_INIT, errout = STR_INIT;
	char *argv[] = { "test_base", "tell", NULL };
	char *env[] = { "A=1", "B=2", NULL };
	own_fd int extra = open("/dev/null", O_RDONLY); /* without O_CLOEXEC: must not leak */
	struct proc_fd fds[] = { { extra, 3 } };
	struct proc_spec spec = {
		.path = "/proc/self/exe", .argv = argv, .env = env, .fds = fds, .nfds = 1, .listen_fds = 1
	};

	assert_int_equal(proc_run(&spec, NULL, &out, &errout, 4096, 10000, &err), 3);
	assert_string_equal(out.data, "A=1\nB=2\nLISTEN_FDS=1\n0 1 2 3\n");
}

static void a_failed_exec_is_the_parents_error(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	own_proc struct proc p = PROC_INIT;
	char *argv[] = { "nothing", NULL };
	struct proc_spec spec = { .path = "/nonexistent/program", .argv = argv };

	assert_int_equal(proc_spawn(&spec, &p, &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);
	assert_non_null(strstr(err.text, "/nonexistent/program"));
	assert_int_equal(p.pid, 0);
}

static void output_over_the_limit_is_refused(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	own_str struct str out = STR_INIT;
	char *argv[] = { "sh", "-c", "while :; do echo xxxxxxxxxxxxxxxx; done", NULL };
	struct proc_spec spec = { .path = "/bin/sh", .argv = argv };

	assert_int_equal(proc_run(&spec, NULL, &out, NULL, 10000, 60000, &err), -1);
	assert_non_null(strstr(err.text, "10000"));
}

static void files_are_written_whole_and_read_bounded(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	char dir[] = "/tmp/bottle-test-XXXXXX";
	own_str struct str s = STR_INIT;

	assert_non_null(mkdtemp(dir));
	own_fd int d = dir_open(AT_FDCWD, dir, &err);
	assert_int_equal(file_write(d, "a", "hello", 5, 0600, &err), 0);
	assert_int_equal(file_read(d, "a", 5, &s, &err), 0);
	assert_string_equal(s.data, "hello");
	assert_int_equal(file_read(d, "a", 4, &s, &err), -1);
	assert_int_equal(symlinkat("a", d, "l"), 0);
	assert_int_equal(file_read(d, "l", 5, &s, &err), -1);
	assert_int_equal(mkfifoat(d, "f", 0600), 0);
	assert_int_equal(file_read(d, "f", 5, &s, &err), -1);
	own_fd int sub = dir_make(d, "x/y", 0700, &err);
	assert_true(sub >= 0);
	assert_int_equal(file_write(sub, "b", "below", 5, 0600, &err), 0);
	assert_int_equal(symlinkat("y", d, "x/z"), 0);
	str_reset(&s);
	assert_int_equal(file_read_beneath(d, "x/y/b", 5, &s, &err), 0);
	assert_string_equal(s.data, "below");
	assert_int_equal(file_read(d, "x/z/b", 5, &s, &err), 0);
	assert_int_equal(file_read_beneath(d, "x/z/b", 5, &s, &err), -1);
	assert_int_equal(file_read_beneath(sub, "../y/b", 5, &s, &err), -1);
	assert_int_equal(symlinkat("/etc", sub, "etc"), 0);
	assert_int_equal(mkdirat(sub, "shut", 0), 0);
	assert_int_equal(dir_remove(AT_FDCWD, dir, &err), 0);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
}

struct ticks {
	struct loop *l;
	int n;
	struct timer t;
};

static void tick(void *arg)
{
	struct ticks *t = arg;
	if (++t->n == 3)
		loop_stop(t->l);
	else
		timer_set(t->l, &t->t, 1, tick, t);
}

static void timers_fire_in_order_and_can_be_set_again(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	own_loop struct loop l = LOOP_INIT;
	struct ticks t = { .l = &l };
	struct timer never = { 0 };

	assert_int_equal(loop_init(&l, &err), 0);
	timer_set(&l, &never, 0, tick, NULL);
	timer_set(&l, &t.t, 1, tick, &t);
	timer_cancel(&l, &never);
	assert_int_equal(loop_run(&l, &err), 0);
	assert_int_equal(t.n, 3);
}

static void sha256_is_sha256(void **state)
{
	(void)state;
	char text[SHA256_TEXT];

	sha256_text("abc", 3, text);
	assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	/* Every length up to where padding has had each of its shapes, beside another's. */
	unsigned char bytes[200], ours[SHA256_SIZE], theirs[SHA256_SIZE];
	for (size_t n = 0; n < sizeof bytes; n++) {
		unsigned got = 0;
		bytes[n] = (unsigned char)(7 * n + n / 5);
		sha256(bytes, n, ours);
		assert_int_equal(EVP_Digest(bytes, n, theirs, &got, EVP_sha256(), NULL), 1);
		assert_memory_equal(ours, theirs, sizeof ours);
		struct sha256_stream parts;
		char whole[SHA256_TEXT], joined[SHA256_TEXT];
		sha256_begin(&parts);
		sha256_add(&parts, bytes, n / 3);
		sha256_add(&parts, bytes + n / 3, n - n / 3);
		sha256_end_text(&parts, joined);
		sha256_text(bytes, n, whole);
		assert_string_equal(joined, whole);
	}
}

static void hostile_text_loses_what_a_terminal_acts_on(void **state)
{
	static const struct {
		const char *text, *shown;
		bool lines;
	} cases[] = {
		{ "plain text", "plain text", false },
		{ "gr\xc3\xbc\xc3\x9f dich", "gr\xc3\xbc\xc3\x9f dich", false },
		{ "\033[2J", "\\x1b[2J", false },
		{ "\x1b]52;c;x\a", "\\x1b]52;c;x\\x07", false },
		{ "a\nb\tc\r", "a\\x0ab\\x09c\\x0d", false },
		{ "a\nb\tc\r", "a\nb\tc\\x0d", true },
		{ "\x7f", "\\x7f", true },
		{ "\xff\xfe", "\\xff\\xfe", false },
		{ "\xc2\x9b"
		  "31m",
		  "\\u{9b}31m", true }, /* CSI in one character */
		{ "\xe2\x80\xae"
		  "txt.exe",
		  "\\u{202e}txt.exe", true },                          /* right to left override */
		{ "\xe2\x80\x8b", "\\u{200b}", false },                /* no width */
		{ "\xc0\xaf", "\\xc0\\xaf", false },                   /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", false },          /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", false }, /* past the last one */
		{ "cut \xe2\x82", "cut \\xe2\\x82", false },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str out = STR_INIT;

		str_addn_visible(&out, cases[i].text, strlen(cases[i].text), cases[i].lines);
		assert_string_equal(str_c(&out), cases[i].shown);
	}
}

static void no_two_names_are_shown_alike(void **state)
{
	static const struct {
		const char *name, *shown;
	} cases[] = {
		{ "plain", "plain" },
		{ "a\nb", "a\\x0ab" },
		{ "a\\x0ab", "a\\\\x0ab" },
		{ "a\\\\x0ab", "a\\\\\\\\x0ab" },
		{ "\xe2\x80\xae", "\\u{202e}" },
		{ "\\u{202e}", "\\\\u{202e}" },
		{ "caf\xe9", "caf\\xe9" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str out = STR_INIT;
		str_add_name(&out, cases[i].name);
		assert_string_equal(str_c(&out), cases[i].shown);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && str_is(argv[1], "tell"))
		return tell_what_it_was_given();

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nouns_are_counted),
		cmocka_unit_test(hostile_text_loses_what_a_terminal_acts_on),
		cmocka_unit_test(no_two_names_are_shown_alike),
		cmocka_unit_test(a_text_that_does_not_fit_shows_that_it_was_cut),
		cmocka_unit_test(base64_has_one_spelling_per_byte_string),
		cmocka_unit_test(numbers_are_whole_and_bounded),
		cmocka_unit_test(numbers_and_times_are_printed),
		cmocka_unit_test(a_format_is_printed_whole_whatever_room_there_is),
		cmocka_unit_test(escaped_text_has_no_control_bytes),
		cmocka_unit_test(utf8_has_one_form_per_character),
		cmocka_unit_test(packed_values_come_back_and_short_ones_are_bad),
		cmocka_unit_test(messages_carry_descriptors),
		cmocka_unit_test(what_was_said_before_a_reset_is_heard),
		cmocka_unit_test(a_process_is_found_by_pid_and_start),
		cmocka_unit_test(a_child_gets_just_what_its_spec_names),
		cmocka_unit_test(a_failed_exec_is_the_parents_error),
		cmocka_unit_test(output_over_the_limit_is_refused),
		cmocka_unit_test(files_are_written_whole_and_read_bounded),
		cmocka_unit_test(timers_fire_in_order_and_can_be_set_again),
		cmocka_unit_test(sha256_is_sha256),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
