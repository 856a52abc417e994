#include "keeper/bottle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"
#include "keeper/requests.h"
#include "base/banned.h"

static void on_message(void *arg, uint32_t events);

/* True for those who see the agent's output and its end. */
static bool looks_on(const struct connection *c)
{
	return c->role == ROLE_LAUNCHER || c->role == ROLE_ATTACHED;
}

static void remove_connection(struct connection *c)
{
	struct keeper *k = c->keeper;

	for (struct connection **at = &k->connections; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	k->nconnections--;
	loop_unwatch(&k->loop, &c->watch);
	guest_forget(&k->launch.guest, &c->program);
	for (size_t i = 0; i < ARRAY_LEN(c->ours); i++)
		fd_drop(&c->ours[i]);
	fd_drop(&c->fd);
	str_clear(&c->pending);
	free(c);
}

/* The other side is gone. Whose launch or whose terminal it was decides what that means. */
static void hang_up(struct connection *c)
{
	struct keeper *k = c->keeper;
	enum role role = c->role;
	struct err why = ERR_INIT;

	remove_connection(c);
	agent_flow(k);
	if (role != ROLE_LAUNCHER || k->down)
		return;
	if (!k->launch.is_up || !k->agent.running) {
		fail(&why, ERR_DENIED, "the caller went away before the agent ran");
		launch_interrupt(&k->launch, &why);
		if (k->launch.is_up)
			keeper_end(k, &why);
		return;
	}
	if (!k->plan.detach)
		keeper_stop(k, SIGHUP);
}

static size_t behind(const struct connection *c)
{
	return c->pending.len - c->pending_at;
}

static void set_events(struct connection *c)
{
	/* Nobody gets here who waits for TOOK, as our own do. */
	bool held = looks_on(c) && c->keeper->agent.input.len >= INPUT_MAX;

	loop_change(&c->keeper->loop, &c->watch, (held ? 0 : EPOLLIN) | (behind(c) ? EPOLLOUT : 0));
}

/* As many as fit. 1: all, 0: not all yet, -1: the other side is gone. */
static int send_pending(struct connection *c)
{
	while (behind(c) > 0) {
		struct unpack u = unpack_of(c->pending.data + c->pending_at, behind(c));
		struct err err = ERR_INIT;
		size_t n;
		const void *bytes = unpack_bytes(&u, &n);
		const struct str one = { .data = (char *)bytes, .len = n };
		if (msg_send(c->fd, &one, NULL, 0, &err) != 0)
			return err.kind == ERR_BUSY ? 0 : -1;
		c->pending_at += sizeof(uint32_t) + n;
	}
	str_reset(&c->pending);
	c->pending_at = 0;
	return 1;
}

/* The agent does not wait for somebody who only looks on. Its hang-up is heard in the loop. */
static void let_go(struct connection *c)
{
	log_warn("one who looked on was let go: over %d bytes behind", BEHIND_MAX);
	c->let_go = true;
	str_reset(&c->pending);
	c->pending_at = 0;
	shutdown(c->fd, SHUT_RDWR);
	set_events(c);
}

/* False: it is gone, and @c with it. */
static bool flush(struct connection *c)
{
	int sent = behind(c) > 0 ? send_pending(c) : 0;

	if (sent < 0) {
		hang_up(c);
		return false;
	}
	if (sent == 1) {
		set_events(c);
		agent_flow(c->keeper);
	}
	return true;
}

void connection_say(struct connection *c, const struct keeper_message *m, const int *fds, size_t nfds)
{
	own_str struct str bytes = STR_INIT;
	struct err err = ERR_INIT;

	if (c->let_go)
		return;
	keeper_message_encode(m, &bytes);
	if (behind(c) == 0 && msg_send(c->fd, &bytes, fds, nfds, &err) == 0)
		return;
	/* Descriptors don't wait: they go with the first message of their connection, or never. */
	if ((behind(c) == 0 && err.kind != ERR_BUSY) || nfds > 0)
		return;
	/* The launcher's is bounded by agent_flow(), which stops reading while it is behind. */
	if (c->role != ROLE_LAUNCHER && behind(c) + bytes.len > BEHIND_MAX) {
		let_go(c);
		return;
	}
	if (c->pending_at > BEHIND_MAX) {
		str_cut_front(&c->pending, c->pending_at);
		c->pending_at = 0;
	}
	pack_bytes(&c->pending, bytes.data, bytes.len);
	set_events(c);
}

void connections_tell(struct keeper *k, const struct keeper_message *m, bool attached_only)
{
	for (struct connection *c = k->connections; c; c = c->next)
		if (!attached_only || looks_on(c))
			connection_say(c, m, NULL, 0);
}

bool connections_behind(const struct keeper *k)
{
	for (const struct connection *c = k->connections; c; c = c->next)
		if (c->role == ROLE_LAUNCHER && behind(c) > 0)
			return true;
	return false;
}

/* False: the other side is gone, or reads nothing any more, or we are told to end. */
static bool await_reader(struct connection *c)
{
	struct pollfd fds[] = { { c->fd, POLLIN | POLLOUT, 0 }, { c->keeper->signals, POLLIN, 0 } };
	own_msg struct msg raw = MSG_INIT;
	struct err err = ERR_INIT;
	int n = poll(fds, ARRAY_LEN(fds), LINGER_MS);

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0 || fds[1].revents)
		return false;
	/* What it still sends finds nobody: it is only made room for. */
	if (fds[0].revents & POLLIN) {
		int got = msg_recv(c->fd, &raw, &err);
		return got > 0 || (got < 0 && err.kind == ERR_BUSY);
	}
	return !(fds[0].revents & (POLLHUP | POLLERR));
}

