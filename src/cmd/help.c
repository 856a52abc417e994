#include "cmd/cmd.h"
#include <string.h>
#include "base/str.h"
#include "base/banned.h"

static const char *const groups[] = {
	[GROUP_RUN] = "Run a bottle",
	[GROUP_LOOK] = "Look, and take out",
	[GROUP_RULES] = "Rules",
	[GROUP_HOST] = "This host",
};

static size_t widest_verb(void)
{
	size_t widest = 0;

	for (size_t i = 0; verbs[i]; i++)
		if (!(verbs[i]->flags & VERB_HIDDEN) && strlen(verbs[i]->name) > widest)
			widest = strlen(verbs[i]->name);
	return widest;
}

void help_print_overview(struct command *c)
{
	int width = (int)widest_verb();

	ui_text("bottle runs a coding agent as if it were compromised: in a machine of its own, whose only\n"
	        "way out is a gateway that lets through what a manifest allows.\n\n"
	        "usage: bottle VERB [ARGUMENT...]\n");
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		bool begun = false;

		for (size_t i = 0; verbs[i]; i++) {
			if (verbs[i]->group != g || (verbs[i]->flags & VERB_HIDDEN))
				continue;
			if (!begun) {
				ui_text("\n");
				ui_shaded(&c->ui, UI_BOLD, groups[g]);
				ui_text("\n");
			}
			begun = true;
			ui_text("  %-*s  %s\n", width, verbs[i]->name, verbs[i]->summary);
		}
	}
	ui_text("\n\"bottle help VERB\" tells more; so does bottle(1). First steps: bottle doctor, bottle init.\n");
}

void help_print_group(const char *word)
{
	int width = 0;

	for (size_t i = 0; verbs[i]; i++)
		if (verb_begins_with(verbs[i], word) && (int)strlen(verbs[i]->name) > width)
			width = (int)strlen(verbs[i]->name);
	ui_text("usage: bottle %s WORD [ARGUMENT...]\n\n", word);
	for (size_t i = 0; verbs[i]; i++)
		if (verb_begins_with(verbs[i], word))
			ui_text("  %-*s  %s\n", width, verbs[i]->name, verbs[i]->summary);
	ui_text("\n\"bottle %s WORD --help\" tells more.\n", word);
}

static void print_option(const struct option *o, int width)
{
	own_str struct str form = STR_INIT;

	if (o->letter)
		str_addf(&form, "-%c, ", o->letter);
	str_addf(&form, "--%s", o->name);
	if (o->value)
		str_addf(&form, " %s", o->value);
	ui_text("  %-*s  %s%s\n", width, str_c(&form), o->help, o->repeats ? " (may be repeated)" : "");
}

/* Lines of at most @width columns, but for a word that is longer; what is broken already stays so. */
static void print_paragraphs(const char *text, size_t width)
{
	size_t column = 0;

	ui_text("\n");
	for (size_t n; *text; text += n) {
		n = strcspn(text, " \n");
		if (column > 0 && column + 1 + n > width) {
			ui_text("\n");
			column = 0;
		}
		ui_text("%s%.*s", column > 0 ? " " : "", (int)n, text);
		column += n + (column > 0);
		if (text[n] == '\n') {
			ui_text("\n");
			column = 0;
		}
		n += text[n] != '\0';
	}
	ui_text("\n");
}

void help_print_verb(struct command *c, const struct verb *verb)
{
	static const struct option help = { .name = "help", .letter = 'h', .help = "show this help" };
	static const struct option as_json = { .name = "json", .help = "print data, and an error, as JSON" };
	int width = (int)strlen("-h, --help");

	for (const struct option *o = verb->options; o && o->name; o++) {
		int n = (int)(strlen(o->name) + 2 + (o->letter ? 4 : 0) +
		              (o->value ? 1 + strlen(o->value) : 0));
		width = n > width ? n : width;
	}
	ui_text("usage: bottle %s%s%s\n\n", verb->name, *verb->args ? " " : "", verb->args);
	ui_shaded(&c->ui, UI_BOLD, verb->summary);
	ui_text("\n");
	if (verb->details)
		print_paragraphs(verb->details, c->ui.width);
	ui_text("\n");
	for (const struct option *o = verb->options; o && o->name; o++)
		print_option(o, width);
	if (verb->flags & VERB_JSON)
		print_option(&as_json, width);
	print_option(&help, width);
	if (verb->flags & VERB_STATUS)
		ui_text("\nThe exit status is the guest's; 125: bottle itself failed; 126, 127: the command can't be\n"
		        "executed, or was not found.\n");
}

static int help_run(struct command *c, struct err *err)
{
	size_t used = 0;
	const struct verb *verb;

	if (c->args.n == 0) {
		help_print_overview(c);
		return 0;
	}
	if (c->args.n == 1 && verb_is_group(c->args.v[0])) {
		help_print_group(c->args.v[0]);
		return 0;
	}
	verb = verb_find(c->args.v, &used, err);
	if (!verb)
		return -1;
	if (used < c->args.n)
		return fail(err, ERR_USAGE, "help takes the name of one verb");
	help_print_verb(c, verb);
	return 0;
}

const struct verb verb_help = {
	.name = "help",
	.args = "[VERB]",
	.summary = "what there is, and how it is used",
	.group = GROUP_HOST,
	.max_args = 2,
	.complete = COMPLETE_VERB,
	.run = help_run,
};

static int version_run(struct command *c, struct err *err)
{
	(void)err;
	if (c->json) {
		own_json json *version = json_object_of();

		json_set_string(version, "version", VERSION);
		ui_json(version);
	} else {
		ui_text("bottle " VERSION "\n");
	}
	return 0;
}

const struct verb verb_version = {
	.name = "version",
	.args = "",
	.summary = "the version of this program",
	.group = GROUP_HOST,
	.flags = VERB_JSON,
	.run = version_run,
};
