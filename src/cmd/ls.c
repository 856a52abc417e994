#include "cmd/bottles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/banned.h"

/* A bottle with more changes than this is shown as "1000+". */
enum { COUNT_LIMIT = 1000 };

static void set_record(const struct command *c, json *row, const struct record *r)
{
	char age[AGE_TEXT];

	age_text(r->created_ms, age);
	json_set_string(row, "label", r->label);
	json_set_string(row, "agent", r->agent);
	json_set_string(row, "backend", r->backend);
	json_set_string(row, "state", record_state_name(record_shown_state(r)));
	json_set(row, "created", time_json(r->created_ms));
	json_set_string(row, "age", age);
	if (!c->ui.json)
		return;
	json_set_int(row, "age_seconds", (clock_unix_ms() - r->created_ms) / 1000);
	json_set(row, "exit_status", r->exit_status < 0 ? NULL : json_of_int(r->exit_status));
	json_set_string(row, "workspace", r->workspace);
}

static json *row_of(struct command *c, struct listed *l)
{
	json *row = json_object_of();
	struct bottle b = { .record = l->record };
	struct err ignored = ERR_INIT;

	json_set_string(row, "slug", l->slug);
	if (l->error.kind != ERR_NONE) {
		json_set_string(row, "state", "broken");
		json_set(row, "error", text_json(l->error.text));
		struct err why = l->error;
		bottle_unreadable(c, l->slug, &why);
		ui_note(&c->ui, "%s", why.text);
		return row;
	}
	own_fd int dir = registry_open(command_bottles(c, &ignored), l->slug, &ignored);
	b.dir = dir;
	set_record(c, row, &l->record);
	bottle_set_changed(c, row, &b, COUNT_LIMIT);
	return row;
}

/* What can't be read has no age, and stands last. */
static int newest_first(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return x->record.created_ms != y->record.created_ms ?
	               (x->record.created_ms < y->record.created_ms) -
	                       (x->record.created_ms > y->record.created_ms) :
	               strcmp(x->slug, y->slug);
}

static int ls_run(struct command *c, struct err *err)
{
	static const struct ui_column columns[] = {
		{ "slug", "BOTTLE", false }, { "agent", "AGENT", false }, { "backend", "BACKEND", false },
		{ "state", "STATE", false }, { "age", "AGE", true },      { "changed", "CHANGED", true },
	};
	own_listing struct listing listing = LISTING_INIT;
	own_json json *rows = json_array_of();
	int bottles = command_bottles(c, err);

	if (bottles < 0 || registry_list(bottles, &listing, err) != 0)
		return -1;
	if (listing.n > 0)
		qsort(listing.v, listing.n, sizeof *listing.v, newest_first);
	for (size_t i = 0; i < listing.n; i++)
		json_push(rows, row_of(c, &listing.v[i]));
	ui_rows(&c->ui, rows, columns, ARRAY_LEN(columns));
	return 0;
}

const struct verb verb_ls = {
	.name = "ls",
	.args = "",
	.summary = "list bottles: age, backend, state, changed files",
	.details =
		"CHANGED is the number of files that differ from the workspace directory; \"-\" where the bottle has no "
		"layer of its own. A record that can't be read is listed as \"broken\" and left as it is.",
	.group = GROUP_LOOK,
	.flags = VERB_JSON,
	.run = ls_run,
};
