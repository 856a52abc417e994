#pragma once
/* The host's checks before a launch. */
#include "cmd/cmd.h"
#include "launch/plan.h"

/* The rows of preflight that this backend needs, until one fails. Where the weaker tier would
 * run instead, the person is shown the line that says so: it is never taken by itself. */
int host_check(struct command *c, const char *backend, const char *bundle, struct err *err);
/* The backend's own word on what it can't honour, before anything is acquired; what runs without
 * a limit here is noted in the plan. */
int backend_check(struct command *c, struct plan *p, bool plan_only, struct err *err);
