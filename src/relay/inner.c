#include "relay/relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/msg.h"
#include "base/proc.h"
#include "proto/sidecar.h"
#include "base/banned.h"

enum { FIRST_LISTENER = 3, BACKLOG = 128, CONFIG_MS = 30000, SPARE = 1 << 20 };

static void tell(struct relay *r, const struct sidecar_message *m)
{
	own_str struct str bytes = STR_INIT;
	struct err ignored = ERR_INIT;

	sidecar_message_encode(m, &bytes);
	frames_send(r, FRAME_MESSAGE, &bytes, &ignored);
}

static void log_outwards(void *arg, enum log_level level, const char *line)
{
	own_mem char *text = xstrndup(line, SIDECAR_LOG_LINE);
	struct sidecar_message m = { .say = SIDECAR_LOG, .level = level, .text = text };

	tell(arg, &m);
}

/* Ending is enough to stop everything: this is pid 1. */
static void give_up(struct relay *r, const struct err *why)
{
	struct sidecar_message m = { .say = SIDECAR_FAILED, .why = *why };

	if (why->kind != ERR_NONE && !r->stopping)
		tell(r, &m);
	r->status = why->kind == ERR_NONE || r->stopping ? 0 : 1;
	loop_stop(&r->loop);
}

static void on_outside(void *arg, uint32_t events)
{
	struct relay *r = arg;
	struct err err = ERR_INIT;

	(void)events;
	int got = frames_read(r, &err);
	/* A sidecar that has gone takes no message; what it said before is still to be read. */
	if (got >= 0 && frames_deliver(r, &err) != 0 && err.sys != EPIPE && err.sys != ECONNRESET)
		got = -1;
	/* The keeper's side is gone: nothing here may be reached any more. */
	if (got <= 0)
		give_up(r, &err);
}

static void on_sidecar(void *arg, uint32_t events)
{
	struct relay *r = arg;
	struct err err = ERR_INIT;

	(void)events;
	int got = frames_forward(r, &err);
	if (got > 0)
		return;
	/* The keeper that asked for it does not mind; anybody else is told by the container's end. */
	give_up(r, &err);
}

/* As pid 1 it inherits whatever ends in the container, and is told of docker's stop. */
static void on_signal(void *arg, uint32_t events)
{
	struct relay *r = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(r->signals, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	if (info.ssi_signo == SIGCHLD) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		return;
	}
	/* A write to streams that have ended: seen where they are read. */
	if (info.ssi_signo == SIGPIPE)
		return;
	struct sidecar_message stop = { .say = SIDECAR_STOP };
	struct err ignored = ERR_INIT;
	sidecar_say(r->control, &stop, &ignored);
}

static void on_stranger(void *arg, uint32_t events)
{
	struct entrance *e = arg;

	(void)events;
	int fd = relay_take(e);
	if (fd >= 0)
		joint_ask(e->relay, fd);
}

/* Nothing else is done before the configuration is here, and it is not waited for for ever. */
static int take_config(struct relay *r, struct err *err)
{
	uint64_t deadline = clock_ms() + CONFIG_MS;
	enum bundle_frame kind;
	struct str body;
	int got;

	/* At once: growing would leave copies of the secrets behind. Pages that nothing is written to
	 * take no memory. */
	str_reserve(&r->in, BUNDLE_CONFIG_MAX + SPARE);
	while ((got = bundle_frame_look(&r->in, BUNDLE_CONFIG_MAX, &kind, &body, err)) == 0) {
		struct pollfd in = { r->from, POLLIN, 0 };
		uint64_t now = clock_ms();
		if (now >= deadline || poll(&in, 1, (int)(deadline - now)) < 0)
			return fail(err, ERR_SYSTEM, "no configuration came");
		int n = frames_read(r, err);
		if (n < 0)
			return -1;
		if (n == 0)
			return fail(err, ERR_SYSTEM, "the streams ended before the configuration came");
	}
	if (got < 0)
		return -1;
	int rc = kind == FRAME_CONFIG ? bundle_config_decode(body.data, body.len, &r->config, err) :
	                                fail(err, ERR_INPUT, "a message came before the configuration");
	size_t n = bundle_frame_size(&body);
	explicit_bzero(r->in.data, n);
	str_cut_front(&r->in, n);
	return rc;
}

