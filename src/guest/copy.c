/* Both ends of `bottle cp` that are inside: a stream on 0 or 1, remarks and errors on 2. */
#include "proto/files.h"

#include <stdint.h>
#include <string.h>

#include "guest/guest.h"
#include "base/banned.h"

enum { COPY_FAILED = 1 };

int guest_send(int argc, char **argv)
{
	struct files_count count = { 0 };
	struct err err = ERR_INIT;

	if (argc != 2)
		return guest_fail(GUEST_FAILED, "send PATH");
	if (files_send_at(1, argv[1], &count, &err) != 0)
		return guest_fail(COPY_FAILED, "%s", err.text);
	return 0;
}

static void show_remark(void *arg, const char *text)
{
	own_str struct str shown = STR_INIT;

	(void)arg;
	str_add_escaped(&shown, text, strlen(text), FILES_TROUBLE);
	guest_fail(0, "%s", str_c(&shown));
}

int guest_receive(int argc, char **argv)
{
	struct files_count count = { 0 };
	struct err err = ERR_INIT;

	if (argc != 3)
		return guest_fail(GUEST_FAILED, "receive PATH NAME");
	/* What may come in is bounded by who sends: the host's side reads the same stream. */
	if (files_receive_at(0, argv[1], argv[2], UINT64_MAX, show_remark, NULL, &count, &err) != 0)
		return guest_fail(COPY_FAILED, "%s", err.text);
	return 0;
}
