#include "egress/refusal.h"

#include "base/json.h"
#include "base/own.h"
#include "base/banned.h"

#define ASK_OPERATOR "ask the operator to add or change a route in egress.routes of this bottle's manifest"

static const struct {
	int status;
	const char *word, *text;
} refusals[REFUSALS] = {
	[REFUSE_SNI_MISSING] = { 0, "sni-missing", "the TLS client named no host; use one that sends SNI" },
	[REFUSE_SNI_MISMATCH] = { 0, "sni-mismatch", "TLS asked for another host than CONNECT did" },
	[REFUSE_ECH] = { 0, "encrypted-client-hello", "the TLS client hides its host; turn off ECH" },
	[REFUSE_NOT_TLS] = { 0, "not-tls", "what came through the tunnel is not TLS" },
	[REFUSE_GUEST_HANDSHAKE] = { 0, "tls-handshake",
	                             "the TLS handshake did not succeed; does the client trust /etc/bot-bottle/ca.pem?" },
	[REFUSE_HOST_MISMATCH] = { 421, "host-mismatch",
	                           "the Host header is not the host of this connection; open another connection for another host" },
	[REFUSE_NESTED_CONNECT] = { 405, "nested-connect", "CONNECT is not allowed inside a tunnel" },
	[REFUSE_NOT_PROXIED] = { 404, "not-a-proxy-request",
	                         "this is a proxy; GET /.well-known/bot-bottle says what it allows" },
	[REFUSE_HTTPS_UNPROXIED] = { 400, "https-without-connect",
	                             "https through a proxy begins with CONNECT; this client sent an https URL in the clear" },
	[REFUSE_ASTERISK] = { 400, "asterisk-form", "a request must name a path" },
	[REFUSE_FOREIGN_CREDENTIAL] = { 403, "foreign-credential",
	                                "this route has a credential of its own, which the gateway puts in; send the placeholder from your "
	                                "environment or no credential at all" },
	[REFUSE_PLACEHOLDER_ELSEWHERE] = { 403, "placeholder-elsewhere",
	                                   "the request carries the placeholder of another route; it is good for its own host only" },
	[REFUSE_WEBSOCKET_REQUEST] = { 400, "bad-websocket-request",
	                               "a WebSocket begins with GET, Sec-WebSocket-Version: 13, a key of 16 bytes and no body" },
	[REFUSE_TRAILER_CREDENTIAL] = { 403, "trailer-credential",
	                                "a credential or placeholder may not stand in trailers" },
	[REFUSE_UNRESOLVED] = { 502, "unresolved", "the host's name does not resolve; check its spelling" },
	[REFUSE_ADDRESS] = { 403, "address-forbidden",
	                     "the host's name resolves to a private, local or metadata address; allow_private on its route allows "
	                     "private and local ones" },
	[REFUSE_CREDENTIAL_CLEAR] = { 403, "credential-in-clear",
	                              "over http the route's credential goes to private addresses only, and this host has a "
	                              "public one, or one that only the upstream proxy knows; use https" },
	[REFUSE_CONNECT] = { 502, "connect-failed",
	                     "no connection to the origin; it may be down, try again later" },
	[REFUSE_CONNECT_TIME] = { 504, "connect-timeout",
	                          "the origin did not answer in time; try again later" },
	[REFUSE_PROXY] = { 502, "upstream-proxy", "the upstream proxy refused the connection" },
	[REFUSE_CERTIFICATE] = { 502, "origin-certificate",
	                         "the origin's certificate is not acceptable: expired, not for this host, or of an authority that is "
	                         "not trusted; the operator may add one with extra_ca" },
	[REFUSE_ORIGIN_HANDSHAKE] = { 502, "origin-handshake",
	                              "the TLS handshake with the origin did not succeed" },
	[REFUSE_ORIGIN_CLOSED] = { 502, "origin-closed",
	                           "the origin closed the connection before it answered" },
	[REFUSE_ORIGIN_MALFORMED] = { 502, "origin-malformed", "the origin's answer is malformed" },
	[REFUSE_ORIGIN_ENCODING] = { 502, "origin-encoding",
	                             "the origin encoded its answer, or sent a part of it, in a way that can't be checked for "
	                             "the credential" },
	[REFUSE_ORIGIN_UPGRADE] = { 502, "origin-upgrade",
	                            "the origin switched to a protocol that was not asked for" },
	[REFUSE_IDLE] = { 504, "idle-timeout", "nothing moved for too long" },
	[REFUSE_TOTAL] = { 504, "total-timeout", "the exchange took longer than one may" },
	[REFUSE_HEAD_TIME] = { 408, "head-timeout", "the request head did not come in time" },
	[REFUSE_FRAME] = { 0, "websocket-frame", "a WebSocket frame is malformed or over the limit" },
	[REFUSE_GUEST_GONE] = { 0, "guest-closed", "the guest closed the connection" },
	[REFUSE_STOPPING] = { 0, "stopping", "the bottle is ending" },
	[REFUSE_SYSTEM] = { 503, "system", "the gateway is out of a resource; try again" },
};

int refusal_status(enum refusal r)
{
	return refusals[r].status;
}

const char *refusal_word(enum refusal r)
{
	return refusals[r].word;
}

const char *refusal_text(enum refusal r)
{
	return refusals[r].text;
}

static const char *phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 414, "URI Too Long" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 431, "Request Header Fields Too Large" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Refused";
}

void answer_print(int status, const char *type, struct slice body, bool close, bool head_only,
                  struct str *out)
{
	str_addf(
		out,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%s\r\n",
		status, phrase(status), type, body.n, close ? "Connection: close\r\n" : "");
	if (!head_only)
		str_addn(out, body.at, body.n);
}

static void member(struct str *out, const char *key, const char *text)
{
	str_addf(out, ",\"%s\":", key);
	json_print_text(out, text, strlen(text));
}

void refusal_print(const struct refusal_page *page, struct str *out)
{
	own_str struct str body = STR_INIT;

	str_add(&body, page->status < 500 ? "{\"error\":\"egress-denied\"" : "{\"error\":\"egress-failed\"");
	member(&body, "reason", page->reason);
	member(&body, "message", page->text);
	member(&body, "host", page->host);
	member(&body, "rule", page->rule);
	member(&body, "request_id", page->id);
	member(&body, "ask", ASK_OPERATOR "; GET /.well-known/bot-bottle at the proxy lists what is allowed");
	str_add(&body, "}\n");
	answer_print(page->status, "application/json", (struct slice){ body.data, body.len }, page->close,
	             page->head_only, out);
}
