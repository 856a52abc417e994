#pragma once
/* A connection of the guest, and the one exchange that may be under way on it. Everything
 * moves by client_pump(): whatever happens on either side, it looks at the whole and does
 * what can be done now. A call of it may free the client. */
#include "egress/body.h"
#include "egress/decode.h"
#include "egress/upstream.h"
#include "wire/websocket.h"

enum client_state {
	CLIENT_HEAD,  /* reading a request head */
	CLIENT_HELLO, /* reading what comes through a tunnel: TLS, or plain on a plain route */
	CLIENT_HANDSHAKE,
	CLIENT_EXCHANGE,
	CLIENT_WEBSOCKET,
	CLIENT_LAST_WORDS, /* sending what is left, then closing */
	CLIENT_LINGER,     /* all is sent: swallowing what still comes, so that it can be read */
};

/* One request and its response. Reset, not freed, between two of a connection. */
struct exchange {
	char id[REQUEST_ID];
	uint64_t began;          /* clock_us() */
	uint64_t received, sent; /* counters of the guest's stream when it began */
	struct str method, host, path, query, rule, headers;
	const char *scheme; /* NULL: not known yet */
	uint16_t port;
	const struct policy_route *route;
	const struct credential *credential;
	struct origin origin;
	struct str head; /* what the origin is sent */
	bool head_sent;
	bool expects; /* Expect: 100-continue */
	bool http10;  /* the guest speaks HTTP/1.0 */
	bool keep;    /* the connection lives on after this */
	bool is_head; /* method HEAD */
	bool retryable, retried;
	bool websocket;
	bool noted; /* recorded while open */
	char websocket_accept[WEBSOCKET_ACCEPT];
	struct body request, response;
	enum http_framing reply; /* how the response's body is framed to the guest */
	bool origin_keeps;       /* the origin's connection lives on after this */
	bool answered;           /* a final response head was read */
	int status;
	size_t seen; /* of the response head */
	struct decoder decoder;
	bool decoding;
	bool scrubbing;
	struct echo echo;
	struct sight sight, sight_control; /* of the guest's body or messages; of its control frames */
	struct websocket_side from_guest, from_origin;
	bool frame_open;    /* its header was read, its payload not to the end */
	bool fragment_sent; /* of the origin's present message, re-framed */
	uint8_t message_opcode;
};

struct client {
	struct gateway *gateway;
	enum entrance entrance;
	enum client_state state;
	struct stream stream;
	struct client *before, *after;
	struct timer deadline, again;
	uint64_t since; /* loop time at which the present state, or head, began */
	size_t seen;    /* of the request head */
	bool begun;     /* a byte of the present head came */
	bool served;    /* at least one exchange is over */
	bool waiting;   /* for the audit queue */
	/* A tunnel, or a transparent connection: whom it is for. */
	bool bound;
	bool unrecorded; /* it was allowed to begin, and no record of it says so yet */
	struct origin target;
	struct exchange x;
	struct upstream *up;
};

void client_new(struct gateway *g, int fd, enum entrance entrance);
void client_pump(void *arg); /* struct client * */
void client_free(struct client *c);

/* The pieces, each in its file. True: something was done, look again. */
bool request_read(struct client *c); /* request.c */
bool tunnel_read(struct client *c);  /* tunnel.c */
void tunnel_begin(struct client *c);
void exchange_begin(struct client *c); /* exchange.c */
void exchange_clear(struct exchange *x);
bool exchange_move(struct client *c);
void exchange_end(struct client *c);
bool response_move(struct client *c); /* response.c */
/* Overwrites the credential in what was parsed of an origin's head or trailers. */
void response_scrub(const struct credential *credential, struct http_fields *fields);
void response_scrub_text(const struct credential *credential, struct slice text);
/* websocket.c: the request, false if it is none; the 101, after which websocket_move() goes on. */
bool websocket_begin(struct client *c);
bool websocket_switch(struct client *c);
bool websocket_move(struct client *c);

/* A decision about a request (or a connection) of this client: the answer where one can still
 * be given, and the record. The connection lives on if @keep and nothing of a body is left. */
void client_refuse(struct client *c, enum refusal why, bool keep);
void client_refuse_with(struct client *c, int status, const char *reason, const char *text, bool keep);
/* The same of what the guest sends behind a head that was allowed: once the origin's answer has
 * begun, nothing can be said any more and it is cut. */
void client_stop(struct client *c, int status, const char *reason, const char *text);
/* The record of an exchange that was allowed. */
void client_record(struct client *c, bool allowed, const char *reason, int status);
/* A record of what is allowed and goes on: if the gateway is killed, the decision is known. */
void client_note_open(struct client *c);
/* The exchange can't go on and its response has begun: the guest must see that it was cut. */
void client_cut(struct client *c, enum refusal why);
/* Names the exchange and starts its clock, before anything about it is decided. */
void client_start_exchange(struct client *c);
/* The same of a policy's verdict, and of bytes that no parser takes. */
void request_refuse_verdict(struct client *c, const struct policy_verdict *verdict,
                            const struct policy_request *request, bool keep);
void request_refuse_fault(struct client *c, enum wire_fault fault);
/* Adds the help document (help.c): what this gateway allows, and how to ask for more. */
void help_print(const struct gateway *g, struct str *out);
void client_answer(struct client *c, int status, const char *type, struct slice body, const char *reason);
