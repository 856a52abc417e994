#pragma once
/* The stream of `bottle cp`: a file or a directory tree through a pipe, in either direction.
 * Each frame is a kind, a length and so many bytes; names are single components, so that
 * there is no path to judge: the receiver holds the directory that it writes in, goes down
 * by "enter" and up by "leave". Regular files and directories only; links are not followed
 * on either side, and set-id bits don't pass.
 *
 * Inside the bottle, as the agent's user:
 *	bottle-guest send PATH			the stream on stdout
 *	bottle-guest receive PATH NAME		the stream on stdin, to PATH, or to PATH/NAME where
 *						PATH is a directory
 * are files_send() and files_receive_at(); an error of their own goes to stderr, status 1. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum {
	FILES_CHUNK = 64 * 1024,   /* bytes of one frame */
	FILES_DEPTH = 100,         /* directory levels */
	FILES_ENTRIES = 1000000,   /* files and directories of one stream */
	FILES_TROUBLE = 1024,      /* bytes of one remark */
	FILES_IDLE_MS = 60 * 1000, /* without a byte, the other side counts as gone */
};

enum files_frame {
	FILES_ENTER = 1, /* u32 mode, name: a directory; what follows is in it */
	FILES_LEAVE,     /* nothing: up again */
	FILES_FILE,      /* u32 mode, name; then BYTES and END */
	FILES_BYTES,
	FILES_END,
	FILES_REMARK, /* text: something was passed over, and why; hostile */
	FILES_DONE,   /* nothing: the stream is whole; no frame follows */
	FILES_MISSED, /* as a remark: of a file or directory that should have come and can't be read */
};

struct files_count {
	uint64_t files, directories, bytes;
	uint64_t remarks; /* things that were passed over */
	uint64_t missed;  /* those of them that should have come and could not be read */
};

/* Hears each remark (NUL-terminated, hostile). May be NULL. */
typedef void (*files_told)(void *arg, const char *text);

/* Waits until there is room in a stream that does not block its sender. NULL: it is one that does. */
typedef int (*files_wait)(void *arg, struct err *err);

/* A component that may be made: not empty, ".", "..", no slash or NUL, at most 255 bytes. */
bool files_name_is_valid(const char *name, size_t n);

/* Sends what stands at @name below @dir (the last component is not followed); ".": what is in it.
 * @told hears what is passed over; the receiver hears the same. */
int files_send(int out, int dir, const char *name, files_told told, files_wait wait, void *arg,
               struct files_count *count, struct err *err);

/* Writes the stream's one file or directory as @name in @dir; ".": what is in that directory,
 * into @dir itself. A file appears whole (temporary
 * name, rename) or not at all; a directory that exists is added to; a symlink in the way of a
 * directory is a refusal. At most @limit bytes in all. */
int files_receive(int in, int dir, const char *name, uint64_t limit, files_told told, void *arg,
                  struct files_count *count, struct err *err);

/* The same with the destination as people write it: into @path where that is a directory
 * (then under @name), else as @path, whose parent must exist. */
int files_receive_at(int in, const char *path, const char *name, uint64_t limit, files_told told, void *arg,
                     struct files_count *count, struct err *err);
/* Sends @path, which may go through links except for its last component. */
int files_send_at(int out, const char *path, files_told told, files_wait wait, void *arg,
                  struct files_count *count, struct err *err);
