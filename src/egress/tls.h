#pragma once
/* Both TLS legs: towards the guest with leaves of the bottle's CA, towards origins with the
 * verification that the guest can no longer do itself. HTTP/1.1 only, TLS 1.2 or later. */
#include <stdbool.h>
#include "egress/ca.h"
#include "egress/roots.h"
#include "wire/host.h"

struct ssl_st;
struct ssl_ctx_st;

enum {
	TLS_LEAVES = 256,  /* hosts whose context is kept */
	TLS_SESSIONS = 64, /* origins whose session is kept */
};

struct tls_leaf {
	char *host; /* NULL: free */
	struct ssl_ctx_st *context;
	unsigned long used;
};

struct tls_memory { /* a session to resume, per origin */
	char *origin;
	struct ssl_session_st *session;
};

struct tls {
	struct ca ca;
	struct roots roots;
	struct ssl_ctx_st *origins;
	struct tls_leaf leaves[TLS_LEAVES];
	struct tls_memory sessions[TLS_SESSIONS];
	unsigned long clock;
	size_t next_session;
};

/* @extra and @roots are PEM bundles: what the operator adds, and what the system trusts. A
 * bundle with something in it that is no certificate is refused: half a list of roots is a
 * riddle later. @out must stay where it is. */
int tls_init(struct tls *out, const char *slug, const char *extra, struct err *err);
/* Before the first origin is dialled, and apart, since a system trusts many. */
int tls_take_roots(struct tls *tls, const char *roots, struct err *err);
void tls_clear(struct tls *tls);

/* A server side for a guest that wants @host, a client side that accepts nobody but @host.
 * @origin names who may resume whose session, and lives as long as the result. */
struct ssl_st *tls_serve(struct tls *tls, const struct host *host, struct err *err);
struct ssl_st *tls_dial(struct tls *tls, const struct host *host, const char *origin, struct err *err);

/* Why an origin's certificate was not accepted ("certificate has expired"): words of OpenSSL's
 * own table, never the origin's. NULL: that was not the reason. */
const char *tls_refused_because(struct ssl_st *ssl);
