#include "ui/ui.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

/* All of it, or an error, as the C library wants it: it knows no stream that takes a part now. */
static ssize_t put_all(void *cookie, const char *bytes, size_t n)
{
	struct pollfd to = { .fd = (int)(intptr_t)cookie, .events = POLLOUT };
	size_t put = 0;

	while (put < n) {
		ssize_t took = write(to.fd, bytes + put, n - put);
		if (took >= 0)
			put += (size_t)took;
		else if (errno == EAGAIN)
			poll(&to, 1, -1);
		else if (errno != EINTR)
			break;
	}
	return (ssize_t)put;
}

static void make_patient(FILE **stream, int fd, int mode)
{
	FILE *patient = fopencookie((void *)(intptr_t)fd, "w", (cookie_io_functions_t){ .write = put_all });

	if (patient && setvbuf(patient, NULL, mode, BUFSIZ) == 0)
		*stream = patient;
}

void ui_wait_for_readers(void)
{
	make_patient(&stdout, STDOUT_FILENO, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF);
	make_patient(&stderr, STDERR_FILENO, _IONBF);
}
