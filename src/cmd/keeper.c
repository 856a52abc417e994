#include "cmd/cmd.h"

#include "keeper/keeper.h"
#include "base/banned.h"

/* Started by `start` and `resume`, never by hand: descriptor 3 is its only way in. */
static int run(struct command *c, struct err *err)
{
	own_mem char *libexec = command_libexec(NULL, err);

	(void)c;
	if (!libexec)
		return -1;
	return keeper_run(KEEPER_PAIR, libexec, err);
}

const struct verb verb_keeper = {
	.name = "keeper",
	.args = "",
	.summary = "own a bottle; for `start` and `resume`",
	.group = GROUP_RUN,
	.flags = VERB_HIDDEN,
	.run = run,
};
