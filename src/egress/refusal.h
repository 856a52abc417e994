#pragma once
/* Why the gateway itself says no, and how it says it. Words from the policy and from the
 * parsers have tables of their own; here is what only a gateway can find. Nothing that an
 * origin sent stands in a refusal. */
#include "base/slice.h"
#include "base/str.h"

enum refusal {
	REFUSE_SNI_MISSING,
	REFUSE_SNI_MISMATCH,
	REFUSE_ECH,
	REFUSE_NOT_TLS,
	REFUSE_GUEST_HANDSHAKE,
	REFUSE_HOST_MISMATCH,
	REFUSE_NESTED_CONNECT,
	REFUSE_NOT_PROXIED,
	REFUSE_HTTPS_UNPROXIED,
	REFUSE_ASTERISK,
	REFUSE_FOREIGN_CREDENTIAL,
	REFUSE_PLACEHOLDER_ELSEWHERE,
	REFUSE_WEBSOCKET_REQUEST,
	REFUSE_TRAILER_CREDENTIAL,
	REFUSE_UNRESOLVED,
	REFUSE_ADDRESS,
	REFUSE_CREDENTIAL_CLEAR,
	REFUSE_CONNECT,
	REFUSE_CONNECT_TIME,
	REFUSE_PROXY,
	REFUSE_CERTIFICATE,
	REFUSE_ORIGIN_HANDSHAKE,
	REFUSE_ORIGIN_CLOSED,
	REFUSE_ORIGIN_MALFORMED,
	REFUSE_ORIGIN_ENCODING,
	REFUSE_ORIGIN_UPGRADE,
	REFUSE_IDLE,
	REFUSE_TOTAL,
	REFUSE_HEAD_TIME,
	REFUSE_FRAME,
	REFUSE_GUEST_GONE,
	REFUSE_STOPPING,
	REFUSE_SYSTEM,
	REFUSALS
};

int refusal_status(enum refusal r); /* 0: the connection just ends, nothing can be said */
const char *refusal_word(enum refusal r);
const char *refusal_text(enum refusal r); /* a sentence the agent can act on */

struct refusal_page {
	int status;
	const char *reason, *text; /* a word; a sentence */
	const char *host, *rule, *id;
	bool close;
	bool head_only; /* the answer to HEAD */
};
/* The whole response, adds to @out. */
void refusal_print(const struct refusal_page *page, struct str *out);
/* The same for an answer of our own that is no refusal. */
void answer_print(int status, const char *type, struct slice body, bool close, bool head_only,
                  struct str *out);