void connections_linger(struct keeper *k)
{
	/* A reader that pages through the last output may take its time; nothing else waits. */
	for (struct connection *c = k->connections; c; c = c->next)
		while (c->role == ROLE_LAUNCHER && send_pending(c) == 0 && await_reader(c))
			;
}

void connections_input(struct keeper *k)
{
	bool taken = k->agent.input.len < KEEPER_BYTES;

	for (struct connection *c = k->connections; c; c = c->next) {
		struct keeper_message m = { .say = KEEPER_TOOK, .number = c->owed };
		if (taken && c->owed > 0) {
			c->owed = 0;
			connection_say(c, &m, NULL, 0);
		}
		set_events(c);
	}
}

static void on_message(void *arg, uint32_t events)
{
	struct connection *c = arg;
	own_msg struct msg raw = MSG_INIT;
	own_keeper_message struct keeper_message m = KEEPER_MESSAGE_INIT;
	struct err err = ERR_INIT;

	if ((events & EPOLLOUT) && !flush(c))
		return;
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	int got = keeper_hear(c->fd, &raw, &m, &err);
	if (got < 0 && err.kind == ERR_BUSY)
		return;
	if (got == 1 && request_obey(c, &m, &err) == 0)
		return;
	if (got != 0) {
		struct keeper_message failed = { .say = KEEPER_FAILED, .why = err };
		connection_say(c, &failed, NULL, 0);
	}
	/* A refused request ends the connection; the launcher's is worth more than that. */
	if (got == 1 && c->role == ROLE_LAUNCHER)
		return;
	hang_up(c);
}

struct connection *connection_add(struct keeper *k, int fd, enum role role, struct err *err)
{
	struct connection *c = xcalloc(1, sizeof *c);

	*c = (struct connection){
		.keeper = k, .fd = fd, .role = role, .watch = WATCH_INIT, .ours = { -1, -1, -1 }
	};
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
	    loop_watch(&k->loop, &c->watch, fd, EPOLLIN, on_message, c, err) != 0) {
		fail_errno(err, "a connection");
		free(c);
		return NULL;
	}
	c->next = k->connections;
	k->connections = c;
	k->nconnections++;
	return c;
}

static void on_fed(void *arg)
{
	struct keeper *k = arg;

	if (k->listener >= 0)
		loop_change(&k->loop, &k->on_listener, EPOLLIN);
}

/* Whoever can't be let in stays in the queue, and the listener readable: looking again at once
 * would be all that is done from then on. */
static void starve(struct keeper *k)
{
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return;
	loop_change(&k->loop, &k->on_listener, 0);
	timer_set(&k->loop, &k->starved, STARVED_MS, on_fed, k);
}

static void on_listener(void *arg, uint32_t events)
{
	struct keeper *k = arg;
	struct err err = ERR_INIT;
	unsigned uid;
	int pid;

	(void)events;
	own_fd int fd = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		starve(k);
		return;
	}
	if (msg_peer(fd, &uid, &pid, &err) != 0 || uid != geteuid()) {
		log_warn("a connection of another user was refused uid=%u", uid);
		return;
	}
	if (k->nconnections >= CONNECTIONS_MAX) {
		log_warn("over %d connections at a time", CONNECTIONS_MAX);
		return;
	}
	if (connection_add(k, fd, ROLE_NEW, &err))
		fd_steal(&fd);
}

/* Bound through the held directory, so that no path is too long and none is swapped. */
int connections_listen(struct keeper *k, struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char name[SLUG_TEXT + 8];

	snprintf(name, sizeof name, "%s.sock", k->launch.record.slug);
	snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%s", k->runtime, name);
	k->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->listener < 0)
		return fail_errno(err, "the control socket");
	/* It needs no line in the record: its name follows from the slug. */
	unlinkat(k->runtime, name, 0); /* of a keeper that was killed; the slug is ours alone */
	mode_t before = umask(0177);
	int bound = bind(k->listener, (struct sockaddr *)&at, sizeof at);
	umask(before);
	if (bound != 0 || listen(k->listener, CONNECTIONS_MAX) != 0)
		return fail_errno(err, "the control socket %s", name);
	return loop_watch(&k->loop, &k->on_listener, k->listener, EPOLLIN, on_listener, k, err);
}

void connections_close(struct keeper *k)
{
	if (k->listener >= 0) {
		own_mem char *name = xasprintf("%s.sock", k->launch.record.slug);
		loop_unwatch(&k->loop, &k->on_listener);
		unlinkat(k->runtime, name, 0);
		fd_drop(&k->listener);
	}
	for (struct connection *c = k->connections, *next; c; c = next) {
		next = c->next;
		if (c->role != ROLE_LAUNCHER && c->role != ROLE_ATTACHED && c->role != ROLE_STOPPER)
			remove_connection(c);
	}
}
