#include "cmd/bottles.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/banned.h"

struct told {
	struct command *c;
	json *rows;
	size_t counts[EXPORT_FAILED + 1];
};

static void hear(void *arg, const struct change *change, enum export_verdict verdict, const char *why)
{
	struct told *t = arg;
	json *row = json_object_of();

	t->counts[verdict]++;
	json_set_string(row, "verdict", export_verdict_name(verdict));
	json_set_string(row, "status", change_status_name(change->status));
	name_set(t->c, row, "path", change->path);
	json_set_string(row, "why", why ? why : "");
	json_push(t->rows, row);
}

/* How many bytes the first @levels names of @path have; 0: it has fewer. */
static size_t first_names(const char *path, size_t levels)
{
	for (size_t n = 0;; n++) {
		n += strcspn(path + n, "/");
		if (--levels == 0)
			return n;
		if (!path[n])
			return 0;
	}
}

/* Whether these @n bytes of a path are shown by diff as @given; no two are shown alike. */
static bool is_shown_as(const char *path, size_t n, const char *given)
{
	own_str struct str text = STR_INIT;

	str_addn_name(&text, path, n);
	return str_is(str_c(&text), given);
}

/* The true name of what @given is, or shows; NULL: nothing changed there. */
static int find_path(const struct changes *changes, const char *given, char **out, struct err *err)
{
	own_mem char *named = NULL;
	own_mem char *shown = NULL;
	size_t levels = 1;

	for (const char *p = given; *p; p++)
		levels += *p == '/';
	for (size_t i = 0; i < changes->n && (!named || !shown); i++) {
		const char *path = changes->v[i].path;
		size_t n = first_names(path, levels);
		if (n == 0)
			continue;
		if (!named && strlen(given) == n && strncmp(path, given, n) == 0)
			named = xstrndup(path, n);
		if (!shown && is_shown_as(path, n, given))
			shown = xstrndup(path, n);
	}
	if (named && shown && !str_is(named, shown))
		return fail(
			err, ERR_USAGE,
			"%s is one file's name, and how another's is shown; name the first as bottle diff "
			"--names shows it, the second as it is",
			given);
	*out = named ? mem_steal(&named) : mem_steal(&shown);
	return 0;
}

static int take_paths(struct command *c, const struct changes *changes, struct strv *only, struct err *err)
{
	for (size_t i = 1; i < c->args.n; i++) {
		own_mem char *given = workspace_path(c->args.v[i], err);
		char *path = NULL;
		if (!given)
			return -1;
		/* "." is everything. */
		if (*given == '\0') {
			strv_clear(only);
			return 0;
		}
		if (find_path(changes, given, &path, err) != 0)
			return -1;
		if (!path)
			return fail(err, ERR_MISSING, "nothing changed at %s; see bottle diff --names",
			            c->args.v[i]);
		strv_take(only, path);
	}
	return 0;
}

static void say_what_remains(const struct told *t)
{
	const struct ui *ui = &t->c->ui;

	if (t->counts[EXPORT_HELD] > 0)
		ui_note(ui, "%zu held: look at them, then use --include-executable-config",
		        t->counts[EXPORT_HELD]);
	if (t->counts[EXPORT_DELETION] > 0)
		ui_note(ui, "%zu deleted in the bottle: use --delete to delete them here too",
		        t->counts[EXPORT_DELETION]);
	if (t->counts[EXPORT_REFUSED] > 0)
		ui_note(ui, "%zu refused: they are never exported", t->counts[EXPORT_REFUSED]);
	if (t->counts[EXPORT_CLOSED] > 0)
		ui_note(ui,
		        "%zu unreadable: let their owner read them (in the bottle: chmod u+rwX), and export again",
		        t->counts[EXPORT_CLOSED]);
	if (t->counts[EXPORT_FAILED] > 0)
		ui_note(ui, "%zu failed: beside each stands why", t->counts[EXPORT_FAILED]);
}

