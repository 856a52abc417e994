#include "guest/guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

static const struct part {
	const char *name;
	int (*run)(int argc, char **argv);
} parts[] = {
	{ "init", guest_init },       { "run", guest_run },
	{ "probe", guest_probe },     { "setup", guest_setup },
	{ "enter", guest_enter },     { "idle", guest_idle },
	{ "ready", guest_ready },     { "send", guest_send },
	{ "receive", guest_receive }, { "signal", guest_signal_program },
};

int guest_fail(int status, const char *fmt, ...)
{
	own_str struct str text = STR_INIT;
	own_str struct str shown = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	str_add_visible(&shown, str_c(&text));
	dprintf(2, "bottle-guest: %s\n", str_c(&shown));
	return status;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(parts); i++)
		if (strcmp(argv[1], parts[i].name) == 0)
			return parts[i].run(argc - 1, argv + 1);
	return guest_fail(GUEST_FAILED,
	                  "what to be: init, run, probe, send, receive, setup, enter, signal, idle or ready");
}
