/* The environment enters here; every other room is told what it needs to know. */
#define MAY_READ_ENVIRONMENT
#include "cmd/places.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "base/banned.h"

extern char **environ;

const char *command_env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

void command_environment(struct strv *out)
{
	for (char **e = environ; *e; e++)
		strv_add(out, *e);
}

void places_clear(struct places_held **held)
{
	struct places_held *h = *held;

	if (!h)
		return;
	paths_clear(&h->paths);
	fd_drop(&h->bottles);
	fd_drop(&h->runtime);
	mem_drop(&h->cwd);
	mem_drop(held);
}

static struct places_held *held(struct command *c)
{
	if (!c->held) {
		c->held = xcalloc(1, sizeof *c->held);
		c->held->bottles = c->held->runtime = -1;
	}
	return c->held;
}

const struct paths *command_paths(struct command *c, struct err *err)
{
	struct places_held *h = held(c);
	const struct passwd *user = getpwuid(getuid());
	const struct places places = {
		.home = command_env("HOME"),
		.password_home = user ? user->pw_dir : NULL,
		.xdg_state_home = command_env("XDG_STATE_HOME"),
		.xdg_cache_home = command_env("XDG_CACHE_HOME"),
		.xdg_config_home = command_env("XDG_CONFIG_HOME"),
		.xdg_runtime_dir = command_env("XDG_RUNTIME_DIR"),
		.runtime_directory = command_env("RUNTIME_DIRECTORY"),
	};

	if (!h->have_paths) {
		if (paths_resolve(&places, &h->paths, err) < 0)
			return NULL;
		h->have_paths = true;
	}
	return &h->paths;
}

const char *command_cwd(struct command *c, struct err *err)
{
	struct places_held *h = held(c);

	if (!h->cwd) {
		char *cwd = getcwd(NULL, 0);

		if (!cwd || *cwd != '/') {
			free(cwd);
			fail(err, ERR_MISSING, "the working directory was removed; change to another one");
			return NULL;
		}
		h->cwd = cwd;
	}
	return h->cwd;
}

int command_bottles(struct command *c, struct err *err)
{
	struct places_held *h = held(c);
	const struct paths *paths = command_paths(c, err);
	own_fd int state = -1;

	if (!paths)
		return -1;
	if (h->bottles >= 0)
		return h->bottles;
	state = paths_open_private(paths->state, err);
	if (state < 0)
		return fail_in(err, "the state directory");
	h->bottles = dir_make(state, "bottles", 0700, err);
	return h->bottles;
}

int command_runtime(struct command *c, struct err *err)
{
	struct places_held *h = held(c);
	const struct paths *paths = command_paths(c, err);

	if (!paths)
		return -1;
	if (h->runtime < 0) {
		h->runtime = paths_open_private(paths->runtime, err);
		if (h->runtime < 0)
			return fail_in(err, "the runtime directory");
	}
	return h->runtime;
}

/* <prefix>/bin/bottle, wherever that is: the programs beside it are <prefix>/<place>. */
static char *beside(const char *place, const char *name, struct err *err)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self);
	char *slash;

	if (n < 0 || (size_t)n >= sizeof self) {
		fail_errno(err, "read /proc/self/exe");
		return NULL;
	}
	self[n] = 0;
	for (int i = 0; i < 2; i++) {
		slash = strrchr(self, '/');
		if (!slash) {
			fail(err, ERR_MISSING, "%s is no installed program: there is no directory above it", self);
			return NULL;
		}
		*slash = 0;
	}
	return name ? xasprintf("%s/%s/%s", self, place, name) : xasprintf("%s/%s", self, place);
}

char *command_libexec(const char *name, struct err *err)
{
	return beside("libexec/bot-bottle", name, err);
}

char *command_share(const char *name, struct err *err)
{
	return beside("share/bot-bottle", name, err);
}
