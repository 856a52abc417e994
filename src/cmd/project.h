#pragma once
/* The directories of the host that a bottle is given: which may be its workspace, and whether
 * they still are those that they were. */
#include "cmd/cmd.h"
#include "launch/plan.h"

/* The directory at @path, without links. ERR_DENIED: it holds, is, or lies in what an agent must
 * not be given: a home, credentials, bot-bottle's own policy and state. The caller frees. */
int project_find(struct command *c, const char *path, char **out, struct err *err);
/* Remembers in a new plan which directories its paths mean. */
int project_note(struct plan *p, struct err *err);
/* Of a plan that is replayed: they are the same, and would be given to a new bottle. */
int project_still_is(struct command *c, const struct plan *p, struct err *err);
