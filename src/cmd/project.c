#include "cmd/project.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/namespace.h"
#include "base/known.h"
#include "registry/paths.h"
#include "base/banned.h"

/* @inner is @outer or lies below it, by whole components. */
static bool lies_in(const char *inner, const char *outer)
{
	size_t n = strlen(outer);

	return str_is(outer, "/") || (str_starts(inner, outer) && (inner[n] == '/' || inner[n] == '\0'));
}

static int refuse(const char *real, const char *what, struct err *err)
{
	return fail(err, ERR_DENIED,
	            "workspace %s holds or lies in %s, which an agent must not be given; "
	            "go to a project, or name one with --workspace",
	            real, what);
}

/* A place is meant wherever its name leads. */
static int keep_apart(const char *real, const char *place, struct err *err)
{
	char resolved[PATH_MAX];

	if (!place)
		return 0;
	if (lies_in(real, place) || lies_in(place, real))
		return refuse(real, place, err);
	if (realpath(place, resolved) && (lies_in(real, resolved) || lies_in(resolved, real)))
		return refuse(real, place, err);
	return 0;
}

/* The workspace must be a project: not a whole home with its keys, nor what says what agents may
 * do, nor what holds our state. A copy is no excuse: what is in it can be read, and sent on. */
int project_find(struct command *c, const char *path, char **out, struct err *err)
{
	const struct paths *paths = command_paths(c, err);
	own_mem char *real = paths ? realpath(path, NULL) : NULL;
	struct stat st;

	if (!paths)
		return -1;
	if (!real)
		return fail_errno(err, "workspace %s", path);
	if (stat(real, &st) != 0)
		return fail_errno(err, "workspace %s", real);
	if (!S_ISDIR(st.st_mode))
		return fail(err, ERR_INPUT, "workspace %s is no directory; name one with --workspace", real);
	own_mem char *home = realpath(paths->home, NULL);
	if (str_is(real, "/") || (home && lies_in(home, real)))
		return refuse(real, "your home", err);
	own_mem char *policy = xasprintf("%s/.bot-bottle", paths->home);
	const char *const places[] = { policy,       "/etc/bot-bottle", paths->config,
		                       paths->state, paths->cache,      paths->runtime };
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (keep_apart(real, places[i], err) != 0)
			return -1;
	for (size_t i = 0; credential_dirs[i]; i++) {
		own_mem char *keys = xasprintf("%s/%s", paths->home, credential_dirs[i]);
		if (keep_apart(real, keys, err) != 0)
			return -1;
	}
	*out = mem_steal(&real);
	return 0;
}

int project_note(struct plan *p, struct err *err)
{
	char real[PATH_MAX];

	if (p->workspace) {
		own_fd int fd = known_open(p->workspace, NULL, err);
		if (fd < 0)
			return fail_in(err, "workspace");
		p->workspace_inode = known_inode(fd);
	}
	for (size_t i = 0; i < p->tools.n; i++) {
		if (!realpath(p->tools.v[i], real))
			return fail_errno(err, "tools: %s", p->tools.v[i]);
		strv_add(&p->tools_real, real);
	}
	return 0;
}

int project_still_is(struct command *c, const struct plan *p, struct err *err)
{
	char real[PATH_MAX];

	if (p->workspace) {
		own_mem char *found = NULL;
		own_fd int fd = known_open(p->workspace, p->workspace_inode, err);
		if (fd < 0)
			return fail_in(err, "workspace");
		if (project_find(c, p->workspace, &found, err) != 0)
			return -1;
	}
	if (p->tools_real.n != p->tools.n)
		return fail(err, ERR_INPUT, "the plan does not say where its tools are");
	for (size_t i = 0; i < p->tools.n; i++)
		if (!realpath(p->tools.v[i], real) || !str_is(real, p->tools_real.v[i]))
			return fail(err, ERR_DENIED,
			            "tools: %s leads to another place than %s, where it led when the bottle "
			            "was started; start a new one if that is meant",
			            p->tools.v[i], p->tools_real.v[i]);
	return 0;
}
