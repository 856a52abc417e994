#pragma once
/* smolvm's state database: a machine's row, and the allowlist that it persists.
 *
 * What stands in the row is declared, not enforced: this room never says more. The database
 * is another program's, and hostile as far as we are concerned: an unknown shape is refused
 * and never repaired, no database is created, no symlink at its name is followed, the journal
 * mode stays, and nothing is checkpointed. Every refusal is ERR_UNCONFINED, and it leaves the
 * database as it was. A reader of one that nobody has open leaves SQLite's -shm and an empty -wal
 * beside it: to take them away it would have to be a writer, and to do without them it would have
 * to know that there is none.
 *
 * Schema: table vms(name TEXT PRIMARY KEY, data BLOB), data one JSON object in UTF-8 bound
 * as a BLOB. smolvm's reader refuses a TEXT value, and takes a missing or null
 * "allowed_cidrs" as "no restriction": so must be exactly what is wanted, or no boot. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

enum {
	SMOLDB_BUSY_MS = 15000,           /* smolvm's own busy timeout; a shorter one loses to it */
	SMOLDB_ROW_MAX = 4 * 1024 * 1024, /* bytes of a row's data */
	SMOLDB_CIDRS_MAX = 256,
};

/* Where the database stands: the first that applies of $SMOLVM_DATA_DIR/.local/share,
 * $XDG_DATA_HOME when it is absolute, $HOME/.local/share (macOS: $HOME/Library/Application
 * Support, and XDG is not looked at), then smolvm/server/smolvm.db. A value that is unset or
 * empty is NULL or "". ERR_MISSING without any. */
struct smoldb_env {
	const char *smolvm_data_dir, *xdg_data_home, *home;
	bool macos;
};
int smoldb_path(const struct smoldb_env *env, char **out, struct err *err);

/* ADDRESS/LENGTH, IPv4 or IPv6, the length written as a plain number and no bit set behind
 * it. Says what is wrong with the text that is none. */
int smoldb_check_cidr(const char *text, struct err *err);

struct smoldb_options {
	const char *path; /* the database file */
	/* For one whose directories others may write: a directory where @path begins and that it
	 * does not leave, and no component of it is a link. 0: none, and only the last must be none. */
	int beneath;
	int busy_ms; /* how long to wait for other writers; SMOLDB_BUSY_MS */
};

/* 0: the machine's persisted "allowed_cidrs" is exactly @cidrs (order matters, strings are
 * compared byte for byte). Read-only. */
int smoldb_verify(const struct smoldb_options *o, const char *machine, const struct strv *cidrs,
                  struct err *err);

/* The same, after setting it where it differs: *written says whether. When it is equal the
 * stored bytes are not touched. All other bytes of the row survive. Afterwards the row is
 * read again on a new connection; a row that is not as wanted then is a refusal that names
 * both values. */
int smoldb_enforce(const struct smoldb_options *o, const char *machine, const struct strv *cidrs,
                   bool *written, struct err *err);

/* The bytes of a machine's row, which are one JSON object without duplicate keys. Read-only. */
int smoldb_read(const struct smoldb_options *o, const char *machine, struct str *out, struct err *err);

/* As smoldb_enforce(), for any one top-level @key whose value shall be the JSON text @value
 * (compact, as json_print() makes it). */
int smoldb_set(const struct smoldb_options *o, const char *machine, const char *key, const char *value,
               bool *written, struct err *err);

/* Whether the machine has a row: 1 or 0. Without a database there is none. */
int smoldb_has(const struct smoldb_options *o, const char *machine, struct err *err);
