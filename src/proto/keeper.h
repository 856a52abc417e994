#pragma once
/* What the CLI and a bottle's keeper say to each other: over <runtime>/<slug>.sock, or, for
 * the CLI that launches, over an inherited pair. One message, one packet (base/msg). A
 * connection carries one request and what follows from it; closing it takes the request back
 * where that makes sense (an exec is hung up, an attacher leaves). Requests come from
 * processes of the keeper's own uid (SO_PEERCRED), and are decoded as if hostile all the same. */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/msg.h"
#include "base/own.h"
#include "base/str.h"
#include "proto/init.h"

enum keeper_say {
	/* CLI to keeper */
	KEEPER_LAUNCH = 1, /* inherited pair only: plan, secrets, how to run; the first message */
	KEEPER_INFO,       /* answered by one STATUS */
	KEEPER_EXEC,       /* answered by STARTED with descriptors, later EXITED; or FAILED */
	KEEPER_ATTACH,     /* to the main program; answered by STARTED, OUTPUT..., EXITED */
	KEEPER_INPUT,      /* after ATTACH or LAUNCH: bytes for the program; none, after LAUNCH: their end */
	KEEPER_RESIZE,     /* after ATTACH, LAUNCH or EXEC with a terminal */
	KEEPER_SIGNAL,     /* after ATTACH, LAUNCH or EXEC: to the program */
	KEEPER_STOP,       /* take the bottle down; answered by STEP..., then ENDED */
	/* keeper to CLI */
	KEEPER_STEP,    /* progress: a step of the launch began, or is undone */
	KEEPER_NOTE,    /* something to tell the person: a line of text */
	KEEPER_STARTED, /* it runs. EXEC: one descriptor (terminal), or three (in, out, err); else
	                 * its number is 1 where the program has a terminal */
	KEEPER_OUTPUT,  /* bytes of the program's output */
	KEEPER_EXITED,  /* the program's status as a shell reports it */
	KEEPER_ENDED,   /* the bottle is down, what it held is free; nothing follows */
	KEEPER_STATUS,  /* a JSON object */
	KEEPER_FAILED,  /* a struct err; nothing follows on this connection but ENDED */
	KEEPER_TOOK,    /* so many bytes of this connection's INPUT are out of the way */
};

enum {
	KEEPER_TEXT = 4096,
	KEEPER_STATUS_MAX = 120 * 1024,
	KEEPER_BYTES = 32 * 1024, /* of INPUT and OUTPUT */
	/* Of INPUT that is on its way: who sends more before it hears TOOK is not read from, and
	 * its other messages wait too. So a program that takes no input keeps nobody from being
	 * heard. */
	KEEPER_WINDOW = 4 * KEEPER_BYTES,
	KEEPER_ARGS = INIT_COUNT_MAX, /* words of a command, and variables */
	KEEPER_ARG = INIT_TEXT_MAX,
	KEEPER_USER = 64,
};

struct keeper_message {
	enum keeper_say say;
	/* EXEC */
	struct strv argv, env;
	char *directory; /* NULL: the workspace */
	char *user;      /* NULL: the agent's */
	bool terminal;
	bool self; /* argv is for init's own executable: {"bottle-guest", "send", ...} */
	/* EXEC and ATTACH with a terminal, LAUNCH, RESIZE; 0: unknown */
	uint32_t rows, columns;
	bool down;         /* STEP: it is being undone */
	bool error_stream; /* OUTPUT: of the program's stderr */
	uint32_t number;   /* SIGNAL: which; EXITED: status; STARTED: descriptors beside it;
	                    * TOOK: bytes */
	char *text;        /* STEP, NOTE, STATUS; STARTED: the slug; LAUNCH: the one to resume, or "" */
	struct str bytes;  /* INPUT, OUTPUT */
	struct err why;    /* FAILED */
};
/* clang-format off */
#define KEEPER_MESSAGE_INIT { 0 }
/* clang-format on */
void keeper_message_clear(struct keeper_message *m);
#define own_keeper_message __attribute__((cleanup(keeper_message_clear)))

/* Adds the encoded message to @out, which must be empty. LAUNCH carries descriptors beside
 * it (see keeper/keeper.h): the plan and the secrets are too big and too secret for here. */
void keeper_message_encode(const struct keeper_message *m, struct str *out);
int keeper_message_decode(const struct str *bytes, struct keeper_message *out, struct err *err);

int keeper_say(int fd, const struct keeper_message *m, const int *fds, size_t nfds, struct err *err);
/* 1, 0 (the other side is gone) or -1. Descriptors stay in @raw. */
int keeper_hear(int fd, struct msg *raw, struct keeper_message *out, struct err *err);
