/* The egress gateway of one bottle: takes its configuration, makes its CA, enters its cage,
 * says that it is ready, and then does nothing but carry requests that are allowed. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/msg.h"
#include "egress/gateway.h"
#include "egress/profile.h"
#include "proto/sidecar.h"
/* What a sidecar inherits is named in its environment, which its keeper made. */
#define MAY_READ_ENVIRONMENT
#include "base/banned.h"

enum { FIRST_LISTENER = 3, GOODBYE_MS = 2000 };

struct program {
	struct loop loop;
	struct gateway gateway;
	struct watch control, signals;
	int control_fd, signal_fd;
};

static void log_to_keeper(void *arg, enum log_level level, const char *line)
{
	const struct program *p = arg;
	struct err err = ERR_INIT;

	/* A log line that finds the socket full is lost: records matter more. */
	sidecar_say_log(p->control_fd, level, line, &err);
}

static int number_from(const char *name, unsigned long most, int *out, struct err *err)
{
	const char *text = getenv(name);
	unsigned long n;

	if (!text || !str_number(text, 0, most, &n))
		return fail(err, ERR_USAGE, "no %s; bottle-egress is started by bottle, not by hand", name);
	*out = (int)n;
	return 0;
}

/* ---- what the keeper says ---- */

static void obey(struct program *p, const struct str *bytes)
{
	own_sidecar_message struct sidecar_message m = SIDECAR_MESSAGE_INIT;
	struct err err = ERR_INIT;

	if (sidecar_message_decode(bytes, &m, &err) != 0) {
		log_error("the keeper's message is not understood: %s", err.text);
		loop_stop(&p->loop);
		return;
	}
	switch (m.say) {
	case SIDECAR_RESOLVER:
		if (resolver_update(p->gateway.resolver, str_c(&m.resolv_conf), str_c(&m.hosts), &err) != 0)
			log_warn("the host's new name servers can't be used: %s", err.text);
		break;
	case SIDECAR_STOP:
		loop_stop(&p->loop);
		break;
	default:
		log_error("the keeper said something that is not for a gateway say=%d", (int)m.say);
		loop_stop(&p->loop);
	}
}

static void on_control(void *arg, uint32_t events)
{
	struct program *p = arg;
	own_msg struct msg m = MSG_INIT;
	struct err err = ERR_INIT;
	int got = -1;

	if (events & EPOLLOUT && p->gateway.audit.stuck)
		audit_flush(&p->gateway.audit);
	while (!p->loop.stop && (got = msg_recv(p->control_fd, &m, &err)) > 0)
		obey(p, &m.bytes);
	/* A keeper that is gone takes its gateway with it: nothing could be recorded. */
	if (got == 0 || (got < 0 && err.kind != ERR_BUSY && err.kind != ERR_NONE))
		loop_stop(&p->loop);
}

static void on_signal(void *arg, uint32_t events)
{
	struct program *p = arg;

	(void)events;
	loop_stop(&p->loop);
}

/* ---- start ---- */

static int take_listeners(struct program *p, struct err *err)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int count;

	if (number_from("LISTEN_FDS", GATEWAY_LISTENERS, &count, err) != 0)
		return -1;
	if (!names)
		names = "";
	for (int i = 0; i < count; i++) {
		size_t n = strcspn(names, ":");
		own_mem char *name = xstrndup(names, n);
		if (gateway_listen(&p->gateway, FIRST_LISTENER + i, name, err) != 0)
			return -1;
		names += names[n] ? n + 1 : n;
	}
	return count > 0 ? 0 : fail(err, ERR_INPUT, "no listener was inherited");
}

static int take_config(struct egress_config *out, struct err *err)
{
	struct str bytes = STR_INIT;
	int fd;

	if (number_from(SIDECAR_CONFIG_ENV, 1024, &fd, err) != 0)
		return -1;
	int rc = file_read_fd(fd, "the gateway's configuration", EGRESS_CONFIG_MAX, &bytes, err);
	fd_drop(&fd);
	if (rc == 0)
		rc = egress_config_decode(bytes.data, bytes.len, out, err);
	/* The credentials now live in their own, counted places. */
	if (bytes.data)
		explicit_bzero(bytes.data, bytes.cap);
	str_clear(&bytes);
	return rc;
}

static int start(struct program *p, struct err *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	own_egress_config struct egress_config config = EGRESS_CONFIG_INIT;
	own_str struct str ca = STR_INIT;

	if (take_config(&config, err) != 0 || loop_init(&p->loop, err) != 0)
		return -1;
	if (gateway_init(&p->gateway, &p->loop, &config, p->control_fd, err) != 0)
		return -1;
	if (take_listeners(p, err) != 0)
		return -1;
	p->signal_fd = loop_signals(signals, err);
	if (p->signal_fd < 0 ||
	    loop_watch(&p->loop, &p->signals, p->signal_fd, EPOLLIN, on_signal, p, err) != 0 ||
	    loop_watch(&p->loop, &p->control, p->control_fd, EPOLLIN | EPOLLOUT | EPOLLET, on_control, p,
	               err) != 0)
		return -1;
	if (egress_confine(getenv(SIDECAR_CONTAINED_ENV) != NULL, err) != 0)
		return -1;
	egress_ca_encode(str_c(&p->gateway.tls.ca.pem), &ca);
	if (msg_send(p->control_fd, &ca, NULL, 0, err) != 0)
		return -1;
	return sidecar_say_ready(p->control_fd, err);
}

/* The last records may wait for the keeper, but not for ever. */
static void say_goodbye(struct program *p)
{
	struct timeval most = { .tv_sec = GOODBYE_MS / 1000 };
	int flags = fcntl(p->control_fd, F_GETFL);

	setsockopt(p->control_fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
	if (flags >= 0)
		fcntl(p->control_fd, F_SETFL, flags & ~O_NONBLOCK);
	gateway_clear(&p->gateway);
}

int main(void)
{
	struct program p = {
		.loop = LOOP_INIT, .control = WATCH_INIT, .signals = WATCH_INIT, .signal_fd = -1
	};
	struct err err = ERR_INIT, lost = ERR_INIT;

	if (number_from(SIDECAR_CONTROL_ENV, 1024, &p.control_fd, &err) != 0)
		return 2;
	int flags = fcntl(p.control_fd, F_GETFL);
	if (flags < 0 || fcntl(p.control_fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(p.control_fd, F_SETFD, FD_CLOEXEC) != 0)
		return 2;
	log_set_sink(log_to_keeper, &p, LOG_INFO);
	/* The launch goes on while it reads what the system trusts; the first request waits for it. */
	if (start(&p, &err) != 0 || gateway_take_roots(&p.gateway, &err) != 0 ||
	    loop_run(&p.loop, &err) != 0) {
		sidecar_say_failed(p.control_fd, &err, &lost);
		return 1;
	}
	say_goodbye(&p);
	loop_clear(&p.loop);
	return 0;
}
