#pragma once
/* The host's checks before a launch. */
#include "cmd/cmd.h"
#include "launch/plan.h"
#include "preflight/preflight.h"

/* What preflight is told of this host; all but two names is borrowed. */
struct host_told {
	struct preflight_host host;
	char *share, *libexec;
};
/* clang-format off */
#define HOST_TOLD_INIT { 0 }
/* clang-format on */
void host_told_clear(struct host_told *told);
#define own_host_told __attribute__((cleanup(host_told_clear)))
int host_tell(struct command *c, const char *backend, const char *bundle, struct host_told *out,
              struct err *err);

/* The rows of preflight that this backend needs, until one fails. Where the weaker tier would
 * run instead, the person is shown the line that says so: it is never taken by itself. */
int host_check(struct command *c, const char *backend, const char *bundle, struct err *err);
/* The backend's own word on what it can't honour, before anything is acquired; what runs without
 * a limit here is noted in the plan. */
int backend_check(struct command *c, struct plan *p, bool plan_only, struct err *err);
