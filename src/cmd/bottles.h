#pragma once
/* What the verbs that look at bottles share. */
#include <stdint.h>
#include "cmd/cmd.h"
#include "registry/registry.h"
#include "workspace/workspace.h"

struct bottle {
	int dir;
	struct record record;
};
/* clang-format off */
#define BOTTLE_INIT { .dir = -1, .record = RECORD_INIT }
/* clang-format on */
void bottle_clear(struct bottle *b);
#define own_bottle __attribute__((cleanup(bottle_clear)))
int bottle_open(struct command *c, const char *slug, struct bottle *out, struct err *err);
/* Where its record can't be read: @err says where the bottle is, and what it may still hold. -1. */
int bottle_unreadable(struct command *c, const char *slug, struct err *err);
/* How many files changed ("changed": null where that can't be said), up to @limit; more is "1000+", and
 * "changed_more" in JSON. */
void bottle_set_changed(const struct command *c, json *row, const struct bottle *b, size_t limit);

/* The workspace's two sides, held open. */
struct layers {
	int lower, upper;
	struct workspace workspace;
};
/* clang-format off */
#define LAYERS_INIT { .lower = -1, .upper = -1 }
/* clang-format on */
void layers_clear(struct layers *l);
#define own_layers __attribute__((cleanup(layers_clear)))
/* ERR_MISSING: this bottle has no layer of its own (its workspace is mounted, or none), or
 * the directory that it was given is gone. */
int layers_open(const struct bottle *b, struct layers *out, struct err *err);

/* For changes->more. */
void layers_say_unseen(const struct command *c);

/* The directory of its keeper's socket, for the caller to close: where the record says, whatever the
 * environment is here. Made only where the record says nothing. */
int bottle_runtime(struct command *c, const struct record *r, struct err *err);

enum { AGE_TEXT = 24 };
void age_text(int64_t since_ms, char out[AGE_TEXT]); /* "12s", "5m", "3h", "2d" */
/* RFC 3339, or null for 0. */
json *time_json(int64_t unix_ms);
/* A string of bytes that may be hostile, escaped so that it is plain text. */
json *text_json(const char *bytes);
/* The name of a file: in JSON as it is, where it is UTF-8; else as diff and export show it, and in JSON
 * with the member KEY_escaped, true, beside it. */
void name_set(const struct command *c, json *row, const char *key, const char *name);
/* A path below the workspace as a person writes it: "./a/", "a" -> "a". ERR_USAGE: absolute,
 * or with a "..". The caller frees. */
char *workspace_path(const char *given, struct err *err);
