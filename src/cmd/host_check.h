#pragma once
/* The host's checks before a launch. */
#include "cmd/cmd.h"

/* The rows of preflight that this backend needs, until one fails. Where the weaker tier would
 * run instead, the person is shown the line that says so: it is never taken by itself. */
int host_check(struct command *c, const char *backend, const char *bundle, struct err *err);
