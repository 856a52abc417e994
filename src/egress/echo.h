#pragma once
/* Overwrites an injected credential wherever an origin sends it back, at the same length and
 * while it streams. It is looked for as it is, as the usual encoders of URLs and of JSON spell
 * it, and inside Base64 in each of its alignments and both alphabets, also with "/" and "+"
 * escaped. Only a suffix that could still become a match is held back. */
#include <stdbool.h>
#include "base/secret.h"
#include "base/slice.h"
#include "base/str.h"

enum { ECHO_SHIFTS = 4096, ECHO_SHORTEST = 4 };

struct echo_set {
	size_t n, shortest, longest;
	struct secret *patterns;
	/* Wu and Manber's skip table: how far the window of `shortest` bytes may move when it ends
	 * with this pair (hashed: a collision only shortens a jump). */
	unsigned char shift[ECHO_SHIFTS];
};

void echo_set_add(struct echo_set *set, const void *value, size_t n);       /* every spelling of it */
void echo_set_add_plain(struct echo_set *set, const void *value, size_t n); /* as it is, and in Base64 */
void echo_set_add_bare(struct echo_set *set, const void *value, size_t n);  /* as it is */
void echo_set_ready(struct echo_set *set);                                  /* after the last addition */
void echo_set_clear(struct echo_set *set);

/* A text that is there whole. Returns how many bytes were overwritten. */
size_t echo_scrub(const struct echo_set *set, char *text, size_t n);

struct echo {
	const struct echo_set *set;
	struct str held;  /* as the origin sent it */
	size_t condemned; /* so many bytes at the front of `held` are part of a match already */
	size_t gone;      /* so many went on already, at a pause */
	size_t overwritten;
};
void echo_begin(struct echo *e, const struct echo_set *set);
void echo_end(struct echo *e);
/* Adds what can go on to @out. With @last nothing is held back, and a value that is cut short by
 * the end is overwritten too, if more than half of it is there. */
void echo_feed(struct echo *e, struct slice bytes, bool last, struct str *out);
/* The end of a message, of which there are more on this connection: everything goes on. What of
 * the value stands at its end goes too, but no more than half of it; the next message is searched
 * together with that. */
void echo_pause(struct echo *e, struct str *out);

/* Is a pattern in the text, other than @except? */
bool echo_finds(const struct echo_set *set, struct slice text, const char *except);

/* The same over the pieces of a stream, of which nothing is held back. */
struct sight {
	const struct echo_set *set; /* NULL: sees nothing */
	const char *except;
	struct str tail; /* what could be a pattern's beginning */
};
void sight_begin(struct sight *s, const struct echo_set *set, const char *except);
void sight_end(struct sight *s);
bool sight_finds(struct sight *s, struct slice piece);
