#pragma once
/* Percent-encoding, undone: once, or as often as a reader might undo it. */
#include <stdbool.h>
#include "base/slice.h"

/* More layers of encoding than anybody means. */
enum { PERCENT_LAYERS = 8 };

/* One layer, in place; returns the new length. */
size_t percent_decode(char *text, size_t n);
/* The byte that begins at *@at, which moves behind it: "%2561" is an "a" to who decodes twice. */
char percent_byte(struct slice text, size_t *at);
/* The same text in whatever encoding of its characters? Case does not matter. */
bool percent_equal(struct slice encoded, const char *text);
