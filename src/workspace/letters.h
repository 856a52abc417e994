#pragma once
/* Letters of hostile text: which of them a person can see, and what a name turns into on a
 * file system that folds case or leaves characters out. Local to the room. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

enum { LETTER_BAD = -1 };

/* The next code point of strict UTF-8 and @p moved past it; LETTER_BAD moves one byte. */
int32_t letter_next(const unsigned char **p, const unsigned char *end);

/* Invisible, or changes how its neighbours are shown. */
bool letter_is_hidden(int32_t letter);

/* The component of a path as the most forgiving file system sees it: lower case, look-alikes
 * of ASCII as ASCII, hidden letters and marks left out, no trailing dots, blanks or stream. */
void letters_fold(struct str *out, const char *name, size_t n);
