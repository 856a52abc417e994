#pragma once
/* What a hostile name turns into on a file system that folds case or leaves characters out.
 * Local to the room. */
#include <stddef.h>
#include "base/str.h"

/* The component of a path as the most forgiving file system sees it: lower case, look-alikes
 * of ASCII as ASCII, hidden letters and marks left out, no trailing dots, blanks or stream. */
void letters_fold(struct str *out, const char *name, size_t n);
