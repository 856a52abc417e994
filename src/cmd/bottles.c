#include "cmd/bottles.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/known.h"
#include "base/utf8.h"
#include "registry/paths.h"
#include "base/banned.h"

void bottle_clear(struct bottle *b)
{
	fd_drop(&b->dir);
	record_clear(&b->record);
}

int bottle_open(struct command *c, const char *slug, struct bottle *out, struct err *err)
{
	own_bottle struct bottle made = BOTTLE_INIT;
	int bottles = command_bottles(c, err);

	made.dir = bottles >= 0 ? registry_open(bottles, slug, err) : -1;
	if (made.dir < 0)
		return -1;
	if (registry_load(made.dir, &made.record, err) != 0)
		return bottle_unreadable(c, slug, err);
	if (!str_is(made.record.slug, slug))
		return fail(err, ERR_INPUT, "bottle %s: its record is that of %s", slug, made.record.slug);
	*out = made;
	made = (struct bottle)BOTTLE_INIT;
	return 0;
}

int bottle_unreadable(struct command *c, const char *slug, struct err *err)
{
	struct err ignored = ERR_INIT;
	const struct paths *paths = command_paths(c, &ignored);
	own_mem char *why = xstrdup(err->text);

	return fail(
		err, err->kind,
		"bottle %s: %.120s; what it held (changed files below workspace/upper) is in %s/bottles/%s, "
		"to be removed when nothing of it is wanted",
		slug, why, paths ? paths->state : "", slug);
}

void bottle_set_changed(const struct command *c, json *row, const struct bottle *b, size_t limit)
{
	own_layers struct layers layers = LAYERS_INIT;
	struct err ignored = ERR_INIT;
	char text[24];
	size_t n = 0;
	bool more = false;

	if (layers_open(b, &layers, &ignored) != 0 ||
	    workspace_count(&layers.workspace, limit, &n, &more, &ignored) != 0) {
		json_set(row, "changed", NULL);
		return;
	}
	if (c->ui.json) {
		json_set_int(row, "changed", (int64_t)n);
		json_set_truth(row, "changed_more", more);
		return;
	}
	snprintf(text, sizeof text, "%zu%s", n, more ? "+" : "");
	json_set_string(row, "changed", text);
}

void layers_clear(struct layers *l)
{
	fd_drop(&l->lower);
	fd_drop(&l->upper);
}

int layers_open(const struct bottle *b, struct layers *out, struct err *err)
{
	own_layers struct layers made = LAYERS_INIT;
	const struct record *r = &b->record;

	if (!r->workspace || !str_is(r->workspace_mode, "copy"))
		return fail(err, ERR_MISSING,
		            "bottle %s has no layer of changes: its workspace mode is \"%s\"", r->slug,
		            r->workspace_mode ? r->workspace_mode : "none");
	/* Whoever may write above it could have put a link there since. An older record knows no inode. */
	made.lower = known_open(r->workspace, json_get_string(r->plan, "workspace_inode", NULL), err);
	if (made.lower < 0)
		return fail_in(err, "the workspace of %s", r->slug);
	made.upper = dir_open(b->dir, RECORD_UPPER, err);
	if (made.upper < 0)
		return fail_in(err, "the changes of %s", r->slug);
	made.workspace = (struct workspace){ made.lower, made.upper, &r->workspace_exclude };
	*out = made;
	made = (struct layers)LAYERS_INIT;
	return 0;
}

int bottle_runtime(struct command *c, const struct record *r, struct err *err)
{
	if (r->runtime)
		return paths_find_private(r->runtime, err);
	int ours = command_runtime(c, err);
	int fd = ours < 0 ? -1 : fcntl(ours, F_DUPFD_CLOEXEC, 0);
	return ours >= 0 && fd < 0 ? fail_errno(err, "the runtime directory") : fd;
}

void age_text(int64_t since_ms, char out[AGE_TEXT])
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	int64_t seconds = (clock_unix_ms() - since_ms) / 1000;
	size_t i = 0;

	if (seconds < 0)
		seconds = 0;
	while (i + 1 < ARRAY_LEN(units) && seconds < units[i].seconds)
		i++;
	snprintf(out, AGE_TEXT, "%lld%c", (long long)(seconds / units[i].seconds), units[i].unit);
}

json *time_json(int64_t unix_ms)
{
	char text[CLOCK_TEXT];

	if (unix_ms == 0)
		return NULL;
	clock_text(unix_ms, text);
	return json_of_string(text);
}

json *text_json(const char *bytes)
{
	own_str struct str shown = STR_INIT;

	str_add_visible(&shown, bytes);
	return json_of_string(str_c(&shown));
}

void name_set(const struct command *c, json *row, const char *key, const char *name)
{
	own_str struct str shown = STR_INIT;
	bool as_it_is = c->ui.json && utf8_is_valid(name, strlen(name));

	if (!as_it_is)
		str_add_name(&shown, name);
	json_set_string(row, key, as_it_is ? name : str_c(&shown));
	if (c->ui.json && !as_it_is) {
		own_mem char *mark = xasprintf("%s_escaped", key);
		json_set_truth(row, mark, true);
	}
}

void layers_say_unseen(const struct command *c)
{
	ui_note(&c->ui,
	        "not everything was looked at: directories are too deep or too many, or something is unreadable");
}

char *workspace_path(const char *given, struct err *err)
{
	own_str struct str out = STR_INIT;

	for (const char *p = given; *p; p += *p == '/') {
		size_t n = strcspn(p, "/");
		if ((p == given && n == 0) || (n == 2 && p[0] == '.' && p[1] == '.')) {
			fail(err, ERR_USAGE, "%s: a path below the workspace is wanted, as diff shows it",
			     given);
			return NULL;
		}
		if (n > 0 && !(n == 1 && p[0] == '.')) {
			if (out.len > 0)
				str_addc(&out, '/');
			str_addn(&out, p, n);
		}
		p += n;
	}
	return str_steal(&out);
}
