#include "cmd/bottles.h"
#include "cmd/host_check.h"
#include "cmd/project.h"
#include "cmd/summary.h"

#include <string.h>

#include "manifest/config.h"
#include "registry/paths.h"
#include "registry/registry.h"
#include "base/banned.h"

static int load_plan(struct command *c, const char *slug, struct plan *out, struct err *err)
{
	own_record struct record r = RECORD_INIT;
	int bottles = command_bottles(c, err);
	own_fd int dir = bottles < 0 ? -1 : registry_open(bottles, slug, err);

	if (dir < 0)
		return -1;
	if (registry_load(dir, &r, err) != 0)
		return bottle_unreadable(c, slug, err);
	if (!str_is(r.slug, slug))
		return fail(err, ERR_INPUT, "bottle %s: its record is that of %s", slug, r.slug);
	if (record_shown_state(&r) == RECORD_DEAD)
		return fail(err, ERR_BUSY, "bottle %s is dead; run bottle cleanup %s first", slug, slug);
	if (record_shown_state(&r) != RECORD_STOPPED)
		return fail(err, ERR_BUSY, "bottle %s is %s; only a stopped one is resumed", slug,
		            record_state_name(record_shown_state(&r)));
	if (!r.plan)
		return fail(err, ERR_INPUT, "the record of %s has no plan", slug);
	return plan_from_json(r.plan, out, err) == 0 ? 0 : fail_in(err, "bottle %s", slug);
}

static int run(struct command *c, struct err *err)
{
	own_plan struct plan plan = PLAN_INIT;
	const char *slug = command_arg(c, 0);

	if (load_plan(c, slug, &plan, err) != 0 || host_check(c, plan.backend, plan.bundle, err) != 0)
		return -1;
	/* What its paths lead to may be another thing since it stopped. */
	if (backend_check(c, &plan, false, err) != 0 || project_still_is(c, &plan, err) != 0)
		return fail_in(err, "bottle %s", slug);
	plan.detach = command_has(c, "detach");
	const struct paths *paths = command_paths(c, err);
	if (!paths)
		return -1;
	if (plan.image_cache) {
		mem_drop(&plan.image_cache);
		plan.image_cache = xstrdup(paths->cache);
	}
	/* The host's word of today: a full log needs a higher limit to go on. */
	const struct host_config *config = command_config(c, err);
	if (!config)
		return -1;
	plan.audit_mib = config->limits.audit_mib;
	/* What is lost by removing it at the end is more than one run. */
	plan.remove_at_end = false;
	if (command_env("TERM")) {
		mem_drop(&plan.term);
		plan.term = xstrdup(command_env("TERM"));
	}
	if (plan_check_text(&plan, err) != 0)
		return -1;
	return launch_and_follow(c, &plan, slug, NULL, err);
}

static const struct option options[] = {
	{ "detach", 'd', NULL, false, COMPLETE_NOTHING, "leave it running; prints its slug" },
	{ 0 },
};

const struct verb verb_resume = {
	.name = "resume",
	.args = "SLUG [--detach]",
	.summary = "run a stopped bottle again, with its plan, home and work",
	.details =
		"Same plan, same workspace layer and home; new placeholders, a new CA, and the proof again.",
	.group = GROUP_RUN,
	.flags = VERB_JSON | VERB_STATUS,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_STOPPED,
	.options = options,
	.run = run,
};
