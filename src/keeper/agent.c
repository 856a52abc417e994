#include "keeper/bottle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

enum { DRAIN_READS = 256 };

/* The part before the last one goes, which its readers are told. */
static void rotate_log(const struct keeper *k)
{
	int dir = k->launch.dir;
	own_fd int cut =
		faccessat(dir, RECORD_AGENT_OLD, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ?
			openat(dir, RECORD_AGENT_CUT, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) :
			-1;

	renameat(dir, RECORD_AGENT_LOG, dir, RECORD_AGENT_OLD);
}

/* What it says goes into a file that can't fill the disk. */
static void write_log(struct keeper *k, const struct str *bytes)
{
	struct agent *a = &k->agent;

	if (a->log >= 0 && a->logged + bytes->len > AGENT_LOG_MAX) {
		fd_drop(&a->log);
		rotate_log(k);
		a->logged = 0;
	}
	if (a->log < 0)
		a->log = openat(k->launch.dir, RECORD_AGENT_LOG,
		                O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (a->log < 0)
		return;
	if (a->logged == 0) {
		off_t end = lseek(a->log, 0, SEEK_END);
		a->logged = end > 0 ? (size_t)end : 0;
	}
	ssize_t n = write(a->log, bytes->data, bytes->len);
	if (n > 0)
		a->logged += (size_t)n;
}

static bool read_once(struct keeper *k, int *fd, struct watch *w, bool error_stream)
{
	own_keeper_message struct keeper_message m = { .say = KEEPER_OUTPUT, .error_stream = error_stream };

	if (*fd < 0)
		return false;
	str_reserve(&m.bytes, KEEPER_BYTES);
	ssize_t n = read(*fd, m.bytes.data, KEEPER_BYTES);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) { /* EIO: a terminal that nobody has open any more */
		loop_unwatch(&k->loop, w);
		fd_drop(fd);
		return false;
	}
	m.bytes.len = (size_t)n;
	m.bytes.data[n] = '\0';
	write_log(k, &m.bytes);
	connections_tell(k, &m, true);
	return true;
}

static void on_out(void *arg, uint32_t events)
{
	struct keeper *k = arg;

	(void)events;
	read_once(k, &k->agent.out, &k->agent.on_out, false);
	agent_flow(k);
}

static void on_err(void *arg, uint32_t events)
{
	struct keeper *k = arg;

	(void)events;
	read_once(k, &k->agent.err, &k->agent.on_err, true);
	agent_flow(k);
}

/* Whoever looks on and is behind holds the program up, as a terminal would. A watch that
 * waits for nothing still hears of the end, so it is taken off instead. */
static void flow_one(struct keeper *k, int fd, struct watch *w, void (*fn)(void *, uint32_t), bool stop)
{
	struct err ignored = ERR_INIT;

	if (fd < 0)
		return;
	if (stop)
		loop_unwatch(&k->loop, w);
	else if (w->fd < 0)
		loop_watch(&k->loop, w, fd, EPOLLIN, fn, k, &ignored);
}

void agent_flow(struct keeper *k)
{
	bool behind = connections_behind(k);

	flow_one(k, k->agent.out, &k->agent.on_out, on_out, behind);
	flow_one(k, k->agent.err, &k->agent.on_err, on_err, behind);
}

static void close_input(struct keeper *k)
{
	struct agent *a = &k->agent;

	loop_unwatch(&k->loop, &a->on_in);
	fd_drop(&a->in);
	a->input_closed = true;
}

static void write_input(struct keeper *k)
{
	struct agent *a = &k->agent;

	while (a->in >= 0 && a->input.len > 0) {
		ssize_t n = write(a->in, a->input.data, a->input.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			close_input(k);
			break;
		}
		str_cut_front(&a->input, (size_t)n);
	}
	if (a->input.len == 0 && a->input_ends && !a->terminal && a->in >= 0)
		close_input(k);
	if (a->input_closed)
		str_reset(&a->input);
	if (a->input.len == 0)
		loop_unwatch(&k->loop, &a->on_in);
	connections_input(k);
}

static void on_in(void *arg, uint32_t events)
{
	(void)events;
	write_input(arg);
}

void agent_input(struct keeper *k, const struct str *bytes)
{
	struct agent *a = &k->agent;
	struct err ignored = ERR_INIT;

	if (bytes->len == 0)
		a->input_ends = true;
	/* Before it has started its input waits. */
	if (!a->input_closed)
		str_addn(&a->input, str_c(bytes), bytes->len);
	write_input(k);
	if (a->in >= 0 && a->input.len > 0 && a->on_in.fd < 0)
		loop_watch(&k->loop, &a->on_in, a->in, EPOLLOUT, on_in, k, &ignored);
}

static void agent_started(void *arg, int terminal)
{
	struct keeper *k = arg;
	struct agent *a = &k->agent;
	struct keeper_message m = { .say = KEEPER_STARTED,
		                    .number = a->terminal,
		                    .text = k->launch.record.slug };

	a->running = true;
	k->launch.agent_ran = true;
	if (a->terminal && terminal >= 0) {
		fcntl(terminal, F_SETFL, O_NONBLOCK);
		a->out = terminal;
		a->in = fcntl(terminal, F_DUPFD_CLOEXEC, 3);
	} else {
		fd_drop(&terminal);
	}
	connections_tell(k, &m, true);
	write_input(k);
	agent_flow(k);
}

/* Like the shell: a program that isn't there is 127, one that can't be run is 126. */
static void agent_failed(void *arg, int status, const char *why)
{
	struct keeper *k = arg;

	k->agent.ended = true;
	k->agent.why_status = status;
	fail(&k->agent.why, status == 125 ? ERR_SYSTEM : ERR_MISSING, "%s", why);
	keeper_end(k, NULL);
}

static void agent_exited(void *arg, int status)
{
	struct keeper *k = arg;

	k->agent.ended = true;
	k->agent.running = false;
	k->agent.status = status;
	k->launch.exit_status = proc_exit_code(status);
	keeper_end(k, NULL);
}

static int make_pipe(int *ours, int *theirs, bool in, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	*ours = fds[in ? 1 : 0];
	*theirs = fds[in ? 0 : 1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0 ? 0 : fail_errno(err, "pipe");
}

int agent_start(struct keeper *k, struct err *err)
{
	struct agent *a = &k->agent;
	own_fd int in = -1;
	own_fd int out = -1;
	own_fd int error = -1;

	a->terminal = !k->plan.headless && k->rows > 0;
	a->program = (struct program){
		.started = agent_started, .failed = agent_failed, .exited = agent_exited, .arg = k
	};
	if (!a->terminal &&
	    (make_pipe(&a->in, &in, true, err) != 0 || make_pipe(&a->out, &out, false, err) != 0 ||
	     make_pipe(&a->err, &error, false, err) != 0))
		return -1;
	struct launch_command c = { .argv = &k->plan.command,
		                    .terminal = a->terminal,
		                    .rows = k->rows,
		                    .columns = k->columns,
		                    .in = in,
		                    .out = out,
		                    .err = error };
	return launch_run(&k->launch, &c, &a->program, err);
}

/* Its last words are in the pipes when init says that it ended. What something else inside
 * holds open is not waited for. */
void agent_drain(struct keeper *k)
{
	struct agent *a = &k->agent;

	for (int i = 0; i < DRAIN_READS; i++) {
		bool out = read_once(k, &a->out, &a->on_out, false);
		bool err = read_once(k, &a->err, &a->on_err, true);
		if (!out && !err)
			return;
	}
}

void agent_clear(struct keeper *k)
{
	struct agent *a = &k->agent;

	loop_unwatch(&k->loop, &a->on_in);
	loop_unwatch(&k->loop, &a->on_out);
	loop_unwatch(&k->loop, &a->on_err);
	fd_drop(&a->in);
	fd_drop(&a->out);
	fd_drop(&a->err);
	fd_drop(&a->log);
	str_clear(&a->input);
}
