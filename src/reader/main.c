/* The program that looks into an archive which nobody vouches for: two descriptors, no file, no
 * network, no secret, and one line as its answer. */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "image/image.h"
#include "image/reader.h"
#include "reader/archive.h"
#include "base/banned.h"

#ifdef __SANITIZE_ADDRESS__
#define MEMORY_MAX RLIM_INFINITY /* the sanitizer's map of all memory counts as memory */
#else
#define MEMORY_MAX (512UL << 20)
#endif
enum { CPU_SECONDS = 1800 };

static const struct cage_call reading[] = {
	CALL(pread64, "the archive"),
	CALL(ftruncate, "the file that it writes"),
};

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

static int answer(struct err *err)
{
	own_str struct str line = STR_INIT;
	struct err why = ERR_INIT;
	bool converted = false;

	if (fcntl(READER_IN, F_GETFD) < 0 || fcntl(READER_OUT, F_GETFD) < 0)
		return fail(err, ERR_USAGE, "it is started by bottle, not by hand");
	if (confine(err) != 0)
		return -1;
	if (archive_read_image(READER_IN, READER_OUT, &converted, &why) == 0) {
		str_add(&line, converted ? READER_CONVERTED : READER_AS_IT_IS);
	} else {
		str_add(&line, READER_REFUSED);
		str_add_escaped(&line, why.text, strlen(why.text), READER_ANSWER_MAX / 2);
	}
	str_addc(&line, '\n');
	return file_write_all(1, line.data, line.len, err);
}

/* Why it can't even begin goes to the same reader. */
int main(void)
{
	struct err err = ERR_INIT;

	if (answer(&err) == 0)
		return 0;
	own_str struct str line = STR_INIT;
	struct err lost = ERR_INIT;
	str_add_escaped(&line, err.text, strlen(err.text), READER_ANSWER_MAX / 2);
	str_addc(&line, '\n');
	file_write_all(1, line.data, line.len, &lost);
	return 1;
}
