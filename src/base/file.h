#pragma once
/* Files, by name below a held directory. Reads are bounded; writes are whole or not at all. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/str.h"

/* Adds the file's bytes to @out. A file over @limit bytes, or no regular file, is ERR_INPUT;
 * a last component that is a symlink is not followed. */
int file_read(int dirfd, const char *name, size_t limit, struct str *out, struct err *err);
/* The same for a path whose directories others may write: none of it may be a symlink. */
int file_read_beneath(int dirfd, const char *path, size_t limit, struct str *out, struct err *err);
/* The same from an open descriptor, to its end. */
int file_read_fd(int fd, const char *what, size_t limit, struct str *out, struct err *err);

/* Temporary name, write, fsync, rename, fsync of the directory: a reader sees the old file
 * or the new one, also after a crash. */
int file_write(int dirfd, const char *name, const void *bytes, size_t n, mode_t mode, struct err *err);
/* The same for what is made anew after a crash: nothing waits for the disk. */
int file_place(int dirfd, const char *name, const void *bytes, size_t n, mode_t mode, struct err *err);
/* All bytes, through short writes and EINTR. */
int file_write_all(int fd, const void *bytes, size_t n, struct err *err);

/* openat2() that stays beneath @dirfd and passes no symlink; -1 with errno. With O_PATH and
 * O_NOFOLLOW the last component may be a symlink, which is then what was opened. */
int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode);
/* openat(2) that passes no symbolic link, in whatever component: -1 with errno, ELOOP for a link.
 * @resolve: more bits of openat2(2), RESOLVE_NO_XDEV and the like; 0: none. */
int file_open_exactly(int dirfd, const char *path, int flags, uint64_t resolve);

/* Opens @path (may be relative to @dirfd) as a directory, making missing components with
 * @mode. A component that is a symlink is followed only where it existed before. */
int dir_open(int dirfd, const char *path, struct err *err);
int dir_make(int dirfd, const char *path, mode_t mode, struct err *err);
/* Where a directory that is held lies, without links. The caller frees. */
char *dir_path(int dir, struct err *err);

/* Removes a tree below @dirfd, however deep, without following links or crossing out of it.
 * Missing is success. Directories without permissions are opened up first (they may be another
 * program's leavings). */
int dir_remove(int dirfd, const char *name, struct err *err);

/* A sealed memfd with these bytes, at offset 0: for handing over what must not change. */
int file_sealed(const char *name, const void *bytes, size_t n, struct err *err);
