#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>

#include "base/str.h"
#include "base/banned.h"

static struct {
	log_sink sink;
	void *arg;
	enum log_level most;
} to;

void log_set_sink(log_sink sink, void *arg, enum log_level most)
{
	to.sink = sink;
	to.arg = arg;
	to.most = most;
}

const char *log_level_name(enum log_level level)
{
	static const char *const names[] = { "error", "warn", "info" };

	return names[level];
}

void log_at(enum log_level level, const char *fmt, ...)
{
	own_str struct str line = STR_INIT;
	own_str struct str safe = STR_INIT;
	va_list ap;

	if (!to.sink || level > to.most)
		return;
	va_start(ap, fmt);
	str_vaddf(&line, fmt, ap);
	va_end(ap);
	/* What is logged may hold names from the other side of the wall. */
	str_add_escaped(&safe, str_c(&line), line.len, 4000);
	to.sink(to.arg, level, str_c(&safe));
}
