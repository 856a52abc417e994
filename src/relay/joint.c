#include "relay/relay.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/banned.h"

static void pump(struct joint *j);

static void side_clear(struct joint *j, struct side *s)
{
	loop_unwatch(&j->relay->loop, &s->watch);
	fd_drop(&s->fd);
	mem_drop(&s->waiting);
}

static void joint_free(struct joint *j)
{
	struct relay *r = j->relay;

	timer_cancel(&r->loop, &j->deadline);
	for (size_t i = 0; i < ARRAY_LEN(j->sides); i++)
		side_clear(j, &j->sides[i]);
	if (r->joints == j)
		r->joints = j->after;
	else
		j->before->after = j->after;
	if (j->after)
		j->after->before = j->before;
	r->njoints--;
	r->nstrangers -= j->stranger;
	free(j);
}

void joints_clear(struct relay *r)
{
	for (struct joint *j = r->joints, *after; j; j = after) {
		after = j->after;
		joint_free(j);
	}
}

static struct joint *joint_new(struct relay *r, int fd)
{
	int on = 1;

	if (r->njoints >= RELAY_JOINTS) {
		close(fd);
		return NULL;
	}
	struct joint *j = xcalloc(1, sizeof *j);
	*j = (struct joint){ .relay = r, .after = r->joints };
	for (size_t i = 0; i < ARRAY_LEN(j->sides); i++)
		j->sides[i] = (struct side){ .fd = -1, .watch = WATCH_INIT };
	j->sides[0].fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (r->joints)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it takes one that was let go for the first */
		r->joints->before = j;
	r->joints = j;
	r->njoints++;
	return j;
}

