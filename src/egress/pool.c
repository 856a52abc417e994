#include "egress/upstream.h"

#include "base/banned.h"

static void expire(void *arg)
{
	struct upstream *up = arg;

	upstream_drop(&up);
}

/* An idle origin has nothing to say: whatever it sends, or its end, ends the connection. */
static void on_idle_event(void *arg)
{
	struct upstream *up = arg;

	if (!stream_is_quiet(&up->stream))
		upstream_drop(&up);
}

/* Scheme, host and port: what its certificate was verified for. */
static bool is_same(const struct origin *a, const struct origin *b)
{
	return a->port == b->port && a->plain == b->plain && a->host.n == b->host.n &&
	       memcmp(a->host.text, b->host.text, a->host.n) == 0;
}

struct upstream *pool_take(struct gateway *g, const struct origin *origin)
{
	struct upstream *next;

	for (struct upstream *up = g->idle; up; up = next) {
		next = up->after;
		if (!is_same(&up->origin, origin))
			continue;
		/* What it says now would be taken for the answer to a question it has not heard. */
		if (!stream_is_quiet(&up->stream)) {
			upstream_drop(&up);
			continue;
		}
		pool_remove(up);
		up->state = UPSTREAM_READY;
		up->reused = true;
		return up;
	}
	return NULL;
}

void pool_put(struct gateway *g, struct upstream *up)
{
	up->state = UPSTREAM_IDLE;
	up->fn = on_idle_event;
	up->arg = up;
	up->before = NULL;
	up->after = g->idle;
	if (g->idle)
		g->idle->before = up;
	g->idle = up;
	g->nidle++;
	timer_set(g->loop, &up->timer, g->config.limits.pool_ms, expire, up);
	if (g->nidle <= g->config.limits.pool)
		return;
	struct upstream *oldest = g->idle;
	while (oldest->after)
		oldest = oldest->after;
	upstream_drop(&oldest);
}

void pool_remove(struct upstream *up)
{
	struct gateway *g = up->gateway;

	timer_cancel(g->loop, &up->timer);
	if (up->before)
		up->before->after = up->after;
	else
		g->idle = up->after;
	if (up->after)
		up->after->before = up->before;
	up->before = up->after = NULL;
	g->nidle--;
}

void pool_clear(struct gateway *g)
{
	while (g->idle) {
		struct upstream *up = g->idle;
		upstream_drop(&up);
	}
}
