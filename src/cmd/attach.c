#include "cmd/dial.h"
#include "cmd/session.h"

#include <stdio.h>

#include "base/banned.h"

static int run(struct command *c, struct err *err)
{
	struct keeper_message attach = { .say = KEEPER_ATTACH };
	struct session s = { .launching = false };
	uint16_t rows = 0, columns = 0;
	const char *slug = command_arg(c, 0);

	own_fd int keeper = keeper_dial(c, slug, err);
	if (keeper < 0)
		return -1;
	snprintf(s.slug, sizeof s.slug, "%s", slug);
	if (session_terminal(&rows, &columns)) {
		attach.rows = rows;
		attach.columns = columns;
		ui_note(&c->ui, "Ctrl-] leaves; the bottle runs on");
	}
	if (keeper_ask(c, slug, keeper, &attach, err) != 0 || session_relay(c, keeper, &s, err) != 0)
		return -1;
	if (s.left || s.status >= 0)
		return s.left ? 0 : s.status;
	return fail(err, ERR_SYSTEM, "the bottle ended, and its program left no status");
}

const struct verb verb_attach = {
	.name = "attach",
	.args = "SLUG",
	.summary = "look at a bottle's program, and type to it",
	.group = GROUP_RUN,
	.details =
		"Ends with the program, and with its status. On a terminal Ctrl-] leaves and lets it run, else Ctrl-C or a signal does.",
	.flags = VERB_STATUS,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_RUNNING,
	.run = run,
};
