#include "sidecar/sidecar.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/banned.h"

enum { FIRST_LISTENER = 3 };

/* It ended, or what it says can't be trusted any more: nothing of it stays reachable. */
static void give_up(struct sidecar *s, const struct err *why)
{
	if (s->dead)
		return;
	s->dead = true;
	s->why = *why;
	loop_unwatch(s->loop, &s->on_control);
	loop_unwatch(s->loop, &s->on_end);
	proc_signal(&s->proc, SIGKILL);
	if (s->events->died)
		s->events->died(s->arg, s->name, &s->why);
}

static int obey_message(struct sidecar *s, const struct str *bytes, struct sidecar_message *m,
                        struct err *err)
{
	switch (m->say) {
	case SIDECAR_READY:
		s->ready = true;
		return 0;
	case SIDECAR_FAILED:
		*err = m->why;
		return -1;
	case SIDECAR_LOG:
		if (s->events->log)
			s->events->log(s->arg, m->level, m->text);
		return 0;
	case SIDECAR_AUDIT:
		for (size_t i = 0; i < m->records.n; i++)
			s->events->audit(s->arg, m->records.v[i]);
		return 0;
	case SIDECAR_STATE:
		mem_drop(&s->state);
		s->state = mem_steal(&m->text);
		return 0;
	case SIDECAR_RESOLVER:
	case SIDECAR_STOP:
		return fail(err, ERR_INPUT, "it sent a message that only a keeper sends");
	case SIDECAR_OWN:
	default:
		if (!s->events->own)
			return fail(err, ERR_INPUT, "it sent message %d, which is none of its own",
			            (int)m->say);
		return s->events->own(s->arg, bytes, err);
	}
}

/* 1: there may be more, 0: nothing there now, -1: the conversation is over. */
static int hear(struct sidecar *s, struct err *err)
{
	own_msg struct msg raw = MSG_INIT;
	own_sidecar_message struct sidecar_message m = SIDECAR_MESSAGE_INIT;
	int got = msg_recv(s->control, &raw, err);

	if (got < 0)
		return err->kind == ERR_BUSY ? 0 : -1;
	if (got == 0)
		return fail(err, ERR_UNCONFINED, "it closed its control socket");
	if (raw.nfds > 0)
		return fail(err, ERR_INPUT, "it sent a descriptor");
	if (sidecar_message_decode(&raw.bytes, &m, err) != 0)
		return -1;
	return obey_message(s, &raw.bytes, &m, err) == 0 ? 1 : -1;
}

static void on_control(void *arg, uint32_t events)
{
	struct sidecar *s = arg;
	struct err err = ERR_INIT;

	(void)events;
	if (hear(s, &err) >= 0)
		return;
	fail_in(&err, "sidecar %s", s->name);
	give_up(s, &err);
}

static void on_end(void *arg, uint32_t events)
{
	struct sidecar *s = arg;
	struct err err = ERR_INIT;
	int more, status;

	(void)events;
	/* Its last words say more than its status: a FAILED, its last audit records. */
	do
		more = hear(s, &err);
	while (more == 1);
	if (proc_wait_for(&s->proc, 0, &status, &(struct err)ERR_INIT) != 1)
		return;
	if (more == 0 || err.kind == ERR_UNCONFINED)
		fail(&err, ERR_UNCONFINED, "it ended with status %d", proc_exit_code(status));
	fail_in(&err, "sidecar %s", s->name);
	give_up(s, &err);
}

static int spawn(const struct sidecar_spec *spec, struct sidecar *s, int control, struct err *err)
{
	struct proc_fd fds[SIDECAR_LISTENERS_MAX + 2];
	own_strv struct strv env = STRV_INIT;
	own_str struct str names = STR_INIT;
	size_t n = spec->nlisteners;
	int next = FIRST_LISTENER + (int)n;

	own_fd int config = file_sealed("config", str_c(spec->config), spec->config->len, err);
	if (config < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		fds[i] = (struct proc_fd){ spec->listeners[i].fd, FIRST_LISTENER + (int)i };
		str_addf(&names, "%s%s", i ? ":" : "", spec->listeners[i].name);
	}
	fds[n] = (struct proc_fd){ control, next };
	fds[n + 1] = (struct proc_fd){ config, next + 1 };
	strv_addf(&env, "LISTEN_FDNAMES=%s", str_c(&names));
	strv_addf(&env, SIDECAR_CONTROL_ENV "=%d", next);
	strv_addf(&env, SIDECAR_CONFIG_ENV "=%d", next + 1);
	char *argv[] = { (char *)spec->name, NULL };
	/* Opened here: its cage's id need not be able to walk to where we are installed. */
	own_fd int program = open(spec->program, O_RDONLY | O_CLOEXEC);
	if (program < 0)
		return fail_errno(err, "open %s", spec->program);
	struct cage_spec cage = {
		.ids = &s->ids,
		.enters_itself = true,
		.host_network = spec->host_network,
		.hostname = spec->name,
		.exe = program,
		.argv = argv,
		.env = env.v,
		.fds = fds,
		.nfds = n + 2,
		.listen_fds = (unsigned)n,
	};
	return cage_spawn(&cage, &s->proc, NULL, err);
}

