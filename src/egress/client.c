#include "egress/client.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/banned.h"

enum {
	LINGER_MS = 2000,
	OPEN_MS = 1000, /* an exchange that lasts longer is recorded before it ends, too */
	ROUNDS = 32,    /* one client's share before the others' turn */
};

/* ---- deadlines ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When this client has waited too long, and for what. */
static uint64_t deadline_of(const struct client *c, enum refusal *why)
{
	const struct egress_limits *limits = &c->gateway->config.limits;
	uint64_t moved = c->up ? later(c->stream.moved, c->up->stream.moved) : c->stream.moved;

	switch (c->state) {
	case CLIENT_HEAD:
		*why = REFUSE_HEAD_TIME;
		return c->served && buffer_len(&c->stream.in) == 0 ? moved + limits->idle_ms :
		                                                     c->since + limits->head_ms;
	case CLIENT_HELLO:
	case CLIENT_HANDSHAKE:
		*why = REFUSE_GUEST_HANDSHAKE;
		return c->since + limits->head_ms;
	case CLIENT_EXCHANGE:
	case CLIENT_WEBSOCKET:
		*why = REFUSE_IDLE;
		if (limits->total_ms &&
		    c->since + limits->total_ms < later(moved, c->since) + limits->idle_ms) {
			*why = REFUSE_TOTAL;
			return c->since + limits->total_ms;
		}
		return later(moved, c->since) + limits->idle_ms;
	case CLIENT_LAST_WORDS:
		return later(moved, c->since) + limits->head_ms;
	case CLIENT_LINGER:
		return c->since + LINGER_MS;
	}
	bug("client state %d", (int)c->state);
}

static void on_deadline(void *arg);

/* Is it to be recorded as open, now or later? */
static bool to_be_noted(const struct client *c)
{
	return c->state == CLIENT_EXCHANGE && !c->x.noted;
}

static void plan_deadline(struct client *c)
{
	enum refusal why;
	uint64_t due = deadline_of(c, &why);

	if (to_be_noted(c) && c->since + OPEN_MS < due)
		due = c->since + OPEN_MS;

	/* A timer that is early looks again when it fires; only one that is late is moved. */
	if (c->deadline.slot && c->deadline.due <= due)
		return;
	uint64_t now = clock_ms();
	timer_set(c->gateway->loop, &c->deadline, due > now ? due - now : 0, on_deadline, c);
}

static void on_deadline(void *arg)
{
	struct client *c = arg;
	enum refusal why;

	if (deadline_of(c, &why) > clock_ms()) {
		if (to_be_noted(c) && c->since + OPEN_MS <= clock_ms())
			client_note_open(c);
		buffer_trim(&c->stream.in);
		buffer_trim(&c->stream.out);
		plan_deadline(c);
		return;
	}
	bool speaks = c->state == CLIENT_EXCHANGE || c->state == CLIENT_WEBSOCKET ||
	              c->state == CLIENT_HELLO || c->state == CLIENT_HANDSHAKE ||
	              (c->state == CLIENT_HEAD && buffer_len(&c->stream.in) > 0);
	if (!speaks) {
		client_free(c);
		return;
	}
	bool in_tunnel = c->unrecorded && c->state != CLIENT_HEAD;
	if (c->state < CLIENT_EXCHANGE && !in_tunnel)
		client_start_exchange(c);
	if (c->x.answered)
		client_cut(c, why);
	else
		client_refuse(c, why, false);
	client_pump(c);
}

/* ---- records and refusals ---- */

void client_start_exchange(struct client *c)
{
	struct exchange *x = &c->x;

	exchange_clear(x);
	gateway_next_id(c->gateway, x->id);
	x->began = clock_us();
	x->received = c->stream.sent;
	x->sent = c->stream.received - buffer_len(&c->stream.in);
	x->port = c->bound ? c->target.port : 0;
	if (c->bound)
		str_add(&x->host, c->target.host.text);
	c->since = c->gateway->loop->now;
}

