/* The environment enters here; every other room is told what it needs to know. */
#define MAY_READ_ENVIRONMENT
#include "cmd/places.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "base/banned.h"

#define ETC "/etc/bot-bottle"

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
	host_config_clear(&h->config);
	fd_drop(&h->bottles);
	fd_drop(&h->runtime);
	fd_drop(&h->dirs.home);
	fd_drop(&h->dirs.etc);
	fd_drop(&h->dirs.cwd);
	fd_drop(&h->dirs.share);
	for (size_t i = 0; i < h->nproviders; i++)
		fd_drop(&h->providers[i].fd);
	mem_drop(&h->providers);
	fd_drop(&h->etc);
	fd_drop(&h->user);
	mem_drop(&h->cwd);
	mem_drop(&h->share);
	mem_drop(held);
}

static struct places_held *held(struct command *c)
{
	if (!c->held) {
		c->held = xcalloc(1, sizeof *c->held);
		c->held->dirs = (struct manifest_dirs)MANIFEST_DIRS_INIT;
		c->held->bottles = c->held->runtime = c->held->etc = c->held->user = -1;
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
	state = paths_open_private(paths->state, paths->state_fix, err);
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
		h->runtime = paths_open_private(paths->runtime, paths->runtime_fix, err);
		if (h->runtime < 0)
			return fail_in(err, "the runtime directory");
	}
	return h->runtime;
}

/* What comes with a directory is in that directory: a link would read whichever file its maker
 * names, with our rights. */
static void open_here(const struct command *c, const char *here, const char *home, int *out)
{
	struct stat st;

	*out = open(here, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*out < 0 && !str_is(here, home) && !(c->verb && (c->verb->flags & VERB_HIDDEN)) &&
	    lstat(here, &st) == 0)
		log_warn(
			"the agents of the working directory are ignored: it is no directory that can be read, "
			"or a link dir=%s",
			here);
}

/* -1 without an error: there is none. */
static int open_optional(int dirfd, const char *path, int *out, struct err *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return fail_errno(err, "open %s", path);
	*out = fd;
	return 0;
}

const struct host_config *command_config(struct command *c, struct err *err)
{
	struct places_held *h = held(c);
	const struct paths *paths = command_paths(c, err);

	if (!paths)
		return NULL;
	if (!h->have_config) {
		if (h->etc < 0 && open_optional(AT_FDCWD, ETC, &h->etc, err) < 0)
			return NULL;
		if (h->user < 0 && open_optional(AT_FDCWD, paths->config, &h->user, err) < 0)
			return NULL;
		if (host_config_load(h->etc, ETC, h->user, paths->config, &h->config, err) < 0)
			return NULL;
		h->have_config = true;
	}
	return &h->config;
}

/* A directory that the configuration names and that is not there is an error: its author
 * believes that it counts. */
static int open_providers(struct places_held *h, struct err *err)
{
	h->providers = xcalloc(h->config.providers.n + 1, sizeof *h->providers);
	for (size_t i = 0; i < h->config.providers.n; i++) {
		const char *name = h->config.providers.v[i];
		int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return fail_errno(err, "open %s, which the configuration's providers names", name);
		h->providers[h->nproviders++] = (struct manifest_dir){ fd, name };
	}
	h->dirs.providers = h->providers;
	h->dirs.nproviders = h->nproviders;
	return 0;
}

const struct manifest_dirs *command_manifest_dirs(struct command *c, struct err *err)
{
	struct places_held *h = held(c);
	const struct host_config *config = command_config(c, err);
	const struct paths *paths = command_paths(c, err);
	const char *cwd = command_cwd(c, err);
	own_mem char *home = NULL;
	own_mem char *here = NULL;

	if (!config || !paths || !cwd)
		return NULL;
	if (h->have_dirs)
		return &h->dirs;
	home = xasprintf("%s/.bot-bottle", paths->home);
	here = xasprintf("%s/.bot-bottle", cwd);
	h->share = command_share(NULL, err);
	if (!h->share || open_optional(AT_FDCWD, home, &h->dirs.home, err) < 0 ||
	    open_optional(AT_FDCWD, ETC, &h->dirs.etc, err) < 0 ||
	    open_optional(AT_FDCWD, h->share, &h->dirs.share, err) < 0)
		return NULL;
	open_here(c, here, home, &h->dirs.cwd);
	if (open_providers(h, err) < 0)
		return NULL;
	h->dirs.share_name = h->share;
	h->dirs.warned = &h->warned;
	h->have_dirs = true;
	return &h->dirs;
}

const char *command_backend(struct command *c, struct err *err)
{
	const char *asked = command_value(c, "backend");
	const struct host_config *config;

	if (!asked)
		asked = command_env("BOT_BOTTLE_BACKEND");
	if (asked)
		return asked;
	config = command_config(c, err);
	return config ? config->backend : NULL;
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
			fail(err, ERR_MISSING, "%s is no installed program: there is no directory above it",
			     self);
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
