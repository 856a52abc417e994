/* The relay of a bundle. Without an argument it is the outer one, a sidecar of its keeper; with
 * "inside" it is pid 1 of the container. */
#include "relay/relay.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/banned.h"

enum { STARVED_MS = 100 };

int relay_accept_on(struct relay *r, int fd, unsigned number, void (*fn)(void *arg, uint32_t events),
                    struct err *err)
{
	if (r->nentrances == BUNDLE_LISTENERS)
		return fail(err, ERR_INPUT, "more than %d listeners", BUNDLE_LISTENERS);
	struct entrance *e = &r->entrances[r->nentrances];
	*e = (struct entrance){ .relay = r, .fd = fd, .watch = WATCH_INIT, .number = number };
	if (loop_watch(&r->loop, &e->watch, fd, EPOLLIN, fn, e, err) != 0)
		return -1;
	r->nentrances++;
	return 0;
}

static void on_fed(void *arg)
{
	struct entrance *e = arg;

	loop_change(&e->relay->loop, &e->watch, EPOLLIN);
}

int relay_take(struct entrance *e)
{
	int fd = accept4(e->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	/* What can't be taken stays in the queue, and the listener readable: looked at again later. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		loop_change(&e->relay->loop, &e->watch, 0);
		timer_set(&e->relay->loop, &e->starved, STARVED_MS, on_fed, e);
	}
	return fd;
}

int main(int argc, char **argv)
{
	static struct relay r = {
		.loop = LOOP_INIT,
		.from = -1,
		.to = -1,
		.control = -1,
		.signals = -1,
		.on_from = WATCH_INIT,
		.on_to = WATCH_INIT,
		.on_control = WATCH_INIT,
		.on_signal = WATCH_INIT,
	};
	struct err err = ERR_INIT;

	int rc = argc == 2 && str_is(argv[1], "inside") ? inner_run(&r, &err) : outer_run(&r, &err);
	joints_clear(&r);
	bundle_config_clear(&r.config);
	return rc != 0 ? 1 : r.status;
}
