#include "cmd/bottles.h"

#include <string.h>

#include "base/banned.h"

static json *change_json(const struct command *command, const struct change *c)
{
	json *row = json_object_of();

	name_set(command, row, "path", c->path);
	json_set_string(row, "status", change_status_name(c->status));
	json_set_string(row, "kind", entry_kind_name(c->kind));
	json_set_int(row, "size", c->size);
	if (c->mode != c->mode_before) {
		own_mem char *old = xasprintf("%04o", (unsigned)c->mode_before);
		own_mem char *new = xasprintf("%04o", (unsigned)c->mode);
		json_set_string(row, "old_mode", old);
		json_set_string(row, "new_mode", new);
	}
	if (c->target)
		name_set(command, row, "target", c->target);
	if (c->executable)
		json_set_string(row, "executable", c->executable);
	if (c->unreadable)
		json_set_string(row, "unreadable", c->unreadable);
	return row;
}

/* What there is to know beside the row's other words. */
static void add_note(json *row, const struct change *c)
{
	own_str struct str note = STR_INIT;
	const char *why = c->unreadable ? c->unreadable : c->executable;

	if (c->mode != c->mode_before)
		str_addf(&note, "old mode %04o, new mode %04o%s", (unsigned)c->mode_before, (unsigned)c->mode,
		         why ? "; " : "");
	str_add(&note, why ? why : "");
	json_set_string(row, "note", str_c(&note));
}

static void print_names(struct command *c, const struct changes *changes)
{
	static const struct ui_column columns[] = {
		{ "status", "STATUS", false },
		{ "kind", "KIND", false },
		{ "path", "PATH", false },
		{ "note", "NOTE", false },
	};
	own_json json *rows = json_array_of();

	for (size_t i = 0; i < changes->n; i++) {
		const struct change *one = &changes->v[i];
		json *row = change_json(c, one);
		if (!c->ui.json)
			add_note(row, one);
		json_push(rows, row);
	}
	ui_rows(&c->ui, rows, columns, ARRAY_LEN(columns));
}

/* @whole: becomes false where something could not be read. */
static int print_texts(const struct layers *layers, const struct changes *changes, bool *whole,
                       struct err *err)
{
	for (size_t i = 0; i < changes->n; i++) {
		own_str struct str text = STR_INIT;
		if (!workspace_diff(&layers->workspace, &changes->v[i], &text))
			*whole = false;
		if (ui_write(text.data, text.len, err) != 0)
			return -1;
	}
	return 0;
}

static int diff_run(struct command *c, struct err *err)
{
	own_bottle struct bottle b = BOTTLE_INIT;
	own_layers struct layers layers = LAYERS_INIT;
	own_changes struct changes changes = CHANGES_INIT;

	if (bottle_open(c, command_arg(c, 0), &b, err) != 0 || layers_open(&b, &layers, err) != 0 ||
	    workspace_changes(&layers.workspace, WORKSPACE_ENTRIES, &changes, err) != 0)
		return -1;
	bool whole = !changes.more;
	if (c->ui.json || command_has(c, "names"))
		print_names(c, &changes);
	else if (print_texts(&layers, &changes, &whole, err) != 0)
		return -1;
	if (!whole)
		layers_say_unseen(c);
	return whole ? 0 : 1;
}

static const struct option options[] = {
	{ .name = "names", .letter = 'n', .help = "a table of what changed, without contents" },
	{ 0 },
};

const struct verb verb_diff = {
	.name = "diff",
	.args = "[--names] SLUG",
	.summary = "what a bottle changed in its workspace",
	.details =
		"Unified text. Everything that is not printable is escaped, so this is for reading; to bring changes out "
		"use bottle export. Binary files, files over 1 MiB and links are named only. In names a backslash is "
		"doubled. Permissions that changed are named as old mode and new mode, whatever else did. With --json, the "
		"list of changes with their true names. Exits with 1 where not everything could be looked at.",
	.group = GROUP_LOOK,
	.flags = VERB_JSON,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_SLUG,
	.options = options,
	.run = diff_run,
};