/* Made where it is missing; what is above it must be there. */
static int open_target(const char *path, bool dry_run, struct err *err)
{
	if (dry_run && access(path, F_OK) != 0)
		return fail(err, ERR_MISSING, "%s is not there; without --dry-run it is made", path);
	if (!dry_run && mkdir(path, 0777) != 0 && errno != EEXIST)
		return fail_errno(err, "make %s", path);
	return dir_open(AT_FDCWD, path, err);
}

static int export_run(struct command *c, struct err *err)
{
	static const struct ui_column columns[] = {
		{ "verdict", "RESULT", false },
		{ "status", "STATUS", false },
		{ "path", "PATH", false },
		{ "why", "WHY", false },
	};
	own_bottle struct bottle b = BOTTLE_INIT;
	own_layers struct layers layers = LAYERS_INIT;
	own_changes struct changes changes = CHANGES_INIT;
	own_strv struct strv only = STRV_INIT;
	own_json json *rows = json_array_of();
	const char *to_path = command_value(c, "to");
	struct told told = { .c = c, .rows = rows };
	struct stat st;

	if (bottle_open(c, command_arg(c, 0), &b, err) != 0 || layers_open(&b, &layers, err) != 0 ||
	    workspace_changes(&layers.workspace, WORKSPACE_ENTRIES, &changes, err) != 0 ||
	    take_paths(c, &changes, &only, err) != 0)
		return -1;
	own_fd int to = to_path ? open_target(to_path, command_has(c, "dry-run"), err) :
	                          dir_open(layers.lower, ".", err);
	if (to < 0)
		return -1;
	if (fstat(layers.lower, &st) != 0)
		return fail_errno(err, "stat %s", b.record.workspace);
	const struct export_options options = {
		.to = to,
		.owner = st.st_uid,
		.group = st.st_gid,
		.executable_config = command_has(c, "include-executable-config"),
		.deletions = command_has(c, "delete"),
		.dry_run = command_has(c, "dry-run"),
		.only = &only,
	};
	int failed = workspace_export(&layers.workspace, &changes, &options, hear, &told, err);
	if (failed < 0)
		return -1;
	ui_rows(&c->ui, rows, columns, ARRAY_LEN(columns));
	if (changes.more)
		layers_say_unseen(c);
	say_what_remains(&told);
	return failed > 0 || changes.more ? 1 : 0;
}

static const struct option options[] = {
	{ .name = "to",
	  .value = "DIR",
	  .complete = COMPLETE_DIRECTORY,
	  .help = "where to, made if missing; default: the workspace directory" },
	{ .name = "include-executable-config",
	  .help = "also symlinks that stay inside, and what a tool on the host would run or obey" },
	{ .name = "delete", .help = "also delete what was deleted in the bottle" },
	{ .name = "dry-run", .help = "say what would happen" },
	{ 0 },
};

const struct verb verb_export = {
	.name = "export",
	.args = "[--to DIR] [--include-executable-config] [--delete] [--dry-run] SLUG [PATH...]",
	.summary = "bring out what a bottle changed",
	.details =
		"Files are written whole, without set-id bits, and never through a link. What stands there already keeps "
		"its permissions, as in git: a file's owner may execute it as the bottle says, and group and others get "
		"no more than they had. Held back until "
		"--include-executable-config: symlinks, and what a tool on the host would run or obey by itself, such as "
		".git/hooks, .git/config, .envrc, .vscode or .claude, under any spelling that a file system takes for the "
		"same name. Never exported: devices, FIFOs, sockets, links that lead out of the workspace, and files "
		"at paths that were hidden from the bottle. A PATH is one as bottle diff --names shows it, or as it is. "
		"Deletions are listed, and carried out with --delete, as is what would put a file in a directory's place or "
		"the other way round. Exits with 1 where something failed, or could not be read in the bottle.",
	.group = GROUP_LOOK,
	.flags = VERB_JSON,
	.min_args = 1,
	.max_args = ARGS_ANY,
	.complete = COMPLETE_SLUG,
	.complete_next = COMPLETE_FILE,
	.options = options,
	.run = export_run,
};
