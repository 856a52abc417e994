#pragma once
/* A certificate authority that lives as long as the demo, and a certificate for one name. */
#include "base/err.h"
#include "base/str.h"

struct ssl_ctx_st;

/* A server's TLS context for @host. The authority's certificate is added to @authority (PEM);
 * its key is gone when this returns. The caller frees with SSL_CTX_free(). */
struct ssl_ctx_st *certificate_context(const char *host, struct str *authority, struct err *err);
