/* A program as a descriptor: copied once, sealed, and run without a name. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3: says that it is meant to be run */
#endif

enum { PROGRAM_MAX = 64 * 1024 * 1024 };

int cage_seal_program(const char *path, struct err *err)
{
	struct stat st;
	own_fd int from = open(path, O_RDONLY | O_CLOEXEC);

	if (from < 0 || fstat(from, &st) != 0)
		return fail_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > PROGRAM_MAX)
		return fail(err, ERR_INPUT, "%s is no program of at most %d MiB", path, PROGRAM_MAX >> 20);
	own_fd int to = memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (to < 0 && errno == EINVAL)
		to = memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to < 0)
		return fail_errno(err, "a memory file");
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);
		if (n <= 0)
			return n < 0 ? fail_errno(err, "reading %s", path) :
			               fail(err, ERR_INPUT, "%s became shorter while it was read", path);
		left -= n;
	}
	/* Nobody has it mapped: of what is to come the seal refuses as much as F_SEAL_WRITE does, which
	 * waits until no processor has a page of it at hand. */
	if (fchmod(to, 0555) != 0 ||
	    fcntl(to, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		return fail_errno(err, "sealing %s", path);
	return fd_steal(&to);
}
