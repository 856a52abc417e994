#include "image/tar.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/banned.h"

enum {
	BLOCK = 512,
	NAME = 100,
	MODE_AT = 100,
	UID_AT = 108,
	GID_AT = 116,
	SIZE_AT = 124,
	TIME_AT = 136,
	SUM_AT = 148,
	TYPE_AT = 156,
	MAGIC_AT = 257
};
#define SIZE_LIMIT (1ULL << 33) /* eleven octal digits */

int tar_write_head(int fd, const char *name, uint64_t size, struct err *err)
{
	char block[BLOCK] = { 0 };
	unsigned sum = 0;

	if (strlen(name) > NAME || size >= SIZE_LIMIT)
		return fail(err, ERR_INPUT, "%s does not fit into an archive", name);
	memcpy(block, name, strlen(name));
	snprintf(block + MODE_AT, 8, "%07o", 0644u);
	snprintf(block + UID_AT, 8, "%07o", 0u);
	snprintf(block + GID_AT, 8, "%07o", 0u);
	snprintf(block + SIZE_AT, 12, "%011llo", (unsigned long long)size);
	snprintf(block + TIME_AT, 12, "%011o", 0u);
	memset(block + SUM_AT, ' ', 8);
	block[TYPE_AT] = '0';
	memcpy(block + MAGIC_AT, "ustar\00000", 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	snprintf(block + SUM_AT, 7, "%06o", sum);
	return file_write_all(fd, block, BLOCK, err);
}

int tar_write_padding(int fd, uint64_t size, struct err *err)
{
	static const char zeros[BLOCK];

	return size % BLOCK ? file_write_all(fd, zeros, BLOCK - size % BLOCK, err) : 0;
}

int tar_write_end(int fd, struct err *err)
{
	static const char zeros[2 * BLOCK];

	return file_write_all(fd, zeros, sizeof zeros, err);
}
