#pragma once
/* What the files of this room say to each other. */
#include "cage/cage.h"

enum { CAGE_HIGH_FD = 256 }; /* descriptors of ours stay above every number a customer names */

/* tree.c */
struct closed_name {
	const char *name, *why;
};
extern const struct closed_name closed_in_proc[]; /* each under an empty file; the last has no name */
int tree_build_and_enter(const struct cage_mount *mounts, size_t n, struct err *err);
int tree_check_given(struct err *err);

/* counters.c */
int counters_lower(int sys, struct err *err);

/* mount.c: one detached mount, or -1. ENOENT and ENOTDIR leave errno for the caller to see; of
 * what is cloned, an empty @path is @dirfd itself. */
int mount_make(const char *kind, const char *const (*options)[2], unsigned attributes, struct err *err);
int mount_clone(int dirfd, const char *path);
int mount_restrict(int tree, unsigned flags, struct err *err);
int mount_attach(int tree, int at, struct err *err);

/* overlay.c: @staging is a tmpfs, attached until the host's tree is let go. */
int overlay_make(int staging, const struct cage_mount *row, int lower, int layers,
                 const struct cage_mount *all, size_t n, struct err *err);

/* privilege.c */
int privilege_keep_for_entering(struct err *err);
int privilege_drop_all(struct err *err);
int privilege_drop_own(struct err *err);
int privilege_check_none(struct err *err);
int privilege_refuse_new(struct err *err);

/* filter.c */
int filter_install(const struct cage_profile *profile, struct err *err);

/* landlock.c */
int landlock_abi(void); /* -1: the kernel has none, or it is switched off */
int landlock_enter(const struct cage_profile *profile, struct err *err);

/* network.c */
int network_loopback_up(struct err *err);
int network_listen(const struct cage_listener *l, struct err *err);
