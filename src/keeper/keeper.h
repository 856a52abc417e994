#pragma once
/* The keeper: one process per bottle, of a session of its own. It walks the launch up, owns
 * what that made, answers the CLI, writes the audit log, and walks down again when the agent
 * ends, a sidecar dies, the guest dies, it is told to, or (unless detached) its terminal goes.
 * It restarts nothing. */
#include "base/err.h"

enum {
	KEEPER_PAIR = 3, /* descriptor: the connection to the CLI that launches */
	/* Beside the LAUNCH message, in this order. */
	KEEPER_FD_PLAN = 0, /* sealed file: the plan's JSON */
	KEEPER_FD_SECRETS,  /* sealed file: launch_secrets_encode() */
	KEEPER_FD_BOTTLES,  /* directory of the registry */
	KEEPER_FD_RUNTIME,  /* directory for the control socket */
	KEEPER_FDS,
};

/* The whole life of the keeper, on the connection that it inherited. Failures are told over
 * that connection; the return value is only this process's own. */
int keeper_run(int pair, const char *libexec, struct err *err);