void client_record(struct client *c, bool allowed, const char *reason, int status)
{
	struct exchange *x = &c->x;
	struct gateway *g = c->gateway;
	enum egress_log log = g->config.log;
	bool detailed = log == EGRESS_LOG_ALL || (log == EGRESS_LOG_BLOCKS && !allowed);
	struct audit_entry entry = {
		.id = x->id,
		.method = str_c(&x->method),
		.host = str_c(&x->host),
		.scheme = x->scheme ? x->scheme : "",
		.port = x->port,
		.path = str_c(&x->path),
		.query = str_c(&x->query),
		.route = x->route ? x->route->host : "",
		.rule = str_c(&x->rule),
		.allowed = allowed,
		.reason = reason,
		.status = status,
		.sent = c->stream.received - buffer_len(&c->stream.in) - x->sent,
		.received = c->stream.sent + buffer_len(&c->stream.out) - x->received,
		.us = clock_us() - x->began,
		.detail = detailed ? str_c(&x->headers) : "",
	};

	c->unrecorded = false;
	audit_add(&g->audit, &entry);
}

void client_note_open(struct client *c)
{
	c->x.noted = true;
	client_record(c, true, "open", c->x.status);
}

static void say_last_words(struct client *c)
{
	upstream_drop(&c->up);
	c->state = CLIENT_LAST_WORDS;
	c->since = c->gateway->loop->now;
}

void client_refuse_with(struct client *c, int status, const char *reason, const char *text, bool keep)
{
	struct exchange *x = &c->x;
	struct str *out = &c->gateway->text;
	struct refusal_page page = { .status = status,
		                     .reason = reason,
		                     .text = text,
		                     .host = str_c(&x->host),
		                     .rule = str_c(&x->rule),
		                     .id = x->id,
		                     .close = !keep,
		                     .head_only = x->is_head };

	str_reset(out);
	if (status) {
		refusal_print(&page, out);
		buffer_add(&c->stream.out, out->data, out->len);
	}
	client_record(c, false, reason, status);
	upstream_drop(&c->up);
	if (!keep || !status) {
		say_last_words(c);
		return;
	}
	c->state = CLIENT_HEAD;
	c->served = true;
	c->seen = 0;
}

void client_refuse(struct client *c, enum refusal why, bool keep)
{
	client_refuse_with(c, refusal_status(why), refusal_word(why), refusal_text(why), keep);
}

/* Without its end the guest's reader knows: no last chunk, no close_notify, or a reset. */
static void cut(struct client *c, bool allowed, const char *reason)
{
	client_record(c, allowed, reason, c->x.status);
	/* What came before the cut is passed on as far as it goes. */
	stream_flush(&c->stream);
	upstream_drop(&c->up);
	c->stream.broken = true;
	c->state = CLIENT_LAST_WORDS;
}

void client_cut(struct client *c, enum refusal why)
{
	cut(c, true, refusal_word(why));
}

void client_stop(struct client *c, int status, const char *reason, const char *text)
{
	if (c->x.answered)
		cut(c, false, reason);
	else
		client_refuse_with(c, status, reason, text, false);
}

void client_answer(struct client *c, int status, const char *type, struct slice body, const char *reason)
{
	struct str *out = &c->gateway->text;

	str_reset(out);
	answer_print(status, type, body, !c->x.keep, c->x.is_head, out);
	buffer_add(&c->stream.out, out->data, out->len);
	client_record(c, true, reason, status);
	if (!c->x.keep) {
		say_last_words(c);
		return;
	}
	c->state = CLIENT_HEAD;
	c->served = true;
}

/* ---- the pump ---- */

