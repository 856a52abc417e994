/* Bottles and agents. */
#include "manifest/fields.h"

#include <string.h>

#include "base/own.h"
#include "manifest/bottle.h"
#include "manifest/check.h"
#include "manifest/manifest.h"
#include "manifest/rows.h"
#include "base/banned.h"

static int finish_env(void *object, bool complete, struct err *err)
{
	struct manifest_env *env = object;
	const char *written = env->written;
	size_t n = strlen(written);

	(void)complete;
	env->mode = MANIFEST_ENV_LITERAL;
	if (str_starts(env->name, "BOT_BOTTLE"))
		return fail(err, ERR_INPUT, "variables BOT_BOTTLE... are set by bottle itself");
	if (*written == '?') {
		env->mode = MANIFEST_ENV_ASK;
		env->value = xstrdup(written + 1);
		return 0;
	}
	if (!str_starts(written, "${") || written[n - 1] != '}') {
		env->value = xstrdup(written);
		return 0;
	}
	env->mode = MANIFEST_ENV_HOST;
	env->value = xstrndup(written + 2, n - 3);
	return check_variable(&env->value, err);
}

static void clear_env(void *object)
{
	mem_drop(&((struct manifest_env *)object)->value);
}

/* Less than a command's variable may have, so that one that is read can be given. */
enum { ENV_VALUE_MAX = 60 * 1024 };

#define OBJECT struct manifest_env
static const struct field env_fields[] = {
	ROW("value", FIELD_TEXT, written, .max = ENV_VALUE_MAX, HELP("see env")),
};
const struct schema env_schema =
	SCHEMA("env", env_fields, .name_at = offsetof(struct manifest_env, name),
               .check_name = check_variable, .finish = finish_env, .clear = clear_env);
#undef OBJECT

#define OBJECT struct manifest_agent_provider
static const struct field agent_provider_fields[] = {
	ROW("template", FIELD_TEXT, template, .check = check_name, .fallback = "shell",
	    HELP("the provider: claude, codex, shell, or the name of a file under providers/")),
	ROW("auth_token", FIELD_TEXT, auth_token, .check = check_variable,
	    HELP("the host's variable that holds the agent's token; by default the one that the provider names")),
	ROW("forward_host_credentials", FIELD_TRUTH, forward_host_credentials, .fallback = "false",
	    HELP("let the gateway use the login that the host's own agent has; required by codex")),
	REFUSED("dockerfile", HELP("write image: dockerfile:PATH in the bottle instead")),
};
static const struct schema agent_provider_schema = SCHEMA("agent_provider", agent_provider_fields);
#undef OBJECT

#define OBJECT struct manifest_user
static const struct field user_fields[] = {
	ROW("name", FIELD_TEXT, name, .max = 256, .check = check_identity, HELP("name in commits")),
	ROW("email", FIELD_TEXT, email, .max = 256, .check = check_identity, HELP("address in commits")),
};
static const struct schema user_schema = SCHEMA("user", user_fields);
#undef OBJECT

static int finish_key(void *object, bool complete, struct err *err)
{
	const struct manifest_key *key = object;
	bool is_static = key->provider == MANIFEST_KEY_STATIC;

	(void)complete;
	if (is_static && (!key->path || key->forge_token_env))
		return fail(err, ERR_INPUT, "a static key has a \"path\" and no \"forge_token_env\"");
	if (!is_static && (key->path || !key->forge_token_env))
		return fail(err, ERR_INPUT, "a forge's key has a \"forge_token_env\" and no \"path\"");
	return 0;
}

#define OBJECT struct manifest_key
static const char *const key_providers[] = { "static", "gitea", "github", NULL };
static const struct field key_fields[] = {
	ROW("provider", FIELD_WORD, provider, .flags = FIELD_REQUIRED, .words = key_providers,
	    HELP("static: a key file of the host; gitea, github: a deploy key made for this bottle and revoked with it")),
	ROW("path", FIELD_TEXT, path, .check = check_directory, HELP("static: the private key's file")),
	ROW("forge_token_env", FIELD_TEXT, forge_token_env, .check = check_variable,
	    HELP("gitea, github: the host's variable that holds the forge's token")),
};
static const struct schema key_schema = SCHEMA("key", key_fields, .finish = finish_key);
#undef OBJECT

#define OBJECT struct manifest_push
static const struct field push_fields[] = {
	ROW("refs", FIELD_TEXTS, refs, .max = 255, .check = check_ref,
	    HELP("refs that may be created or moved forward, e.g. refs/heads/agent/*; never forced, never deleted")),
	ROW("paths_needing_approval", FIELD_TEXTS, paths_needing_approval, .max = 1024, .check = check_glob,
	    HELP("patterns of files whose change waits for the operator")),
};
static const struct schema push_schema = SCHEMA("push", push_fields);
#undef OBJECT

