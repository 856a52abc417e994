#include "egress/client.h"

#include "base/banned.h"

/* ---- the head ---- */

static bool refuse(struct client *c, enum refusal why)
{
	/* The refusal takes the place of the answer; the origin's connection is of no more use. */
	client_refuse(c, why, c->x.keep && c->x.request.done);
	return true;
}

/* A part of an answer, though no part was asked for: from pieces of its own choice a guest could
 * put together what is looked for in the whole. */
static bool is_partial(const struct http_response *r)
{
	static const char *const types[] = { "multipart/byteranges", "multipart/x-byteranges" };
	const struct http_field *type = NULL;

	while ((type = http_field_next(&r->fields, type, "Content-Type"))) {
		size_t n = 0;
		while (n < type->value.n && !memchr("; \t", type->value.at[n], 3))
			n++;
		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			if (slice_is_nocase(slice_cut(type->value, 0, n), types[i]))
				return true;
	}
	return r->status == 206;
}

/* On a route with a credential the body must be readable. False: it can't be. */
static bool prepare_decoding(struct client *c, struct http_response *r, enum refusal *why)
{
	struct exchange *x = &c->x;
	struct gateway *g = c->gateway;
	const struct http_field *coding = http_field_find(&r->fields, "Content-Encoding");
	enum decode_kind kind;

	if (!coding || r->framing == HTTP_NO_BODY)
		return true;
	*why = REFUSE_ORIGIN_ENCODING;
	if (http_field_next(&r->fields, coding, "Content-Encoding") || !decode_known(coding->value, &kind))
		return false;
	if (kind == DECODE_NONE)
		return true;
	*why = REFUSE_SYSTEM;
	if (!decoder_begin(&x->decoder, kind, g->config.limits.decoded_bytes, &g->wide_decoders))
		return false;
	x->decoding = true;
	http_fields_strip(&r->fields, "Content-Encoding");
	http_fields_strip(&r->fields, "Content-MD5");
	http_fields_strip(&r->fields, "Digest");
	return true;
}

/* The parsed slices point into the stream's own buffer, so they may be written to. */
void response_scrub_text(const struct credential *credential, struct slice text)
{
	echo_scrub(&credential->echo, (char *)(uintptr_t)text.at, text.n);
}

void response_scrub(const struct credential *credential, struct http_fields *fields)
{
	for (size_t i = 0; i < fields->n; i++) {
		response_scrub_text(credential, fields->at[i].name);
		response_scrub_text(credential, fields->at[i].value);
	}
}

static void choose_framing(struct exchange *x, struct http_response *r)
{
	x->reply = r->framing;
	if (x->decoding && r->framing == HTTP_LENGTH)
		x->reply = HTTP_CHUNKED;
	if (x->reply == HTTP_UNTIL_CLOSE && !x->http10)
		x->reply = HTTP_CHUNKED;
	if (x->reply == HTTP_CHUNKED && x->http10)
		x->reply = HTTP_UNTIL_CLOSE;
	/* What is left of a body that the origin did not wait for has no reader. */
	if (x->reply == HTTP_UNTIL_CLOSE || !x->request.done)
		x->keep = false;
	r->framing = x->reply;
}

static bool answer(struct client *c, struct http_response *r)
{
	struct exchange *x = &c->x;
	struct str *text = &c->gateway->text;

	body_begin(&x->response, r->framing, r->length);
	x->origin_keeps = r->keep_alive && r->framing != HTTP_UNTIL_CLOSE;
	http_fields_strip(&r->fields, "Alt-Svc");
	http_fields_strip(&r->fields, "Proxy-*");
	if (x->credential) {
		/* A session that was begun with the credential is as good as it, and wouldn't be let back. */
		http_fields_strip(&r->fields, "Set-Cookie");
		enum refusal why = REFUSE_ORIGIN_ENCODING;
		if (is_partial(r) || !prepare_decoding(c, r, &why))
			return refuse(c, why);
		response_scrub(x->credential, &r->fields);
		response_scrub_text(x->credential, r->reason);
		echo_begin(&x->echo, &x->credential->echo);
		x->scrubbing = r->framing != HTTP_NO_BODY;
	}
	choose_framing(x, r);
	str_reset(text);
	http_response_print(r, text);
	if (!x->keep)
		str_add(text, "Connection: close\r\n");
	http_head_close(text);
	buffer_add(&c->stream.out, text->data, text->len);
	x->answered = true;
	x->status = r->status;
	return true;
}

static bool interim(struct client *c, const struct http_response *r)
{
	/* 100 is what the guest waits for; of the others none is needed, and each is a place where
	 * something could stand. 101 without a question is a fault. */
	if (r->status == 101)
		return refuse(c, REFUSE_ORIGIN_UPGRADE);
	if (r->status == 100 && c->x.expects && !c->x.http10) {
		buffer_add_text(&c->stream.out, "HTTP/1.1 100 Continue\r\n\r\n");
		/* Once: an origin could say it for ever, to a guest that reads nothing. */
		c->x.expects = false;
	}
	return true;
}

