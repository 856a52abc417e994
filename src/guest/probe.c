/* Tries to reach what it is told to, everything at once until one deadline, and reports what
 * happened to each. It judges nothing and knows of nothing but its task: the one who asked
 * decides which outcome is a surprise. */
#include "proto/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "guest/guest.h"
#include "guest/question.h"
#include "base/banned.h"

enum { DEADLINE_MAX_MS = 60 * 1000, NAME_PORT = 53, DIALS = 8 };

struct attempt {
	const struct probe_target *target;
	struct probe_result *result;
	int fd; /* -1: it is over */
};

static void finish(struct attempt *a, enum probe_outcome outcome, int error)
{
	a->result->outcome = outcome;
	a->result->error = error;
	fd_drop(&a->fd);
}

static bool is_datagram(const struct probe_target *t)
{
	return t->family == PROBE_UDP || t->family == PROBE_NAME;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

/* The length, 0 if the text is no address. */
static socklen_t to_address(const struct probe_target *t, const char *text, uint16_t port, union address *out)
{
	size_t n = strlen(text);

	*out = (union address){ 0 };
	if (t->family == PROBE_UNIX_PATH || t->family == PROBE_UNIX_ABSTRACT) {
		bool abstract = t->family == PROBE_UNIX_ABSTRACT;
		if (n + 1 > sizeof out->local.sun_path)
			return 0;
		out->local.sun_family = AF_UNIX;
		memcpy(out->local.sun_path + abstract, text, n);
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	}
	if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		return sizeof out->v4;
	}
	if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons(port);
		return sizeof out->v6;
	}
	return 0;
}

/* A port that nobody here has may by chance become the socket's own: who dials itself has met nobody. */
static bool is_itself(int fd, const union address *to, socklen_t n)
{
	union address own = { 0 };
	socklen_t size = sizeof own;

	return to->any.sa_family != AF_UNIX && getsockname(fd, &own.any, &size) == 0 && size == n &&
	       memcmp(&own, to, n) == 0;
}

/* 0: connected, or on its way there; else an errno. One that meets itself each time stays connected,
 * which is for others to judge. */
static int dial(struct attempt *a, const union address *to, socklen_t n, int type)
{
	for (int i = 0; i < DIALS; i++) {
		fd_drop(&a->fd);
		a->result->stage = PROBE_AT_SOCKET;
		a->fd = socket(to->any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (a->fd < 0)
			return errno;
		a->result->stage = PROBE_AT_CONNECT;
		if (connect(a->fd, &to->any, n) != 0 && errno != EINPROGRESS)
			return errno;
		if (!is_itself(a->fd, to, n))
			break;
	}
	return 0;
}

static void begin(struct attempt *a, const char *server)
{
	const struct probe_target *t = a->target;
	bool name = t->family == PROBE_NAME;
	union address to;
	socklen_t n = to_address(t, name ? server : t->address, name ? NAME_PORT : t->port, &to);

	a->result->stage = PROBE_AT_SOCKET;
	if (n == 0) {
		finish(a, PROBE_REFUSED, EINVAL);
		return;
	}
	int error = dial(a, &to, n, is_datagram(t) ? SOCK_DGRAM : SOCK_STREAM);
	/* EAGAIN: a UNIX listener whose queue is full is there, and was reached. */
	if (error)
		finish(a, error == EAGAIN ? PROBE_CONNECTED : PROBE_REFUSED, error);
}

static void after_connect(struct attempt *a)
{
	const struct probe_target *t = a->target;
	own_str struct str question = STR_INIT;
	int error = 0;
	socklen_t n = sizeof error;

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0) {
		finish(a, PROBE_REFUSED, error ? error : errno);
		return;
	}
	a->result->stage = PROBE_AT_SEND;
	const struct str *request = &t->request;
	if (t->family == PROBE_NAME) {
		question_encode(&question, t->address);
		request = &question;
	}
	/* A datagram is sent even when it is empty: UDP has no other way to knock. */
	if ((request->len || is_datagram(t)) &&
	    send(a->fd, str_c(request), request->len, MSG_NOSIGNAL) != (ssize_t)request->len) {
		finish(a, PROBE_REFUSED, errno);
		return;
	}
	a->result->stage = PROBE_AT_RECEIVE;
}

static bool awaits_nonce(const struct probe_target *t)
{
	static const unsigned char none[PROBE_NONCE];

	return memcmp(t->nonce, none, sizeof none) != 0;
}

