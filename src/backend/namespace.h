#pragma once
/* The tree and the profile of a guest in namespaces: the tables behind namespace.c. */
#include "backend/backend.h"
#include "cage/cage.h"

enum { TREE_ROWS_MAX = 8192, TREE_PINS_MAX = 2000 };

/* Rows under construction, with what they borrow: texts and detached mounts. */
struct tree {
	struct cage_mount *rows;
	size_t n;
	struct strv texts;
	int *fds;
	size_t nfds;
};
#define TREE_INIT { 0 }
void tree_clear(struct tree *t);
#define own_tree __attribute__((cleanup(tree_clear)))

/* Every row of the guest's root, in order. Opens, for a root parent, what only root can reach. */
int tree_build(struct tree *t, const struct guest_request *r, const struct cage_ids *ids, struct err *err);

/* Refuses a tools directory that is missing, or that holds or contains credentials. */
int tools_check(const struct strv *tools, const char *operator_home, struct err *err);

/* What the guest's programs may do; @processes is the limit of programs at a time. */
struct guest_profile {
	struct cage_profile profile;
	struct cage_calls calls[2];
	struct cage_limit limits[6];
};
void guest_profile_fill(struct guest_profile *p, uint64_t processes);
