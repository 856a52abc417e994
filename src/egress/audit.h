#pragma once
/* One record per decision, handed to the keeper in batches. What can't be recorded does not
 * happen: while the queue is full nothing new begins (audit_is_full()), and a keeper that is
 * gone ends the gateway. */
#include <stdbool.h>
#include <stdint.h>
#include "base/loop.h"
#include "base/own.h"
#include "base/str.h"
#include "egress/echo.h"

struct audit_entry {
	const char *id;            /* request id */
	const char *method, *host; /* "" where unknown; canonical or escaped */
	const char *scheme;        /* "http" or "https"; "" where it is not known yet, as of a CONNECT */
	unsigned port;
	const char *path;         /* canonical */
	const char *query;        /* masked */
	const char *route, *rule; /* "" for none */
	bool allowed;
	const char *reason;      /* a word of a closed list */
	int status;              /* what the guest was answered; 0: nothing */
	uint64_t sent, received; /* body and head bytes: from the guest, to it */
	uint64_t us;
	const char *detail; /* JSON members of the log level, or "" */
};

struct audit {
	struct loop *loop;
	int control;                    /* not owned */
	const struct echo_set *secrets; /* which no record may show; not owned, NULL: none */
	struct strv queue;
	size_t limit;
	struct timer timer, wake;
	bool stuck;                 /* the keeper's socket is full: wait for EPOLLOUT */
	void (*drained)(void *arg); /* the queue has room again */
	void (*lost)(void *arg);    /* the keeper is gone */
	void *arg;
};

void audit_init(struct audit *a, struct loop *loop, int control, size_t limit);
void audit_clear(struct audit *a);

void audit_add(struct audit *a, const struct audit_entry *entry);
bool audit_is_full(const struct audit *a);
/* Sends what the socket takes. The owner of the control socket calls it on EPOLLOUT. */
void audit_flush(struct audit *a);

/* Adds a JSON string: @text without the secrets, and cut to @limit bytes. For struct audit_entry's detail. */
void audit_print_text(const struct audit *a, struct str *out, struct slice text, size_t limit);
/* "a=1&b" as "a=***&***". */
void audit_mask_query(const char *query, size_t n, struct str *out);
