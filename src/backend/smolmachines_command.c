/* One smolvm command: asked of the cage's init like any program, its words collected with a
 * bound, its end awaited with a deadline. */
#include "backend/smolmachines.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

enum { SHOWN_MAX = 300 };

struct stream {
	int fd;
	struct str *into;
	struct watch watch;
	struct loop *loop;
};

struct running {
	struct program program;
	bool done;
	int status;
	struct err err;
	struct stream streams[2];
};

void machine_output_clear(struct machine_output *o)
{
	str_clear(&o->out);
	str_clear(&o->err);
}

void machine_environment(const struct machine *m, struct strv *out)
{
	strv_setenv(out, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
	strv_setenv(out, "LANG", "C.UTF-8");
	strv_setenv(out, "HOME", MACHINE_STATE);
	strv_setenv(out, "SMOLVM_DATA_DIR", MACHINE_STATE);
	if (m->smolvm.libraries) {
		strv_setenv(out, "SMOLVM_LIB_DIR", m->smolvm.libraries);
		strv_setenv(out, "LD_LIBRARY_PATH", m->smolvm.libraries);
	}
	strv_setenv(out, "SMOLVM_AGENT_ROOTFS", m->smolvm.agent_root);
	/* The stricter floor would cut off the sidecars' own address. */
	strv_setenv(out, "SMOLVM_EGRESS_FLOOR", "metadata");
	strv_setenv(out, "SMOLVM_SECCOMP", "enforce");
}

static void failed(void *arg, int status, const char *why)
{
	struct running *r = arg;

	fail(&r->err, ERR_UNCONFINED, "smolvm could not be started (%d): %s", status, why);
	r->done = true;
}

static void exited(void *arg, int status)
{
	struct running *r = arg;

	r->status = proc_exit_code(status);
	r->done = true;
}

static void stream_close(struct stream *s)
{
	if (s->loop)
		loop_unwatch(s->loop, &s->watch);
	fd_drop(&s->fd);
}

/* What it says beyond the bound is read and let go: it must not block. */
static bool stream_read(struct stream *s)
{
	char bytes[16 * 1024];
	ssize_t n = read(s->fd, bytes, sizeof bytes);

	if (n < 0)
		return false;
	if (n == 0) {
		stream_close(s);
		return false;
	}
	size_t room = MACHINE_OUTPUT_MAX - s->into->len;
	str_addn(s->into, bytes, (size_t)n < room ? (size_t)n : room);
	return true;
}

static void on_stream(void *arg, uint32_t events)
{
	(void)events;
	stream_read(arg);
}

static int stream_open(struct stream *s, struct loop *loop, struct str *into, int *theirs, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	*s = (struct stream){ fds[0], into, WATCH_INIT, loop };
	*theirs = fds[1];
	if (fcntl(s->fd, F_SETFL, O_NONBLOCK) != 0)
		return fail_errno(err, "a pipe");
	return loop_watch(loop, &s->watch, s->fd, EPOLLIN, on_stream, s, err);
}

static void running_clear(struct running *r)
{
	stream_close(&r->streams[0]);
	stream_close(&r->streams[1]);
}

static int ask(struct guest *g, const struct guest_waiting *w, const struct strv *argv, int in,
               struct running *r, struct machine_output *out, struct err *err)
{
	own_strv struct strv env = STRV_INIT;
	own_fd int to_out = -1;
	own_fd int to_err = -1;
	int fds[3];

	machine_environment(g->machine, &env);
	struct init_run run = {
		.argv = *argv, .env = env, .cwd = (char *)"/", .uid = CAGE_UID, .gid = CAGE_UID
	};
	if (stream_open(&r->streams[0], w->loop, &out->out, &to_out, err) != 0 ||
	    stream_open(&r->streams[1], w->loop, &out->err, &to_err, err) != 0)
		return -1;
	const int all[] = { in, to_out, to_err };
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i] < 0)
			continue;
		fds[run.ntargets] = all[i];
		run.targets[run.ntargets++] = (uint8_t)i;
	}
	r->program = (struct program){ .failed = failed, .exited = exited, .arg = r };
	return guest_run(g, &run, fds, &r->program, err);
}

int machine_command(struct guest *g, const struct guest_waiting *w, const struct strv *argv, int in, int ms,
                    struct machine_output *out, struct err *err)
{
	OWN(running_clear)
	struct running r = { .streams = { { .fd = -1, .watch = WATCH_INIT },
		                          { .fd = -1, .watch = WATCH_INIT } } };
	struct err ignored = ERR_INIT;
	own_mem char *what = xasprintf("the end of `smolvm %s%s%s`", argv->v[1], argv->n > 2 ? " " : "",
	                               argv->n > 2 ? argv->v[2] : "");

	if (ask(g, w, argv, in, &r, out, err) != 0)
		return -1;
	int rc = w->wait(w->arg, &r.done, ms, what, err);
	if (rc != 0 && r.program.id != 0)
		guest_signal(g, &r.program, SIGKILL, &ignored);
	guest_forget(g, &r.program);
	if (rc != 0)
		return -1;
	if (r.err.kind != ERR_NONE) {
		*err = r.err;
		return -1;
	}
	/* Its last words; a descendant that still holds the pipe is not waited for. */
	for (size_t i = 0; i < ARRAY_LEN(r.streams); i++)
		while (r.streams[i].fd >= 0 && r.streams[i].into->len < MACHINE_OUTPUT_MAX &&
		       stream_read(&r.streams[i]))
			;
	return r.status;
}

int machine_fail(const struct strv *argv, int status, const struct machine_output *out, struct err *err)
{
	own_str struct str shown = STR_INIT;
	const struct str *said = out->err.len ? &out->err : &out->out;
	size_t n = said->len;

	while (n > 0 && strchr("\n\r\t ", said->data[n - 1]))
		n--;
	size_t from = n > SHOWN_MAX ? n - SHOWN_MAX : 0;
	str_add_escaped(&shown, said->data ? said->data + from : "", n - from, SHOWN_MAX);
	return fail(err, ERR_UNCONFINED, "`smolvm %s %s` ended with status %d: %s",
	            argv->n > 1 ? argv->v[1] : "", argv->n > 2 ? argv->v[2] : "", status,
	            shown.len ? str_c(&shown) : "it said nothing");
}
