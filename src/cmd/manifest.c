#include "cmd/cmd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "manifest/manifest.h"
#include "policy/policy.h"
#include "base/banned.h"

/* A file's kind, by the directory that it stands in, as the places of manifests have it. */
static enum manifest_kind kind_of(const char *file)
{
	static const struct {
		const char *folder;
		enum manifest_kind kind;
	} folders[] = {
		{ "bottles", MANIFEST_KIND_BOTTLE },
		{ "agents", MANIFEST_KIND_AGENT },
		{ "providers", MANIFEST_KIND_PROVIDER },
	};
	const char *slash = strrchr(file, '/');

	if (str_is(slash ? slash + 1 : file, "config.json"))
		return MANIFEST_KIND_CONFIG;
	if (!slash)
		return MANIFEST_KIND_BOTTLE;
	own_mem char *directory = xstrndup(file, (size_t)(slash - file));
	const char *last = strrchr(directory, '/');
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (str_is(last ? last + 1 : directory, folders[i].folder))
			return folders[i].kind;
	return MANIFEST_KIND_BOTTLE;
}

/* Whether a regex compiles is the policy's to say. */
static int check_routes(const json *routes, struct err *err)
{
	own_str struct str text = STR_INIT;
	own_policy struct policy *policy = NULL;

	if (!routes)
		return 0;
	json_print(routes, &text);
	return policy_compile(str_c(&text), text.len, &policy, err);
}

static int check_file(const char *file, struct err *err)
{
	own_json json *routes = NULL;
	own_str struct str bytes = STR_INIT;
	own_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return fail_errno(err, "open %s", file);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERR_INPUT, "%s is not a regular file", file);
	if (file_read_fd(fd, file, MANIFEST_FILE_MAX, &bytes, err) != 0)
		return -1;
	if (manifest_check(kind_of(file), file, str_c(&bytes), bytes.len, &routes, err) != 0)
		return -1;
	return check_routes(routes, err) == 0 ? 0 : fail_in(err, "%s", file);
}

/* One row per file; the count of bad ones. */
static size_t add_row(json *rows, const char *file, int rc, const struct err *err)
{
	json *row = json_object_of();

	json_set_string(row, "file", file);
	json_set_truth(row, "ok", rc == 0);
	json_set_string(row, "result", rc == 0 ? "ok" : err->text);
	json_push(rows, row);
	return rc != 0;
}

/* What a start would do with it: bottles with their parents, agents with their bottle. An
 * agent without one is whole, as far as it goes. */
static size_t check_names(const struct manifest_dirs *dirs, const struct manifest_names *names, bool agents,
                          json *rows)
{
	size_t bad = 0;

	for (size_t i = 0; i < names->n; i++) {
		own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
		own_strv struct strv bottle = STRV_INIT;
		struct err err = ERR_INIT;
		if (!agents)
			strv_add(&bottle, names->v[i].name);
		int rc = manifest_resolve(dirs, agents ? names->v[i].name : NULL, &bottle, &plan, &err);
		own_json json *routes = rc == 0 ? manifest_routes_json(&plan) : NULL;
		if (rc == 0)
			rc = check_routes(routes, &err);
		bad += add_row(rows, names->v[i].file, rc, &err);
	}
	return bad;
}

static int check_all(struct command *c, json *rows, size_t *bad, struct err *err)
{
	own_manifest_names struct manifest_names bottles = { 0 }, agents = { 0 };
	const struct manifest_dirs *dirs = command_manifest_dirs(c, err);

	if (!dirs || manifest_list_bottles(dirs, &bottles, err) != 0 ||
	    manifest_list_agents(dirs, &agents, err) != 0)
		return -1;
	*bad += check_names(dirs, &bottles, false, rows);
	*bad += check_names(dirs, &agents, true, rows);
	return 0;
}

