#include "backend/guest.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127, OUR_FAILURE = 125 };

static void end_programs(struct guest *g, const char *why)
{
	while (g->nprograms > 0) {
		struct program *p = g->programs[--g->nprograms];
		p->id = 0;
		if (p->failed)
			p->failed(p->arg, OUR_FAILURE, why);
	}
}

static void give_up(struct guest *g, const struct err *why)
{
	if (g->dead)
		return;
	g->dead = true;
	g->why = *why;
	loop_unwatch(g->loop, &g->on_socket);
	loop_unwatch(g->loop, &g->on_end);
	guest_stands_alone(g);
	proc_signal(&g->init, SIGKILL);
	/* One that never ran left a better reason. */
	if (g->starting >= 0 && cage_started(&g->starting, &g->why) != 0)
		fail_in(&g->why, "the cage");
	end_programs(g, g->why.text);
	if (g->died)
		g->died(g->arg, &g->why);
}

static struct program *find(const struct guest *g, uint32_t id)
{
	for (size_t i = 0; i < g->nprograms; i++)
		if (g->programs[i]->id == id)
			return g->programs[i];
	return NULL;
}

static void take_out(struct guest *g, struct program *p)
{
	for (size_t i = 0; i < g->nprograms; i++)
		if (g->programs[i] == p) {
			g->programs[i] = g->programs[--g->nprograms];
			break;
		}
	p->id = 0;
}

static void tell_failed(struct guest *g, struct program *p, const struct init_msg *m)
{
	own_str struct str why = STR_INIT;
	static const int refusals[] = { EACCES, EPERM,   ENOEXEC, ENOTDIR, EISDIR,
		                        ELOOP,  ETXTBSY, E2BIG,   ELIBBAD };
	int status = m->sys == ENOENT ? NOT_FOUND : OUR_FAILURE;

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (m->sys == refusals[i])
			status = NOT_EXECUTABLE;

	str_add_escaped(&why, m->text ? m->text : "", m->text ? strlen(m->text) : 0, 300);
	take_out(g, p);
	if (p->failed)
		p->failed(p->arg, status, str_c(&why));
}

static const char base_ended[] = "the machine's monitor ended, and the machine with it";

static bool base_has_ended(const struct guest *g)
{
	struct pollfd p = { .fd = g->base, .events = POLLIN };

	return g->base >= 0 && poll(&p, 1, 0) == 1;
}

static int obey_message(struct guest *g, const struct init_msg *m, struct msg *raw, struct err *err)
{
	struct program *p = m->kind == INIT_READY ? NULL : find(g, m->id);

	switch (m->kind) {
	case INIT_READY:
		fd_drop(&g->starting);
		g->ready = true;
		return 0;
	case INIT_STARTED:
		/* A program that was forgotten meanwhile: the terminal's master closes, it is hung up. */
		if (!p)
			return 0;
		if (p->running)
			return fail(err, ERR_UNCONFINED, "init said twice that program %u has started",
			            m->id);
		p->running = true;
		if (p->started)
			p->started(p->arg, m->has_terminal ? msg_take_fd(raw, 0) : -1);
		return 0;
	case INIT_FAILED:
		if (p)
			tell_failed(g, p, m);
		return 0;
	case INIT_EXITED:
		if (base_has_ended(g))
			return fail(err, ERR_UNCONFINED, "%s", base_ended);
		if (!p)
			return 0;
		take_out(g, p);
		if (p->exited)
			p->exited(p->arg, m->status);
		return 0;
	case INIT_RUN:
	case INIT_RESIZE:
	case INIT_SIGNAL:
		break;
	}
	return fail(err, ERR_UNCONFINED, "init sent message %d, which only a keeper sends", (int)m->kind);
}

static void on_socket(void *arg, uint32_t events)
{
	struct guest *g = arg;
	struct err err = ERR_INIT;
	own_msg struct msg raw = MSG_INIT;
	own_init_msg struct init_msg m = INIT_MSG_INIT;

	(void)events;
	int got = msg_recv(g->socket, &raw, &err);
	if (got == 1 && init_msg_decode(raw.bytes.data, raw.bytes.len, raw.nfds, &m, &err) == 0 &&
	    obey_message(g, &m, &raw, &err) == 0)
		return;
	if (got == 0)
		fail(&err, ERR_UNCONFINED, "init closed its socket");
	fail_in(&err, "the guest");
	give_up(g, &err);
}

