#include "egress/client.h"

#include "base/banned.h"

void exchange_clear(struct exchange *x)
{
	struct str *const kept[] = { &x->method, &x->host, &x->path, &x->query, &x->rule, &x->headers };

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		str_reset(kept[i]);
	/* The head holds the credential. */
	if (x->head.data)
		explicit_bzero(x->head.data, x->head.len);
	str_reset(&x->head);
	decoder_end(&x->decoder);
	x->scheme = NULL;
	x->route = NULL;
	x->credential = NULL;
	x->head_sent = x->expects = x->http10 = x->keep = x->is_head = x->retryable = x->retried = false;
	x->origin_keeps = x->websocket = x->noted = x->answered = x->decoding = x->scrubbing = false;
	x->reply = HTTP_NO_BODY;
	x->status = 0;
	x->seen = 0;
}

void exchange_begin(struct client *c)
{
	c->up = upstream_acquire(c->gateway, &c->x.origin, false, client_pump, c);
	c->state = CLIENT_EXCHANGE;
}

/* The pooled connection was closed under us before anything came of it: once more, anew. */
static bool try_again(struct client *c)
{
	struct exchange *x = &c->x;

	if (!c->up->reused || !x->retryable || x->retried || buffer_len(&c->up->stream.in) > 0)
		return false;
	x->retried = true;
	x->head_sent = false;
	x->seen = 0;
	upstream_drop(&c->up);
	c->up = upstream_acquire(c->gateway, &x->origin, true, client_pump, c);
	return true;
}

static void stop_for(struct client *c, enum refusal why)
{
	client_stop(c, refusal_status(why), refusal_word(why), refusal_text(why));
}

static void stop_for_fault(struct client *c, enum wire_fault fault)
{
	client_stop(c, wire_fault_status(fault), wire_fault_word(fault), wire_fault_text(fault));
}

/* The guest's body as the guest sent it, piece by piece: what looks for secrets in it belongs
 * before body_write(). */
static bool push_request(struct client *c)
{
	struct gateway *g = c->gateway;
	struct exchange *x = &c->x;
	struct buffer *out = &c->up->stream.out;
	enum wire_fault fault;
	struct slice piece;
	bool any = false;

	while (!x->request.done && buffer_len(out) < STREAM_FULL) {
		if (buffer_len(&c->stream.in) < STREAM_PIECE)
			stream_fill(&c->stream, 2 * STREAM_PIECE);
		enum body_step step = body_next(&x->request, &c->stream.in, c->stream.eof, &g->limits, &piece,
		                                &g->trailers, &fault);
		if (step == BODY_MORE)
			break;
		any = true;
		if (step == BODY_BAD) {
			stop_for_fault(c, fault);
			return true;
		}
		if (step == BODY_PIECE) {
			if (sight_finds(&x->sight, piece)) {
				stop_for(c, REFUSE_PLACEHOLDER_ELSEWHERE);
				return true;
			}
			body_write(x->request.framing, piece, out);
			body_used(&x->request, &c->stream.in, piece.n);
			continue;
		}
		if (!credential_allows_trailers(&g->credentials, x->credential, &g->trailers)) {
			stop_for(c, REFUSE_TRAILER_CREDENTIAL);
			return true;
		}
		if (!policy_allows_trailers(x->route, &g->trailers)) {
			stop_for_fault(c, WIRE_TRAILER);
			return true;
		}
		body_write_end(x->request.framing, &g->trailers, out);
	}
	return any;
}

/* Nobody would read the answer. Reading one byte tells, and takes nothing of what follows. */
static bool guest_is_gone(struct client *c)
{
	if (c->x.request.done)
		stream_fill(&c->stream, 1);
	return c->stream.broken || (c->stream.eof && !(c->x.request.done && buffer_len(&c->stream.in) > 0));
}

static bool give_up(struct client *c, enum refusal why)
{
	if (c->x.answered)
		client_cut(c, why);
	else
		client_refuse(c, why, c->x.keep && c->x.request.done);
	return true;
}

bool exchange_move(struct client *c)
{
	struct exchange *x = &c->x;
	struct upstream *up = c->up;
	bool any = false;

	if (guest_is_gone(c)) {
		c->stream.broken = true;
		return false;
	}
	if (up->state == UPSTREAM_FAILED)
		return give_up(c, up->failure);
	if (up->state != UPSTREAM_READY)
		return false;
	if (!x->head_sent) {
		buffer_add(&up->stream.out, x->head.data, x->head.len);
		x->head_sent = any = true;
	}
	any |= push_request(c);
	if (c->state != CLIENT_EXCHANGE)
		return true;
	any |= stream_flush(&up->stream);
	bool heard = response_move(c);
	if (c->state != CLIENT_EXCHANGE)
		return true;
	any |= stream_flush(&c->stream);
	/* An end in the middle of a head is one too. */
	if (x->answered || heard || !(up->stream.broken || up->stream.eof))
		return any || heard;
	return try_again(c) || give_up(c, REFUSE_ORIGIN_CLOSED);
}

void exchange_end(struct client *c)
{
	struct exchange *x = &c->x;
	struct stream *s = &c->up->stream;

	/* Reading may have stopped exactly at the answer's end. */
	if (x->origin_keeps && x->request.done)
		stream_fill(s, 1);
	bool reusable = x->origin_keeps && x->request.done && !s->eof && !s->broken && !s->deaf &&
	                buffer_len(&s->in) == 0 && buffer_len(&s->out) == 0;

	client_record(c, true, "allowed", x->status);
	if (reusable)
		upstream_release(&c->up);
	else
		upstream_drop(&c->up);
	decoder_end(&x->decoder);
	echo_end(&x->echo);
	c->served = true;
	c->since = c->gateway->loop->now;
	c->state = x->keep && x->request.done ? CLIENT_HEAD : CLIENT_LAST_WORDS;
}