static int listen_on(in_addr_t address, uint16_t port, struct sockaddr_in *bound, struct err *err)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_port = htons(port),
		                  .sin_addr = { htonl(address) } };
	socklen_t n = sizeof at;
	int on = 1;

	own_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &n) != 0)
		return fail_errno(err, "listening in the container");
	if (bound)
		*bound = at;
	return fd_steal(&fd);
}

/* The sidecar's own listeners are on the container's 127.0.0.1, which nobody else can dial. */
static int start_sidecar(struct relay *r, int theirs, struct err *err)
{
	size_t n = r->config.listeners.n;
	int listeners[BUNDLE_LISTENERS];
	struct proc_fd fds[BUNDLE_LISTENERS + 2];
	own_strv struct strv env = STRV_INIT;
	own_str struct str names = STR_INIT;
	struct proc child = PROC_INIT;
	int control = FIRST_LISTENER + (int)n;

	own_fd int config = file_sealed("config", str_c(&r->config.sidecar), r->config.sidecar.len, err);
	if (config < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		listeners[i] = listen_on(INADDR_LOOPBACK, 0, &r->targets[i], err);
		if (listeners[i] < 0)
			return -1;
		fds[i] = (struct proc_fd){ listeners[i], FIRST_LISTENER + (int)i };
		str_addf(&names, "%s%s", i ? ":" : "", r->config.listeners.v[i]);
	}
	fds[n] = (struct proc_fd){ theirs, control };
	fds[n + 1] = (struct proc_fd){ config, control + 1 };
	strv_addf(&env, "LISTEN_FDNAMES=%s", str_c(&names));
	strv_addf(&env, SIDECAR_CONTROL_ENV "=%d", control);
	strv_addf(&env, SIDECAR_CONFIG_ENV "=%d", control + 1);
	strv_add(&env, SIDECAR_CONTAINED_ENV "=yes");
	char *argv[] = { r->config.program, NULL };
	const struct proc_spec spec = { .path = r->config.program,
		                        .argv = argv,
		                        .env = env.v,
		                        .fds = fds,
		                        .nfds = n + 2,
		                        .listen_fds = (unsigned)n };
	int rc = proc_spawn(&spec, &child, err);
	/* It is waited for as everything else is; its end shows on its socket. */
	fd_drop(&child.pidfd);
	for (size_t i = 0; i < n; i++)
		fd_drop(&listeners[i]);
	return rc;
}

static int start(struct relay *r, struct err *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE, 0 };
	int pair[2];

	r->from = STDIN_FILENO;
	r->to = STDOUT_FILENO;
	if (loop_init(&r->loop, err) != 0 || take_config(r, err) != 0)
		return -1;
	r->signals = loop_signals(signals, err);
	if (r->signals < 0 ||
	    loop_watch(&r->loop, &r->on_signal, r->signals, EPOLLIN, on_signal, r, err) != 0 ||
	    frames_watch(r, on_outside, err) != 0 || msg_pair(pair, err) != 0)
		return -1;
	r->control = pair[0];
	own_fd int theirs = pair[1];
	if (start_sidecar(r, theirs, err) != 0)
		return -1;
	explicit_bzero(r->config.sidecar.data, r->config.sidecar.len);
	str_clear(&r->config.sidecar);
	int door = listen_on(INADDR_ANY, BUNDLE_PORT, NULL, err);
	if (door < 0 || relay_accept_on(r, door, 0, on_stranger, err) != 0 ||
	    loop_watch(&r->loop, &r->on_control, r->control, EPOLLIN, on_sidecar, r, err) != 0)
		return -1;
	return relay_confine(true, err);
}

int inner_run(struct relay *r, struct err *err)
{
	log_set_sink(log_outwards, r, LOG_INFO);
	int rc = start(r, err);
	if (rc == 0)
		rc = frames_deliver(r, err);
	if (rc == 0)
		rc = loop_run(&r->loop, err);
	if (rc != 0)
		give_up(r, err);
	frames_finish(r);
	return rc;
}
