#include "cmd/gather.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "launch/codex.h"
#include "proto/egress.h"
#include "proto/init.h"
#include "registry/paths.h"
#include "base/banned.h"

static int from_variable(const char *what, const char *name, struct secret *out, struct err *err)
{
	const char *value = command_env(name);

	if (!value)
		return fail(err, ERR_MISSING, "%s needs the variable %s, which is not set; export it", what,
		            name);
	secret_set(out, value, strlen(value));
	return 0;
}

static int from_file(const char *what, const char *path, struct secret *out, struct err *err)
{
	own_str struct str text = STR_INIT;
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return fail_errno(err, "%s: %s", what, path);
	str_reserve(&text, EGRESS_SECRET_MAX + 1);
	if (file_read_fd(fd, path, EGRESS_SECRET_MAX, &text, err) != 0)
		return fail_in(err, "%s", what);
	/* Editors end a file with a newline that is no part of the value. */
	size_t n = text.len;
	while (n > 0 && (text.data[n - 1] == '\n' || text.data[n - 1] == '\r'))
		n--;
	secret_set(out, text.data, n);
	explicit_bzero(text.data, text.len);
	return n > 0 ? 0 : fail(err, ERR_INPUT, "%s: %s is empty", what, path);
}

static int read_token_file(struct command *c, const char *what, const char *path, struct secret *out,
                           struct err *err)
{
	if (!str_starts(path, "~/"))
		return from_file(what, path, out, err);
	const struct paths *paths = command_paths(c, err);
	if (!paths)
		return -1;
	own_mem char *full = xasprintf("%s/%s", paths->home, path + 2);
	return from_file(what, full, out, err);
}

static int from_systemd(const char *what, const char *name, struct secret *out, struct err *err)
{
	const char *dir = command_env("CREDENTIALS_DIRECTORY");

	if (!dir)
		return fail(err, ERR_MISSING,
		            "%s: credential:%s is there only for a systemd service with LoadCredential=",
		            what, name);
	own_mem char *path = xasprintf("%s/%s", dir, name);
	return from_file(what, path, out, err);
}

/* GitHub and its like take any user name beside a token; a colon says that one was given. */
static void complete_basic(struct secret *value)
{
	own_mem char *full = NULL;

	if (strchr(secret_expose(value), ':'))
		return;
	full = xasprintf("x-access-token:%s", secret_expose(value));
	secret_set(value, full, strlen(full));
	explicit_bzero(full, strlen(full));
}

/* The host's login: its token is the secret; what the guest gets in its place goes into the plan. */
static int from_codex(struct command *c, struct plan *plan, struct plan_credential *from, struct secret *out,
                      struct err *err)
{
	own_codex_login struct codex_login login = CODEX_LOGIN_INIT;
	own_str struct str text = STR_INIT;
	const struct paths *paths = command_paths(c, err);

	if (!paths)
		return -1;
	own_mem char *path = xasprintf("%s/%s", paths->home, CODEX_AUTH);
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return fail(err, ERR_MISSING, "%s is not there; run `codex login` on the host", path);
	if (fd < 0)
		return fail_errno(err, "%s", path);
	str_reserve(&text, CODEX_AUTH_MAX + 1);
	if (file_read_fd(fd, path, CODEX_AUTH_MAX, &text, err) != 0)
		return -1;
	int rc = codex_login_read(text.data, text.len, clock_unix_ms(), &login, err);
	explicit_bzero(text.data, text.len);
	if (rc != 0)
		return fail_in(err, "%s", path);
	secret_copy(out, &login.access);
	codex_fill_plan(&login, clock_unix_ms(), from, plan);
	return 0;
}

static int gather_credential(struct command *c, struct plan *plan, struct plan_credential *from,
                             struct secret *out, struct err *err)
{
	own_mem char *what = xasprintf("the route to %s", from->host);
	int rc;

	switch (from->source) {
	case PLAN_VARIABLE:
		rc = from_variable(what, from->reference, out, err);
		break;
	case PLAN_FILE:
		rc = read_token_file(c, what, from->reference, out, err);
		break;
	case PLAN_CREDENTIAL:
		rc = from_systemd(what, from->reference, out, err);
		break;
	case PLAN_CODEX:
		rc = from_codex(c, plan, from, out, err);
		break;
	default:
		rc = fail(err, ERR_INPUT, "%s: its credential comes from an unknown place", what);
	}
	if (rc != 0)
		return -1;
	if (from->scheme == EGRESS_BASIC)
		complete_basic(out);
	if (secret_len(out) < EGRESS_SECRET_MIN)
		return fail(err, ERR_INPUT, "%s: the credential has under %d characters", what,
		            EGRESS_SECRET_MIN);
	if (secret_len(out) > EGRESS_SECRET_MAX)
		return fail(err, ERR_INPUT, "%s: the credential has over %d characters", what,
		            EGRESS_SECRET_MAX);
	return 0;
}

