#include "image/reader.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/image.h"
#include "base/banned.h"

enum { MEMORY_MAX = 512 << 20, CPU_SECONDS = 1800 };

static const struct cage_call reading[] = {
	CALL(pread64, "the archive"),
	CALL(ftruncate, "the file that it writes"),
};

int image_reader_start(const struct cage_ids *ids, int in, int out, int answer, struct proc *proc,
                       struct err *err)
{
	char *argv[] = { "bottle", "image-reader", NULL };
	const struct proc_fd fds[] = { { answer, 1 }, { in, READER_IN }, { out, READER_OUT } };
	own_fd int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (program < 0)
		return fail_errno(err, "our own program");
	const struct cage_spec cage = {
		.ids = ids,
		.enters_itself = true,
		.hostname = "image-reader",
		.exe = program,
		.argv = argv,
		.fds = fds,
		.nfds = ARRAY_LEN(fds),
	};
	return cage_spawn(&cage, proc, NULL, err);
}

static int confine(struct err *err)
{
	static const struct cage_limit limits[] = {
		LIMIT(NPROC, 1, 1, "it starts nothing"),
		LIMIT(FSIZE, IMAGE_MAX, IMAGE_MAX, "no image is larger"),
		LIMIT(AS, MEMORY_MAX, MEMORY_MAX, "an archive is no reason for more"),
		LIMIT(CPU, CPU_SECONDS, CPU_SECONDS, "nor for longer"),
		LIMIT(CORE, 0, 0, "nobody wants it"),
		LIMIT(NOFILE, 16, 16, "it opens nothing"),
	};
	const struct cage_calls calls[] = { cage_calls_common, CAGE_CALLS(reading) };
	const struct cage_profile profile = {
		.name = "image-reader",
		.calls = calls,
		.ncalls = ARRAY_LEN(calls),
		.no_tcp_bind = true,
		.no_tcp_connect = true,
		.limits = limits,
		.nlimits = ARRAY_LEN(limits),
	};

	return cage_enter(&profile, NULL, 0, err);
}

int image_reader_run(struct err *err)
{
	own_str struct str line = STR_INIT;
	struct err why = ERR_INIT;
	bool converted = false;

	if (fcntl(READER_IN, F_GETFD) < 0 || fcntl(READER_OUT, F_GETFD) < 0)
		return fail(err, ERR_USAGE, "it is started by bottle, not by hand");
	if (confine(err) != 0)
		return -1;
	if (image_archive_read(READER_IN, READER_OUT, &converted, &why) == 0) {
		str_add(&line, converted ? READER_CONVERTED : READER_AS_IT_IS);
	} else {
		str_add(&line, READER_REFUSED);
		str_add_escaped(&line, why.text, strlen(why.text), READER_ANSWER_MAX / 2);
	}
	str_addc(&line, '\n');
	return file_write_all(1, line.data, line.len, err);
}
