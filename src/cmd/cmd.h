#pragma once
/* The command line. A verb is one file, src/cmd/<verb>.c, holding one `struct verb`, and one
 * line in verbs.c; help, the manual's list, completion and argument parsing all come from
 * that row. A verb is thin: it reads its arguments, calls one room and prints through ui. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/own.h"
#include "ui/ui.h"

struct command;
struct json_object;

/* What a shell offers for an argument or a value. */
enum complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_DIRECTORY,
	COMPLETE_COPY,    /* files, and SLUG: of what runs */
	COMPLETE_SLUG,    /* bottles with a record */
	COMPLETE_RUNNING, /* those that run */
	COMPLETE_UP,      /* those that run, are being started or are ending */
	COMPLETE_STOPPED,
	COMPLETE_SUBJECT, /* the same, and agents */
	COMPLETE_BOTTLE,  /* manifests under bottles/ */
	COMPLETE_AGENT,   /* manifests under agents/ */
	COMPLETE_BACKEND,
	COMPLETE_BUNDLE,
	COMPLETE_SHELL,
	COMPLETE_VERB,
};

struct option {
	const char *name;       /* long form, without the dashes */
	char letter;            /* short form; 0: none */
	const char *value;      /* what --help calls its value; NULL: it takes none */
	bool repeats;           /* may be given more than once; else the second one is an error */
	enum complete complete; /* of the value */
	const char *help;       /* half a line */
};

enum {
	VERB_HIDDEN = 1,  /* for other programs: in no list */
	VERB_JSON = 2,    /* prints data: takes --json */
	VERB_STATUS = 4,  /* passes the guest's status on: every failure of our own exits 125 */
	VERB_REST = 8,    /* takes `-- CMD...` */
	VERB_ANSWER = 16, /* 1 is an answer: every failure of our own exits 2 */
};

enum verb_group { GROUP_RUN, GROUP_LOOK, GROUP_RULES, GROUP_HOST };

enum { ARGS_ANY = 1000 }; /* as max_args: no limit of its own */

struct verb {
	const char *name;    /* may be two words: "policy test" */
	const char *args;    /* synopsis behind the name, without --json and --help */
	const char *summary; /* one line, lower case, no full stop */
	const char *details; /* for --help and the manual: full sentences; NULL: none */
	enum verb_group group;
	unsigned flags;
	unsigned min_args, max_args;  /* positional, before "--" */
	enum complete complete;       /* of the first positional argument */
	enum complete complete_next;  /* of those behind it, up to max_args */
	const struct option *options; /* ends with a row without name; NULL: none */
	/* The exit status, or -1 with @err set. */
	int (*run)(struct command *c, struct err *err);
};

extern const struct verb *const verbs[]; /* ends with NULL */

struct given {
	const struct option *option;
	const char *value; /* NULL for a flag */
};

/* One invocation. Strings are borrowed from argv, or stand in @chosen. */
struct command {
	const struct verb *verb;
	struct given *given;
	size_t ngiven;
	struct strv args; /* positional, before "--" */
	struct strv rest; /* behind "--" */
	bool has_rest;    /* there was a "--" */
	bool json;
	bool help;
	const char *group; /* help was asked of the first word of verbs that have two; NULL: not */
	struct ui ui;
	struct strv chosen;       /* values that were picked, not typed */
	struct places_held *held; /* what command_paths() and its like have made */
};
/* clang-format off */
#define COMMAND_INIT { 0 }
/* clang-format on */
void command_clear(struct command *c);
#define own_command __attribute__((cleanup(command_clear)))

bool command_has(const struct command *c, const char *option);
const char *command_value(const struct command *c, const char *option); /* the last one; NULL: not given */
void command_values(const struct command *c, const char *option, struct strv *out);
const char *command_arg(const struct command *c, size_t i); /* NULL: not given */
/* From now on as if `--@option @value` had been typed. */
void command_give(struct command *c, const char *option, const char *value);
/* A value that is a whole number in [min, max], or @fallback when not given. */
int command_number(const struct command *c, const char *option, unsigned long min, unsigned long max,
                   unsigned long fallback, unsigned long *out, struct err *err);

/* The words behind the program's name → a verb with its arguments. ERR_USAGE names what is
 * wrong and what may have been meant. On failure @c->verb and @c->json hold what was
 * understood so far, so that the failure can be reported in the right form. */
int command_parse(struct command *c, char *const *words, struct err *err);

/* @words has at least one. @used: how many of them name the verb. NULL: ERR_USAGE, with what
 * may have been meant. */
const struct verb *verb_find(char *const *words, size_t *used, struct err *err);
/* Whether @word is the first one of its two; and whether it is that of any verb. */
bool verb_begins_with(const struct verb *verb, const char *word);
bool verb_is_group(const char *word);

void help_print_overview(struct command *c);
void help_print_group(const char *word);
void help_print_verb(struct command *c, const struct verb *verb);

/* The environment enters the program here and nowhere else. NULL: not set, or empty. */
const char *command_env(const char *name);
/* A `NAME=value` vector of the whole environment, for ${HOST_VAR} in manifests. */
void command_environment(struct strv *out);

/* Where things lie on this host (registry/paths.h), made at the first call, borrowed. */
struct paths;
const struct paths *command_paths(struct command *c, struct err *err);
/* Absolute; ERR_MISSING when it was removed. Borrowed. */
const char *command_cwd(struct command *c, struct err *err);
/* <state>/bottles, made with mode 0700 if need be; and the runtime directory, likewise. The
 * descriptors are the command's. */
int command_bottles(struct command *c, struct err *err);
int command_runtime(struct command *c, struct err *err);
/* The places of manifests, held open and named (manifest/manifest.h); borrowed. */
struct manifest_dirs;
const struct manifest_dirs *command_manifest_dirs(struct command *c, struct err *err);
/* The host's configuration (manifest/config.h); borrowed. */
struct host_config;
const struct host_config *command_config(struct command *c, struct err *err);
/* --backend, else BOT_BOTTLE_BACKEND, else the configuration, else "smolmachines"; borrowed.
 * A name that is unknown is refused by whoever uses it. */
const char *command_backend(struct command *c, struct err *err);
/* Where the programs and data of this installation lie, found through /proc/self/exe: the
 * directory itself, or @name in it. The caller frees. */
char *command_libexec(const char *name, struct err *err);
char *command_share(const char *name, struct err *err);

/* The one place that knows exit statuses. */
int exit_status_of(const struct verb *verb, enum err_kind kind);