static int gather_variable(const struct plan *plan, const struct plan_secret *from, struct secret *out,
                           struct err *err)
{
	own_mem char *what = xasprintf("env.%s", from->name);
	own_mem char *prompt = NULL;

	if (!from->ask)
		return from_variable(what, from->reference, out, err);
	if (plan->headless)
		return fail(err, ERR_MISSING,
		            "%s is asked for, and --headless asks nobody; write ${VARIABLE} in the manifest",
		            what);
	prompt = xstrdup(*from->reference ? from->reference : from->name);
	return ui_ask_secret(prompt, out, err) == 0 ? 0 : fail_in(err, "%s", what);
}

/* Before a secret is here: no core is written, and no other process of the user looks into us. What
 * we start is dumpable again by its exec, and decides for itself. */
static int close_to_others(struct err *err)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		return fail_errno(err, "keeping secrets out of a core dump");
	return 0;
}

/* As they travel to the guest: each behind its length, and with its name. */
static int check_room(const struct plan *plan, size_t i, const struct secret *value, size_t *used,
                      struct err *err)
{
	*used += sizeof(uint32_t) + strlen(plan->secrets[i].name) + 1 + secret_len(value);
	if (sizeof(uint32_t) + *used <= INIT_SECRETS_MAX)
		return 0;
	return fail(
		err, ERR_INPUT,
		"env.%s: with its value the secret variables have over %d bytes together; give what is long "
		"in a file",
		plan->secrets[i].name, INIT_SECRETS_MAX);
}

int gather_secrets(struct command *c, struct plan *plan, struct launch_secrets *out, struct err *err)
{
	size_t used = 0;

	if (close_to_others(err) != 0)
		return -1;
	out->env = xcalloc(plan->nsecrets + 1, sizeof *out->env);
	/* Each is counted first: one that is refused is the caller's to clear, too. */
	while (out->nenv < plan->nsecrets) {
		size_t i = out->nenv++;
		if (gather_variable(plan, &plan->secrets[i], &out->env[i], err) != 0 ||
		    check_room(plan, i, &out->env[i], &used, err) != 0)
			return -1;
	}
	out->credentials = xcalloc(plan->ncredentials + 1, sizeof *out->credentials);
	while (out->ncredentials < plan->ncredentials) {
		size_t i = out->ncredentials++;
		if (gather_credential(c, plan, &plan->credentials[i], &out->credentials[i], err) != 0)
			return -1;
	}
	return 0;
}

int gather_check(struct command *c, struct plan *plan, struct err *err)
{
	own_secret struct secret value = SECRET_INIT;
	size_t used = 0;

	if (close_to_others(err) != 0)
		return -1;
	for (size_t i = 0; i < plan->nsecrets; i++)
		if ((!plan->secrets[i].ask || plan->headless) &&
		    (gather_variable(plan, &plan->secrets[i], &value, err) != 0 ||
		     check_room(plan, i, &value, &used, err) != 0))
			return -1;
	for (size_t i = 0; i < plan->ncredentials; i++)
		if (gather_credential(c, plan, &plan->credentials[i], &value, err) != 0)
			return -1;
	return 0;
}

static char *program_in(const char *dir, size_t n, const char *name, const char *home)
{
	struct stat st;
	bool below_home = n >= 2 && dir[0] == '~' && dir[1] == '/';
	char *path = below_home && home ? xasprintf("%s%.*s/%s", home, (int)n - 1, dir + 1, name) :
	                                  xasprintf("%.*s/%s", (int)n, dir, name);

	if (path[0] == '/' && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static char *find_program(const struct manifest_provider *provider, const char *home)
{
	const char *name = provider->command.n ? provider->command.v[0] : NULL;
	const char *path = command_env("PATH");

	if (!name)
		return NULL;
	if (*name == '/')
		return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
	for (size_t i = 0; i < provider->search.n; i++) {
		char *found = program_in(provider->search.v[i], strlen(provider->search.v[i]), name, home);
		if (found)
			return found;
	}
	while (path && *path) {
		size_t n = strcspn(path, ":");
		char *found = program_in(path, n, name, home);
		if (found)
			return found;
		path += n + (path[n] == ':');
	}
	return NULL;
}

char *gather_program(const struct manifest_provider *provider, const char *home,
                     const struct closure *closure)
{
	own_mem char *found = find_program(provider, home);
	const char *name = provider->command.n ? provider->command.v[0] : NULL;
	char real[PATH_MAX];

	/* A link into the store leads to the path that is in the list, or nowhere. */
	if (found && closure->paths.n > 0 && closure_shows(closure, found) && realpath(found, real) &&
	    closure_holds(closure, real))
		return xstrdup(real);
	if (!name || !closure->bin || (found && closure_shows(closure, found)))
		return mem_steal(&found);
	char *ours = program_in(closure->bin, strlen(closure->bin), name, NULL);
	return ours ? ours : mem_steal(&found);
}
