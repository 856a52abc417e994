#include "registry/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

void paths_clear(struct paths *p)
{
	mem_drop(&p->home);
	mem_drop(&p->state);
	mem_drop(&p->cache);
	mem_drop(&p->config);
	mem_drop(&p->runtime);
}

/* The value, or NULL where it does not count. */
static const char *absolute(const char *value)
{
	return value && value[0] == '/' ? value : NULL;
}

static char *below(const char *xdg, const char *home, const char *fallback)
{
	const char *base = absolute(xdg);

	return base ? xasprintf("%s/bot-bottle", base) : xasprintf("%s/%s/bot-bottle", home, fallback);
}

static char *runtime_of(const struct places *from, const struct paths *p, const char **fix)
{
	const char *own = absolute(from->xdg_runtime_dir);
	const char *service = absolute(from->runtime_directory);

	*fix = own     ? "unset XDG_RUNTIME_DIR, which may be another user's after su, or set it to a "
	                 "directory of yours" :
	       service ? "unset RUNTIME_DIRECTORY, or set it to a directory of yours" :
	                 p->state_fix;
	if (own)
		return xasprintf("%s/bot-bottle", own);
	/* systemd made it for this service: nothing is added to its name. */
	if (service)
		return xstrndup(service, strcspn(service, ":"));
	return xasprintf("%s/run", p->state);
}

int paths_resolve(const struct places *from, struct paths *out, struct err *err)
{
	own_paths struct paths made = PATHS_INIT;
	const char *home = absolute(from->home);

	if (!home)
		home = absolute(from->password_home);
	if (!home && !(absolute(from->xdg_state_home) && absolute(from->xdg_cache_home) &&
	               absolute(from->xdg_config_home)))
		return fail(err, ERR_MISSING, "no home directory is known; set HOME to an absolute path");
	made.home = home ? xstrdup(home) : NULL;
	made.state = below(from->xdg_state_home, home, ".local/state");
	made.cache = below(from->xdg_cache_home, home, ".cache");
	made.config = below(from->xdg_config_home, home, ".config");
	made.state_fix = absolute(from->xdg_state_home) ?
	                         "set XDG_STATE_HOME to a directory of yours, or unset it" :
	                         "set HOME, or XDG_STATE_HOME, to a directory of yours";
	made.runtime = runtime_of(from, &made, &made.runtime_fix);
	*out = made;
	made = (struct paths)PATHS_INIT;
	return 0;
}

static int with_fix(const char *fix, struct err *err)
{
	const struct err why = *err;

	return strstr(why.text, "; ") ? -1 : fail(err, why.kind, "%s; %s", why.text, fix);
}

static int check_private(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail_errno(err, "stat %s", path);
	if (st.st_uid != geteuid())
		return fail(err, ERR_DENIED, "%s belongs to user %u, not to you", path, st.st_uid);
	if (st.st_mode & 0077)
		return fail(err, ERR_DENIED, "%s can be entered by others (mode %04o); run: chmod 700 %s",
		            path, st.st_mode & 07777, path);
	return 0;
}

int paths_open_private(const char *path, const char *fix, struct err *err)
{
	own_fd int fd = dir_make(AT_FDCWD, path, 0700, err);

	return fd < 0 || check_private(fd, path, err) != 0 ? with_fix(fix, err) : fd_steal(&fd);
}

int paths_find_private(const char *path, struct err *err)
{
	own_fd int fd = dir_open(AT_FDCWD, path, err);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || check_private(fd, path, err) == 0))
		return fd_steal(&fd);
	/* What was ours is gone, and its place was taken. */
	if (fd < 0 ? err->sys == ENOTDIR || err->sys == ELOOP : st.st_uid != geteuid())
		err->sys = ENOENT;
	return -1;
}

static int try_private(const char *path, struct err *err)
{
	own_mem char *above = xstrdup(path);
	own_fd int fd = dir_open(AT_FDCWD, path, err);

	if (fd >= 0 && check_private(fd, path, err) != 0)
		return -1;
	/* What is missing is made in the nearest directory above it. */
	while (fd < 0) {
		char *slash = strrchr(above, '/');
		if (err->sys != ENOENT || str_is(above, "/"))
			return -1;
		slash[slash == above] = '\0';
		fd = dir_open(AT_FDCWD, above, err);
	}
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
		return fail_errno(err, "make a file or directory in %s", above);
	return 0;
}

int paths_try_private(const char *path, const char *fix, struct err *err)
{
	struct err why = ERR_INIT;

	if (try_private(path, &why) == 0)
		return 0;
	*err = why;
	return with_fix(fix, err);
}
