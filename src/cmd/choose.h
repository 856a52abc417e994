#pragma once
/* What a person did not type, picked on the terminal. */
#include "cmd/cmd.h"
#include "manifest/manifest.h"

/* An agent where neither agent nor bottle is named, and bottles for an agent that names none.
 * What is picked stands in @c as if it had been typed. Nothing happens where nobody can be
 * asked; ERR_DENIED: given up; ERR_MISSING: there is nothing to choose from. */
int choose_missing(struct command *c, const struct manifest_dirs *dirs, struct err *err);
