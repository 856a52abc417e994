#pragma once
/* Programs for guests of a host that has no /usr to show. Whoever packages us for such a host
 * (Nix) puts two things beside our own data: "guest", a directory whose bin holds programs, and
 * "closure", the list of every store path that they need, one in a line. A guest's tree then
 * holds exactly these paths and nothing else of the store. */
#include <stdbool.h>
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

enum { CLOSURE_PATHS_MAX = 4000, CLOSURE_PATH_MAX = 400, CLOSURE_BYTES = 2 << 20 };
#define CLOSURE_STORE "/nix/store"

struct closure {
	struct strv paths; /* empty: there is no list, and a guest sees the host's programs */
	char *bin;         /* in one of them; NULL without a list */
};
/* clang-format off */
#define CLOSURE_INIT { 0 }
/* clang-format on */
void closure_clear(struct closure *c);
#define own_closure __attribute__((cleanup(closure_clear)))

/* From @share, where our data is installed. A list that is wrong in any line is refused as a
 * whole, with the line; to have none is fine. */
int closure_load(const char *share, struct closure *out, struct err *err);

/* @path is one of the list's, or lies below one. */
bool closure_holds(const struct closure *c, const char *path);

/* Would a guest find @path (its links followed) at the place where the host has it? False only
 * for what is in the store and not in a list that there is. */
bool closure_shows(const struct closure *c, const char *path);

/* The system's own programs stand in the store: its /bin and /usr hold links to them, which
 * would lead nowhere in a guest. */
bool closure_is_all(const struct closure *c);
