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

enum {
	AUDIT_LINE_MAX = 32 * 1024,
	AUDIT_RESERVE = 256 * 1024, /* above the limit: what is said of the end still fits */
};

struct audit {
	int fd;                 /* O_APPEND; -1: closed */
	uint64_t count;         /* lines written */
	uint64_t bytes;         /* of them */
	uint64_t limit;         /* that many, and no line more is taken */
	char head[SHA256_TEXT]; /* of the last one, without its newline */
	bool doubtful; /* what a sync failed to bring to the disk may be lost, whatever later ones say */
};
/* clang-format off */
#define AUDIT_INIT { .fd = -1 }
/* clang-format on */

/* What a log should be, as the record says; NULL head: only the chain itself is checked. */
struct audit_claim {
	uint64_t count;
	const char *head;
};

/* How the log's end relates to the claim. */
enum audit_end {
	AUDIT_ENDED,   /* it is the claim's */
	AUDIT_AHEAD,   /* the keeper was killed: lines may have come after the claim */
	AUDIT_GROWING, /* it lives: the same, and a line may be on its way */
};

struct audit_found {
	uint64_t count;
	uint64_t bytes; /* of whole lines */
	size_t cut;     /* bytes behind them: a line whose end was never written */
	char head[SHA256_TEXT];
};

/* Opens (or makes) the log below the bottle's state directory, which takes @limit bytes. What
 * is there is verified first; a log that does not verify, or is full, is not continued. */
int audit_open(int dirfd, const struct audit_claim *claim, uint64_t limit, struct audit *out,
               struct err *err);
void audit_close(struct audit *a);
#define own_audit __attribute__((cleanup(audit_close)))

/* Appends @record (an object; its time is added as "time" if it has none). "seq" and "prev"
 * are the chain's: a record that brings one is refused. ERR_UNCONFINED: the log is full. */
int audit_append(struct audit *a, const json *record, struct err *err);
/* The same from a text of another process: it must be one JSON object of one line. */
int audit_append_text(struct audit *a, const char *text, struct err *err);
/* Waits until all of it is on the disk: before a record claims it. Once it has failed it always does:
 * the kernel tells of pages that it lost only once. */
int audit_sync(struct audit *a, struct err *err);
/* From now on the reserve may be used: the bottle ends, and that is to be written down. */
void audit_close_up(struct audit *a);

/* Reads the log from its start. ERR_UNCONFINED names the first line that does not fit, or how
 * the log and the claim differ. @claim NULL: only the chain itself is checked. */
int audit_verify(int dirfd, const struct audit_claim *claim, enum audit_end end, struct audit_found *out,
                 struct err *err);

/* In the place of a keeper that was killed while it wrote: a last line without an end is
 * replaced by one that says so, with its digest and its beginning. Everything before it must
 * verify and hold the claim. All of it is on the disk when this returns. @out: the log as it is then,
 * and how many bytes were replaced. */
int audit_mend(int dirfd, const struct audit_claim *claim, struct audit_found *out, struct err *err);

/* Each whole line in order, without its newline; -1 from @fn ends it. @cut: bytes behind the
 * last one. A log that is not there yet has no lines. */
typedef int (*audit_line_fn)(void *arg, uint64_t number, const char *line, size_t n, struct err *err);
int audit_read(int dirfd, audit_line_fn fn, void *arg, size_t *cut, struct err *err);