static bool linger(struct client *c)
{
	stream_flush(&c->stream);
	if (c->stream.broken)
		return false;
	if (c->state == CLIENT_LAST_WORDS) {
		if (buffer_len(&c->stream.out) > 0)
			return true;
		stream_finish(&c->stream);
		c->state = CLIENT_LINGER;
		c->since = c->gateway->loop->now;
	}
	/* Closing over unread bytes would reset the connection, and with it our last words. */
	for (int i = 0; i < ROUNDS && stream_fill(&c->stream, STREAM_PIECE); i++)
		buffer_take(&c->stream.in, buffer_len(&c->stream.in));
	return !c->stream.eof && !c->stream.broken;
}

static bool step(struct client *c)
{
	switch (c->state) {
	case CLIENT_HEAD:
		return request_read(c);
	case CLIENT_HELLO:
	case CLIENT_HANDSHAKE:
		return tunnel_read(c);
	case CLIENT_EXCHANGE:
		return exchange_move(c);
	case CLIENT_WEBSOCKET:
		return websocket_move(c);
	case CLIENT_LAST_WORDS:
	case CLIENT_LINGER:
		return false;
	}
	return false;
}

void client_pump(void *arg)
{
	struct client *c = arg;
	int rounds = 0;

	while (!c->stream.broken && c->state < CLIENT_LAST_WORDS && step(c)) {
		if (++rounds == ROUNDS) {
			timer_set(c->gateway->loop, &c->again, 0, client_pump, c);
			break;
		}
	}
	if (c->state < CLIENT_LAST_WORDS)
		stream_flush(&c->stream);
	if (c->stream.broken && (c->state == CLIENT_EXCHANGE || c->state == CLIENT_WEBSOCKET))
		client_cut(c, REFUSE_GUEST_GONE);
	bool ended = c->stream.broken || (c->state == CLIENT_HEAD && c->stream.eof && !c->waiting);
	if (ended || (c->state >= CLIENT_LAST_WORDS && !linger(c))) {
		client_free(c);
		return;
	}
	plan_deadline(c);
}

/* ---- life ---- */

void client_new(struct gateway *g, int fd, enum entrance entrance)
{
	struct client *c = xcalloc(1, sizeof *c);
	struct err err = ERR_INIT;

	*c = (struct client){ .gateway = g, .entrance = entrance, .since = g->loop->now };
	c->state = entrance == ENTER_HTTPS ? CLIENT_HELLO : CLIENT_HEAD;
	if (stream_open(&c->stream, g->loop, fd, client_pump, c, &err) != 0) {
		free(c);
		return;
	}
	c->after = g->clients;
	if (g->clients)
		g->clients->before = c;
	g->clients = c;
	g->nclients++;
	plan_deadline(c);
}

/* Is the guest in the middle of a body, and would take any end of the connection for its end? */
static bool end_would_lie(const struct client *c)
{
	bool middle = c->state == CLIENT_EXCHANGE || c->stream.broken;

	return middle && c->x.answered && c->x.reply == HTTP_UNTIL_CLOSE && !c->stream.ssl;
}

void client_free(struct client *c)
{
	struct gateway *g = c->gateway;

	if (end_would_lie(c))
		stream_spoil_end(&c->stream);
	if (c->unrecorded)
		client_record(c, true, "unused", c->x.status);
	timer_cancel(g->loop, &c->deadline);
	timer_cancel(g->loop, &c->again);
	upstream_drop(&c->up);
	stream_close(&c->stream);
	exchange_clear(&c->x);
	str_clear(&c->x.method);
	str_clear(&c->x.host);
	str_clear(&c->x.path);
	str_clear(&c->x.query);
	str_clear(&c->x.rule);
	str_clear(&c->x.headers);
	str_clear(&c->x.head);
	echo_end(&c->x.echo);
	sight_end(&c->x.sight);
	sight_end(&c->x.sight_control);
	if (c->before)
		c->before->after = c->after;
	else
		g->clients = c->after;
	if (c->after)
		c->after->before = c->before;
	g->nclients--;
	free(c);
	gateway_consider_accepting(g);
}
