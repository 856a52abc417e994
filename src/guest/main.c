#include "guest/guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/banned.h"

static const struct part {
	const char *name;
	int (*run)(int argc, char **argv);
} parts[] = {
	{ "init", guest_init },   { "run", guest_run },     { "probe", guest_probe },
	{ "setup", guest_setup }, { "enter", guest_enter }, { "idle", guest_idle },
	{ "ready", guest_ready }, { "send", guest_send },   { "receive", guest_receive },
};

int guest_fail(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dprintf(2, "bottle-guest: ");
	vdprintf(2, fmt, ap);
	dprintf(2, "\n");
	va_end(ap);
	return status;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(parts); i++)
		if (strcmp(argv[1], parts[i].name) == 0)
			return parts[i].run(argc - 1, argv + 1);
	return guest_fail(GUEST_FAILED,
	                  "what to be: init, run, probe, send, receive, setup, enter, idle or ready");
}
