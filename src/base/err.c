#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static const char *const kind_names[] = {
	[ERR_NONE] = "none",
	[ERR_USAGE] = "usage",
	[ERR_INPUT] = "input",
	[ERR_DENIED] = "denied",
	[ERR_MISSING] = "missing",
	[ERR_BUSY] = "busy",
	[ERR_UNCONFINED] = "unconfined",
	[ERR_SYSTEM] = "system",
};

const char *err_kind_name(enum err_kind kind)
{
	return (size_t)kind < sizeof kind_names / sizeof *kind_names ? kind_names[kind] : "system";
}

/* A cut text must show that it was cut. */
static void mark_cut(struct err *err, int wanted)
{
	if (wanted >= (int)sizeof err->text)
		memcpy(err->text + sizeof err->text - 4, "...", 4);
}

int(fail)(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	mark_cut(err, n);
	err->kind = kind;
	err->sys = 0;
	return -1;
}

static enum err_kind kind_of_errno(int sys)
{
	switch (sys) {
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ENOENT:
		return ERR_MISSING;
	case EBUSY:
	case EAGAIN:
		return ERR_BUSY;
	default:
		return ERR_SYSTEM;
	}
}

int(fail_errno)(struct err *err, const char *fmt, ...)
{
	int sys = errno;
	char what[sizeof err->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	int n = snprintf(err->text, sizeof err->text, "%s: %s", what, strerror(sys));
	mark_cut(err, n);
	err->kind = kind_of_errno(sys);
	err->sys = sys;
	return -1;
}

int(fail_in)(struct err *err, const char *fmt, ...)
{
	char prefix[sizeof err->text];
	char text[sizeof err->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(prefix, sizeof prefix, fmt, ap);
	va_end(ap);
	memcpy(text, err->text, sizeof text);
	int n = snprintf(err->text, sizeof err->text, "%s: %s", prefix, text);
	mark_cut(err, n);
	return -1;
}

void bug_at(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "bug: %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
