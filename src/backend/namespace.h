#pragma once
/* The tree and the profile of a guest in namespaces: the tables behind namespace.c. */
#include "backend/tree.h"

/* Every row of the guest's root, in order. Opens, for a root parent, what only root can reach. */
int tree_build(struct tree *t, const struct guest_request *r, const struct cage_ids *ids, struct err *err);

/* Below a home: what holds credentials. Ends with NULL. */
extern const char *const credential_dirs[];
/* Refuses a tools directory that is missing, or that holds or contains credentials. */
int tools_check(const struct strv *tools, const char *operator_home, struct err *err);

/* What the guest's programs may do; @processes is the limit of programs at a time. */
struct guest_profile {
	struct cage_profile profile;
	struct cage_calls calls[3];
	struct cage_limit limits[8];
};
void guest_profile_fill(struct guest_profile *p, uint64_t processes);

int namespace_run(struct guest *g, const struct guest_command *c, struct program *p, struct err *err);
