#pragma once
/* What `start` and `resume` share: the preflight summary, and a launch from plan to end. */
#include "cmd/cmd.h"
#include "launch/plan.h"

/* What the bottle may do, before it is started: secrets by name only. */
void summary_print(struct command *c, const struct plan *p);

/* Its part about the workspace: where changes go, and whose files lie there. */
void summary_workspace(struct command *c, const struct plan *p);

/* Secrets, @confirm (NULL: nobody is asked), launch, terminal, what came of it. Returns the
 * guest's status. @slug: of the bottle that is resumed; NULL: a new one. */
int launch_and_follow(struct command *c, struct plan *p, const char *slug,
                      int (*confirm)(struct command *c, const struct plan *p, struct err *err),
                      struct err *err);
