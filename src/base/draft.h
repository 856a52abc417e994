#pragma once
/* A file that gets its name when it is whole. Until then it has none, so that whoever is killed while
 * writing it leaves nothing behind; only where the file system (NFS, FAT) has no files without a name,
 * or gives them none later, is it a hidden one from the start. */
#include <sys/types.h>

struct draft {
	int fd;        /* -1: none */
	int dir;       /* borrowed */
	char temp[32]; /* its name until it has its own; "": it has none */
};
/* clang-format off */
#define DRAFT_INIT { .fd = -1 }
/* clang-format on */

/* 0, or -1 with errno; @dir must stay open. As open(2) does, it takes the umask off @mode. */
int draft_open(struct draft *d, int dir, mode_t mode);
/* Gives it a hidden name, so that to draft_place() only a rename is left: before something is removed
 * for it. -1 with errno. */
int draft_stage(struct draft *d);
/* Names it, in place of any other file or link of that name. -1 with errno: it can be tried again. */
int draft_place(struct draft *d, const char *name);
/* What was not placed is gone. */
void draft_drop(struct draft *d);
#define own_draft __attribute__((cleanup(draft_drop)))