static void on_end(void *arg, uint32_t events)
{
	struct guest *g = arg;
	struct err err = ERR_INIT;
	int status;

	(void)events;
	if (proc_wait_for(&g->init, 0, &status, &err) != 1)
		return;
	fail(&err, ERR_UNCONFINED, "the guest's init ended with status %d", proc_exit_code(status));
	give_up(g, &err);
}

static void on_base_end(void *arg, uint32_t events)
{
	struct guest *g = arg;
	struct err err = ERR_INIT;

	(void)events;
	fail(&err, ERR_UNCONFINED, "%s", base_ended);
	give_up(g, &err);
}

int guest_stands_on(struct guest *g, int pidfd, struct err *err)
{
	guest_stands_alone(g);
	g->base = pidfd;
	return loop_watch(g->loop, &g->on_base_end, pidfd, EPOLLIN, on_base_end, g, err);
}

void guest_stands_alone(struct guest *g)
{
	if (g->base >= 0)
		loop_unwatch(g->loop, &g->on_base_end);
	fd_drop(&g->base);
}

int guest_listen(struct guest *g, struct loop *loop, void (*died)(void *arg, const struct err *why),
                 void *arg, struct err *err)
{
	g->loop = loop;
	g->died = died;
	g->arg = arg;
	if (loop_watch(loop, &g->on_socket, g->socket, EPOLLIN, on_socket, g, err) != 0 ||
	    loop_watch(loop, &g->on_end, g->init.pidfd, EPOLLIN, on_end, g, err) != 0)
		return fail_in(err, "the guest");
	return 0;
}

int guest_run(struct guest *g, const struct init_run *run, const int *fds, struct program *p, struct err *err)
{
	struct init_msg m = { .kind = INIT_RUN, .id = ++g->next_id, .run = *run };

	if (g->dead || g->socket < 0)
		return fail(err, ERR_MISSING, "the guest has ended");
	if (g->nprograms == GUEST_PROGRAMS_MAX)
		return fail(err, ERR_BUSY, "%d programs were started in this bottle and still run",
		            GUEST_PROGRAMS_MAX);
	if (init_msg_send(g->socket, &m, fds, run->ntargets, err) != 0)
		return fail_in(err, "asking the guest's init");
	p->id = m.id;
	p->running = false;
	g->programs[g->nprograms++] = p;
	return 0;
}

int guest_signal(struct guest *g, const struct program *p, int signo, struct err *err)
{
	struct init_msg m = { .kind = INIT_SIGNAL, .id = p->id, .signal = signo };

	if (g->socket < 0 || g->dead || p->id == 0)
		return fail(err, ERR_MISSING, "the program has ended");
	if (p->inside && g->signal_inside)
		return g->signal_inside(g, p->inside, signo, err);
	return init_msg_send(g->socket, &m, NULL, 0, err);
}

int guest_resize(struct guest *g, const struct program *p, uint16_t rows, uint16_t columns, struct err *err)
{
	struct init_msg m = { .kind = INIT_RESIZE, .id = p->id, .rows = rows, .columns = columns };

	if (g->socket < 0 || g->dead || p->id == 0)
		return fail(err, ERR_MISSING, "the program has ended");
	return init_msg_send(g->socket, &m, NULL, 0, err);
}

void guest_forget(struct guest *g, struct program *p)
{
	struct err ignored = ERR_INIT;

	if (p->id == 0)
		return;
	guest_signal(g, p, SIGHUP, &ignored);
	if (p->inside) { /* and the command that carries it */
		p->inside = 0;
		guest_signal(g, p, SIGHUP, &ignored);
	}
	take_out(g, p);
}

void guest_close(struct guest *g)
{
	if (g->loop) {
		loop_unwatch(g->loop, &g->on_socket);
		loop_unwatch(g->loop, &g->on_end);
	}
	guest_stands_alone(g);
	g->dead = true;
	end_programs(g, "the bottle was taken down");
	fd_drop(&g->socket);
	fd_drop(&g->starting);
	proc_clear(&g->init);
}
