#pragma once
/* One spelling per path, so that the rule that was checked is the rule that applies.
 *
 * Unreserved characters are decoded, hex is upper case, every other byte that may not stand
 * in a path is encoded; %2F and its like stay encoded. Refused: a bad escape; a segment "."
 * or ".." (also before a ";") after decoding again and again, with "/", "\" and their
 * encodings as separators, because some origin decodes twice; control bytes and overlong
 * UTF-8 at any depth of encoding. Empty segments stay: they are no way up. */
#include "base/slice.h"
#include "base/str.h"
#include "wire/fault.h"

/* @raw without query, as sent; must begin with "/". The result is added to @out. */
int path_canonical(struct slice raw, struct str *out, enum wire_fault *fault);
