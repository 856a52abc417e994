#include "image/reader.h"

#include <fcntl.h>

#include "base/own.h"
#include "base/banned.h"

int image_reader_start(const char *program, const struct cage_ids *ids, int in, int out, int answer,
                       struct proc *proc, struct err *err)
{
	char *argv[] = { "bottle-image", NULL };
	const struct proc_fd fds[] = { { answer, 1 }, { in, READER_IN }, { out, READER_OUT } };
	own_fd int exe = open(program, O_RDONLY | O_CLOEXEC);

	if (exe < 0)
		return fail_errno(err, "%s", program);
	const struct cage_spec cage = {
		.ids = ids,
		.enters_itself = true,
		.hostname = "image-reader",
		.exe = exe,
		.argv = argv,
		.fds = fds,
		.nfds = ARRAY_LEN(fds),
	};
	return cage_spawn(&cage, proc, NULL, err);
}
