#pragma once
/* Local to the room: how much of a layer one walk keeps in memory. The guest made it: names of any
 * number and length, and each may be read at every level of a walk. */
#include "workspace/workspace.h"

/* Why a file whose contents can't be read could not be looked at. */
extern const char change_closed_file[];

struct changes_budget {
	size_t names; /* that are read from directories */
	size_t bytes; /* of paths and of links' targets */
};

/* As workspace_changes(), which has the usual one. */
int changes_within(const struct workspace *w, size_t limit, struct changes_budget budget, struct changes *out,
                   struct err *err);
