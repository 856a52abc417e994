#include "base/known.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

char *known_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? xasprintf("%llu", (unsigned long long)st.st_ino) : NULL;
}

int known_open(const char *path, const char *inode, struct err *err)
{
	own_fd int fd = file_open_exactly(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return fail(err, ERR_DENIED,
		            "%s is no directory any more, or a link was put in its way; "
		            "look at who changed it, and put the directory back",
		            path);
	if (fd < 0)
		return fail_errno(err, "open directory %s", path);
	own_mem char *now = known_inode(fd);
	if (inode && !str_is(now, inode))
		return fail(err, ERR_DENIED,
		            "%s is another directory than the one that was named (inode %s, not %s); "
		            "put that one back",
		            path, now ? now : "unknown", inode);
	return fd_steal(&fd);
}
