#pragma once
/* The bottle's own certificate authority: made in this process's memory when it starts, and
 * gone with it. It signs a leaf for each host that a route names, and nothing else. */
#include "base/err.h"
#include "base/str.h"

struct x509_st;
struct evp_pkey_st;

struct ca {
	struct x509_st *cert;
	struct evp_pkey_st *key;
	struct str pem; /* the certificate, for the guest's trust stores */
};
/* clang-format off */
#define CA_INIT   \
	{         \
		0 \
	}
/* clang-format on */

int ca_make(const char *slug, struct ca *out, struct err *err);
void ca_clear(struct ca *ca);

/* A certificate for @host (a name, or an address literal without brackets) with a key of its
 * own; the caller frees both. */
int ca_issue(const struct ca *ca, const char *host, struct x509_st **cert, struct evp_pkey_st **key,
             struct err *err);
