#pragma once
/* Names of bottles, agents, skills and repositories, and slugs, which name one run of a
 * bottle for good. A name that is not of the form is refused before it is used anywhere. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

enum {
	NAME_LIMIT = 40, /* characters of a name */
	SLUG_SUFFIX = 5, /* characters of [a-z0-9] behind the name and a hyphen */
	SLUG_LIMIT = NAME_LIMIT + 1 + SLUG_SUFFIX,
	SLUG_TEXT = SLUG_LIMIT + 1, /* with the NUL */
};

/* Lower-case letters, digits and single hyphens, a letter first, at most NAME_LIMIT. */
bool name_is_valid(const char *name);

/* Makes a name of what a person typed as a label: letters to lower case, everything else to
 * single hyphens, cut at the limit. ERR_INPUT: no letter to begin with is left. */
int name_normalise(const char *label, char out[NAME_LIMIT + 1], struct err *err);

/* A valid name, a hyphen, five of [a-z0-9]. */
bool slug_is_valid(const char *slug);
