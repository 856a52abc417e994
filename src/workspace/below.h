#pragma once
/* Opening what may be hostile below a held directory. Local to the room. */
#include <stdbool.h>
#include <sys/stat.h>
#include "base/err.h"
#include "base/own.h"

/* What stands at @path, whatever it is: an O_PATH descriptor. */
int below_look(int dir, const char *path, struct stat *st);

/* Opens for reading what below_look() found, which must be a regular file or a directory:
 * nothing else is ever opened, since opening a device or a FIFO already acts. */
int below_read(int looked, const struct stat *st);

/* Both at once for a regular file; -1 with errno (EINVAL: it is none). */
int below_read_file(int dir, const char *path, struct stat *st);

/* The names in a directory, sorted, without . and ..; at most @limit, then *@more is set. */
int below_names(int dir, size_t limit, struct strv *out, bool *more);

/* The link's target; NULL with errno. The caller frees. */
char *below_target(int looked);
