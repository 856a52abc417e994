#pragma once
/* The road from files to one plan: find, read, check, merge. The room is handed directory
 * descriptors and looks up neither environment nor users. Errors name file, line and field.
 * What comes from the working directory is a stranger's: see manifest_resolve(). */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "manifest/bottle.h"

enum {
	MANIFEST_FILE_MAX = 1024 * 1024,     /* bytes of a file */
	MANIFEST_DEPTH_MAX = 16,             /* nested maps and lists */
	MANIFEST_NODES_MAX = 200000,         /* values of a file, aliases expanded */
	MANIFEST_TEXT_MAX = 4 * 1024 * 1024, /* bytes of all values, aliases expanded */
	MANIFEST_ROUTES_MAX = 4096,          /* of a file, and of what is merged */
	MANIFEST_LINEAGE_MAX = 64,           /* bottles that make one */
	MANIFEST_PROMPT_MAX = 96 * 1024,     /* bytes of an agent's body: one argument of exec */
	MANIFEST_NAME_MAX = 40,
};

struct manifest_dir {
	int fd;
	const char *name;
};

/* Held directories, each -1 where there is none; @..._name is how errors call it. */
struct manifest_dirs {
	int home;  /* ~/.bot-bottle: bottles, agents, providers */
	int etc;   /* /etc/bot-bottle: the same, also as .json */
	int cwd;   /* <cwd>/.bot-bottle: agents only, not trusted */
	int share; /* share/bot-bottle: shipped providers */
	const char *home_name, *etc_name, *cwd_name, *share_name;
	const struct manifest_dir *providers; /* more directories of provider files: host_config.providers */
	size_t nproviders;
	bool *warned; /* that bottles below cwd are ignored, which is said once; NULL: each time */
};
/* clang-format off */
#define MANIFEST_DIRS_INIT { -1, -1, -1, -1, "~/.bot-bottle", "/etc/bot-bottle", ".bot-bottle", "share", NULL, 0, NULL }
/* clang-format on */

/* Where one value of the merged manifest comes from. */
struct manifest_why {
	char *path; /* "egress.routes[api.example.com:443].websocket" */
	char *value;
	char *source; /* "~/.bot-bottle/bottles/dev.md:12", ".../providers/claude.json:9", "default" */
};

/* Everything that a launch needs to know from manifests. */
struct manifest_plan {
	char *agent_name; /* NULL: none was asked for */
	char *agent_file; /* NULL: none */
	struct manifest_agent agent;
	char *prompt;                  /* the agent's body, stripped; "" when there is none */
	bool bottle_is_suggestion;     /* from a file below cwd: must be confirmed, naming agent_file */
	struct strv bottles;           /* the ordered list for the record; resume replays it */
	struct strv lineage;           /* root first, each once */
	struct manifest_bottle bottle; /* merged, with the provider's routes and the agent's user */
	struct manifest_provider provider;
	struct manifest_why *why; /* by path */
	size_t nwhy;
};
/* clang-format off */
#define MANIFEST_PLAN_INIT { 0 }
/* clang-format on */
void manifest_plan_clear(struct manifest_plan *plan);
#define own_manifest_plan __attribute__((cleanup(manifest_plan_clear)))

/* @agent may be NULL when @bottles (may be NULL or empty) names one. A `bottles` directory
 * below cwd is ignored with a warning in the log; an agent file below cwd that has the name
 * of a home or /etc agent is refused, naming both; a cwd that is home is no cwd. The bottle
 * that a cwd agent names is a suggestion: the caller confirms it before it acts. */
int manifest_resolve(const struct manifest_dirs *dirs, const char *agent, const struct strv *bottles,
                     struct manifest_plan *out, struct err *err);

/* Whether an agent's own file names a bottle: where none does, somebody has to choose. */
int manifest_agent_names_bottle(const struct manifest_dirs *dirs, const char *agent, bool *out,
                                struct err *err);

/* "base -> claude-dev -> reviewer" */
char *manifest_lineage(const struct manifest_plan *plan);

/* The first thing asked for that this build can't do: 0, or -1 with the field's name.
 * Launch refuses; check and show do not. */
int manifest_unsupported(const struct manifest_plan *plan, struct err *err);

/* The canonical routes document, {"routes":[...]}: default ports, empty lists and false left out. */
json *manifest_routes_json(const struct manifest_plan *plan);
/* The resolved manifest: lineage, bottle, agent, provider. Values of env that ask or come from
 * the host are shown as written, so no secret is in it. */
json *manifest_to_json(const struct manifest_plan *plan);
/* The same, or any JSON value, as YAML for people. */
int manifest_print_yaml(const json *value, struct str *out, struct err *err);

/* Names alone, no file is opened: sorted, each once. @from says where: "home", "etc", "cwd". */
struct manifest_name {
	char *name;
	const char *from;
	char *file;
};
struct manifest_names {
	struct manifest_name *v;
	size_t n;
};
void manifest_names_clear(struct manifest_names *names);
#define own_manifest_names __attribute__((cleanup(manifest_names_clear)))
int manifest_list_agents(const struct manifest_dirs *dirs, struct manifest_names *out, struct err *err);
int manifest_list_bottles(const struct manifest_dirs *dirs, struct manifest_names *out, struct err *err);

/* `manifest check FILE`: one file by itself, parents are not looked for. Its form follows from
 * its suffix: .json, .yaml (providers), else Markdown with frontmatter. @routes (may be NULL)
 * gets the canonical document of the routes of a bottle or provider: whether a regex
 * compiles is the policy's to say. */
enum manifest_kind {
	MANIFEST_KIND_BOTTLE,
	MANIFEST_KIND_AGENT,
	MANIFEST_KIND_PROVIDER,
	MANIFEST_KIND_CONFIG
};
int manifest_check(enum manifest_kind kind, const char *file, const void *bytes, size_t n, json **routes,
                   struct err *err);

/* ^[a-z][a-z0-9]*(-[a-z0-9]+)*$, at most 40: bottles, agents, skills, repos. */
bool manifest_name_is_valid(const char *name);

/* The reference of a kind, as scdoc source: every field with type, bounds, default, help. */
void manifest_print_fields(enum manifest_kind kind, struct str *out);
