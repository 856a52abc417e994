#include "cmd/cmd.h"
#include <string.h>
#include "base/str.h"
#include "manifest/manifest.h"
#include "registry/registry.h"
#include "base/banned.h"

/* The scripts are the same for every version of the program: they hand the words typed so far
 * to `bottle complete`, which knows the verb table. */
static const char bash_script[] =
	"_bottle() {\n"
	"\tlocal IFS=$'\\n' word=${COMP_WORDS[COMP_CWORD]}\n"
	"\tlocal found=($(bottle complete words -- \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" \"$word\" 2>/dev/null))\n"
	"\tcase ${found[0]-} in\n"
	"\t:file) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\"))\n"
	"\t\tif [ ${#found[@]} -gt 1 ]; then\n"
	"\t\t\tcompopt -o nospace; COMPREPLY+=($(compgen -W \"${found[*]:1}\" -- \"$word\"))\n"
	"\t\tfi ;;\n"
	"\t:directory) compopt -o filenames; COMPREPLY=($(compgen -d -- \"$word\")) ;;\n"
	"\t*) COMPREPLY=($(compgen -W \"${found[*]-}\" -- \"$word\")) ;;\n"
	"\tesac\n"
	"}\n"
	"complete -F _bottle bottle\n";

static const char zsh_script[] =
	"#compdef bottle\n"
	"_bottle() {\n"
	"\tlocal -a found\n"
	"\tfound=(\"${(@f)$(bottle complete words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tcase ${found[1]} in\n"
	"\t:file) _files; compadd -S '' -- ${found[2,-1]} ;;\n"
	"\t:directory) _files -/ ;;\n"
	"\t*) compadd -- \"${(@)found:#}\" ;;\n"
	"\tesac\n"
	"}\n"
	"if [ \"${funcstack[1]}\" = _bottle ]; then _bottle \"$@\"; else compdef _bottle bottle; fi\n";

static const char fish_script[] = "function __bottle_complete\n"
				  "\tset -l words (commandline -opc) (commandline -ct)\n"
				  "\tset -l found (bottle complete words -- $words[2..-1] 2>/dev/null)\n"
				  "\tswitch \"$found[1]\"\n"
				  "\t\tcase ':file' ':directory'\n"
				  "\t\t\t__fish_complete_path (commandline -ct)\n"
				  "\t\t\tset -q found[2]; and printf '%s\\n' $found[2..-1]\n"
				  "\t\tcase '*'\n"
				  "\t\t\tprintf '%s\\n' $found\n"
				  "\tend\n"
				  "end\n"
				  "complete -c bottle -f -a '(__bottle_complete)'\n";

static const struct {
	const char *shell, *script;
} scripts[] = {
	{ "bash", bash_script },
	{ "zsh", zsh_script },
	{ "fish", fish_script },
};

static int completion_run(struct command *c, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		if (!str_is(scripts[i].shell, command_arg(c, 0)))
			continue;
		ui_text("%s", scripts[i].script);
		return 0;
	}
	return fail(err, ERR_USAGE, "there is no completion for %s; it is made for bash, zsh and fish",
	            command_arg(c, 0));
}

const struct verb verb_completion = {
	.name = "completion",
	.args = "bash|zsh|fish",
	.summary = "the script that lets a shell complete verbs, options and bottles",
	.details = "For this shell alone:  source <(bottle completion bash)",
	.group = GROUP_HOST,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_SHELL,
	.run = completion_run,
};

enum {
	RUNNING = 1 << RECORD_RUNNING,
	UP = RUNNING | 1 << RECORD_STARTING | 1 << RECORD_STOPPING,
	STOPPED = 1 << RECORD_STOPPED,
	ANY = ~0,
};

/* A record that can't be read is in no state that is known. */
static bool is_in(const struct listed *one, int states)
{
	if (states == ANY)
		return true;
	return one->error.kind == ERR_NONE && ((1 << record_shown_state(&one->record)) & states);
}

/* Each slug of a bottle in one of these @states, with what stands @behind it. */
static void offer_slugs(struct command *c, int states, const char *behind)
{
	own_listing struct listing listing = LISTING_INIT;
	struct err ignored = ERR_INIT;
	int bottles = command_bottles(c, &ignored);

	if (bottles < 0 || registry_list(bottles, &listing, &ignored) < 0)
		return;
	for (size_t i = 0; i < listing.n; i++)
		if (is_in(&listing.v[i], states))
			ui_text("%s%s\n", listing.v[i].slug, behind);
}

