#pragma once
/* The login that Codex keeps on the host, and its hollow twin for the bottle: a file of the
 * same shape, which says whose account it is and until when, and whose tokens open nothing.
 * The access token alone is taken, for the gateway; the token that renews it stays on the host.
 * Text in, values out: the caller reads the file. */
#include <stdint.h>
#include "base/err.h"
#include "base/secret.h"
#include "launch/plan.h"

#define CODEX_AUTH ".codex/auth.json" /* below a home: the person's, and the guest's */

struct codex_login {
	struct secret access;
	int64_t expires; /* seconds, as the token itself says */
	char *account;   /* NULL: it names none */
	char *plan_type; /* NULL: the same */
};
/* clang-format off */
#define CODEX_LOGIN_INIT { 0 }
/* clang-format on */
void codex_login_clear(struct codex_login *l);
#define own_codex_login __attribute__((cleanup(codex_login_clear)))

enum { CODEX_AUTH_MAX = 256 * 1024 };

/* Refuses what can't work before anything starts: an API key alone, tokens of another form,
 * a token that has run out by @now_ms. No error quotes the file. */
int codex_login_read(const void *bytes, size_t n, int64_t now_ms, struct codex_login *out, struct err *err);

/* The placeholder's form becomes a token with the real one's expiry (a client whose token
 * seems to have run out would try to renew it), and the twin one of the guest's files. */
void codex_fill_plan(const struct codex_login *l, int64_t now_ms, struct plan_credential *credential,
                     struct plan *p);
