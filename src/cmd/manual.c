#include "cmd/cmd.h"
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/str.h"
#include "manifest/manifest.h"
#include "base/banned.h"

/* Manual pages are written by hand, but for what a table knows: a line "@verbs" or
 * "@fields KIND" is replaced by what the table says, so that page and program can't differ. */

enum { PAGE_MAX = 256 * 1024 };

/* scdoc gives these a meaning of their own. */
static void add_plain(struct str *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\*_#~`<>[]|", *text))
			str_addc(out, '\\');
		str_addc(out, *text);
	}
}

static void add_option(struct str *out, const struct option *o)
{
	str_add(out, "\t");
	if (o->letter)
		str_addf(out, "*-%c*, ", o->letter);
	str_addf(out, "*--%s*", o->name);
	if (o->value) {
		str_add(out, " _");
		str_add(out, o->value);
		str_add(out, "_");
	}
	str_add(out, "\n\t\t");
	add_plain(out, o->help);
	str_add(out, o->repeats ? " (may be repeated)\n\n" : "\n\n");
}

static void add_verb(struct str *out, const struct verb *verb)
{
	static const struct option as_json = { .name = "json", .help = "print data, and an error, as JSON" };

	str_addf(out, "*bottle %s* ", verb->name);
	add_plain(out, verb->args);
	str_add(out, "\n\t");
	add_plain(out, verb->summary);
	str_add(out, ".\n\n");
	if (verb->details) {
		own_mem char *details = xstrdup(verb->details);
		char *rest = details;

		for (char *line; (line = strsep(&rest, "\n"));) {
			str_add(out, *line ? "\t" : "");
			add_plain(out, line + strspn(line, " "));
			str_add(out, "\n");
		}
		str_add(out, "\n");
	}
	for (const struct option *o = verb->options; o && o->name; o++)
		add_option(out, o);
	if (verb->flags & VERB_JSON)
		add_option(out, &as_json);
}

static int add_fields(struct str *out, const char *kind, struct err *err)
{
	static const struct {
		const char *name;
		enum manifest_kind kind;
	} kinds[] = {
		{ "bottle", MANIFEST_KIND_BOTTLE },
		{ "agent", MANIFEST_KIND_AGENT },
		{ "provider", MANIFEST_KIND_PROVIDER },
		{ "config", MANIFEST_KIND_CONFIG },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!str_is(kinds[i].name, kind))
			continue;
		manifest_print_fields(kinds[i].kind, out);
		return 0;
	}
	return fail(err, ERR_INPUT, "there are no fields of a %s", kind);
}

static int manual_run(struct command *c, struct err *err)
{
	own_str struct str page = STR_INIT;
	own_str struct str out = STR_INIT;
	char *rest;

	(void)c;
	if (file_read_fd(STDIN_FILENO, "the page", PAGE_MAX, &page, err) < 0)
		return -1;
	rest = page.data;
	for (char *line; rest && (line = strsep(&rest, "\n"));) {
		if (str_is(line, "@verbs")) {
			for (size_t i = 0; verbs[i]; i++)
				if (!(verbs[i]->flags & VERB_HIDDEN))
					add_verb(&out, verbs[i]);
		} else if (str_starts(line, "@fields ")) {
			if (add_fields(&out, line + strlen("@fields "), err) < 0)
				return -1;
		} else if (rest) {
			str_addf(&out, "%s\n", line);
		} else {
			str_add(&out, line);
		}
	}
	return ui_write(str_c(&out), out.len, err);
}

const struct verb verb_manual = {
	.name = "manual",
	.args = "<PAGE",
	.summary = "fills the tables into the source of a manual page",
	.flags = VERB_HIDDEN,
	.run = manual_run,
};