static int check_run(struct command *c, struct err *err)
{
	static const struct ui_column columns[] = { { "file", "file", false },
		                                    { "result", "result", false } };
	own_json json *rows = json_array_of();
	size_t bad = 0;

	for (size_t i = 0; i < c->args.n; i++) {
		struct err one = ERR_INIT;
		int rc = check_file(c->args.v[i], &one);
		/* One file, as a build checks it: its mistake is the failure. */
		if (rc != 0 && c->args.n == 1) {
			*err = one;
			return -1;
		}
		bad += add_row(rows, c->args.v[i], rc, &one);
	}
	if (c->args.n == 0 && check_all(c, rows, &bad, err) != 0)
		return -1;
	if (json_count(rows) == 0)
		ui_note(&c->ui, "there are no manifests; bottle init writes the first");
	ui_rows(&c->ui, rows, columns, ARRAY_LEN(columns));
	return bad > 0 ? 1 : 0;
}

const struct verb verb_manifest_check = {
	.name = "manifest check",
	.args = "[FILE...]",
	.summary = "find mistakes in manifests",
	.details =
		"Without FILE every bottle and agent is resolved as a start would do it. A FILE is read by itself: its "
		"directory (bottles, agents, providers) says what it is, config.json is the host's configuration, "
		"anything else a bottle; parents are not looked for. Exits 1 when there is a mistake.",
	.group = GROUP_RULES,
	.flags = VERB_JSON,
	.max_args = ARGS_ANY,
	.complete = COMPLETE_FILE,
	.complete_next = COMPLETE_FILE,
	.run = check_run,
};

static void print_why(struct command *c, const struct manifest_plan *plan)
{
	static const struct ui_column columns[] = {
		{ "field", "field", false },
		{ "value", "value", false },
		{ "source", "from", false },
	};
	own_json json *rows = json_array_of();

	for (size_t i = 0; i < plan->nwhy; i++) {
		json *row = json_object_of();
		json_set_string(row, "field", plan->why[i].path);
		json_set_string(row, "value", plan->why[i].value);
		json_set_string(row, "source", plan->why[i].source);
		json_push(rows, row);
	}
	ui_rows(&c->ui, rows, columns, ARRAY_LEN(columns));
}

static int show_run(struct command *c, struct err *err)
{
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	own_strv struct strv bottles = STRV_INIT;
	own_str struct str yaml = STR_INIT;
	struct err unsupported = ERR_INIT;
	const struct manifest_dirs *dirs = command_manifest_dirs(c, err);

	command_values(c, "bottle", &bottles);
	if (!dirs || manifest_resolve(dirs, command_arg(c, 0), &bottles, &plan, err) != 0)
		return -1;
	if (plan.bottle_is_suggestion)
		ui_note(&c->ui, "bottle %s is only suggested, by %s; start asks before it uses it",
		        plan.bottles.v[0], plan.agent_file);
	if (manifest_unsupported(&plan, &unsupported) != 0)
		ui_note(&c->ui, "start refuses this: %s", unsupported.text);
	if (command_has(c, "why")) {
		print_why(c, &plan);
		return 0;
	}
	own_json json *all = manifest_to_json(&plan);
	if (c->json) {
		ui_json(all);
		return 0;
	}
	if (manifest_print_yaml(all, &yaml, err) != 0)
		return -1;
	return ui_write(str_c(&yaml), yaml.len, err);
}

static const struct option show_options[] = {
	{ "bottle", 'b', "BOTTLE", true, COMPLETE_BOTTLE,
	  "use these bottles, left to right, in place of the agent's own" },
	{ "why", 0, NULL, false, COMPLETE_NOTHING, "say for every value which file and line it comes from" },
	{ 0 },
};

const struct verb verb_manifest_show = {
	.name = "manifest show",
	.args = "[AGENT] [--bottle BOTTLE]... [--why]",
	.summary = "what a bottle comes to once everything is merged",
	.details =
		"Prints the resolved manifest as YAML: parents and bottles laid on each other, the provider's routes under "
		"them, every default filled in. Values that are asked for or come from the environment are shown as "
		"they are written, never as what they are.",
	.group = GROUP_RULES,
	.flags = VERB_JSON,
	.max_args = 1,
	.complete = COMPLETE_AGENT,
	.options = show_options,
	.run = show_run,
};