static void offer_manifests(struct command *c, enum complete what)
{
	own_manifest_names struct manifest_names names = { 0 };
	struct err ignored = ERR_INIT;
	const struct manifest_dirs *dirs = command_manifest_dirs(c, &ignored);

	if (!dirs)
		return;
	if ((what == COMPLETE_AGENT ? manifest_list_agents(dirs, &names, &ignored) :
	                              manifest_list_bottles(dirs, &names, &ignored)) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		ui_text("%s\n", names.v[i].name);
}

/* The n-th word of each verb's name, where the words before it agree. */
static void offer_verbs(char *const *words, size_t n)
{
	const char *before = NULL;

	for (size_t i = 0; verbs[i]; i++) {
		const char *name = verbs[i]->name;
		const char *second = strchr(name, ' ');
		size_t first = second ? (size_t)(second - name) : strlen(name);

		if (verbs[i]->flags & VERB_HIDDEN)
			continue;
		if (n == 0 && !(before && strncmp(before, name, first) == 0 && second))
			ui_text("%.*s\n", (int)first, name);
		if (n == 1 && second && strlen(words[0]) == first && strncmp(words[0], name, first) == 0)
			ui_text("%s\n", second + 1);
		before = second ? name : NULL;
	}
}

static void offer_options(const struct verb *verb)
{
	for (const struct option *o = verb->options; o && o->name; o++)
		ui_text("--%s\n", o->name);
	if (verb->flags & VERB_JSON)
		ui_text("--json\n");
	ui_text("--help\n");
}

static void offer(struct command *c, enum complete what)
{
	static const char *const backends[] = { "smolmachines", "namespace" };
	static const int states[] = {
		[COMPLETE_SLUG] = ANY,
		[COMPLETE_RUNNING] = RUNNING,
		[COMPLETE_UP] = UP,
		[COMPLETE_STOPPED] = STOPPED,
	};

	switch (what) {
	case COMPLETE_NOTHING:
		return;
	case COMPLETE_FILE:
		ui_text(":file\n");
		return;
	case COMPLETE_COPY:
		ui_text(":file\n");
		offer_slugs(c, RUNNING, ":");
		return;
	case COMPLETE_DIRECTORY:
		ui_text(":directory\n");
		return;
	case COMPLETE_SLUG:
	case COMPLETE_RUNNING:
	case COMPLETE_UP:
	case COMPLETE_STOPPED:
		offer_slugs(c, states[what], "");
		return;
	case COMPLETE_SUBJECT:
		offer_slugs(c, ANY, "");
		offer_manifests(c, COMPLETE_AGENT);
		return;
	case COMPLETE_BOTTLE:
	case COMPLETE_AGENT:
		offer_manifests(c, what);
		return;
	case COMPLETE_BACKEND:
		for (size_t i = 0; i < ARRAY_LEN(backends); i++)
			ui_text("%s\n", backends[i]);
		return;
	case COMPLETE_BUNDLE:
		ui_text("embedded\ndocker\n");
		return;
	case COMPLETE_SHELL:
		for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
			ui_text("%s\n", scripts[i].shell);
		return;
	case COMPLETE_VERB: /* by what stands before: offer_argument() */
		return;
	}
}

/* The option of @verb whose value the word behind @word is, or NULL. */
static const struct option *awaits_value(const struct verb *verb, const char *word)
{
	for (const struct option *o = verb->options; o && o->name; o++) {
		if (!o->value)
			continue;
		if ((str_starts(word, "--") && str_is(word + 2, o->name)) ||
		    (o->letter && word[0] == '-' && word[1] == o->letter && !word[2]))
			return o;
	}
	return NULL;
}

/* How many positional arguments stand among @words. */
static size_t positionals(const struct verb *verb, char *const *words, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (awaits_value(verb, words[i]))
			i++;
		else
			count += words[i][0] != '-';
	}
	return count;
}

static void offer_argument(struct command *c, const struct verb *verb, char *const *words, size_t n)
{
	size_t before = positionals(verb, words, n);

	if (verb->complete == COMPLETE_VERB)
		offer_verbs(words, n);
	else if (before < verb->max_args)
		offer(c, before == 0 ? verb->complete : verb->complete_next);
}

/* Words: all that were typed; the last one, which may be empty, is the one to complete. */
static void complete_words(struct command *c, char *const *words, size_t n)
{
	struct err ignored = ERR_INIT;
	const struct option *option;
	const struct verb *verb;
	size_t used = 0;

	verb = n > 1 ? verb_find(words, &used, &ignored) : NULL;
	if (!verb || used >= n) {
		offer_verbs(words, n - 1);
		return;
	}
	for (size_t i = used; (verb->flags & VERB_REST) && i + 1 < n; i++)
		if (str_is(words[i], "--"))
			return offer(c, COMPLETE_FILE);
	option = n - 1 > used ? awaits_value(verb, words[n - 2]) : NULL;
	if (option)
		offer(c, option->complete);
	else if (words[n - 1][0] == '-')
		offer_options(verb);
	else
		offer_argument(c, verb, words + used, n - 1 - used);
}

static int complete_run(struct command *c, struct err *err)
{
	if (str_is(command_arg(c, 0), "words")) {
		if (c->rest.n > 0)
			complete_words(c, c->rest.v, c->rest.n);
		return 0;
	}
	if (str_is(command_arg(c, 0), "verbs")) {
		for (size_t i = 0; verbs[i]; i++)
			if (!(verbs[i]->flags & VERB_HIDDEN))
				ui_text("%s\n", verbs[i]->name);
		return 0;
	}
	return fail(err, ERR_USAGE, "complete takes \"words\" or \"verbs\"");
}

const struct verb verb_complete = {
	.name = "complete",
	.args = "words -- WORD... | verbs",
	.summary = "what may stand next on a command line",
	.flags = VERB_HIDDEN | VERB_REST,
	.min_args = 1,
	.max_args = 1,
	.run = complete_run,
};