int sidecar_start(struct loop *loop, const struct sidecar_spec *spec, struct sidecar *out, struct err *err)
{
	int pair[2];

	if (spec->nlisteners > SIDECAR_LISTENERS_MAX)
		bug("%zu listeners for a sidecar", spec->nlisteners);
	out->name = xstrdup(spec->name);
	out->loop = loop;
	out->events = spec->events;
	out->arg = spec->arg;
	if (cage_ids_choose(&out->ids, err) != 0 || msg_pair(pair, err) != 0)
		return fail_in(err, "sidecar %s", spec->name);
	own_fd int theirs = pair[1];
	out->control = pair[0];
	/* A sidecar that does not read must not be able to hold the keeper up. */
	if (fcntl(out->control, F_SETFL, O_NONBLOCK) != 0)
		return fail_errno(err, "sidecar %s: its control socket", spec->name);
	if (spawn(spec, out, theirs, err) != 0)
		return fail_in(err, "sidecar %s", spec->name);
	if (loop_watch(loop, &out->on_control, out->control, EPOLLIN, on_control, out, err) != 0 ||
	    loop_watch(loop, &out->on_end, out->proc.pidfd, EPOLLIN, on_end, out, err) != 0)
		return fail_in(err, "sidecar %s", spec->name);
	return 0;
}

int sidecar_tell_resolver(struct sidecar *s, const struct str *resolv_conf, const struct str *hosts,
                          struct err *err)
{
	/* Borrowed for the encoding, so the message is not cleared. */
	struct sidecar_message m = { .say = SIDECAR_RESOLVER, .resolv_conf = *resolv_conf, .hosts = *hosts };

	if (resolv_conf->len > SIDECAR_FILE_MAX || hosts->len > SIDECAR_FILE_MAX)
		return fail(err, ERR_INPUT, "resolv.conf or hosts is over the limit of %d bytes",
		            SIDECAR_FILE_MAX);
	return sidecar_say(s->control, &m, err);
}

/* Reads on until it ends, so that a sidecar that has much to say is not stuck in saying it. */
static void drain_until_end(struct sidecar *s)
{
	struct err ignored = ERR_INIT;
	uint64_t deadline = clock_ms() + SIDECAR_STOP_MS;
	bool talking = true;

	for (;;) {
		struct pollfd fds[2] = { { s->proc.pidfd, POLLIN, 0 },
			                 { talking ? s->control : -1, POLLIN, 0 } };
		uint64_t now = clock_ms();
		if (now >= deadline)
			return;
		if (poll(fds, 2, (int)(deadline - now)) < 0)
			continue;
		int got = 0;
		/* One that is somebody else's by now never has no more to say. */
		while (talking && clock_ms() < deadline && (got = hear(s, &ignored)) == 1)
			;
		talking = talking && got == 0;
		if (fds[0].revents)
			return;
	}
}

void sidecar_stop(struct sidecar *s)
{
	bool was_dead = s->dead;

	if (s->loop) {
		loop_unwatch(s->loop, &s->on_control);
		loop_unwatch(s->loop, &s->on_end);
	}
	s->dead = true; /* nobody is told of a death that was asked for */
	if (s->proc.pidfd >= 0 && !was_dead) {
		struct sidecar_message stop = { .say = SIDECAR_STOP };
		sidecar_say(s->control, &stop, &(struct err)ERR_INIT);
		proc_signal(&s->proc, SIGTERM);
		drain_until_end(s);
	}
	proc_clear(&s->proc);
	fd_drop(&s->control);
	cage_ids_clear(&s->ids);
	mem_drop(&s->state);
	mem_drop(&s->name);
}
