#include "base/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

struct report {
	struct err err; /* of kind ERR_NONE where there is an answer */
	unsigned char answer[ERRAND_ANSWER_MAX];
};
/* So that it is written at once, and nobody waits for a reader. */
_Static_assert(sizeof(struct report) <= PIPE_BUF, "a report is larger than a pipe takes whole");

struct task {
	int (*fn)(void *arg, void *answer, struct err *err);
	void *arg;
	int to, keep;
};

static void close_range_of(int first, int last)
{
	if (first <= last)
		syscall(SYS_close_range, first, last, 0);
}

static void close_all_but(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	close_range_of(STDERR_FILENO + 1, low - 1);
	close_range_of(low + 1, high - 1);
	close_range_of(high + 1, INT_MAX);
}

static int carry_out(void *arg, struct err *err)
{
	const struct task *t = arg;
	struct report report = { .err = ERR_INIT };

	(void)err; /* of the start alone */
	close_all_but(t->to, t->keep >= 0 ? t->keep : t->to);
	t->fn(t->arg, report.answer, &report.err);
	return write(t->to, &report, sizeof report) == (ssize_t)sizeof report ? 0 : -1;
}

int errand_start(int (*fn)(void *arg, void *answer, struct err *err), void *arg, size_t size, int keep,
                 struct errand *out, struct err *err)
{
	int ends[2];

	if (size > ERRAND_ANSWER_MAX)
		bug("an answer of %zu bytes", size);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	own_fd int ours = ends[0];
	own_fd int theirs = ends[1];
	struct task task = { fn, arg, theirs, keep };
	const struct proc_spec spec = { .child = carry_out, .arg = &task, .die_with_parent = true };
	if (proc_fork(&spec, &out->proc, err) != 0)
		return -1;
	out->answers = fd_steal(&ours);
	out->size = size;
	return 0;
}

int errand_wait(struct errand *e, int ms, void *answer, struct err *err)
{
	struct report report;
	int status, ended = proc_wait_for(&e->proc, ms, &status, err);
	ssize_t n;

	if (ended <= 0)
		return ended;
	if (WIFSIGNALED(status))
		return fail(err, ERR_SYSTEM, "the process that was sent for it was ended by signal %d",
		            WTERMSIG(status));
	do
		n = read(e->answers, &report, sizeof report);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof report)
		return fail(err, ERR_SYSTEM, "the process that was sent for it ended without an answer");
	if (report.err.kind != ERR_NONE) {
		report.err.text[sizeof report.err.text - 1] = '\0';
		*err = report.err;
		return -1;
	}
	if (e->size > 0)
		memcpy(answer, report.answer, e->size);
	return 1;
}

void errand_clear(struct errand *e)
{
	proc_clear(&e->proc);
	fd_drop(&e->answers);
}
