#pragma once
/* A connection to an origin: resolved here, its addresses judged, one of those very addresses
 * dialled, its certificate verified. When idle it waits in the pool for the same origin. */
#include "egress/gateway.h"

enum upstream_state {
	UPSTREAM_RESOLVING,
	UPSTREAM_CONNECTING,
	UPSTREAM_PROXY, /* CONNECT was sent to the upstream proxy */
	UPSTREAM_HANDSHAKE,
	UPSTREAM_READY,
	UPSTREAM_FAILED, /* .failure says why */
	UPSTREAM_IDLE,
};

struct origin {
	struct host host;
	uint16_t port;
	bool plain;
	bool allow_private;
	bool private_only; /* what is sent holds a credential in the clear */
};

struct upstream {
	struct gateway *gateway;
	enum upstream_state state;
	struct origin origin;
	char *key; /* scheme, host and port */
	struct stream stream;
	struct lookup lookup;
	struct addresses addresses;
	size_t next; /* of addresses */
	struct timer timer;
	uint64_t deadline; /* clock_ms() */
	enum refusal failure;
	bool reused;  /* it stood in the pool before */
	bool starved; /* an address was not dialled for want of a descriptor or memory */
	size_t seen;
	void (*fn)(void *arg); /* ready, failed, or bytes moved */
	void *arg;
	struct upstream *before, *after; /* in the pool */
};

/* Never NULL; maybe ready, maybe failed already. @fn is not called before this returns. */
struct upstream *upstream_acquire(struct gateway *g, const struct origin *origin, bool fresh,
                                  void (*fn)(void *arg), void *arg);
void upstream_drop(struct upstream **up);
/* Back to the pool, if there is room. */
void upstream_release(struct upstream **up);

/* pool.c */
struct upstream *pool_take(struct gateway *g, const struct origin *origin);
void pool_put(struct gateway *g, struct upstream *up);
void pool_remove(struct upstream *up);
void pool_clear(struct gateway *g);

/* May it be dialled? Every address of a name must be one that may: a name that points half
 * inwards is an attack or a mistake. */
bool origin_addresses_fine(const struct addresses *found, bool allow_private);
