#pragma once
/* A control group around all that a bottle runs on the host, where one can be made. */
#include "backend/backend.h"

/* @must: limits of @want that somebody wrote down and that nothing else enforces; without them
 * it refuses. @out: the group's descriptor, or -1 where there is none. Its name stays in @g. */
int limits_make(const struct guest_request *r, const struct cage_resources *want, unsigned must,
                struct guest *g, int *out, struct err *err);
/* Once everything in it has ended. */
void limits_remove(struct guest *g);
