#include "cmd/bottles.h"
#include "cmd/dial.h"
#include "cmd/proof_text.h"

#include <string.h>

#include "manifest/manifest.h"
#include "base/banned.h"

static void set_resources(json *out, const struct record *r)
{
	json *list = json_array_of();

	for (size_t i = 0; i < r->nresources; i++) {
		own_mem char *text = xasprintf("%s %s", r->resources[i].kind, r->resources[i].name);
		json_push(list, text_json(text));
	}
	json_set(out, "holds", list);
}

static json *list_json(const struct strv *sv)
{
	json *list = json_array_of();

	for (size_t i = 0; i < sv->n; i++)
		json_push(list, json_of_string(sv->v[i]));
	return list;
}

/* What `info` shows: the record, with what is computed from it. */
static json *describe(const struct command *c, const struct bottle *b)
{
	enum { COUNT_LIMIT = 100000 };
	const struct record *r = &b->record;
	json *out = record_to_json(r);

	json_set_string(out, "state", record_state_name(record_shown_state(r)));
	json_set(out, "created", time_json(r->created_ms));
	json_set(out, "ended", time_json(r->ended_ms));
	json_set(out, "exit_status", r->exit_status < 0 ? NULL : json_of_int(r->exit_status));
	bottle_set_changed(c, out, b, COUNT_LIMIT);
	set_resources(out, r);
	const char *image = json_get_string(r->plan, "image", NULL);
	json_set(out, "image", image ? text_json(image) : NULL);
	json_set_string(out, "image_sha256", json_get_string(r->plan, "image_hash", NULL));
	return out;
}

/* While it runs its keeper knows better: the record follows at a distance. */
static void add_live(struct command *c, const char *slug, json *out)
{
	static const char *const keys[] = { "refused", "audit_count", "audit_head", "attached", "execs" };
	own_keeper_message struct keeper_message ask = { .say = KEEPER_INFO }, answer = KEEPER_MESSAGE_INIT;
	own_msg struct msg raw = MSG_INIT;
	own_json json *status = NULL;
	struct err ignored = ERR_INIT;
	bool nobody;

	own_fd int keeper = keeper_dial_once(c, slug, &nobody, &ignored);
	if (keeper < 0 || keeper_say(keeper, &ask, NULL, 0, &ignored) != 0 ||
	    keeper_await(keeper, KEEPER_STATUS, &raw, &answer, &ignored) != 0 ||
	    json_parse(answer.text, strlen(answer.text), 32, &status, &ignored) != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_get(status, keys[i]))
			json_set(out, keys[i], json_ref(json_get(status, keys[i])));
}

static void print_bottle(struct command *c, const struct bottle *b)
{
	static const struct ui_column fields[] = {
		{ "slug", "bottle", false },
		{ "label", "label", false },
		{ "agent", "agent", false },
		{ "bottles", "manifests", false },
		{ "backend", "backend", false },
		{ "bundle", "sidecars", false },
		{ "image", "image", false },
		{ "image_sha256", "image sha256", false },
		{ "state", "state", false },
		{ "created", "created", false },
		{ "ended", "ended", false },
		{ "exit_status", "exit status", false },
		{ "workspace", "workspace", false },
		{ "workspace_mode", "workspace mode", false },
		{ "workspace_exclude", "hidden from it", false },
		{ "changed", "changed files", false },
		{ "refused", "refused requests", false },
		{ "limits", "limits", false },
		{ "holds", "still holds", false },
		{ "audit_count", "audit lines", false },
		{ "audit_head", "audit head", false },
		{ "proof", "proof", false },
	};
	own_json json *out = describe(c, b);
	json *limits = json_array_of();

	for (size_t i = 0; i < b->record.limits_not_enforced.n; i++) {
		const char *field = b->record.limits_not_enforced.v[i];
		own_mem char *text = xasprintf("%.*s: not limited", (int)strcspn(field, "_"), field);
		json_push(limits, json_of_string(text));
	}
	if (record_shown_state(&b->record) == RECORD_RUNNING)
		add_live(c, b->record.slug, out);
	if (!c->ui.json) {
		json_set(out, "bottles", list_json(&b->record.bottles));
		json_set(out, "proof", proof_lines(b->record.proof));
	}
	json_set(out, "limits", limits);
	ui_object(&c->ui, out, fields, ARRAY_LEN(fields));
}

static int print_agent(struct command *c, const char *name, struct err *err)
{
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	own_str struct str text = STR_INIT;
	const struct manifest_dirs *dirs = command_manifest_dirs(c, err);

	if (!dirs || manifest_resolve(dirs, name, NULL, &plan, err) != 0)
		return -1;
	own_json json *out = manifest_to_json(&plan);
	if (c->ui.json) {
		ui_json(out);
		return 0;
	}
	if (manifest_print_yaml(out, &text, err) != 0)
		return -1;
	return ui_write(text.data, text.len, err);
}

static int info_run(struct command *c, struct err *err)
{
	own_bottle struct bottle b = BOTTLE_INIT;
	const char *name = command_arg(c, 0);

	if (!slug_is_valid(name) && !manifest_name_is_valid(name))
		return fail(err, ERR_USAGE,
		            "\"%.60s\" is neither a bottle's slug nor an agent's name; see bottle ls", name);
	/* A slug names one bottle; an agent may be called like one, then the bottle goes first. */
	if (slug_is_valid(name) && bottle_open(c, name, &b, err) == 0) {
		print_bottle(c, &b);
		return 0;
	}
	if (slug_is_valid(name) && err->kind != ERR_MISSING)
		return -1;
	struct err why = *err;
	*err = (struct err)ERR_INIT;
	if (print_agent(c, name, err) == 0)
		return 0;
	if (why.kind == ERR_MISSING && err->kind == ERR_MISSING)
		*err = why;
	return -1;
}

const struct verb verb_info = {
	.name = "info",
	.args = "SLUG|AGENT",
	.summary = "everything about a bottle, or about an agent",
	.details =
		"For a bottle: its record, what it still holds, the proof's result, and which limits are not enforced. "
		"For an agent: its resolved manifest.",
	.group = GROUP_LOOK,
	.flags = VERB_JSON,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_SUBJECT,
	.run = info_run,
};