#define OBJECT struct manifest_repo
static const struct field repo_fields[] = {
	ROW("url", FIELD_TEXT, url, .flags = FIELD_REQUIRED, .check = check_repo_url,
	    HELP("ssh://user@host[:port]/path.git")),
	ROW("key", FIELD_STRUCT, key, .of = &key_schema, .flags = FIELD_REQUIRED | FIELD_WHOLE,
	    HELP("the key that the gate pushes with; the bottle never holds it")),
	ROW("host_key", FIELD_TEXT, host_key, .check = check_host_key,
	    HELP("the server's pinned key, e.g. ssh-ed25519 AAAA...; without it nothing is forwarded")),
	ROW("push", FIELD_STRUCT, push, .of = &push_schema, HELP("what a push may do")),
	REFUSED("identity", HELP("write key: {provider: static, path: ...} instead")),
	REFUSED("provisioned_key", HELP("write key: {provider: gitea, forge_token_env: ...} instead")),
};
static const struct schema repo_schema = SCHEMA(
	"a repo", repo_fields, .name_at = offsetof(struct manifest_repo, name), .check_name = check_name);
#undef OBJECT

#define OBJECT struct manifest_git_gate
static const struct field git_gate_fields[] = {
	ROW("user", FIELD_STRUCT, user, .of = &user_schema, HELP("git identity in the bottle")),
	ITEMS("repos", FIELD_NAMED, repos, repo_schema, .most = 64,
	      HELP("repositories that the git gate serves, by name. Refused: this build has no git gate yet")),
};
static const struct schema git_gate_schema = SCHEMA("git-gate", git_gate_fields);
#undef OBJECT

#define OBJECT struct manifest_egress
static const char *const log_words[] = { "off", "blocks", "all", NULL };
static const struct field egress_fields[] = {
	ITEMS("routes", FIELD_LIST, routes, route_schema, .most = MANIFEST_ROUTES_MAX,
	      HELP("what the bottle may reach; everything else is refused")),
	ROW("log", FIELD_WORD, log, .words = log_words, .fallback = "blocks", .flags = FIELD_BY_INDEX,
	    HELP("how much of a request is kept (also 0, 1, 2); secrets are masked at every level, and the audit line is "
	         "written regardless")),
};
static const struct schema egress_schema = SCHEMA("egress", egress_fields);
#undef OBJECT

#define OBJECT struct manifest_resources
static const struct field resources_fields[] = {
	ROW("cpus", FIELD_NUMBER, cpus, .min = 1, .max = 1024, .fallback = "4", GIVEN(cpus_given),
	    HELP("processors")),
	ROW("memory_mib", FIELD_NUMBER, memory_mib, .min = 64, .max = 16UL << 20, .fallback = "8192",
	    GIVEN(memory_mib_given), HELP("memory")),
	ROW("disk_gib", FIELD_NUMBER, disk_gib, .min = 1, .max = 1UL << 20, .fallback = "10",
	    GIVEN(disk_gib_given), HELP("disk")),
	ROW("pids", FIELD_NUMBER, pids, .min = 16, .max = 1UL << 22, .fallback = "4096", GIVEN(pids_given),
	    HELP("processes and threads")),
};
static const struct schema resources_schema = SCHEMA("resources", resources_fields);
#undef OBJECT

