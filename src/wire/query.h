#pragma once
/* A query as servers read it: parameters between "&", and ";" where some split too. */
#include <stdbool.h>
#include "base/slice.h"

struct query_parameter {
	struct slice whole; /* as it stands in the query */
	struct slice name, value;
	bool has_value; /* there is a "=", maybe with nothing behind it */
};

/* Takes the next parameter from the front of @rest. False: there is none left. */
bool query_next(struct slice *rest, struct query_parameter *out);

/* The same name to a server that decodes it, maybe more than once, and reads names as PHP does:
 * blanks in front do not count, it ends at a NUL, and "." "[" blank "+" are as good as "_"; so is
 * "-" here. Case does not matter. For whatever must not be hidden in another spelling. */
bool query_name_is(struct slice name, const char *wanted);
