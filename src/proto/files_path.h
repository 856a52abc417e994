#pragma once
/* What both ends of the stream of `bottle cp` do with names and paths. Local to the room. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/str.h"

enum {
	FILES_HEAD = 5,   /* a frame's kind and length */
	FILES_NAME = 255, /* bytes of a component */
};

/* The first entry may be called ".": what is in that directory, and not the directory itself. */
bool files_is_top_name(const char *name);

/* Splits "a/b/c/" into an open "a/b" and "c". */
int files_open_above(const char *path, char name[FILES_NAME + 1], struct err *err);

/* A path as its person wrote it, so that names can be added to it; and back to its first @n bytes. */
void files_path_begin(struct str *out, const char *path);
void files_path_cut(struct str *path, size_t n);

/* For messages, where names may be the guest's: they are escaped at once. The end of a long path says
 * more than its beginning. */
void files_path_show(struct str *out, const struct str *path);
/* fail_errno() with "@what path". */
int files_path_fail(const struct str *path, const char *what, struct err *err);
