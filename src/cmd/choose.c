#include "cmd/choose.h"

#include "base/banned.h"

static struct ui_choice *choices_of(const struct manifest_names *names)
{
	struct ui_choice *choices = xcalloc(names->n + 1, sizeof *choices);

	for (size_t i = 0; i < names->n; i++)
		choices[i] = (struct ui_choice){ names->v[i].name, names->v[i].file };
	return choices;
}

static int choose_bottles(struct command *c, const struct manifest_names *bottles, const char *title,
                          struct err *err)
{
	own_mem struct ui_choice *choices = choices_of(bottles);
	own_mem size_t *order = xcalloc(bottles->n + 1, sizeof *order);
	int n = ui_pick_many(title, choices, bottles->n, order, err);

	if (n == 0)
		return fail(err, ERR_DENIED,
		            "no bottle was chosen; Space marks one, Enter takes those marked");
	for (int i = 0; i < n; i++)
		command_give(c, "bottle", bottles->v[order[i]].name);
	return n < 0 ? -1 : 0;
}

static int choose_agent(struct command *c, const struct manifest_names *agents, struct err *err)
{
	own_mem struct ui_choice *choices = choices_of(agents);
	int at = ui_pick("Which agent?", choices, agents->n, err);

	if (at < 0)
		return -1;
	strv_add(&c->args, agents->v[at].name);
	return 0;
}

static bool somebody_is_there(const struct command *c)
{
	return !c->json && !command_has(c, "headless") && ui_can_ask();
}

int choose_missing(struct command *c, const struct manifest_dirs *dirs, struct err *err)
{
	own_manifest_names struct manifest_names agents = { 0 }, bottles = { 0 };
	bool named = false;

	if (command_has(c, "bottle") || !somebody_is_there(c))
		return 0;
	if (manifest_list_bottles(dirs, &bottles, err) != 0)
		return -1;
	if (!command_arg(c, 0)) {
		if (c->has_rest)
			return 0;
		if (manifest_list_agents(dirs, &agents, err) != 0)
			return -1;
		if (agents.n == 0 && bottles.n == 0)
			return fail(err, ERR_MISSING,
			            "there is no agent to choose; `bottle init` writes a first manifest");
		if (agents.n == 0)
			return choose_bottles(c, &bottles, "There is no agent. Which bottles?", err);
		if (choose_agent(c, &agents, err) != 0)
			return -1;
	}
	if (manifest_agent_names_bottle(dirs, command_arg(c, 0), &named, err) != 0)
		return -1;
	/* Where there is none to choose, what resolves the manifest says what is missing. */
	return named || bottles.n == 0 ? 0 : choose_bottles(c, &bottles, "In which bottles?", err);
}