#define OBJECT struct manifest_bottle
static const char *const workspace_words[] = { "copy", "mount", "none", NULL };
static const struct field bottle_fields[] = {
	ROW("extends", FIELD_TEXTS, extends, .flags = FIELD_ONE, .most = MANIFEST_LINEAGE_MAX,
	    .check = check_name,
	    HELP("bottles that this one builds on, resolved first, left to right; one that is met twice counts once")),
	ITEMS("env", FIELD_PAIRS, env, env_schema, .flags = FIELD_SCALARS, .max = ENV_VALUE_MAX, .most = 512,
	      HELP("environment of the agent. A value ? or ?message is asked for on the terminal; ${VARIABLE}, as the "
	           "whole value, is taken from the host's environment; anything else is literal. The first two are "
	           "secrets: they are kept off disk, argument lists and logs")),
	ROW("agent_provider", FIELD_STRUCT, agent_provider, .of = &agent_provider_schema,
	    HELP("which agent runs in the bottle, and whose credentials its gateway uses")),
	ROW("image", FIELD_TEXT, image, .check = check_image,
	    HELP("what a machine is made from: a path (a root file system, an OCI layout, a docker save or OCI archive, a "
	         ".smolmachine), docker-daemon:REF or dockerfile:PATH; see IMAGES. A namespace bottle has none: it sees "
	         "the host's programs, read-only")),
	ROW("tools", FIELD_TEXTS, tools, .flags = FIELD_UNION, .most = 64, .check = check_tool,
	    HELP("more host directories that a namespace bottle sees, read-only; / or ~/ first. Directories that hold "
	         "credentials are refused. Lists of parents are added to")),
	ROW("egress", FIELD_STRUCT, egress, .of = &egress_schema, HELP("the way out")),
	ROW("git-gate", FIELD_STRUCT, git_gate, .of = &git_gate_schema,
	    HELP("git identity and repositories")),
	ROW("resources", FIELD_STRUCT, resources, .of = &resources_schema,
	    HELP("limits. One that is written and can't be enforced here is refused; a default that can't be is reported")),
	ROW("workspace", FIELD_WORD, workspace, .words = workspace_words, .fallback = "copy",
	    HELP("copy: the agent changes a copy, which bottle diff and export show; mount: it works on the files "
	         "themselves, of which those that a tool of the host would run are read-only, and sockets and pipes hidden "
	         "(what is made or replaced after the start is neither: see THE WORKSPACE in bottle(1)); none: no directory")),
	ROW("workspace_exclude", FIELD_TEXTS, workspace_exclude, .flags = FIELD_UNION, .max = 1024,
	    .check = check_glob,
	    HELP("patterns of files, as they are at the start, that the bottle does not see, e.g. .env (of what comes "
	         "later: see THE WORKSPACE in bottle(1)). Lists of parents are added to")),
	REFUSED("routes", HELP("routes stand under egress: write egress: {routes: [...]}")),
	REFUSED("repos", HELP("repos stand under git-gate: write git-gate: {repos: {...}}")),
	REFUSED("git", HELP("write git-gate: {user: ..., repos: ...} instead")),
	REFUSED("supervise", HELP("there is nothing to switch; this build has no supervise yet")),
	REFUSED("runtime", HELP("the backend is chosen with --backend or in config.json")),
	REFUSED("backend", HELP("the backend is chosen with --backend or in config.json")),
	REFUSED("cred_proxy", HELP("write auth in a route of egress.routes instead")),
	REFUSED("bottle", HELP("a bottle builds on others with extends; bottle: is for agents")),
	REFUSED("skills", HELP("skills are an agent's; write them in its file")),
};
const struct schema bottle_schema = SCHEMA("a bottle", bottle_fields);
#undef OBJECT

#define OBJECT struct manifest_agent_git
static const struct field agent_git_fields[] = {
	ROW("user", FIELD_STRUCT, user, .of = &user_schema,
	    HELP("git identity; wins over the bottle's, field by field")),
	REFUSED("repos", HELP("repositories are credentials, and those belong in a bottle, not in an agent")),
};
static const struct schema agent_git_schema = SCHEMA("an agent's git-gate", agent_git_fields);
#undef OBJECT

#define IN_A_BOTTLE(key) REFUSED(key, HELP("belongs in a bottle, not in an agent"))
#define SUB_AGENT(key) \
	IGNORED(key, HELP("accepted and ignored, so that the file can be a Claude sub-agent too"))

#define OBJECT struct manifest_agent
static const struct field agent_fields[] = {
	ROW("bottle", FIELD_TEXT, bottle, .check = check_name,
	    HELP("the bottle it runs in when the command line names none; from a cloned repository only a suggestion")),
	ROW("skills", FIELD_TEXTS, skills, .check = check_name,
	    HELP("names of skill directories that are copied into the bottle")),
	ROW("git-gate", FIELD_STRUCT, git_gate, .of = &agent_git_schema, HELP("git identity of this agent")),
	SUB_AGENT("name"),
	SUB_AGENT("description"),
	SUB_AGENT("model"),
	SUB_AGENT("color"),
	SUB_AGENT("memory"),
	IN_A_BOTTLE("env"),
	IN_A_BOTTLE("egress"),
	IN_A_BOTTLE("routes"),
	IN_A_BOTTLE("repos"),
	IN_A_BOTTLE("agent_provider"),
	IN_A_BOTTLE("image"),
	IN_A_BOTTLE("tools"),
	IN_A_BOTTLE("resources"),
	IN_A_BOTTLE("workspace"),
	IN_A_BOTTLE("workspace_exclude"),
	IN_A_BOTTLE("extends"),
};
const struct schema agent_schema = SCHEMA("an agent", agent_fields);
#undef OBJECT
