/* Both ends of `bottle cp` that are inside: a stream on 0 or 1, an error on 2. */
#include "proto/files.h"

#include <stdint.h>
#include <stdio.h>

#include "guest/guest.h"
#include "base/banned.h"

enum { COPY_FAILED = 1 };

/* The host's side quotes it: it begins with no name of a program that nobody called. */
static int failed(const struct err *err)
{
	own_str struct str shown = STR_INIT;

	str_add_visible(&shown, err->text);
	dprintf(2, "%s\n", str_c(&shown));
	return COPY_FAILED;
}

int guest_send(int argc, char **argv)
{
	struct files_count count = { 0 };
	struct err err = ERR_INIT;

	if (argc != 2)
		return guest_fail(GUEST_FAILED, "send PATH");
	if (files_send_at(1, argv[1], NULL, NULL, NULL, &count, &err) != 0)
		return failed(&err);
	return 0;
}

int guest_receive(int argc, char **argv)
{
	struct files_count count = { 0 };
	struct err err = ERR_INIT;

	if (argc != 3)
		return guest_fail(GUEST_FAILED, "receive PATH NAME");
	/* What may come in is bounded by who sends, and what was passed over is named there: the host's
	 * side makes the stream. */
	if (files_receive_at(0, argv[1], argv[2], UINT64_MAX, NULL, NULL, &count, &err) != 0)
		return failed(&err);
	return 0;
}
