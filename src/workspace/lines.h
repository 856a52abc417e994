#pragma once
/* The difference of two texts, line by line. Local to the room. */
#include <stddef.h>
#include "base/str.h"

/* Adds the hunks of a unified diff with three lines of context, everything escaped that a
 * terminal would obey. Work and memory are bounded: where the texts have too little in
 * common, what differs is shown as one replaced block. */
void lines_diff(const char *a, size_t na, const char *b, size_t nb, struct str *out);
