#pragma once
/* The gateway: what all its connections share. The road of a request is
 *
 *	listener.c  accept                 client.c    CONNECT, ClientHello, handshake
 *	request.c   judge, in order        exchange.c  forward, both ways
 *	upstream.c  resolve, dial, verify  pool.c      keep what can be used again
 *
 * and everything that can go wrong on it ends in refusal.c and audit.c. */
#include "egress/audit.h"
#include "egress/credential.h"
#include "egress/refusal.h"
#include "egress/resolve.h"
#include "egress/stream.h"
#include "egress/tls.h"
#include "policy/policy.h"
#include "proto/egress.h"

enum { GATEWAY_LISTENERS = 8, REQUEST_ID = 32 };

enum entrance { ENTER_PROXY, ENTER_HTTPS, ENTER_HTTP }; /* by which listener a guest came */

struct gateway;

struct listener {
	struct gateway *gateway;
	struct watch watch;
	int fd;
	enum entrance entrance;
};

struct gateway {
	struct loop *loop;
	struct egress_config config;
	struct policy *policy;
	struct credentials credentials;
	struct tls tls;
	struct resolver *resolver;
	struct audit audit;
	struct http_limits limits;
	struct listener listeners[GATEWAY_LISTENERS];
	size_t nlisteners;
	bool paused; /* accepting is */
	struct timer
		starved; /* set: there was no descriptor for a connection; until it fires nobody is let in */
	struct client *clients; /* all of them */
	size_t nclients;
	struct upstream *idle; /* newest first */
	size_t nidle;
	size_t wide_decoders; /* that are open */
	char id_prefix[9];
	uint64_t ids;
	/* One head is parsed and judged at a time: its tables need no memory of their own. */
	struct http_request request;
	struct http_response response;
	struct http_fields trailers;
	struct str text, line;
	char room[STREAM_PIECE];
};

/* Takes over @config (and leaves it empty). */
int gateway_init(struct gateway *g, struct loop *loop, struct egress_config *config, int control,
                 struct err *err);
/* Before anything of the guest is served: the roots of the configuration, which lets go of them. */
int gateway_take_roots(struct gateway *g, struct err *err);
/* Ends every connection, each with its record. */
void gateway_clear(struct gateway *g);
void gateway_next_id(struct gateway *g, char out[REQUEST_ID]);

int gateway_listen(struct gateway *g, int fd, const char *name, struct err *err);
/* Accepting stops at the limit of connections and while nothing can be recorded. */
void gateway_consider_accepting(struct gateway *g);
