#pragma once
/* A workspace in a throw-away place: what was there, what a bottle changed, where it goes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/file.h"
#include "workspace/workspace.h"

struct bench {
	char path[64];
	int top, lower, upper, to;
	struct workspace w;
};

static inline int made_dir(int at, const char *name)
{
	if (mkdirat(at, name, 0755) != 0)
		return -1;
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline int bench_up(void **state)
{
	struct bench *b = xcalloc(1, sizeof *b);
	snprintf(b->path, sizeof b->path, "/tmp/workspace-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->top = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->lower = made_dir(b->top, "lower");
	b->upper = made_dir(b->top, "upper");
	b->to = made_dir(b->top, "to");
	assert_true(b->to >= 0);
	b->w = (struct workspace){ .lower = b->lower, .upper = b->upper };
	*state = b;
	return 0;
}

static inline int bench_down(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	assert_ok(dir_remove(AT_FDCWD, b->path, &err), &err);
	fd_drop(&b->top);
	fd_drop(&b->lower);
	fd_drop(&b->upper);
	fd_drop(&b->to);
	free(b);
	return 0;
}

static inline void put(int dir, const char *path, const char *text, mode_t mode)
{
	own_mem char *copy = xstrdup(path);
	struct err err = ERR_INIT;

	for (char *p = strchr(copy, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdirat(dir, copy, 0755) != 0)
			assert_int_equal(errno, EEXIST);
		*p = '/';
	}
	own_fd int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_ok(file_write_all(fd, text, strlen(text), &err), &err);
	if (fchmod(fd, mode) != 0) {
		assert_int_equal(errno, EPERM);
		assert_int_not_equal(mode & 06000, 0);
		print_message("no file may have set-id bits here\n"); /* Nix builds under such a filter */
		skip();
	}
}

static inline bool holds(int dir, const char *path, const char *text)
{
	own_str struct str got = STR_INIT;
	struct err err = ERR_INIT;

	return file_read(dir, path, 1 << 20, &got, &err) == 0 && str_is(str_c(&got), text);
}

static inline bool exists(int dir, const char *path)
{
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void whiteout(int dir, const char *path)
{
	if (mknodat(dir, path, S_IFCHR | 0600, makedev(0, 0)) != 0) {
		print_message("this kernel lets nobody make a whiteout: %s\n", strerror(errno));
		skip();
	}
}

static inline void mark(struct bench *b, const char *path, const char *name, const char *value)
{
	own_mem char *full = xasprintf("%s/upper/%s", b->path, path);
	if (setxattr(full, name, value, strlen(value), 0) != 0) {
		print_message("/tmp takes no extended attributes: %s\n", strerror(errno));
		skip();
	}
}

/* "status path[!]" lines, ! for what a tool would execute, ? for what can't be looked at. */
static inline char *told_of(const struct workspace *w, size_t limit)
{
	own_changes struct changes c = CHANGES_INIT;
	own_str struct str out = STR_INIT;
	struct err err = ERR_INIT;

	assert_ok(workspace_changes(w, limit, &c, &err), &err);
	for (size_t i = 0; i < c.n; i++)
		str_addf(&out, "%s %s%s%s\n", change_status_name(c.v[i].status), c.v[i].path,
		         c.v[i].executable ? "!" : "", c.v[i].unreadable ? "?" : "");
	if (c.more)
		str_add(&out, "more\n");
	return str_steal(&out);
}

static inline size_t count_of(const struct workspace *w)
{
	struct err err = ERR_INIT;
	size_t n = 0;
	bool more = false;
	assert_ok(workspace_count(w, 1000000, &n, &more, &err), &err);
	return n;
}

#define assert_changes(b, text)                                 \
	do {                                                    \
		own_mem char *got_ = told_of(&(b)->w, 1000000); \
		assert_string_equal(got_, text);                \
	} while (0)

#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_up, bench_down)
