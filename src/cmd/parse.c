#include "cmd/cmd.h"
#include <string.h>
#include "base/str.h"
#include "cmd/places.h"
#include "base/banned.h"

static const struct option common[] = {
	{ .name = "help", .letter = 'h', .help = "show this help" },
	{ .name = "json", .help = "print data, and an error, as JSON" },
};
enum { COMMON_HELP, COMMON_JSON };

void command_clear(struct command *c)
{
	mem_drop(&c->given);
	c->ngiven = 0;
	strv_clear(&c->args);
	strv_clear(&c->rest);
	strv_clear(&c->chosen);
	places_clear(&c->held);
}

/* How many of a verb's words stand in @words: all of them, or 0. */
static size_t words_of_verb(const struct verb *verb, char *const *words)
{
	const char *name = verb->name;
	size_t used = 0;

	while (*name) {
		size_t n = strcspn(name, " ");

		if (!words[used] || strlen(words[used]) != n || strncmp(words[used], name, n) != 0)
			return 0;
		used++;
		name += n + (name[n] == ' ');
	}
	return used;
}

bool verb_begins_with(const struct verb *verb, const char *word)
{
	size_t n = strlen(word);

	return strncmp(verb->name, word, n) == 0 && verb->name[n] == ' ';
}

bool verb_is_group(const char *word)
{
	for (size_t i = 0; verbs[i]; i++)
		if (verb_begins_with(verbs[i], word))
			return true;
	return false;
}

/* "policy" alone, or "policy tset": says which second words there are, and which is meant. */
static int fail_second_word(char *const *words, struct err *err)
{
	own_str struct str second = STR_INIT, shown = STR_INIT;

	for (size_t i = 0; verbs[i]; i++) {
		if (!verb_begins_with(verbs[i], words[0]))
			continue;
		str_addf(&second, "%s\"bottle %s\"", second.len ? " or " : "", verbs[i]->name);
	}
	if (second.len == 0)
		return 0;
	if (!words[1] || words[1][0] == '-')
		return fail(err, ERR_USAGE, "\"%s\" needs a second word; try %s", words[0], str_c(&second));
	str_add_escaped(&shown, words[1], strlen(words[1]), 60);
	return fail(err, ERR_USAGE, "there is no \"bottle %s %s\"; try %s", words[0], str_c(&shown),
	            str_c(&second));
}

static int fail_verb(char *const *words, struct err *err)
{
	/* The names are few; what would not fit would only miss a suggestion. */
	own_str struct str shown = STR_INIT;
	const char *names[128];
	const char *near;
	size_t n = 0;

	if (fail_second_word(words, err) < 0)
		return -1;
	for (size_t i = 0; verbs[i] && n < ARRAY_LEN(names); i++)
		if (!(verbs[i]->flags & VERB_HIDDEN))
			names[n++] = verbs[i]->name;
	near = str_nearest(words[0], names, n);
	str_add_escaped(&shown, words[0], strlen(words[0]), 60);
	if (near)
		return fail(err, ERR_USAGE, "there is no verb \"%s\"; did you mean \"%s\"?", str_c(&shown),
		            near);
	return fail(err, ERR_USAGE, "there is no verb \"%s\"; \"bottle help\" lists them", str_c(&shown));
}

const struct verb *verb_find(char *const *words, size_t *used, struct err *err)
{
	for (size_t i = 0; verbs[i]; i++) {
		*used = words_of_verb(verbs[i], words);
		if (*used > 0)
			return verbs[i];
	}
	fail_verb(words, err);
	return NULL;
}

static const struct option *option_named(const struct verb *verb, const char *name, size_t n)
{
	for (const struct option *o = verb->options; o && o->name; o++)
		if (strlen(o->name) == n && strncmp(o->name, name, n) == 0)
			return o;
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		if (strlen(common[i].name) == n && strncmp(common[i].name, name, n) == 0 &&
		    (i != COMMON_JSON || (verb->flags & VERB_JSON)))
			return &common[i];
	return NULL;
}

