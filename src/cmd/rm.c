#include "cmd/bottles.h"

#include <string.h>

#include "base/banned.h"

enum { LOCK_MS = 2000 };

static int remove_one(struct command *c, const char *slug, struct err *err)
{
	own_record struct record r = RECORD_INIT;
	int bottles = command_bottles(c, err);
	own_fd int dir = bottles >= 0 ? registry_open(bottles, slug, err) : -1;
	own_fd int lock = dir >= 0 ? registry_lock(dir, LOCK_MS, err) : -1;

	if (lock < 0)
		return -1;
	/* Without its record nobody knows whether the bottle runs, or what it holds. */
	if (registry_load(dir, &r, err) != 0)
		return bottle_unreadable(c, slug, err);
	if (!str_is(r.slug, slug))
		return fail(err, ERR_INPUT, "bottle %s is left as it is: its record is that of %s", slug,
		            r.slug);
	if (r.state != RECORD_STOPPED && record_keeper_lives(&r))
		return fail(err, ERR_BUSY, "bottle %s is %s; run bottle stop %s first", slug,
		            record_state_name(record_shown_state(&r)), slug);
	if (r.state != RECORD_STOPPED)
		return fail(err, ERR_BUSY,
		            "bottle %s is dead and may hold what its keeper had no time to free; run "
		            "bottle cleanup %s first",
		            slug, slug);
	if (r.nresources > 0)
		return fail(err, ERR_BUSY, "bottle %s still holds %s %s; run bottle cleanup %s first", slug,
		            r.resources[0].kind, r.resources[0].name, slug);
	return registry_remove(bottles, slug, err);
}

static int rm_run(struct command *c, struct err *err)
{
	bool failed = false;

	for (size_t i = 0; i < c->args.n; i++) {
		struct err one = ERR_INIT;
		if (remove_one(c, c->args.v[i], &one) == 0)
			continue;
		/* Each is told; the last one by whoever called us. */
		if (failed)
			ui_error(&c->ui, err);
		*err = one;
		failed = true;
	}
	return failed ? -1 : 0;
}

const struct verb verb_rm = {
	.name = "rm",
	.args = "SLUG...",
	.summary = "remove stopped bottles: record, logs and workspace",
	.details =
		"A bottle that runs is refused, and so is a dead one, or one that still holds something: see bottle "
		"cleanup. "
		"The changes that were not exported are gone afterwards.",
	.group = GROUP_RUN,
	.min_args = 1,
	.max_args = ARGS_ANY,
	.complete = COMPLETE_STOPPED,
	.complete_next = COMPLETE_STOPPED,
	.run = rm_run,
};
