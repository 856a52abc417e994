#include "cmd/cmd.h"
#include "cmd/session.h"

#include "proto/keeper.h"
#include "base/banned.h"

static int stop(struct command *c, const char *slug, struct err *err)
{
	struct keeper_message stop = { .say = KEEPER_STOP };

	own_fd int keeper = session_dial(c, slug, err);
	if (keeper < 0 || keeper_say(keeper, &stop, NULL, 0, err) != 0)
		return -1;
	for (;;) {
		own_msg struct msg raw = MSG_INIT;
		own_keeper_message struct keeper_message m = KEEPER_MESSAGE_INIT;
		int got = keeper_hear(keeper, &raw, &m, err);
		if (got < 0)
			return -1;
		if (got == 0)
			return fail(err, ERR_SYSTEM, "the keeper of %s ended before it had finished; run `bottle cleanup`", slug);
		if (m.say == KEEPER_ENDED)
			return 0;
	}
}

static int run(struct command *c, struct err *err)
{
	for (size_t i = 0; i < c->args.n; i++)
		if (stop(c, c->args.v[i], err) != 0)
			return -1;
	return 0;
}

const struct verb verb_stop = {
	.name = "stop", .args = "SLUG...", .summary = "end a running bottle; its work stays", .group = GROUP_RUN,
	.details = "The program in the bottle gets SIGTERM and five seconds; then everything in it ends. "
		   "Record, workspace layer and home stay until `bottle rm`.",
	.min_args = 1, .max_args = ARGS_ANY, .complete = COMPLETE_SLUG, .run = run,
};
