#pragma once
/* Writing a tar (POSIX ustar) of regular files: no owner, no time, so that equal contents make
 * equal archives. */
#include <stdint.h>
#include "base/err.h"

/* @name: at most 100 bytes. @size: at most 8 GiB less one. */
int tar_write_head(int fd, const char *name, uint64_t size, struct err *err);
int tar_write_padding(int fd, uint64_t size, struct err *err); /* behind @size bytes of content */
int tar_write_end(int fd, struct err *err);
