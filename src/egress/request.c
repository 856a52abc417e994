#include "egress/client.h"

#include "base/json.h"
#include "policy/path.h"
#include "base/banned.h"

/* A name that no zone has (RFC 6761), answered here and nowhere else: it shows that the way
 * to this very gateway is open, because only this launch knows the nonce. */
#define PROOF_HOST "proof.bot-bottle.invalid"
#define HELP_PATH  "/.well-known/bot-bottle"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

/* ---- saying no ---- */

void request_refuse_fault(struct client *c, enum wire_fault fault)
{
	client_refuse_with(c, wire_fault_status(fault), wire_fault_word(fault), wire_fault_text(fault),
	                   false);
}

void request_refuse_verdict(struct client *c, const struct policy_verdict *verdict,
                            const struct policy_request *request, bool keep)
{
	own_str struct str text = STR_INIT;

	policy_explain(verdict, request, &text);
	client_refuse_with(c, 403, policy_reason_word(verdict->reason), str_c(&text), keep);
}

static bool refuse(struct client *c, enum refusal why, bool keep)
{
	client_refuse(c, why, keep);
	return true;
}

static bool refuse_fault(struct client *c, enum wire_fault fault)
{
	request_refuse_fault(c, fault);
	return true;
}

/* ---- what the record keeps ---- */

/* Values of fields that carry no secret by their nature; all others are only named. */
static bool value_is_kept(struct slice name)
{
	static const char *const kept[] = { "accept", "accept-encoding", "content-type", "content-encoding",
		                            "user-agent" };

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (slice_is_nocase(name, kept[i]))
			return true;
	return false;
}

enum { NAME_SHOWN = 64, HEADERS_SHOWN = 4096 };

static struct slice shown_of(struct slice name)
{
	return slice_cut(name, 0, name.n < NAME_SHOWN ? name.n : NAME_SHOWN);
}

/* A record has a name once; two that are shown alike are one. */
static bool was_shown(const struct http_fields *fields, size_t i)
{
	for (size_t before = 0; before < i; before++)
		if (slice_equal(shown_of(fields->at[before].name), shown_of(fields->at[i].name)))
			return true;
	return false;
}

static void note_headers(const struct audit *a, const struct http_fields *fields, struct str *out)
{
	const char *between = "";

	str_add(out, ",\"headers\":{");
	for (size_t i = 0; i < fields->n && out->len < HEADERS_SHOWN; i++) {
		struct slice name = fields->at[i].name, value = fields->at[i].value;
		if (was_shown(fields, i))
			continue;
		str_add(out, between);
		between = ",";
		audit_print_text(a, out, name, NAME_SHOWN);
		str_addc(out, ':');
		if (value_is_kept(name))
			audit_print_text(a, out, value, 128);
		else
			str_add(out, "\"***\"");
	}
	str_addc(out, '}');
}

/* ---- the order of semantics: host, route, path, matches, credentials, corpus ---- */

static bool has_body(const struct http_request *r)
{
	return r->framing == HTTP_CHUNKED || (r->framing == HTTP_LENGTH && r->length > 0);
}

/* Whom the request is for. 0, or -1 after a refusal. */
static int find_target(struct client *c, const struct http_request *r, struct origin *out)
{
	enum wire_fault fault;
	struct origin o = { .plain = c->bound ? c->target.plain : true };
	bool keep = c->x.keep && !has_body(r);

	if (r->host.n == 0) {
		request_refuse_fault(c, WIRE_HOST_MISSING);
		return -1;
	}
	if (host_parse(r->host, &o.host, &fault) != 0) {
		request_refuse_fault(c, fault);
		return -1;
	}
	o.port = r->port >= 0 ? (uint16_t)r->port : o.plain ? HTTP_PORT : HTTPS_PORT;
	if (!c->bound) {
		str_add(&c->x.host, o.host.text);
		c->x.port = o.port;
	}
	c->x.scheme = o.plain ? "http" : "https";
	if (r->form == HTTP_ABSOLUTE_FORM && r->https == o.plain) {
		client_refuse(c, c->bound ? REFUSE_HOST_MISMATCH : REFUSE_HTTPS_UNPROXIED, keep);
		return -1;
	}
	/* A transparent listener serves one port, whatever Host says. */
	bool other_port = c->entrance == ENTER_HTTP && o.port != HTTP_PORT;
	if (other_port ||
	    (c->bound && (!str_is(o.host.text, c->target.host.text) || o.port != c->target.port))) {
		client_refuse(c, REFUSE_HOST_MISMATCH, false);
		return -1;
	}
	*out = o;
	return 0;
}

