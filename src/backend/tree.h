#pragma once
/* A cage's tree under construction: what every backend puts into it, each at a place of its
 * own. Rows borrow from the tree, which owns texts and detached mounts. */
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
	int mapping; /* of idmapped mounts, to mapped_uid and mapped_gid; -1: none yet */
	uid_t mapped_uid;
	gid_t mapped_gid;
};
/* clang-format off */
#define TREE_INIT { .mapping = -1 }
/* clang-format on */
void tree_clear(struct tree *t);
#define own_tree __attribute__((cleanup(tree_clear)))

/* Its mounts were attached in a cage: what stays are the rows, to compare with. */
void tree_attached(struct tree *t);

void tree_add(struct tree *t, struct cage_mount row);
void tree_add_all(struct tree *t, const struct cage_mount *rows, size_t n);
const char *tree_keep(struct tree *t, char *text); /* the text becomes the tree's */
int tree_keep_fd(struct tree *t, int fd);          /* so does the descriptor */
/* For a root parent: a mount in which what belongs to @uid:@gid on disk is the agent's inside.
 * Returns its descriptor, which is the tree's. */
int tree_keep_mapped(struct tree *t, const struct cage_ids *ids, int dir, const char *path, uid_t uid,
                     gid_t gid, struct err *err);
/* The same link inside as the host has; else the thing itself. Missing on the host is fine. */
void tree_add_like_host(struct tree *t, const char *path);
/* One of the bottle's own directories, as the agent's user inside and as us on disk. */
int tree_add_own_dir(struct tree *t, const struct guest_request *r, const struct cage_ids *ids,
                     struct cage_mount row, const char *name, struct err *err);
/* A directory of the host, read-only, through an overlay: the host's sockets lead nowhere there. */
int tree_add_directory_of_host(struct tree *t, const struct cage_ids *ids, const char *path,
                               const char *target, struct err *err);
/* The work, as the manifest wants it, with what it hides. */
int tree_add_workspace(struct tree *t, const struct guest_request *r, const struct cage_ids *ids,
                       const char *target, struct err *err);
