#pragma once
/* Talking to the keeper of a bottle that runs. */
#include "cmd/cmd.h"
#include "proto/keeper.h"

/* A connected socket, whose other end is a process of this user. ERR_MISSING: the bottle
 * does not run. */
int keeper_dial(struct command *c, const char *slug, struct err *err);

/* Waits for that message, passing over progress and notes. A FAILED becomes @err. The
 * descriptors beside it stay in @raw. */
int keeper_await(int fd, enum keeper_say wanted, struct msg *raw, struct keeper_message *out,
                 struct err *err);
