#pragma once
/* A directory that was named once, and must be the same one when it is come back to: whoever
 * may write above it could have put a link, or another directory, in its place meanwhile.
 * What is remembered is its path, which holds no link, and its inode. Not its device: that is
 * another number after each boot on btrfs, ZFS and overlays, and what is renamed into its
 * place comes from its own file system. */
#include "base/err.h"

/* Opens the directory at @path, no component of which may be a link. @inode: of known_inode();
 * NULL: it was not remembered, whichever directory stands there is fine. ERR_DENIED: it is
 * another one now, or what leads to it. */
int known_open(const char *path, const char *inode, struct err *err);
/* What to remember of an open directory. The caller frees. */
char *known_inode(int fd);
