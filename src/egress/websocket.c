#include "egress/client.h"

#include <openssl/evp.h>

#include "base/banned.h"

/* RFC 6455, section 1.3: what an origin mixes into the key to show that it understood. */
#define ACCEPT_SUFFIX "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static void expect_accept(struct slice key, char out[WEBSOCKET_ACCEPT])
{
	own_str struct str text = STR_INIT, encoded = STR_INIT;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	str_addn(&text, key.at, key.n);
	str_add(&text, ACCEPT_SUFFIX);
	if (!EVP_Digest(text.data, text.len, digest, &n, EVP_sha1(), NULL))
		n = 0;
	base64_encode(&encoded, digest, n);
	size_t len = encoded.len < WEBSOCKET_ACCEPT ? encoded.len : WEBSOCKET_ACCEPT - 1;
	memcpy(out, str_c(&encoded), len);
	out[len] = '\0';
}

bool websocket_begin(struct client *c)
{
	struct http_request *r = &c->gateway->request;
	const struct http_field *key = http_field_find(&r->fields, "Sec-WebSocket-Key");
	const struct http_field *version = http_field_find(&r->fields, "Sec-WebSocket-Version");

	if (!slice_is_nocase(r->upgrade, "websocket") || !slice_is(r->method, "GET") || c->x.http10 ||
	    r->framing == HTTP_CHUNKED || r->length != 0 || !version || !slice_is(version->value, "13") ||
	    !key || http_field_next(&r->fields, key, "Sec-WebSocket-Key") ||
	    !websocket_key_is_fine(key->value))
		return false;
	/* Without extensions every payload is readable as it is. */
	http_fields_strip(&r->fields, "Sec-WebSocket-Extensions");
	expect_accept(key->value, c->x.websocket_accept);
	c->x.websocket = true;
	return true;
}

