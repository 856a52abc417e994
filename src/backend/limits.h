#pragma once
/* What a bottle may use of the host: open files, and a control group around all that it runs there,
 * where one can be made. */
#include <stdint.h>
#include "backend/backend.h"

/* Open files of each process in a cage: 65536, or half of what we may have ourselves. Descriptors on
 * their way between processes count for the user as a whole, each sender against its own limit: so
 * those that a bottle's programs never take can't keep its keeper and `bottle` from sending theirs. */
uint64_t limits_open_files(void);

/* @must: limits of @want that somebody wrote down and that nothing else enforces; without them
 * it refuses. @out: the group's descriptor, or -1 where there is none. Its name stays in @g. */
int limits_make(const struct guest_request *r, const struct cage_resources *want, unsigned must,
                struct guest *g, int *out, struct err *err);
/* Once everything in it has ended. */
void limits_remove(struct guest *g);
