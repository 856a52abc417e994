#pragma once
/* The CLI's end of a conversation with a keeper: making one, and lending it the terminal. */
#include <stdbool.h>
#include "cmd/cmd.h"
#include "launch/launch.h"

/* Starts a keeper and hands it the plan and the secrets; the connection that launches.
 * @slug: of the bottle that is resumed; NULL: a new one. */
int session_launch(struct command *c, const struct plan *plan, const struct launch_secrets *secrets,
                   const char *slug, struct err *err);

struct session {
	bool launching; /* the bottle ends with us, unless... */
	bool detach;    /* we leave as soon as the program runs */
	bool no_input;
	char slug[SLUG_TEXT]; /* of one who launches out: once it is known */
	int status;           /* out: of the program, -1: it left none */
	bool left;            /* out: detached, the bottle runs on */
};
/* The main program's streams and ours, until it ends. On failure @s->status may be set all
 * the same (126, 127). */
int session_relay(struct command *c, int keeper, struct session *s, struct err *err);

/* What our stdout or stderr has not taken yet. Whether they block is not ours to say: everybody who has
 * the same terminal or pipe can change it at any moment. */
struct unsaid {
	int to;
	struct str bytes;
};
/* clang-format off */
#define UNSAID_INIT { .to = -1, .bytes = STR_INIT }
/* clang-format on */

/* Keeps what does not go at once, for session_say_on() when @u->to can be written to. Only when nothing
 * is kept. */
int session_say(struct unsaid *u, int to, const void *bytes, size_t n, struct err *err);
int session_say_on(struct unsaid *u, struct err *err);

/* Does the terminal that we have go along? Then its size. */
bool session_terminal(uint16_t *rows, uint16_t *columns);
/* After the end: what changed, what was refused, what to do next. */
void session_summary(struct command *c, const char *slug);
