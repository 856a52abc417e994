#include "egress/client.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/banned.h"

enum {
	ACCEPTS = 16, /* in one go, so that a flood does not starve those who are in */
	STARVED_MS = 100
};

static bool may_accept(const struct gateway *g)
{
	return g->starved.slot == 0 && g->nclients < g->config.limits.connections &&
	       !audit_is_full(&g->audit);
}

static void on_fed(void *arg)
{
	gateway_consider_accepting(arg);
}

/* A connection that can't be taken stays in the queue, and the listener readable: looking again
 * at once would be all that is done from then on. */
static void starve(struct gateway *g)
{
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		timer_set(g->loop, &g->starved, STARVED_MS, on_fed, g);
}

static void on_connection(void *arg, uint32_t events)
{
	struct listener *l = arg;
	struct gateway *g = l->gateway;

	(void)events;
	for (int i = 0; i < ACCEPTS && may_accept(g); i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			starve(g);
			break;
		}
		client_new(g, fd, l->entrance);
	}
	gateway_consider_accepting(g);
}

void gateway_consider_accepting(struct gateway *g)
{
	bool pause = !may_accept(g);

	if (pause == g->paused)
		return;
	g->paused = pause;
	for (size_t i = 0; i < g->nlisteners; i++)
		loop_change(g->loop, &g->listeners[i].watch, pause ? 0 : EPOLLIN);
}

int gateway_listen(struct gateway *g, int fd, const char *name, struct err *err)
{
	static const struct {
		const char *name;
		enum entrance entrance;
	} entrances[] = { { "proxy", ENTER_PROXY }, { "https", ENTER_HTTPS }, { "http", ENTER_HTTP } };

	if (g->nlisteners == GATEWAY_LISTENERS)
		return fail(err, ERR_INPUT, "more than %d listeners", GATEWAY_LISTENERS);
	for (size_t i = 0; i < ARRAY_LEN(entrances); i++) {
		if (!str_is(entrances[i].name, name))
			continue;
		struct listener *l = &g->listeners[g->nlisteners];
		*l = (struct listener){
			.gateway = g, .watch = WATCH_INIT, .fd = fd, .entrance = entrances[i].entrance
		};
		int flags = fcntl(fd, F_GETFL);
		if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
			return fail_errno(err, "listener %s", name);
		if (loop_watch(g->loop, &l->watch, fd, EPOLLIN, on_connection, l, err) != 0)
			return fail_in(err, "listener %s", name);
		g->nlisteners++;
		return 0;
	}
	return fail(err, ERR_INPUT, "no listener is called %s", name);
}