static bool has_nonce(const struct probe_target *t, const struct str *answer)
{
	return awaits_nonce(t) && answer->len > 0 &&
	       memmem(answer->data, answer->len, t->nonce, sizeof t->nonce);
}

static void receive(struct attempt *a)
{
	const struct probe_target *t = a->target;
	struct str *answer = &a->result->answer;
	char bytes[PROBE_ANSWER_MAX];

	ssize_t n = recv(a->fd, bytes, sizeof bytes, 0);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			finish(a, PROBE_REFUSED, errno);
		return;
	}
	size_t room = PROBE_ANSWER_MAX - answer->len;
	if (n > 0)
		str_addn(answer, bytes, (size_t)n < room ? (size_t)n : room);
	if (t->family == PROBE_NAME)
		finish(a, PROBE_RESOLVED, 0);
	else if (has_nonce(t, answer))
		finish(a, PROBE_NONCE_SEEN, 0);
	else if (n == 0 || is_datagram(t) || answer->len >= (t->want ? t->want : PROBE_ANSWER_MAX))
		finish(a, PROBE_CONNECTED, 0);
}

static void step(struct attempt *a)
{
	if (a->result->stage == PROBE_AT_CONNECT) {
		after_connect(a);
		if (a->fd >= 0 && !is_datagram(a->target) && !awaits_nonce(a->target) && a->target->want == 0)
			finish(a, PROBE_CONNECTED, 0);
	} else {
		receive(a);
	}
}

/* True while something is open. */
static bool wait_for_one(struct attempt *all, size_t n, uint64_t deadline)
{
	struct pollfd from[PROBE_TARGETS_MAX];
	uint64_t now = clock_ms();
	bool open = false;

	for (size_t i = 0; i < n; i++) {
		bool connecting = all[i].fd >= 0 && all[i].result->stage == PROBE_AT_CONNECT;
		from[i] = (struct pollfd){ .fd = all[i].fd, .events = connecting ? POLLOUT : POLLIN };
		open = open || all[i].fd >= 0;
	}
	if (!open || now >= deadline)
		return false;
	if (poll(from, n, (int)(deadline - now)) < 0)
		return errno == EINTR;
	for (size_t i = 0; i < n; i++)
		if (from[i].revents && all[i].fd >= 0)
			step(&all[i]);
	return true;
}

static void try_all(const struct probe_task *task, struct probe_report *report)
{
	struct attempt all[PROBE_TARGETS_MAX];
	char server[QUESTION_SERVER_MAX];
	uint32_t ms = task->deadline_ms < DEADLINE_MAX_MS ? task->deadline_ms : DEADLINE_MAX_MS;
	uint64_t deadline = clock_ms() + ms;

	question_server(server);
	for (size_t i = 0; i < task->n; i++) {
		report->results[i] = (struct probe_result){ .id = task->targets[i].id };
		all[i] = (struct attempt){ &task->targets[i], &report->results[i], -1 };
		begin(&all[i], server);
	}
	report->n = task->n;
	while (wait_for_one(all, task->n, deadline))
		;
	for (size_t i = 0; i < task->n; i++) {
		bool reached = all[i].result->stage == PROBE_AT_RECEIVE && !is_datagram(all[i].target);
		if (all[i].fd >= 0)
			finish(&all[i], reached ? PROBE_CONNECTED : PROBE_SILENT, 0);
	}
}

int guest_probe(int argc, char **argv)
{
	own_str struct str in = STR_INIT;
	own_str struct str out = STR_INIT;
	static struct probe_task task;
	static struct probe_report report;
	struct err err = ERR_INIT;

	(void)argv;
	if (argc != 1)
		return guest_fail(GUEST_FAILED, "probe: takes its task from descriptor 0");
	if (file_read_fd(0, "the task", PROBE_PACK_MAX, &in, &err) != 0 ||
	    probe_task_decode(in.data, in.len, &task, &err) != 0)
		return guest_fail(GUEST_FAILED, "probe: %s", err.text);
	memcpy(report.launch, task.launch, sizeof report.launch);
	try_all(&task, &report);
	probe_report_encode(&report, &out);
	if (file_write_all(1, out.data, out.len, &err) != 0)
		return guest_fail(GUEST_FAILED, "probe: %s", err.text);
	return 0;
}
