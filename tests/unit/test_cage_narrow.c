/* A process of ours that was made to read what nobody vouches for: what it still can, and what it can't
 * any more. Each attempt is made before and after, by the same process. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/errand.h"
#include "base/file.h"
#include "cage/cage.h"

enum { PATIENCE_MS = 60 * 1000 };

struct place {
	char path[64];
	int dir;
};

static int read_own(const struct place *p)
{
	own_fd int fd = openat(p->dir, "own", O_RDONLY | O_CLOEXEC);
	char byte;

	return fd >= 0 && read(fd, &byte, 1) == 1 ? 0 : -1;
}

static int write_own(const struct place *p)
{
	own_fd int fd = openat(p->dir, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd >= 0 && write(fd, "x", 1) == 1 ? 0 : -1;
}

static int read_others(const struct place *p)
{
	(void)p;
	own_fd int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? 0 : -1;
}

static int climb(const struct place *p)
{
	own_fd int fd = openat(p->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? 0 : -1;
}

static int write_others(const struct place *p)
{
	own_mem char *path = xasprintf("%s.beside", p->path);
	own_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd >= 0 ? unlink(path) : -1;
}

static int make_socket(const struct place *p)
{
	(void)p;
	own_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 ? 0 : -1;
}

static int signal_parent(const struct place *p)
{
	(void)p;
	return kill(getppid(), 0);
}

static int become(const struct place *p)
{
	(void)p;
	return setresuid(getuid(), getuid(), getuid());
}

static const struct attempt {
	const char *what;
	int (*make)(const struct place *p);
	int after; /* 0: it still can; else the errno */
} attempts[] = {
	{ "read what is its own", read_own, 0 },         { "write there", write_own, 0 },
	{ "read others' files", read_others, EACCES },   { "list the directory above", climb, EACCES },
	{ "write beside it", write_others, EACCES },     { "make a socket", make_socket, ENOSYS },
	{ "signal who made it", signal_parent, ENOSYS }, { "change who it is", become, ENOSYS },
};

static int try_all(void *arg, void *answer, struct err *err)
{
	static const struct cage_call rows[] = { CALL(openat, "files"), CALL(open, "files"),
		                                 CALL(unlink, "files") };
	static const struct cage_limit limits[] = { LIMIT(CORE, 0, 0, "nobody wants it") };
	const struct place *p = arg;
	own_mem char *dir = xasprintf("/proc/self/fd/%d", p->dir);
	const struct cage_path paths[] = { PATH(dir, CAGE_PATH_READ | CAGE_PATH_WRITE, "its own") };
	const struct cage_calls calls[] = { cage_calls_common, CAGE_CALLS(rows) };
	const struct cage_profile profile = { .name = "test",
		                              .calls = calls,
		                              .ncalls = ARRAY_LEN(calls),
		                              .paths = paths,
		                              .npaths = ARRAY_LEN(paths),
		                              .limits = limits,
		                              .nlimits = ARRAY_LEN(limits) };

	(void)answer;
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		if (attempts[i].make(p) != 0)
			return fail_errno(err, "the control: %s", attempts[i].what);
	unlinkat(p->dir, "new", 0);
	if (cage_narrow(&profile, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		errno = 0;
		int rc = attempts[i].make(p);
		if ((rc == 0) != (attempts[i].after == 0) || (rc != 0 && errno != attempts[i].after))
			return fail_errno(err, "%s: %d", attempts[i].what, rc);
	}
	return 0;
}

static void it_reaches_what_it_was_given_and_nothing_else(void **state)
{
	struct place p = { .path = "/tmp/bottle-narrow-XXXXXX" };
	own_errand struct errand e = ERRAND_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_non_null(mkdtemp(p.path));
	own_fd int dir = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p.dir = dir;
	assert_ok(file_place(dir, "own", "x", 1, 0600, &err), &err);
	assert_ok(errand_start(try_all, &p, 0, p.dir, &e, &err), &err);
	int rc = errand_wait(&e, PATIENCE_MS, NULL, &err);
	assert_ok(dir_remove(AT_FDCWD, p.path, &(struct err)ERR_INIT), &err);
	assert_ok(rc, &err);
	assert_int_equal(rc, 1);
}

static int count_open(void *arg, void *answer, struct err *err)
{
	int *n = answer;

	(void)err, (void)arg;
	*n = 0;
	for (int fd = 0; fd < 1024; fd++)
		*n += fcntl(fd, F_GETFD) >= 0;
	return 0;
}

static void of_what_is_open_it_has_what_it_was_given(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	own_fd int high = fcntl(0, F_DUPFD_CLOEXEC, 700);
	own_fd int kept = fcntl(0, F_DUPFD_CLOEXEC, 500);
	own_fd int low = fcntl(0, F_DUPFD_CLOEXEC, 3);
	int here, there, kept_there;
	count_open(NULL, &here, &err);
	for (int i = 0; i < 2; i++) {
		own_errand struct errand e = ERRAND_INIT;
		assert_ok(errand_start(count_open, NULL, sizeof there, i ? kept : -1, &e, &err), &err);
		assert_int_equal(errand_wait(&e, PATIENCE_MS, i ? &kept_there : &there, &err), 1);
	}
	assert_true(here >= 6);
	assert_int_equal(there, 4); /* the answer's way is one of them */
	assert_int_equal(kept_there, 5);
	assert_true(high >= 0 && low >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_reaches_what_it_was_given_and_nothing_else),
		cmocka_unit_test(of_what_is_open_it_has_what_it_was_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
