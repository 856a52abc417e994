#pragma once
/* Reaching the keeper of a bottle, and saying why it can't be reached. */
#include "cmd/cmd.h"
#include "proto/keeper.h"

/* A connected socket, whose other end is a process of this user. Where nobody answers the
 * error says what the bottle is instead: not there, stopped, dead, on its way. */
int keeper_dial(struct command *c, const char *slug, struct err *err);
/* The same, for who has another way to it: where @nobody answers it is not waited for what becomes of
 * the bottle. */
int keeper_dial_once(struct command *c, const char *slug, bool *nobody, struct err *err);

/* Why nobody answers; always -1. */
int keeper_unreached(struct command *c, const char *slug, struct err *err);

/* After a keeper hung up, which it does a moment before it is gone: true, and @err says it, if the
 * bottle has ended or is dead. False: it lives, @err is untouched. */
bool keeper_is_gone(struct command *c, const char *slug, struct err *err);
/* The same for one that hung up on who had asked for something, and not got it: always -1. */
int keeper_hung_up(struct command *c, const char *slug, struct err *err);
/* The first message of a connection. It may have been hung up on already: then that is said. */
int keeper_ask(struct command *c, const char *slug, int fd, const struct keeper_message *m, struct err *err);

/* Waits for that message, passing over progress and notes. A FAILED becomes @err. The
 * descriptors beside it stay in @raw. ERR_MISSING: the keeper hung up. */
int keeper_await(int fd, enum keeper_say wanted, struct msg *raw, struct keeper_message *out,
                 struct err *err);