/* Not an orderly end: each side is told so, that no body which was cut passes for whole. */
static void joint_break(struct joint *j)
{
	const struct linger at_once = { .l_onoff = 1 };

	for (size_t i = 0; i < ARRAY_LEN(j->sides); i++)
		setsockopt(j->sides[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	joint_free(j);
}

static void on_side(void *arg, uint32_t events)
{
	struct joint *j = arg;

	/* A connection that was reset, or a dial that failed. */
	if (events & EPOLLERR)
		joint_break(j);
	else
		pump(j);
}

/* What nothing can be done about is not watched: a hang-up would be told for ever. */
static int want(struct joint *j, struct side *s, uint32_t events)
{
	struct loop *loop = &j->relay->loop;
	struct err ignored = ERR_INIT;

	if (s->watch.fd >= 0 && s->watch.events == events)
		return 0;
	if (events == 0) {
		loop_unwatch(loop, &s->watch);
		return 0;
	}
	if (s->watch.fd >= 0) {
		loop_change(loop, &s->watch, events);
		return 0;
	}
	return loop_watch(loop, &s->watch, s->fd, events, on_side, j, &ignored);
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
}

/* From @s to what waits for @other. -1: the connection is broken. */
static int take(struct side *s, struct side *other)
{
	if (s->ended || other->n > 0)
		return 0;
	if (!other->waiting)
		other->waiting = xmalloc(RELAY_PIECE);
	ssize_t n = recv(s->fd, other->waiting, RELAY_PIECE, MSG_DONTWAIT);
	if (n < 0)
		return would_block() ? 0 : -1;
	s->ended = n == 0;
	other->at = 0;
	other->n = (size_t)n;
	return n > 0;
}

/* What waits for @s. 1: something moved. */
static int give(struct side *s, const struct side *other)
{
	if (s->n > 0) {
		ssize_t n = send(s->fd, s->waiting + s->at, s->n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return would_block() ? 0 : -1;
		s->at += (size_t)n;
		s->n -= (size_t)n;
		return n > 0;
	}
	if (other->ended && !s->shut) {
		s->shut = true;
		shutdown(s->fd, SHUT_WR);
	}
	return 0;
}

static void pump(struct joint *j)
{
	struct side *a = &j->sides[0], *b = &j->sides[1];
	int moved = 1;

	/* A few pieces, then the others' turn: the events are level-triggered. */
	for (int i = 0; i < 4 && moved > 0; i++) {
		moved = 0;
		for (int way = 0; way < 2 && moved >= 0; way++) {
			int took = take(way ? b : a, way ? a : b);
			int gave = took < 0 ? -1 : give(way ? a : b, way ? b : a);
			moved = took < 0 || gave < 0 ? -1 : moved + took + gave;
		}
	}
	bool over = a->shut && b->shut;
	for (int way = 0; way < 2 && moved >= 0 && !over; way++) {
		struct side *s = &j->sides[way], *other = &j->sides[!way];
		uint32_t events = (s->ended || other->n > 0 ? 0 : EPOLLIN) | (s->n > 0 ? EPOLLOUT : 0);
		if (want(j, s, events) != 0)
			moved = -1;
	}
	if (moved < 0)
		joint_break(j);
	else if (over)
		joint_free(j);
}

/* The dial goes on while the loop runs: writing becomes possible, or an error is told. Over @device
 * alone: without the bridge the address would be somebody else's. NULL: wherever it leads. */
static int dial(struct side *s, const struct sockaddr_in *to, const char *device)
{
	int on = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -1;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (device && setsockopt(s->fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) != 0)
		return -1;
	if (connect(s->fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS)
		return -1;
	return 0;
}

/* Told at the first, the second, the fourth...: whoever knocks can't fill the log. */
static void turn_away(struct joint *j, const char *what, const char *why)
{
	uint64_t n = ++j->relay->turned_away;

	if ((n & (n - 1)) == 0)
		log_warn("a connection %s why=%s count=%llu", what, why, (unsigned long long)n);
	joint_free(j);
}

/* ---- the outer side: nothing of the guest's is read before the inner one has said welcome, so
 * that a dial which strangers crowded out can be made again ---- */

static void knock(void *arg);

static void knock_again(struct joint *j)
{
	if (j->tries == RELAY_TRIES) {
		turn_away(j, "did not get into the sidecars' container", "no dial was answered");
		return;
	}
	side_clear(j, &j->sides[1]);
	timer_set(&j->relay->loop, &j->deadline, RELAY_AGAIN_MS, knock, j);
}

static void on_no_answer(void *arg)
{
	knock_again(arg);
}

static void on_door(void *arg, uint32_t events)
{
	struct joint *j = arg;
	struct side *s = &j->sides[1];
	unsigned char answer;

	ssize_t n = events & EPOLLERR ? 0 : recv(s->fd, &answer, 1, MSG_DONTWAIT);
	if (n == 1 && answer == BUNDLE_WELCOME) {
		timer_cancel(&j->relay->loop, &j->deadline);
		loop_unwatch(&j->relay->loop, &s->watch);
		pump(j);
	} else if (n >= 0 || !would_block()) {
		knock_again(j);
	} else if (events & EPOLLOUT) {
		n = send(s->fd, j->preamble + j->got, sizeof j->preamble - j->got,
		         MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			j->got += (size_t)n;
		if (n < 0 && !would_block())
			knock_again(j);
		else if (j->got == sizeof j->preamble)
			loop_change(&j->relay->loop, &s->watch, EPOLLIN);
	}
}

static void knock(void *arg)
{
	struct joint *j = arg;
	struct side *s = &j->sides[1];
	struct err ignored = ERR_INIT;
	uint64_t answer_ms = RELAY_ANSWER_MS << (j->tries < 4 ? j->tries : 4);

	answer_ms = answer_ms < RELAY_TOKEN_MS ? answer_ms : RELAY_TOKEN_MS;
	j->tries++;
	j->got = 0;
	timer_set(&j->relay->loop, &j->deadline, answer_ms, on_no_answer, j);
	if (dial(s, &j->relay->targets[0], j->relay->config.device) != 0 ||
	    loop_watch(&j->relay->loop, &s->watch, s->fd, EPOLLIN | EPOLLOUT, on_door, j, &ignored) != 0)
		knock_again(j);
}

void joint_carry(struct relay *r, int fd, unsigned number)
{
	struct joint *j = joint_new(r, fd);

	if (!j)
		return;
	memcpy(j->preamble, secret_expose(&r->config.token), BUNDLE_TOKEN);
	j->preamble[BUNDLE_TOKEN] = (unsigned char)number;
	knock(j);
}

/* ---- the inner side: who comes must show the token first ---- */

static const char closed[] = "was closed at the bundle's port";

static void on_no_token(void *arg)
{
	turn_away(arg, closed, "no token in time");
}

static void admit(struct joint *j)
{
	struct relay *r = j->relay;
	unsigned number = j->preamble[BUNDLE_TOKEN];
	const unsigned char welcome = BUNDLE_WELCOME;

	if (!bundle_token_is(&r->config.token, j->preamble) || number >= r->config.listeners.n) {
		turn_away(j, closed, "a wrong token");
		return;
	}
	timer_cancel(&r->loop, &j->deadline);
	j->stranger = false;
	r->nstrangers--;
	loop_unwatch(&r->loop, &j->sides[0].watch);
	/* A new connection has room for a byte. */
	if (dial(&j->sides[1], &r->targets[number], NULL) != 0 ||
	    send(j->sides[0].fd, &welcome, sizeof welcome, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof welcome) {
		joint_free(j);
		return;
	}
	pump(j);
}

static void on_preamble(void *arg, uint32_t events)
{
	struct joint *j = arg;

	(void)events;
	ssize_t n = recv(j->sides[0].fd, j->preamble + j->got, sizeof j->preamble - j->got, MSG_DONTWAIT);
	if (n < 0 && would_block())
		return;
	if (n <= 0) {
		turn_away(j, closed, "no token");
		return;
	}
	j->got += (size_t)n;
	if (j->got == sizeof j->preamble)
		admit(j);
}

static struct joint *oldest_stranger(const struct relay *r)
{
	struct joint *oldest = NULL;

	for (struct joint *j = r->joints; j; j = j->after)
		if (j->stranger)
			oldest = j; /* the newest are first */
	return oldest;
}

void joint_ask(struct relay *r, int fd)
{
	struct err ignored = ERR_INIT;

	/* The one that has waited longest makes room: whoever has the token says it at once, and dials
	 * again if it was still on its way, so those who only stay can't keep it out. */
	if (r->nstrangers >= RELAY_STRANGERS)
		turn_away(oldest_stranger(r), closed, "too many without a token");
	struct joint *j = joint_new(r, fd);
	if (!j)
		return;
	j->stranger = true;
	r->nstrangers++;
	timer_set(&r->loop, &j->deadline, RELAY_TOKEN_MS, on_no_token, j);
	if (loop_watch(&r->loop, &j->sides[0].watch, fd, EPOLLIN, on_preamble, j, &ignored) != 0)
		joint_free(j);
}
