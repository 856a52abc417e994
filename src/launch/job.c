#include "launch/job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { LINE_MAX_BYTES = 600, STOP_MS = 2000 };

void job_clear(struct job *j)
{
	if (j->loop) {
		loop_unwatch(j->loop, &j->on_words);
		loop_unwatch(j->loop, &j->on_end);
	}
	proc_stop(&j->proc, STOP_MS);
	fd_drop(&j->words);
	str_clear(&j->line);
	str_clear(&j->last);
}

int job_open(struct job *j, int *theirs, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	j->words = fds[0];
	*theirs = fds[1];
	return fcntl(j->words, F_SETFL, O_NONBLOCK) == 0 ? 0 : fail_errno(err, "a pipe");
}

static void end_line(struct job *j)
{
	own_str struct str shown = STR_INIT;

	str_add_escaped(&shown, str_c(&j->line), j->line.len, LINE_MAX_BYTES);
	str_reset(&j->line);
	if (shown.len == 0)
		return;
	if (j->said)
		j->said(j->arg, str_c(&shown));
	str_reset(&j->last);
	str_add(&j->last, str_c(&shown));
}

/* What one line has beyond its bound is read and let go. */
static void take(struct job *j, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r')
			end_line(j);
		else if (j->line.len < LINE_MAX_BYTES)
			str_addc(&j->line, bytes[i]);
	}
}

static bool read_words(struct job *j)
{
	char bytes[4096];
	ssize_t n = read(j->words, bytes, sizeof bytes);

	if (n > 0) {
		take(j, bytes, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		loop_unwatch(j->loop, &j->on_words);
		fd_drop(&j->words);
	}
	return false;
}

static void on_words(void *arg, uint32_t events)
{
	(void)events;
	read_words(arg);
}

static void on_end(void *arg, uint32_t events)
{
	struct job *j = arg;

	(void)events;
	loop_unwatch(j->loop, &j->on_end);
	j->ended = true;
}

int job_wait(struct launch *l, struct job *j, int ms, const char *what, struct err *err)
{
	int status;

	j->loop = l->loop;
	if (loop_watch(l->loop, &j->on_words, j->words, EPOLLIN, on_words, j, err) != 0 ||
	    loop_watch(l->loop, &j->on_end, j->proc.pidfd, EPOLLIN, on_end, j, err) != 0)
		return -1;
	if (launch_wait(l, &j->ended, ms, what, err) != 0) {
		/* Too slow is no doubt about a wall: nothing of the bottle stands on it. */
		if (l->interrupted.kind == ERR_NONE)
			err->kind = ERR_SYSTEM;
		return -1;
	}
	if (proc_wait(&j->proc, &status, err) != 0)
		return -1;
	/* Its last words; a descendant that still holds the pipe is not waited for. */
	while (j->words >= 0 && read_words(j))
		;
	end_line(j);
	return proc_exit_code(status);
}
