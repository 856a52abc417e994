#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "proto/files.h"

struct bench {
	char path[64];
	int top, from, to;
};

static int made_dir(int at, const char *name)
{
	return mkdirat(at, name, 0755) == 0 ? openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static int bench_up(void **state)
{
	struct bench *b = xcalloc(1, sizeof *b);
	snprintf(b->path, sizeof b->path, "/tmp/files-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->top = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->from = made_dir(b->top, "from");
	b->to = made_dir(b->top, "to");
	*state = b;
	return 0;
}

static int bench_down(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	assert_ok(dir_remove(AT_FDCWD, b->path, &err), &err);
	fd_drop(&b->top);
	fd_drop(&b->from);
	fd_drop(&b->to);
	free(b);
	return 0;
}

static void put(int dir, const char *name, const void *bytes, size_t n, mode_t mode)
{
	struct err err = ERR_INIT;
	assert_ok(file_write(dir, name, bytes, n, 0600, &err), &err);
	if (fchmodat(dir, name, mode, 0) != 0) {
		assert_int_equal(errno, EPERM);
		assert_int_not_equal(mode & 06000, 0);
		print_message("no file may have set-id bits here\n"); /* Nix builds under such a filter */
		skip();
	}
}

static bool exists(int dir, const char *path)
{
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct sending {
	int out, dir;
	const char *name;
};

static int send_child(void *arg, struct err *err)
{
	const struct sending *s = arg;
	struct files_count count;
	return files_send(s->out, s->dir, s->name, NULL, NULL, NULL, &count, err);
}

static void hear(void *arg, const char *text)
{
	str_addf(arg, "%s\n", text);
}

/* Sends b->from/@name from a process of its own and receives it in b->to as @as. */
static int carry(struct bench *b, const char *name, const char *as, uint64_t limit, struct str *heard,
                 struct files_count *count, struct err *err)
{
	int pair[2];
	own_proc struct proc child = PROC_INIT;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	struct sending s = { pair[1], b->from, name };
	const struct proc_fd fds[] = { { pair[1], pair[1] } };
	const struct proc_spec spec = {
		.child = send_child, .arg = &s, .fds = fds, .nfds = 1, .die_with_parent = true
	};
	assert_ok(proc_fork(&spec, &child, err), err);
	close(pair[1]);
	int rc = files_receive(pair[0], b->to, as, limit, hear, heard, count, err);
	close(pair[0]);
	return rc;
}

static void add_frame(struct str *s, int kind, const void *bytes, size_t n)
{
	str_addc(s, (char)kind);
	for (int i = 0; i < 4; i++)
		str_addc(s, (char)(n >> (8 * i)));
	str_addn(s, bytes, n);
}

static void add_entry(struct str *s, int kind, const char *name, size_t n)
{
	own_str struct str body = STR_INIT;
	str_addn(&body, "\xed\x0f\0\0", 4); /* 07755 */
	str_addn(&body, name, n);
	add_frame(s, kind, body.data, body.len);
}

static void a_tree_arrives_as_it_was_sent(void **state)
{
	struct bench *b = *state;
	own_str struct str heard = STR_INIT, big = STR_INIT, got = STR_INIT;
	struct files_count count;
	struct err err = ERR_INIT;
	struct stat st;

	for (int i = 0; i < 50000; i++)
		str_addf(&big, "line %d\n", i);
	own_fd int tree = made_dir(b->from, "tree");
	own_fd int sub = made_dir(tree, "sub");
	put(tree, "big", big.data, big.len, 04755);
	put(sub, "empty", "", 0, 0640);
	assert_int_equal(symlinkat("/etc/passwd", tree, "link"), 0);
	assert_int_equal(mkfifoat(tree, "fifo", 0600), 0);
	assert_ok(carry(b, "tree", "copy", UINT64_MAX, &heard, &count, &err), &err);
	assert_int_equal(count.files, 2);
	assert_int_equal(count.remarks, 2);
	assert_int_equal(count.missed, 0);
	assert_non_null(strstr(str_c(&heard), "tree/link: a symlink"));
	assert_non_null(strstr(str_c(&heard), "tree/fifo: not a regular file"));
	assert_ok(file_read(b->to, "copy/big", 1 << 24, &got, &err), &err);
	assert_string_equal(got.data, big.data);
	assert_int_equal(fstatat(b->to, "copy/big", &st, 0), 0);
	assert_int_equal(st.st_mode & 07000, 0);
	assert_int_equal(st.st_mode & 0100, 0100);
	assert_true(exists(b->to, "copy/sub/empty"));
	assert_false(exists(b->to, "copy/link"));
	assert_false(exists(b->to, "copy/fifo"));
	/* Again: what is there is replaced and added to. */
	str_reset(&heard);
	assert_ok(carry(b, "tree", "copy", UINT64_MAX, &heard, &count, &err), &err);
}

static void what_should_have_come_is_counted_apart(void **state)
{
	struct bench *b = *state;
	own_str struct str heard = STR_INIT, s = STR_INIT;
	struct files_count count;
	struct err err = ERR_INIT;
	int pair[2];

	add_entry(&s, FILES_ENTER, "x", 1);
	add_frame(&s, FILES_REMARK, "x/link: a symlink", 17);
	add_frame(&s, FILES_MISSED, "x/closed: no", 12);
	add_frame(&s, FILES_LEAVE, NULL, 0);
	add_frame(&s, FILES_DONE, NULL, 0);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_ok(file_write_all(pair[1], s.data, s.len, &err), &err);
	close(pair[1]);
	int rc = files_receive(pair[0], b->to, "root", UINT64_MAX, hear, &heard, &count, &err);
	close(pair[0]);
	assert_ok(rc, &err);
	assert_int_equal(count.remarks, 2);
	assert_int_equal(count.missed, 1);
	assert_string_equal(str_c(&heard), "x/link: a symlink\nx/closed: no\n");
}

/* The end of it tells more than its beginning; a remark is bounded, whatever a name is made of. */
static void a_long_path_is_told_by_its_end(void **state)
{
	struct bench *b = *state;
	own_str struct str heard = STR_INIT;
	struct files_count count;
	struct err err = ERR_INIT;
	char name[200];

	memset(name, 1, sizeof name - 1);
	name[sizeof name - 1] = '\0';
	own_fd int tree = made_dir(b->from, "tree");
	own_fd int one = made_dir(tree, name);
	own_fd int two = made_dir(one, name);
	assert_int_equal(symlinkat("x", two, "the-end"), 0);
	assert_ok(carry(b, "tree", "copy", UINT64_MAX, &heard, &count, &err), &err);
	assert_int_equal(count.remarks, 1);
	assert_true(str_starts(str_c(&heard), "...\\x01"));
	assert_non_null(strstr(str_c(&heard), "/the-end: a symlink"));
}

static void links_at_the_top_are_refused(void **state)
{
	struct bench *b = *state;
	struct files_count count;
	struct err err = ERR_INIT;
	own_fd int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_int_equal(symlinkat("/etc/passwd", b->from, "link"), 0);
	assert_refused(files_send(null, b->from, "link", NULL, NULL, NULL, &count, &err), &err, ERR_INPUT,
	               "regular");
	assert_refused(files_send(null, b->from, "..", NULL, NULL, NULL, &count, &err), &err, ERR_INPUT,
	               "name");
	put(b->from, "plain", "x", 1, 0644);
	assert_ok(files_send(null, b->from, "plain", NULL, NULL, NULL, &count, &err), &err); /* control */
}

static void over_the_limit_is_refused_and_nothing_half_is_left(void **state)
{
	struct bench *b = *state;
	own_str struct str heard = STR_INIT;
	struct files_count count;
	struct err err = ERR_INIT;

	put(b->from, "file", "0123456789", 10, 0644);
	assert_ok(carry(b, "file", "copy", 10, &heard, &count, &err), &err); /* control */
	assert_int_equal(unlinkat(b->to, "copy", 0), 0);
	assert_refused(carry(b, "file", "copy", 9, &heard, &count, &err), &err, ERR_INPUT, "limit of 9");
	assert_int_equal(unlinkat(b->top, "to", AT_REMOVEDIR), 0); /* it is empty */
	b->to = (close(b->to), made_dir(b->top, "to"));
}

static int receive(struct bench *b, const struct str *s, struct err *err)
{
	struct files_count count;
	int pair[2];
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_ok(file_write_all(pair[1], s->data, s->len, err), err);
	close(pair[1]);
	int rc = files_receive(pair[0], b->to, "root", UINT64_MAX, NULL, NULL, &count, err);
	close(pair[0]);
	return rc;
}

static void hostile_names_are_refused(void **state)
{
	static const struct {
		const char *name;
		size_t n;
	} names[] = { { "..", 2 },   { ".", 1 },    { "", 0 },    { "a/b", 3 },
		      { "/etc", 4 }, { "a\0b", 3 }, { "../x", 4 } };
	struct bench *b = *state;
	struct err err = ERR_INIT;

	for (size_t i = 0; i <= ARRAY_LEN(names); i++) {
		own_str struct str s = STR_INIT;
		add_entry(&s, FILES_ENTER, "top", 3);
		if (i < ARRAY_LEN(names))
			add_entry(&s, FILES_FILE, names[i].name, names[i].n);
		else
			add_entry(&s, FILES_FILE, "fine", 4); /* control */
		add_frame(&s, FILES_BYTES, "x", 1);
		add_frame(&s, FILES_END, NULL, 0);
		add_frame(&s, FILES_LEAVE, NULL, 0);
		add_frame(&s, FILES_DONE, NULL, 0);
		if (i < ARRAY_LEN(names))
			assert_refused(receive(b, &s, &err), &err, ERR_INPUT, "valid name");
		else
			assert_ok(receive(b, &s, &err), &err);
	}
	assert_true(exists(b->to, "root/fine"));
	assert_false(exists(b->top, "x"));
}

static void frames_out_of_order_are_refused(void **state)
{
	/* e enter, l leave, f file, b bytes, n end, d done, ? unknown; a short stream ends early */
	static const struct {
		const char *frames;
		bool fine;
	} cases[] = {
		{ "fbnd", true },   { "eld", true }, { "efbnld", true }, { "d", false },
		{ "ed", false },    { "ld", false }, { "bd", false },    { "nd", false },
		{ "fed", false },   { "fd", false }, { "eelld", true },  { "fnfnd", false },
		{ "eleld", false }, { "?d", false }, { "fb", false },    { "efld", false },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str s = STR_INIT;
		struct err err = ERR_INIT;
		for (const char *p = cases[i].frames; *p; p++) {
			if (*p == 'e' || *p == 'f')
				add_entry(&s, *p == 'e' ? FILES_ENTER : FILES_FILE, "x", 1);
			else if (*p == 'b')
				add_frame(&s, FILES_BYTES, "data", 4);
			else
				add_frame(&s,
				          *p == 'l' ? FILES_LEAVE :
				          *p == 'n' ? FILES_END :
				          *p == 'd' ? FILES_DONE :
				                      99,
				          NULL, 0);
		}
		if ((receive(b, &s, &err) == 0) != cases[i].fine)
			fail_msg("%s is judged wrongly: %s", cases[i].frames, err.text);
		assert_ok(dir_remove(b->to, "root", &err), &err);
	}
	assert_int_equal(unlinkat(b->top, "to", AT_REMOVEDIR), 0); /* nothing half is left */
	b->to = (close(b->to), made_dir(b->top, "to"));
}

static void a_frame_over_its_size_is_refused(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	own_str struct str s = STR_INIT;

	str_addn(&s, "\x04\xff\xff\xff\xff", 5);
	assert_refused(receive(b, &s, &err), &err, ERR_INPUT, "a frame of");
}

static void a_link_in_the_way_is_not_entered(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	own_str struct str s = STR_INIT;

	assert_int_equal(symlinkat("../from", b->to, "root"), 0);
	add_entry(&s, FILES_ENTER, "x", 1);
	add_entry(&s, FILES_FILE, "planted", 7);
	add_frame(&s, FILES_END, NULL, 0);
	add_frame(&s, FILES_LEAVE, NULL, 0);
	add_frame(&s, FILES_DONE, NULL, 0);
	assert_true(receive(b, &s, &err) < 0);
	assert_false(exists(b->from, "planted"));
	assert_int_equal(unlinkat(b->to, "root", 0), 0);
	assert_ok(receive(b, &s, &err), &err); /* control */
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, bench_up, bench_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_tree_arrives_as_it_was_sent),
		ON_BENCH(what_should_have_come_is_counted_apart),
		ON_BENCH(a_long_path_is_told_by_its_end),
		ON_BENCH(links_at_the_top_are_refused),
		ON_BENCH(over_the_limit_is_refused_and_nothing_half_is_left),
		ON_BENCH(hostile_names_are_refused),
		ON_BENCH(frames_out_of_order_are_refused),
		ON_BENCH(a_frame_over_its_size_is_refused),
		ON_BENCH(a_link_in_the_way_is_not_entered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
