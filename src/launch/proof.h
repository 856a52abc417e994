#pragma once
/* The proof that the walls stand, before the agent's first instruction: the guest itself
 * tries what must fail and what must work. Behind every controlled target that must fail is a
 * listener of ours which was first dialled from outside, so that "it failed" means the wall
 * and not an empty address. Here are the targets and the judgement; both make no system call. */
#include <stdbool.h>
#include "base/json.h"
#include "proto/probe.h"

#define PROOF_HOST   "proof.bot-bottle.invalid"  /* the gateway answers for it by itself */
#define PROOF_DENIED "denied.bot-bottle.invalid" /* no route can name it */
#define PROOF_HOSTS  ".bot-bottle.invalid"       /* what the names of the proof end in */

enum {
	PROOF_ADDRESS = 64,
	PROOF_CHECKS_MAX = 48,
	PROOF_DEADLINE_MS = 1500,
	PROOF_WAIT_MS = 2000,
	PROOF_MACHINE_DEADLINE_MS = 7000,
	PROOF_MACHINE_WAIT_MS = 10000,
};

enum proof_expect {
	PROOF_UNREACHED, /* the kernel says no */
	PROOF_NONCE,     /* the target's nonce comes back */
	PROOF_CONNECTS,
	PROOF_REFUSES, /* an answer of the gateway: 403, with our body */
};

struct proof_check {
	char name[64];
	enum proof_expect expect;
	const char *skipped; /* why it does not apply to this host; NULL: it does */
	enum probe_family family;
	char address[PROBE_PATH_MAX];
	uint16_t port;
	unsigned char nonce[PROBE_NONCE];
	const char *request; /* NULL: none */
	size_t request_len;  /* 0: strlen(request) */
};

struct proof {
	struct proof_check checks[PROOF_CHECKS_MAX];
	size_t n;
	unsigned char launch[PROBE_NONCE];
	/* In a machine a relay stands between: what it can't reach stays silent or is cut off, and
	 * only an answer means that somebody was reached. */
	bool machine;
};

/* Adds a row and returns it. */
struct proof_check *proof_add(struct proof *p, enum proof_expect expect, enum probe_family family,
                              const char *name);
/* The first server of a resolv.conf that has an address which can be tried from anywhere. */
bool proof_find_resolver(const char *text, char out[PROOF_ADDRESS]);
/* What must fail without any listener of ours, and what must work. @resolver: the host's, NULL: none.
 * @gateway_nonce has PROBE_NONCE characters. */
void proof_add_literals(struct proof *p, const char *resolver);
void proof_add_gateway(struct proof *p, const char *address, const char *gateway_nonce);

/* In a machine: each controlled target of the host's loopback once more, at the address that
 * leads to the sidecars. */
void proof_add_relayed(struct proof *p, const char *address);

/* The task for the probe: every row that applies, its number as id. */
void proof_task(const struct proof *p, struct probe_task *out);

/* 0: every row came out as it must. ERR_UNCONFINED names the first surprise; a report of
 * another launch, or with a row missing, is one. @result gets an object for the record and
 * the audit log either way. */
int proof_judge(const struct proof *p, const struct probe_report *report, json **result, struct err *err);
