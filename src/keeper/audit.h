#pragma once
/* The audit log of a bottle: one JSON object per line, appended by the keeper alone. Each
 * line carries its number ("seq", from 1) and the SHA-256 of the line before it ("prev"; of
 * no bytes for the first), and the record holds count and head. So a line that was changed,
 * removed or put in shows, as long as the record was not changed to match: it is evidence
 * against a slip and against a later edit of the log, not against the host's own user. */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"
#include "base/sha256.h"

#define AUDIT_FILE "audit.jsonl"

enum { AUDIT_LINE_MAX = 32 * 1024 };

struct audit {
	int fd;                 /* O_APPEND; -1: closed */
	uint64_t count;         /* lines written */
	char head[SHA256_TEXT]; /* of the last one, without its newline */
};
/* clang-format off */
#define AUDIT_INIT { .fd = -1 }
/* clang-format on */

/* Opens (or makes) the log below the bottle's state directory. What is there is verified
 * first, and a log that does not verify is not continued. */
int audit_open(int dirfd, struct audit *out, struct err *err);
void audit_close(struct audit *a);
#define own_audit __attribute__((cleanup(audit_close)))

/* Appends @record (an object; its time is added as "time" if it has none). "seq" and "prev"
 * are the chain's: a record that brings one is refused. */
int audit_append(struct audit *a, const json *record, struct err *err);
/* The same from a text of another process: it must be one JSON object of one line. */
int audit_append_text(struct audit *a, const char *text, struct err *err);

/* What a log should be, as the record says; NULL head: only the chain itself is checked. */
struct audit_claim {
	uint64_t count;
	const char *head;
};

struct audit_found {
	uint64_t count;
	char head[SHA256_TEXT];
};

/* Reads the log from its start. ERR_UNCONFINED names the first line that does not fit, or
 * how the log and the claim differ. @at_least: the log may have grown past the claim (the
 * bottle runs), but must contain it. */
int audit_verify(int dirfd, const struct audit_claim *claim, bool at_least, struct audit_found *out,
                 struct err *err);