static bool read_head(struct client *c)
{
	struct gateway *g = c->gateway;
	struct exchange *x = &c->x;
	struct stream *s = &c->up->stream;
	enum wire_fault fault;

	stream_fill(s, g->limits.head + 1);
	ssize_t n = http_head_end(buffer_view(&s->in), &x->seen, &g->limits, &fault);
	if (n == 0)
		return false;
	struct slice method = { x->method.data, x->method.len };
	struct slice head = slice_cut(buffer_view(&s->in), 0, n > 0 ? (size_t)n : 0);
	if (n < 0 || http_response_parse(head, method, &g->limits, &g->response, &fault) != 0)
		return refuse(c, REFUSE_ORIGIN_MALFORMED);
	buffer_take(&s->in, (size_t)n);
	x->seen = 0;
	if (g->response.status == 101 && x->websocket)
		return websocket_switch(c);
	return g->response.status < 200 ? interim(c, &g->response) : answer(c, &g->response);
}

/* ---- the body ---- */

static void emit(struct client *c, struct slice bytes, bool last)
{
	struct exchange *x = &c->x;
	struct str *text = &c->gateway->text;

	if (!x->scrubbing) {
		body_write(x->reply, bytes, &c->stream.out);
		return;
	}
	str_reset(text);
	echo_feed(&x->echo, bytes, last, text);
	body_write(x->reply, (struct slice){ text->data, text->len }, &c->stream.out);
}

/* Returns how much of @piece was used, -1 for a coding that is bad or too large. */
static long emit_decoded(struct client *c, struct slice piece)
{
	char *room = c->gateway->room;
	size_t used = 0;

	do {
		size_t taken = 0;
		long n = decoder_run(&c->x.decoder, slice_cut(piece, used, piece.n), &taken, room,
		                     STREAM_PIECE);
		if (n < 0)
			return -1;
		used += taken;
		emit(c, (struct slice){ room, (size_t)n }, false);
		if (n == 0 && taken == 0)
			break;
	} while ((used < piece.n || c->x.decoder.held) && buffer_len(&c->stream.out) < STREAM_FULL);
	return (long)used;
}

static void finish(struct client *c)
{
	struct exchange *x = &c->x;
	struct http_fields *trailers = &c->gateway->trailers;

	emit(c, (struct slice){ 0 }, true);
	if (x->credential)
		response_scrub(x->credential, trailers);
	if (x->decoding)
		trailers->n = 0; /* a digest of what was encoded */
	body_write_end(x->reply, trailers, &c->stream.out);
	stream_flush(&c->stream);
	exchange_end(c);
}

static bool use_piece(struct client *c, struct slice piece)
{
	long used = (long)piece.n;

	if (c->x.decoding)
		used = emit_decoded(c, piece);
	else
		emit(c, piece, false);
	if (used < 0) {
		client_cut(c, REFUSE_ORIGIN_ENCODING);
		return false;
	}
	body_used(&c->x.response, &c->up->stream.in, (size_t)used);
	return true;
}

/* The decoder may hold output that had no room, after its last input was used. */
static bool drain_decoder(struct client *c)
{
	if (!c->x.decoding || !c->x.decoder.held)
		return true;
	if (emit_decoded(c, (struct slice){ "", 0 }) >= 0)
		return true;
	client_cut(c, REFUSE_ORIGIN_ENCODING);
	return false;
}

static bool move_body(struct client *c)
{
	struct gateway *g = c->gateway;
	struct stream *s = &c->up->stream;
	enum wire_fault fault;
	struct slice piece;
	bool any = false;

	while (buffer_len(&c->stream.out) < STREAM_FULL) {
		if (!drain_decoder(c))
			return true;
		if (c->x.decoding && c->x.decoder.held)
			break;
		if (buffer_len(&s->in) < STREAM_PIECE && !c->x.response.done)
			stream_fill(s, 2 * STREAM_PIECE);
		enum body_step step =
			body_next(&c->x.response, &s->in, s->eof, &g->limits, &piece, &g->trailers, &fault);
		if (step == BODY_MORE && !s->eof && !s->broken)
			break;
		any = true;
		if (step == BODY_END && (!c->x.decoding || c->x.decoder.done || c->x.response.bytes == 0)) {
			finish(c);
			return true;
		}
		if (step != BODY_PIECE) {
			client_cut(c, step == BODY_MORE ? REFUSE_ORIGIN_CLOSED : REFUSE_ORIGIN_MALFORMED);
			return true;
		}
		if (!use_piece(c, piece))
			return true;
	}
	return any;
}

bool response_move(struct client *c)
{
	if (c->x.answered)
		return move_body(c);
	if (!read_head(c))
		return false;
	/* What of the body came along leaves together with the head. */
	if (c->state == CLIENT_EXCHANGE && c->x.answered)
		move_body(c);
	return true;
}