bool websocket_switch(struct client *c)
{
	struct exchange *x = &c->x;
	struct http_response *r = &c->gateway->response;
	const struct http_field *accept = http_field_find(&r->fields, "Sec-WebSocket-Accept");
	uint32_t most = c->gateway->config.limits.frame_bytes;
	struct str *text = &c->gateway->text;

	if (!slice_is_nocase(r->upgrade, "websocket") || !accept ||
	    !slice_is(accept->value, x->websocket_accept) ||
	    http_field_find(&r->fields, "Sec-WebSocket-Extensions")) {
		client_refuse(c, REFUSE_ORIGIN_UPGRADE, false);
		return true;
	}
	http_fields_strip(&r->fields, "Alt-Svc");
	http_fields_strip(&r->fields, "Proxy-*");
	if (x->credential) {
		http_fields_strip(&r->fields, "Set-Cookie");
		response_scrub(x->credential, &r->fields);
		response_scrub_text(x->credential, r->reason);
	}
	str_reset(text);
	http_response_print(r, text);
	str_add(text, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
	http_head_close(text);
	buffer_add(&c->stream.out, text->data, text->len);
	x->answered = true;
	x->status = 101;
	x->fragment_sent = x->frame_open = false;
	x->from_guest = (struct websocket_side){ .masks = true, .most = most };
	x->from_origin = (struct websocket_side){ .most = most };
	if (x->credential) {
		echo_begin(&x->echo, &x->credential->echo);
		x->scrubbing = true;
	}
	credential_watch(&c->gateway->credentials, x->credential, &x->sight_control);
	c->state = CLIENT_WEBSOCKET;
	if (!x->noted)
		client_note_open(c);
	return true;
}

/* Does a piece of what the guest says hold a placeholder of another route? */
static bool shows_placeholder(struct client *c, struct websocket_side *side, struct slice piece)
{
	struct exchange *x = &c->x;
	struct str *text = &c->gateway->text;

	if (side != &x->from_guest || !x->sight.set)
		return false;
	str_reset(text);
	websocket_unmask(side, piece, text);
	return sight_finds(websocket_is_control(side) ? &x->sight_control : &x->sight,
	                   (struct slice){ text->data, text->len });
}

/* True: bytes moved. @why: what may not be. */
static bool relay(struct client *c, struct websocket_side *side, enum refusal *why)
{
	bool guest = side == &c->x.from_guest;
	struct stream *from = guest ? &c->stream : &c->up->stream, *to = guest ? &c->up->stream : &c->stream;
	bool any = false;

	while (buffer_len(&to->out) < STREAM_FULL) {
		if (buffer_len(&from->in) < WEBSOCKET_HEADER_MAX)
			stream_fill(from, 2 * STREAM_PIECE);
		struct slice view = buffer_view(&from->in);
		ssize_t head = side->left ? 0 : websocket_header(side, view);
		if (head < 0) {
			*why = REFUSE_FRAME;
			break;
		}
		size_t n = head ? (size_t)head : view.n < side->left ? view.n : (size_t)side->left;
		if (n == 0 || !view.at)
			break;
		if (!head && shows_placeholder(c, side, slice_cut(view, 0, n))) {
			*why = REFUSE_PLACEHOLDER_ELSEWHERE;
			break;
		}
		if (!head)
			side->left -= n;
		buffer_add(&to->out, view.at, n);
		buffer_take(&from->in, n);
		any = true;
	}
	return any;
}

static void send_frame(struct client *c, uint8_t opcode, bool fin, struct slice payload)
{
	unsigned char head[WEBSOCKET_HEADER_MAX];

	size_t head_n = websocket_head_print(opcode, fin, payload.n, head);
	buffer_add(&c->stream.out, head, head_n);
	buffer_add(&c->stream.out, payload.at, payload.n);
}

/* A piece of a message of the origin, without our credential. What is held back of it would
 * not fit the frame that announced it, so messages are cut into frames of our own. */
static void pass_piece(struct client *c, struct slice piece, bool last)
{
	struct exchange *x = &c->x;
	struct str *text = &c->gateway->text;

	str_reset(text);
	echo_feed(&x->echo, piece, false, text);
	if (last)
		echo_pause(&x->echo, text);
	if (text->len == 0 && !last)
		return;
	send_frame(c, x->fragment_sent ? 0 : x->message_opcode, last,
	           (struct slice){ text->data, text->len });
	x->fragment_sent = !last;
}

/* A control frame may stand between the pieces of a message; it is short, and taken whole. */
static bool pass_control(struct client *c, struct buffer *in)
{
	struct websocket_side *side = &c->x.from_origin;
	size_t n = (size_t)side->left;

	if (buffer_len(in) < n)
		return false;
	echo_scrub(&c->x.credential->echo, (char *)(uintptr_t)buffer_view(in).at, n);
	send_frame(c, side->opcode, true, slice_cut(buffer_view(in), 0, n));
	buffer_take(in, n);
	side->left = 0;
	return true;
}

/* The same as relay(), from the origin of a route with a credential. */
static bool relay_scrubbed(struct client *c, enum refusal *why)
{
	struct stream *from = &c->up->stream;
	struct websocket_side *side = &c->x.from_origin;
	bool any = false, moved = true;

	while (moved && buffer_len(&c->stream.out) < STREAM_FULL) {
		moved = false;
		if (buffer_len(&from->in) < STREAM_PIECE)
			stream_fill(from, 2 * STREAM_PIECE);
		struct slice view = buffer_view(&from->in);
		if (!c->x.frame_open) {
			ssize_t n = websocket_header(side, view);
			if (n < 0)
				*why = REFUSE_FRAME;
			if (n <= 0)
				break;
			buffer_take(&from->in, (size_t)n);
			c->x.frame_open = moved = true;
			if (!websocket_is_control(side) && side->opcode)
				c->x.message_opcode = side->opcode;
		} else if (websocket_is_control(side)) {
			moved = pass_control(c, &from->in);
			c->x.frame_open = !moved;
		} else if (view.n > 0 || side->left == 0) {
			size_t n = view.n < side->left ? view.n : (size_t)side->left;
			side->left -= n;
			pass_piece(c, slice_cut(view, 0, n), side->fin && side->left == 0);
			buffer_take(&from->in, n);
			c->x.frame_open = side->left > 0;
			moved = true;
		}
		any |= moved;
	}
	return any;
}

static bool over(const struct stream *s)
{
	return s->broken || (s->eof && buffer_len(&s->in) == 0);
}

bool websocket_move(struct client *c)
{
	struct stream *guest = &c->stream, *origin = &c->up->stream;
	enum refusal why = REFUSALS;
	bool any = relay(c, &c->x.from_guest, &why);

	if (why == REFUSALS)
		any |= c->x.scrubbing ? relay_scrubbed(c, &why) : relay(c, &c->x.from_origin, &why);
	if (why != REFUSALS) {
		client_stop(c, 0, refusal_word(why), refusal_text(why));
		return true;
	}
	any |= stream_flush(origin);
	any |= stream_flush(guest);
	if (!over(guest) && !over(origin))
		return any;
	if (buffer_len(&guest->out) > 0 && !guest->broken)
		return any;
	client_record(c, true, "allowed", 101);
	upstream_drop(&c->up);
	c->state = CLIENT_LAST_WORDS;
	c->since = c->gateway->loop->now;
	return true;
}
