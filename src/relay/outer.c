#include "relay/relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "proto/sidecar.h"
/* What a sidecar inherits is named in its environment, which its keeper made. */
#define MAY_READ_ENVIRONMENT
#include "base/banned.h"

enum { FIRST_LISTENER = 3, DESCRIPTORS = 1024 };

static int number_from(const char *name, int *out, struct err *err)
{
	const char *text = getenv(name);
	unsigned long n;

	if (!text || !str_number(text, 0, DESCRIPTORS, &n))
		return fail(err, ERR_USAGE, "no %s; bottle-relay is started by bottle, not by hand", name);
	*out = (int)n;
	return 0;
}

static void log_to_keeper(void *arg, enum log_level level, const char *line)
{
	const struct relay *r = arg;
	struct err ignored = ERR_INIT;

	sidecar_say_log(r->control, level, line, &ignored);
}

/* The last word to the keeper, whose answer is to end the bottle. */
static void give_up(struct relay *r, const struct err *why)
{
	struct err ignored = ERR_INIT;

	if (!r->stopping)
		sidecar_say_failed(r->control, why, &ignored);
	r->status = r->stopping ? 0 : 1;
	loop_stop(&r->loop);
}

static void on_container(void *arg, uint32_t events)
{
	struct relay *r = arg;
	struct err err = ERR_INIT;

	(void)events;
	int got = frames_read(r, &err);
	if (got >= 0 && frames_deliver(r, &err) != 0)
		got = -1;
	if (got == 0)
		fail(&err, ERR_UNCONFINED, "the sidecars' container ended");
	if (got <= 0)
		give_up(r, &err);
}

static void on_keeper(void *arg, uint32_t events)
{
	struct relay *r = arg;
	struct err err = ERR_INIT;

	(void)events;
	int got = frames_forward(r, &err);
	if (got == 0)
		r->stopping = true; /* a keeper that is gone takes its sidecars with it */
	if (got <= 0)
		give_up(r, &err);
}

/* The sidecar is told to finish; its end is seen as the end of the container's streams. */
static void on_signal(void *arg, uint32_t events)
{
	struct relay *r = arg;
	struct sidecar_message stop = { .say = SIDECAR_STOP };
	own_str struct str bytes = STR_INIT;
	struct err err = ERR_INIT;
	struct signalfd_siginfo info;

	(void)events;
	/* A write to streams that have ended is seen where they are read. */
	if (read(r->signals, &info, sizeof info) != (ssize_t)sizeof info || info.ssi_signo == SIGPIPE ||
	    r->stopping)
		return;
	r->stopping = true;
	sidecar_message_encode(&stop, &bytes);
	if (frames_send(r, FRAME_MESSAGE, &bytes, &err) != 0)
		give_up(r, &err);
}

static void on_guest(void *arg, uint32_t events)
{
	struct entrance *e = arg;

	(void)events;
	int fd = relay_take(e);
	if (fd >= 0)
		joint_carry(e->relay, fd, e->number);
}

static int number_of(const struct relay *r, const char *name)
{
	for (size_t i = 0; i < r->config.listeners.n; i++)
		if (str_is(r->config.listeners.v[i], name))
			return (int)i;
	return -1;
}

static int take_sockets(struct relay *r, struct err *err)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int count;

	if (number_from("LISTEN_FDS", &count, err) != 0)
		return -1;
	for (int i = 0; names && i < count; i++) {
		size_t n = strcspn(names, ":");
		own_mem char *name = xstrndup(names, n);
		int fd = FIRST_LISTENER + i, number = number_of(r, name);
		names += names[n] ? n + 1 : n;
		if (str_is(name, BUNDLE_CHANNEL))
			r->from = fd;
		else if (number < 0)
			return fail(err, ERR_INPUT, "no listener is called %s", name);
		else if (relay_accept_on(r, fd, (unsigned)number, on_guest, err) != 0)
			return -1;
	}
	if (r->from < 0 || r->nentrances == 0)
		return fail(err, ERR_INPUT, "the container's streams, or every listener, are missing");
	/* A copy: one descriptor can't be watched twice. */
	r->to = fcntl(r->from, F_DUPFD_CLOEXEC, 0);
	return r->to >= 0 ? 0 : fail_errno(err, "the container's streams");
}

static int take_config(struct relay *r, struct str *bytes, struct err *err)
{
	int fd;

	if (number_from(SIDECAR_CONFIG_ENV, &fd, err) != 0)
		return -1;
	str_reserve(bytes, BUNDLE_CONFIG_MAX);
	int rc = file_read_fd(fd, "the relay's configuration", BUNDLE_CONFIG_MAX, bytes, err);
	fd_drop(&fd);
	if (rc != 0 || bundle_config_decode(str_c(bytes), bytes->len, &r->config, err) != 0)
		return -1;
	r->targets[0] =
		(struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)r->config.port) };
	if (inet_pton(AF_INET, r->config.address, &r->targets[0].sin_addr) != 1)
		return fail(err, ERR_INPUT, "%s is no address", r->config.address);
	return 0;
}

static int start(struct relay *r, struct str *config, struct err *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, 0 };

	if (loop_init(&r->loop, err) != 0 || take_config(r, config, err) != 0 || take_sockets(r, err) != 0)
		return -1;
	r->signals = loop_signals(signals, err);
	if (r->signals < 0 ||
	    loop_watch(&r->loop, &r->on_signal, r->signals, EPOLLIN, on_signal, r, err) != 0 ||
	    loop_watch(&r->loop, &r->on_control, r->control, EPOLLIN, on_keeper, r, err) != 0 ||
	    frames_watch(r, on_container, err) != 0)
		return -1;
	return relay_confine(false, err);
}

/* Secrets leave this process's memory as soon as the other side has them; what it keeps is the
 * token alone. */
static void forget(struct relay *r, struct str *config)
{
	if (config->data)
		explicit_bzero(config->data, config->cap);
	str_clear(config);
	if (r->config.sidecar.data)
		explicit_bzero(r->config.sidecar.data, r->config.sidecar.len);
	str_clear(&r->config.sidecar);
}

int outer_run(struct relay *r, struct err *err)
{
	struct str config = STR_INIT;
	struct err lost = ERR_INIT;

	if (number_from(SIDECAR_CONTROL_ENV, &r->control, err) != 0)
		return -1;
	fcntl(r->control, F_SETFD, FD_CLOEXEC);
	log_set_sink(log_to_keeper, r, LOG_INFO);
	int rc = start(r, &config, err);
	if (rc == 0)
		rc = frames_send(r, FRAME_CONFIG, &config, err);
	forget(r, &config);
	if (rc == 0)
		rc = loop_run(&r->loop, err);
	if (rc != 0)
		sidecar_say_failed(r->control, err, &lost);
	return rc;
}
