/* Provider files. */
#include "manifest/fields.h"

#include <string.h>

#include "base/own.h"
#include "manifest/bottle.h"
#include "manifest/check.h"
#include "manifest/rows.h"
#include "base/banned.h"

#define OBJECT struct manifest_prompt
static const struct field prompt_fields[] = {
	ROW("interactive", FIELD_TEXTS, interactive, .most = 32,
	    HELP("arguments that carry a prompt to an agent on a terminal; {prompt} stands for it")),
	ROW("headless", FIELD_TEXTS, headless, .most = 32,
	    HELP("arguments with which the agent answers {prompt} and ends")),
	ROW("system", FIELD_TEXTS, system, .most = 32,
	    HELP("arguments that carry the body of the agent's file, {system_prompt}; left out when it is empty")),
};
static const struct schema prompt_schema = SCHEMA("prompt", prompt_fields);
#undef OBJECT

#define OBJECT struct manifest_provider_file
static const struct field file_fields[] = {
	ROW("path", FIELD_TEXT, path, .flags = FIELD_REQUIRED, .check = check_below_home,
	    HELP("the file, relative to the agent's home in the bottle")),
	ROW("content", FIELD_TEXT, content, .flags = FIELD_REQUIRED, .max = 256 * 1024,
	    HELP("its text; {placeholder}, {workspace}, {home} and {system_prompt} are filled in")),
	ROW("executable", FIELD_TRUTH, executable, .fallback = "false", HELP("mode 0700, else 0600")),
};
static const struct schema file_schema = SCHEMA("a file", file_fields);
#undef OBJECT

static int finish_provider(void *object, bool complete, struct err *err)
{
	const struct manifest_provider *provider = object;

	(void)complete;
	for (size_t i = 0; i < provider->nenv; i++)
		if (provider->env[i].mode != MANIFEST_ENV_LITERAL)
			return fail(err, ERR_INPUT,
			            "env %s: a provider's values are literal; secrets come from a bottle",
			            provider->env[i].name);
	if (provider->auth_token && provider->host_credentials != MANIFEST_CREDENTIALS_NONE)
		return fail(err, ERR_INPUT,
		            "a provider has an \"auth_token\" or \"host_credentials\", not both");
	return 0;
}

#define OBJECT struct manifest_provider
static const char *const host_credentials_words[] = { "none", "codex", NULL };
static const struct field provider_fields[] = {
	ROW("description", FIELD_TEXT, description, HELP("one line for people")),
	ROW("command", FIELD_TEXTS, command, .flags = FIELD_REQUIRED | FIELD_NOT_EMPTY, .most = 64,
	    HELP("what is run in the bottle: a program's name and its fixed arguments")),
	ROW("search", FIELD_TEXTS, search, .most = 32, .check = check_directory,
	    HELP("host directories in which the program is looked for before PATH; / or ~/ first")),
	ROW("image", FIELD_TEXT, image, .check = check_image,
	    HELP("image for backends that need one, when the bottle names none")),
	ROW("prompt", FIELD_STRUCT, prompt, .of = &prompt_schema, HELP("how a prompt reaches the agent")),
	ITEMS("files", FIELD_LIST, files, file_schema, .most = 32,
	      HELP("files written into the bottle's home")),
	ITEMS("env", FIELD_PAIRS, env, env_schema, .flags = FIELD_SCALARS, .max = 4096, .most = 128,
	      HELP("environment of the agent; literal values, {placeholder} is filled in. A bottle's env wins")),
	ITEMS("routes", FIELD_LIST, routes, route_schema, .most = 64,
	      HELP("default routes, as in a bottle; a bottle's route for the same host and port replaces one. A token_ref of "
	           "{auth_token} stands for the bottle's agent_provider.auth_token, host-credentials:codex for the "
	           "host's login")),
	ROW("ca_env", FIELD_TEXTS, ca_env, .most = 32, .check = check_variable,
	    HELP("variables that name a CA file for this agent, beyond those that every bottle gets")),
	ROW("auth_token", FIELD_TEXT, auth_token, .check = check_variable,
	    HELP("the host's variable that holds the token, unless the bottle names another")),
	ROW("placeholder", FIELD_TEXT, placeholder, .max = 256, .check = check_placeholder,
	    HELP("form of what the bottle holds in place of the token; {random} stands for fresh random characters")),
	ROW("host_credentials", FIELD_WORD, host_credentials, .words = host_credentials_words,
	    .fallback = "none",
	    HELP("codex: the login in the host's ~/.codex/auth.json, of which the bottle gets a hollow twin")),
	ROW("skills_dir", FIELD_TEXT, skills_dir, .check = check_below_home,
	    HELP("where skills go, relative to the home in the bottle")),
};
const struct schema provider_schema = SCHEMA("a provider", provider_fields, .finish = finish_provider);
#undef OBJECT