/* What the guest says to the gateway itself. */
static bool serve_self(struct client *c, const struct http_request *r)
{
	own_str struct str help = STR_INIT;
	bool get = slice_is(r->method, "GET") || c->x.is_head;

	if (has_body(r))
		c->x.keep = false;
	str_addn(&c->x.path, r->path.at, slice_is(r->path, HELP_PATH) ? r->path.n : 0);
	if (!get || !slice_is(r->path, HELP_PATH))
		return refuse(c, REFUSE_NOT_PROXIED, c->x.keep);
	help_print(c->gateway, &help);
	client_answer(c, 200, "application/json", (struct slice){ help.data, help.len }, "help");
	return true;
}

/* Here, and only here, the whole head stands as the guest sent it and is known to be allowed:
 * what looks for secrets in it belongs in this place, before a credential of ours is near. The
 * body's own place is push_request() in exchange.c. */
static enum credential_finding judge_corpus(struct client *c, struct http_request *r, struct str *query)
{
	struct slice path = { c->x.path.data, c->x.path.len };

	return credential_judge(&c->gateway->credentials, c->x.credential, r, path, query);
}

/* On a route with a credential everything that comes back must be readable, and whole. */
static void make_readable(struct http_fields *fields)
{
	static const char *const names[] = { "Accept-Encoding", "Range", "Request-Range", "If-Range" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		http_fields_strip(fields, names[i]);
}

static void print_head(struct client *c, const struct http_request *r, const struct str *query)
{
	struct exchange *x = &c->x;
	own_str struct str target = STR_INIT, authority = STR_INIT;

	str_addn(&target, x->path.data, x->path.len);
	if (r->has_query && (query->len || r->query.n == 0)) {
		str_addc(&target, '?');
		str_addn(&target, query->data, query->len);
	}
	str_add(&authority, x->origin.host.text);
	if (x->origin.port != (x->origin.plain ? HTTP_PORT : HTTPS_PORT))
		str_addf(&authority, ":%u", x->origin.port);
	http_request_print(r, (struct slice){ target.data, target.len },
	                   (struct slice){ authority.data, authority.len }, &x->head);
	if (x->credential) {
		const struct secret *value = &x->credential->value;
		http_field_print(slice_of(x->credential->name),
		                 (struct slice){ secret_expose(value), secret_len(value) }, &x->head);
		str_add(&x->head, "Accept-Encoding: identity\r\n");
	}
	if (x->expects)
		str_add(&x->head, "Expect: 100-continue\r\n");
	if (x->websocket)
		str_add(&x->head, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
	http_head_close(&x->head);
}

/* Everything is decided: what is sent stands in x->head from here on. */
static bool accept_request(struct client *c, struct http_request *r, bool keep)
{
	struct exchange *x = &c->x;
	own_str struct str query = STR_INIT;
	enum credential_finding finding = judge_corpus(c, r, &query);

	if (finding == CREDENTIAL_OBSCURED)
		return refuse_fault(c, WIRE_QUERY);
	if (finding != CREDENTIAL_FINE)
		return refuse(c,
		              finding == CREDENTIAL_FOREIGN ? REFUSE_FOREIGN_CREDENTIAL :
		                                              REFUSE_PLACEHOLDER_ELSEWHERE,
		              keep);
	if (x->credential)
		make_readable(&r->fields);
	if (r->upgrade.n && !websocket_begin(c))
		return refuse(c, REFUSE_WEBSOCKET_REQUEST, keep);
	x->expects = r->expect_continue && has_body(r);
	bool safe =
		slice_is(r->method, "GET") || slice_is(r->method, "HEAD") || slice_is(r->method, "OPTIONS");
	x->retryable = safe && !has_body(r) && !x->websocket;
	body_begin(&x->request, r->framing, r->length);
	credential_watch(&c->gateway->credentials, x->credential, &x->sight);
	print_head(c, r, &query);
	exchange_begin(c);
	return true;
}

static bool judge(struct client *c, struct http_request *r)
{
	struct gateway *g = c->gateway;
	struct exchange *x = &c->x;
	struct policy_verdict verdict;
	enum wire_fault fault;
	bool keep = x->keep && !has_body(r);

	if (find_target(c, r, &x->origin) != 0)
		return true;
	if (path_canonical(r->path, &x->path, &fault) != 0)
		return refuse_fault(c, fault);
	audit_mask_query(r->query.at, r->query.n, &x->query);
	if (x->origin.plain && str_is(x->origin.host.text, PROOF_HOST) && !c->bound && !has_body(r)) {
		client_answer(c, 200, "text/plain", slice_of(g->config.nonce), "self-test");
		return true;
	}
	http_strip_forwarding(&r->fields);
	struct policy_request request = {
		.host = &x->origin.host,
		.port = x->origin.port,
		.plain = x->origin.plain,
		.method = r->method,
		.path = { x->path.data, x->path.len },
		.query = r->query,
		.upgrade = r->upgrade,
		.fields = &r->fields,
	};
	policy_decide(g->policy, &request, &verdict);
	policy_rule_print(&verdict, &x->rule);
	x->route = verdict.route;
	if (!verdict.allowed) {
		request_refuse_verdict(c, &verdict, &request, keep && verdict.route);
		return true;
	}
	x->origin.allow_private = verdict.route->allow_private;
	x->credential = credential_of(&g->credentials, verdict.route);
	x->origin.private_only = x->credential && x->origin.plain;
	return accept_request(c, r, keep);
}

static bool dispatch(struct client *c, struct http_request *r)
{
	struct exchange *x = &c->x;

	str_addn(&x->method, r->method.at, r->method.n);
	x->is_head = slice_is(r->method, "HEAD");
	x->http10 = r->minor == 0;
	x->keep = r->keep_alive;
	if (c->gateway->config.log != EGRESS_LOG_OFF)
		note_headers(&c->gateway->audit, &r->fields, &x->headers);
	if (r->form == HTTP_ASTERISK_FORM)
		return refuse(c, REFUSE_ASTERISK, false);
	if (slice_is(r->method, "CONNECT")) {
		if (c->bound || c->entrance != ENTER_PROXY)
			return refuse(c, REFUSE_NESTED_CONNECT, false);
		tunnel_begin(c);
		return true;
	}
	if (c->entrance == ENTER_PROXY && !c->bound && r->form == HTTP_ORIGIN_FORM)
		return serve_self(c, r);
	return judge(c, r);
}

bool request_read(struct client *c)
{
	struct gateway *g = c->gateway;
	struct stream *s = &c->stream;
	enum wire_fault fault = WIRE_FINE;

	/* Nothing begins that could not be recorded, nor for a guest that does not read: pipelined
	 * refusals would gather here. */
	c->waiting = audit_is_full(&g->audit);
	if (c->waiting)
		return false;
	if (buffer_len(&s->out) >= STREAM_FULL)
		stream_flush(s);
	if (buffer_len(&s->out) >= STREAM_FULL)
		return false;
	stream_fill(s, g->limits.head + 1);
	if (buffer_len(&s->in) == 0)
		return false;
	if (!c->begun) {
		c->begun = true;
		c->seen = 0;
		if (c->served)
			c->since = g->loop->now;
	}
	ssize_t n = http_head_end(buffer_view(&s->in), &c->seen, &g->limits, &fault);
	if (n == 0)
		return false;
	client_start_exchange(c);
	c->begun = false;
	if (n < 0)
		return refuse_fault(c, fault);
	struct slice head = slice_cut(buffer_view(&s->in), 0, (size_t)n);
	/* Taking moves nothing: the head stands where it is until something is read again. */
	buffer_take(&s->in, (size_t)n);
	if (http_request_parse(head, &g->limits, &g->request, &fault) != 0)
		return refuse_fault(c, fault);
	return dispatch(c, &g->request);
}
