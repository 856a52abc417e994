#pragma once
/* The whole row of a machine, field by field, against what the backend computed. A field that
 * this smolvm version knows and the row lacks, one that the row has and the version does not
 * know, or one with another value: each is a refusal (ERR_UNCONFINED). The table is the pinned
 * version's; another version needs a table of its own before it is supported. */
#include <stddef.h>
#include "base/err.h"
#include "base/json.h"

#define POSTURE_VERSION "1.8.1"

enum posture_phase {
	POSTURE_CREATED, /* after create, before start: never ran */
	POSTURE_STARTED, /* running: the same but for state, pid and start time */
	POSTURE_STOPPED, /* ran, and may be started again */
};

/* @row is the stored text (smoldb_read()). @given has a member for every field that depends on
 * the bottle: name, cpus, mem, env, mounts, storage_gb, overlay_gb, image, entrypoint, cmd,
 * workdir, and, where they are set, user and source_smolmachine. Duplicate keys were refused
 * when the row was read. */
int posture_check(const void *row, size_t n, const json *given, enum posture_phase phase, struct err *err);

/* What agent.config.json, written by start beside the machine's disks, must say: what was
 * really launched. @given as above. */
int posture_check_launched(const void *text, size_t n, const json *given, struct err *err);

/* The table for people: field, expected, why. */
void posture_print(struct str *out);