static const struct option *option_lettered(const struct verb *verb, char letter)
{
	for (const struct option *o = verb->options; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return letter == common[COMMON_HELP].letter ? &common[COMMON_HELP] : NULL;
}

static int fail_option(const struct verb *verb, const char *word, struct err *err)
{
	own_str struct str shown = STR_INIT;
	const char *names[64];
	const char *near = NULL;
	size_t n = 0;

	for (const struct option *o = verb->options; o && o->name && n < ARRAY_LEN(names) - 2; o++)
		names[n++] = o->name;
	names[n++] = "help";
	if (verb->flags & VERB_JSON)
		names[n++] = "json";
	if (str_starts(word, "--")) {
		own_mem char *name = xstrndup(word + 2, strcspn(word + 2, "="));
		near = str_nearest(name, names, n);
	}
	str_add_escaped(&shown, word, strcspn(word, "="), 60);
	if (near)
		return fail(err, ERR_USAGE, "\"bottle %s\" has no option %s; did you mean --%s?", verb->name,
		            str_c(&shown), near);
	return fail(err, ERR_USAGE, "\"bottle %s\" has no option %s; \"bottle %s --help\" lists them",
	            verb->name, str_c(&shown), verb->name);
}

static bool names_a_path(const struct option *option)
{
	return option->complete == COMPLETE_FILE || option->complete == COMPLETE_DIRECTORY;
}

static int give(struct command *c, const struct option *option, const char *value, struct err *err)
{
	if (option == &common[COMMON_HELP]) {
		c->help = true;
		return 0;
	}
	if (option == &common[COMMON_JSON]) {
		c->json = true;
		return 0;
	}
	if (!option->repeats && option->value && command_has(c, option->name))
		return fail(err, ERR_USAGE, "--%s is given twice; it takes one value", option->name);
	if (value && !*value && names_a_path(option))
		return fail(err, ERR_USAGE, "--%s is given an empty name; it needs a %s", option->name,
		            option->value);
	c->given = xrealloc(c->given, c->ngiven + 1, sizeof *c->given);
	c->given[c->ngiven++] = (struct given){ option, value };
	return 0;
}

/* --name, --name=value, --name value. Moves @words past a value that it takes. */
static int take_long(struct command *c, char *const **words, struct err *err)
{
	const char *word = **words + 2;
	size_t n = strcspn(word, "=");
	const struct option *option = option_named(c->verb, word, n);
	const char *value = word[n] ? word + n + 1 : NULL;

	if (!option)
		return fail_option(c->verb, **words, err);
	if (!option->value && value)
		return fail(err, ERR_USAGE, "--%s takes no value", option->name);
	if (option->value && !value) {
		if (!(*words)[1])
			return fail(err, ERR_USAGE, "--%s needs a value: --%s %s", option->name, option->name,
			            option->value);
		value = *++*words;
	}
	return give(c, option, value, err);
}

/* -i, -it, -n5, -n 5. */
static int take_short(struct command *c, char *const **words, struct err *err)
{
	for (const char *letter = **words + 1; *letter; letter++) {
		const struct option *option = option_lettered(c->verb, *letter);
		const char *value = NULL;

		if (!option) {
			const char one[] = { '-', *letter, 0 };
			return fail_option(c->verb, one, err);
		}
		if (option->value) {
			value = letter[1] ? letter + 1 : *++*words;
			if (!value)
				return fail(err, ERR_USAGE, "-%c needs a value: -%c %s", *letter, *letter,
				            option->value);
			return give(c, option, value, err);
		}
		if (give(c, option, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int check_counts(const struct command *c, struct err *err)
{
	const struct verb *verb = c->verb;

	if (c->has_rest && c->rest.n == 0)
		return fail(err, ERR_USAGE, "there is no command behind --");
	if (c->args.n < verb->min_args)
		return fail(err, ERR_USAGE, "\"bottle %s\" needs more; usage: bottle %s %s", verb->name,
		            verb->name, verb->args);
	if (c->args.n > verb->max_args) {
		own_str struct str shown = STR_INIT;

		str_add_escaped(&shown, c->args.v[verb->max_args], strlen(c->args.v[verb->max_args]), 60);
		return fail(err, ERR_USAGE, "\"%s\" is too much; usage: bottle %s%s%s%s", str_c(&shown),
		            verb->name, *verb->args ? " " : "", verb->args,
		            verb->flags & VERB_REST ? " (a command goes behind --)" : "");
	}
	return 0;
}

/* An error about the rest of the line must already know that --json stands in it. */
static void look_ahead_for_json(struct command *c, char *const *words)
{
	if (c->verb && !(c->verb->flags & VERB_JSON))
		return;
	for (; *words && !str_is(*words, "--"); words++)
		if (str_is(*words, "--json"))
			c->json = true;
}

static bool asks_for_help(const char *word)
{
	return word && (str_is(word, "--help") || str_is(word, "-h"));
}

int command_parse(struct command *c, char *const *words, struct err *err)
{
	size_t used = 0;

	look_ahead_for_json(c, words);
	if (!words[0])
		return fail(err, ERR_USAGE, "nothing to do; \"bottle help\" lists the verbs");
	if (asks_for_help(words[0])) {
		c->help = true;
		return 0;
	}
	if (asks_for_help(words[1]) && verb_is_group(words[0])) {
		c->help = true;
		c->group = words[0];
		return 0;
	}
	if (str_is(words[0], "--version")) {
		static char version[] = "version";
		char *const version_words[] = { version, NULL };

		c->verb = verb_find(version_words, &used, err);
		used = 1;
	} else {
		c->verb = verb_find(words, &used, err);
	}
	if (!c->verb)
		return -1;
	c->json = false;
	look_ahead_for_json(c, words + used);
	for (words += used; *words; words++) {
		int rc = 0;

		if (str_is(*words, "--")) {
			/* A command, or what is no option though it begins like one. */
			c->has_rest = c->verb->flags & VERB_REST;
			while (*++words)
				strv_add(c->has_rest ? &c->rest : &c->args, *words);
			break;
		}
		if (str_starts(*words, "--"))
			rc = take_long(c, &words, err);
		else if (**words == '-' && (*words)[1])
			rc = take_short(c, &words, err);
		else
			strv_add(&c->args, *words);
		if (rc < 0)
			return -1;
	}
	return c->help ? 0 : check_counts(c, err);
}

bool command_has(const struct command *c, const char *option)
{
	for (size_t i = 0; i < c->ngiven; i++)
		if (str_is(c->given[i].option->name, option))
			return true;
	return false;
}

const char *command_value(const struct command *c, const char *option)
{
	for (size_t i = c->ngiven; i-- > 0;)
		if (str_is(c->given[i].option->name, option))
			return c->given[i].value;
	return NULL;
}

void command_values(const struct command *c, const char *option, struct strv *out)
{
	for (size_t i = 0; i < c->ngiven; i++)
		if (str_is(c->given[i].option->name, option) && c->given[i].value)
			strv_add(out, c->given[i].value);
}

void command_give(struct command *c, const char *option, const char *value)
{
	const struct option *o = c->verb->options;

	while (o->name && !str_is(o->name, option))
		o++;
	if (!o->name)
		bug("%s has no option %s", c->verb->name, option);
	strv_add(&c->chosen, value);
	c->given = xrealloc(c->given, c->ngiven + 1, sizeof *c->given);
	c->given[c->ngiven++] = (struct given){ o, c->chosen.v[c->chosen.n - 1] };
}

const char *command_arg(const struct command *c, size_t i)
{
	return i < c->args.n ? c->args.v[i] : NULL;
}

int command_number(const struct command *c, const char *option, unsigned long min, unsigned long max,
                   unsigned long fallback, unsigned long *out, struct err *err)
{
	const char *text = command_value(c, option);

	if (!text) {
		*out = fallback;
		return 0;
	}
	if (!str_number(text, min, max, out))
		return fail(err, ERR_USAGE, "--%s %s is no number from %lu to %lu", option, text, min, max);
	return 0;
}
