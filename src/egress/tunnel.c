#include "egress/client.h"

#include "wire/tls.h"

#include "base/banned.h"

enum { HTTPS_PORT = 443 };

/* May a connection to c->target begin? Sets the record's rule; refuses with @status. */
static bool connection_allowed(struct client *c, bool can_answer)
{
	struct policy_verdict verdict;
	struct policy_request request = { .host = &c->target.host,
		                          .port = c->target.port,
		                          .method = slice_of("CONNECT") };
	own_str struct str text = STR_INIT;

	policy_decide_connect(c->gateway->policy, &c->target.host, c->target.port, &verdict);
	policy_rule_print(&verdict, &c->x.rule);
	c->x.route = verdict.route;
	if (verdict.allowed)
		return true;
	policy_explain(&verdict, &request, &text);
	client_refuse_with(c, can_answer ? 403 : 0, policy_reason_word(verdict.reason), str_c(&text), false);
	return false;
}

/* CONNECT: whether it may begin is known now, what goes through it is judged when it comes. */
void tunnel_begin(struct client *c)
{
	struct http_request *r = &c->gateway->request;
	enum wire_fault fault;

	if (host_parse(r->host, &c->target.host, &fault) != 0) {
		request_refuse_fault(c, fault);
		return;
	}
	c->target.port = (uint16_t)r->port;
	str_reset(&c->x.host);
	str_add(&c->x.host, c->target.host.text);
	c->x.port = c->target.port;
	if (r->framing != HTTP_NO_BODY && !(r->framing == HTTP_LENGTH && r->length == 0)) {
		request_refuse_fault(c, WIRE_BODY_FORBIDDEN);
		return;
	}
	if (!connection_allowed(c, true))
		return;
	buffer_add_text(&c->stream.out, "HTTP/1.1 200 Connection established\r\n\r\n");
	c->x.status = 200;
	c->bound = c->unrecorded = true;
	c->state = CLIENT_HELLO;
	c->since = c->gateway->loop->now;
}

/* A fatal alert in the clear, which every TLS client can read at this point. */
static void send_alert(struct client *c, char description)
{
	const char alert[] = { 21, 3, 3, 0, 2, 2, description };

	buffer_add(&c->stream.out, alert, sizeof alert);
}

static bool end_tunnel(struct client *c, enum refusal why)
{
	enum { UNRECOGNIZED_NAME = 112 };

	if (why != REFUSE_NOT_TLS)
		send_alert(c, UNRECOGNIZED_NAME);
	client_refuse(c, why, false);
	return true;
}

/* The host that TLS asks for must be the one that was allowed. */
static bool check_name(struct client *c, const struct tls_hello *hello, enum refusal *why)
{
	struct host asked;
	enum wire_fault fault;

	*why = REFUSE_ECH;
	if (hello->ech)
		return false;
	*why = REFUSE_SNI_MISSING;
	/* SNI has no form for addresses: a tunnel to one has none to compare. */
	if (!hello->has_sni)
		return c->bound && c->target.host.kind != HOST_NAME;
	*why = REFUSE_SNI_MISMATCH;
	if (host_parse((struct slice){ hello->sni, hello->sni_n }, &asked, &fault) != 0 ||
	    asked.kind != HOST_NAME)
		return false;
	if (c->bound)
		return str_is(asked.text, c->target.host.text);
	c->target.host = asked;
	c->target.port = HTTPS_PORT;
	str_add(&c->x.host, asked.text);
	c->x.port = HTTPS_PORT;
	return true;
}

static bool start_tls(struct client *c)
{
	struct err err = ERR_INIT;
	struct ssl_st *ssl = tls_serve(&c->gateway->tls, &c->target.host, &err);

	if (!ssl)
		return end_tunnel(c, REFUSE_SYSTEM);
	c->bound = true;
	c->target.plain = false;
	/* What was promised in the clear goes out before TLS takes the socket. */
	stream_flush(&c->stream);
	if (buffer_len(&c->stream.out) > 0)
		return end_tunnel(c, REFUSE_SYSTEM);
	stream_start_tls(&c->stream, ssl);
	c->state = CLIENT_HANDSHAKE;
	return true;
}

/* Of a tunnel the hello belongs to what CONNECT began. */
static void begin_exchange(struct client *c)
{
	c->since = c->stream.loop->now;
	if (c->bound)
		return;
	client_start_exchange(c);
	str_add(&c->x.method, "CONNECT");
}

static bool read_hello(struct client *c)
{
	struct stream *s = &c->stream;
	struct tls_hello hello;
	enum wire_fault fault;
	enum refusal why;

	stream_flush(s);
	stream_fill(s, TLS_HELLO_MAX + 1024);
	int tls = tls_looks_so(buffer_view(&s->in));
	bool over = s->eof || s->broken;
	if (tls < 0) {
		s->broken = s->broken || over;
		return false;
	}
	if (tls == 0 && c->bound) {
		/* Plain HTTP in a tunnel: the policy says of each request whether the route is plain. */
		c->target.plain = true;
		c->state = CLIENT_HEAD;
		c->since = s->loop->now;
		return true;
	}
	ssize_t n = tls ? tls_hello_parse(buffer_view(&s->in), &hello, &fault) : -1;
	if (n == 0) {
		s->broken = s->broken || over;
		return false;
	}
	begin_exchange(c);
	if (n < 0)
		return end_tunnel(c, REFUSE_NOT_TLS);
	if (!check_name(c, &hello, &why))
		return end_tunnel(c, why);
	if (!c->bound && !connection_allowed(c, false))
		return true;
	c->unrecorded = true;
	return start_tls(c);
}

bool tunnel_read(struct client *c)
{
	c->waiting = audit_is_full(&c->gateway->audit);
	if (c->waiting)
		return false;
	if (c->state == CLIENT_HELLO)
		return read_hello(c);
	int result = stream_handshake(&c->stream);
	if (result == 0)
		return false;
	if (result < 0) {
		/* The name was allowed; the guest did not go on. It is recorded with that name. */
		client_refuse(c, REFUSE_GUEST_HANDSHAKE, false);
		return true;
	}
	c->state = CLIENT_HEAD;
	c->since = c->gateway->loop->now;
	c->begun = c->served = false;
	return true;
}
