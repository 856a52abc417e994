#pragma once
/* What a launch needs from the person and the host: secret values, by the plan's list. */
#include "cmd/cmd.h"
#include "launch/launch.h"

/* Asks, reads the environment, files and systemd's credentials. Errors name the variable,
 * never its value. Of a login on the host the plan gets what the guest holds in its place. */
int gather_secrets(struct command *c, struct plan *plan, struct launch_secrets *out, struct err *err);

/* Whether all of it is there, but what a person would be asked for: for a plan that is only
 * looked at. Nothing is kept; of a login the plan gets the same as above. */
int gather_check(struct command *c, struct plan *plan, struct err *err);

/* Where the provider's command stands: its own directories, then PATH, then the programs that
 * @closure brings. NULL: nowhere. The caller frees. */
char *gather_program(const struct manifest_provider *provider, const char *home,
                     const struct closure *closure);
