#include "cmd/cmd.h"

#include "base/json.h"
#include "smoldb/smoldb.h"
#include "base/banned.h"

static const struct option options[] = {
	{ "db", 0, "PATH", false, COMPLETE_FILE, "smolvm's database; without it, where smolvm itself looks" },
	{ 0 },
};

static int find_database(struct command *c, char **out, struct err *err)
{
	struct smoldb_env env = {
		.smolvm_data_dir = command_env("SMOLVM_DATA_DIR"),
		.xdg_data_home = command_env("XDG_DATA_HOME"),
		.home = command_env("HOME"),
#ifdef __APPLE__
		.macos = true,
#endif
	};
	const char *given = command_value(c, "db");

	if (given) {
		*out = xstrdup(given);
		return 0;
	}
	return smoldb_path(&env, out, err);
}

static void print_result(struct command *c, const char *path, const struct strv *cidrs, const bool *written)
{
	static const struct ui_column fields[] = {
		{ "machine", "machine", false },
		{ "database", "database", false },
		{ "allowed_cidrs", "allowed", false },
		{ "written", "written", false },
	};
	own_json json *result = json_object_of();
	json *list = json_array_of();

	for (size_t i = 0; i < cidrs->n; i++)
		json_push(list, json_of_string(cidrs->v[i]));
	json_set_string(result, "machine", command_arg(c, 0));
	json_set_string(result, "database", path);
	json_set(result, "allowed_cidrs", list);
	if (written)
		json_set_truth(result, "written", *written);
	ui_object(&c->ui, result, fields, written ? 4 : 3);
}

static int run(struct command *c, bool enforce, struct err *err)
{
	own_mem char *path = NULL;
	own_strv struct strv cidrs = STRV_INIT;
	const char *machine = command_arg(c, 0);
	bool written = false;

	for (size_t i = 1; i < c->args.n; i++)
		strv_add(&cidrs, c->args.v[i]);
	if (find_database(c, &path, err) != 0)
		return -1;
	const struct smoldb_options o = { .path = path, .busy_ms = SMOLDB_BUSY_MS };
	int rc = enforce ? smoldb_enforce(&o, machine, &cidrs, &written, err) :
	                   smoldb_verify(&o, machine, &cidrs, err);
	if (rc != 0)
		return -1;
	print_result(c, path, &cidrs, enforce ? &written : NULL);
	return 0;
}

static int run_verify(struct command *c, struct err *err)
{
	return run(c, false, err);
}

static int run_enforce(struct command *c, struct err *err)
{
	return run(c, true, err);
}

#define WHAT_IT_SAYS                                                                                      \
	"The list is compared as it stands: order matters, and so does every character. What is written " \
	"in the database is declared, not enforced: only a bottle's own launch shows that its guest is confined."

const struct verb verb_allowlist_verify = {
	.name = "allowlist verify",
	.args = "MACHINE CIDR... [--db PATH]",
	.summary = "whether smolvm's database holds just this allowlist for a machine",
	.details =
		"Reads smolvm's state database and refuses (status 1) unless the machine's allowed_cidrs is exactly "
		"the list given. The database is not changed, and none is created. Where no program has it open, SQLite "
		"makes its two working files beside it, smolvm.db-shm and an empty smolvm.db-wal, and a connection "
		"that only reads can't take them away: they go when the next one that may write is closed, smolvm's "
		"own for instance. Where they are missing and can't be made, the database can't be read, which is a "
		"refusal. " WHAT_IT_SAYS,
	.group = GROUP_RULES,
	.flags = VERB_JSON,
	.min_args = 2,
	.max_args = ARGS_ANY,
	.options = options,
	.run = run_verify,
};

const struct verb verb_allowlist_enforce = {
	.name = "allowlist enforce",
	.args = "MACHINE CIDR... [--db PATH]",
	.summary = "the same, after writing the list where it differs",
	.details =
		"Sets allowed_cidrs of the machine's row where it differs, in one transaction, leaving every other byte "
		"of the row as it is, and reads it back on a new connection. To be run after smolvm's create and "
		"before its start. What was written stands in smolvm.db-wal until smolvm takes it over. A database or "
		"a row that is missing, locked, damaged or of an unknown shape is refused and left alone. " WHAT_IT_SAYS,
	.group = GROUP_RULES,
	.flags = VERB_JSON,
	.min_args = 2,
	.max_args = ARGS_ANY,
	.options = options,
	.run = run_enforce,
};
