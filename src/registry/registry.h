#pragma once
/* Which bottles exist. Each has a directory of its own, <state>/bottles/<slug>/ (0700), made
 * before its first resource and removed after the last; record.json in it says all that is
 * needed to find, show, resume and clear up the bottle. The registry is handed the
 * descriptor of <state>/bottles, knows no environment, and never stops, signals or judges a
 * bottle: it says whether the keeper that a record names is alive, by pid and start time. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/sha256.h"
#include "registry/names.h"

/* What lies in a bottle's directory. Who makes an entry is its owner; `rm` removes all. */
#define RECORD_FILE       "record.json"
#define RECORD_KEPT       "record.kept.json" /* see registry_place() */
#define RECORD_LOCK       "record.lock"
#define RECORD_AUDIT      "audit.jsonl"
#define RECORD_AGENT_LOG  "agent.log"
#define RECORD_AGENT_OLD  "agent.log.1"   /* the part before it */
#define RECORD_AGENT_CUT  "agent.log.cut" /* is there: what came before that was dropped */
#define RECORD_KEEPER_LOG "keeper.log"
#define RECORD_HOME       "home"      /* /home/agent of the guest */
#define RECORD_WORKSPACE  "workspace" /* holds the overlay's directories: */
#define RECORD_UPPER      "workspace/upper"
#define RECORD_WORK       "workspace/work"

enum {
	RECORD_SCHEMA = 1,
	RECORD_BYTES = 8 * 1024 * 1024, /* of record.json */
	RECORD_DEPTH = 64,              /* of its JSON */
	RECORD_COUNT = 10000,           /* bottles that are listed */
};

enum record_state {
	RECORD_STARTING,
	RECORD_RUNNING,
	RECORD_STOPPING,
	RECORD_STOPPED,
	RECORD_DEAD, /* computed, never stored: one of the first three, and the keeper is gone */
};
const char *record_state_name(enum record_state state);

/* Something outside the bottle's directory that outlives a killed keeper and that `cleanup`
 * must free: journalled before it is acquired, removed from the list when it is freed. */
struct resource {
	char *kind; /* "container", "network", "machine", "cgroup", "key", ... */
	char *name;
};

struct record {
	char slug[SLUG_TEXT];
	char *label;         /* NULL: none */
	char *agent;         /* NULL: a bare command */
	struct strv bottles; /* in their order; replayed by resume */
	char *backend;
	char *bundle;
	char *workspace;      /* absolute path on the host; NULL: none */
	char *workspace_mode; /* "copy", "mount", "none" */
	struct strv workspace_exclude;
	json *plan; /* launch's own; opaque here */
	enum record_state state;
	pid_t keeper_pid; /* 0: no keeper yet, or none any more */
	unsigned long long keeper_start;
	char *runtime;      /* where its socket is, or was; NULL: not known, as in an older record */
	int64_t created_ms; /* wall clock */
	int64_t ended_ms;   /* 0: not yet */
	int exit_status;    /* of the agent, as a shell reports it; -1: none */
	struct resource *resources;
	size_t nresources;
	uint64_t audit_count;
	char audit_head[SHA256_TEXT]; /* "" while empty */
	uint64_t refused;             /* requests that the gateway refused */
	json *proof;                  /* its result; NULL: not done */
	struct strv limits_not_enforced;
	bool remove_at_end; /* start --rm */
};
/* clang-format off */
#define RECORD_INIT { .exit_status = -1, .state = RECORD_STARTING }
/* clang-format on */
void record_clear(struct record *r);
#define own_record __attribute__((cleanup(record_clear)))

void record_add_resource(struct record *r, const char *kind, const char *name);
/* False: it was not in the list. */
bool record_drop_resource(struct record *r, const char *kind, const char *name);

/* JSON and back. An unknown schema, a missing or wrong field is ERR_INPUT; members that are
 * not known are an error too, since a record is written by this program alone. */
json *record_to_json(const struct record *r);
int record_from_json(const json *j, struct record *out, struct err *err);

/* True while the process that the record names as keeper is there: pid and start time. */
bool record_keeper_lives(const struct record *r);
/* The state as shown: RECORD_DEAD where the stored one needs a keeper and none lives. */
enum record_state record_shown_state(const struct record *r);

/* Makes the directory of a new bottle under a fresh slug (@name, a hyphen, five random
 * characters) with the record in it: it appears under its name with its record or not at
 * all. Returns the directory's descriptor; the slug stands in @r. All processes see it from
 * then on, whoever is killed; whether it survives a crash of the host is registry_settle()'s. */
int registry_create(int bottles, const char *name, struct record *r, struct err *err);
/* Waits until the new bottle's directory, record and name are on the disk: before anything is
 * acquired that a crash of the host would not end. */
int registry_settle(int bottles, int dir, struct err *err);

/* The directory of a bottle. ERR_MISSING: there is none of that slug; ERR_USAGE: no slug. */
int registry_open(int bottles, const char *slug, struct err *err);
/* Reads a record; where a crash of the host left an empty one, that which was kept. ERR_INPUT:
 * broken, or of a schema that this program does not know: it is left as it is. */
int registry_load(int dir, struct record *out, struct err *err);
/* Replaces the record: temporary name, fsync, rename. Hold the lock. */
int registry_save(int dir, const struct record *r, struct err *err);
/* The same for what a crash of the host may undo: nothing waits for the disk. Until the next
 * registry_save() the last record that did reach it is kept beside the new one, so that after
 * a crash one of both is whole. */
int registry_place(int dir, const struct record *r, struct err *err);

/* The exclusive lock of a bottle's directory, so that two processes do not change one record
 * at once. The keeper holds it for a moment at each change, not for its life. Waits at most
 * @ms; ERR_BUSY after that. Closing the descriptor releases it. */
int registry_lock(int dir, int ms, struct err *err);
/* Lock, load, @change, save, release. @change returns -1 to leave the record as it was. */
int registry_change(int dir, int (*change)(struct record *r, void *arg, struct err *err), void *arg,
                    struct err *err);

/* Removes a bottle's directory with everything in it; the record goes last, so that an
 * interrupted removal stays findable. */
int registry_remove(int bottles, const char *slug, struct err *err);
/* Removes what registry_create() and registry_remove() leave when they are killed, or the host
 * goes down in their middle. */
int registry_sweep(int bottles, struct err *err);

/* What stands in <state>/bottles, sorted by slug. An entry that is no slug is passed over. */
struct listing {
	struct listed {
		char slug[SLUG_TEXT];
		struct record record; /* only where @error is empty */
		struct err error;     /* why the record can't be read; kind ERR_NONE: it could */
	} * v;
	size_t n;
};
/* clang-format off */
#define LISTING_INIT { 0 }
/* clang-format on */
void listing_clear(struct listing *l);
#define own_listing __attribute__((cleanup(listing_clear)))
int registry_list(int bottles, struct listing *out, struct err *err);
