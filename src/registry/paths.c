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

static char *runtime_of(const struct places *from, const char *state)
{
	const char *own = absolute(from->xdg_runtime_dir);
	const char *service = absolute(from->runtime_directory);

	if (own)
		return xasprintf("%s/bot-bottle", own);
	/* systemd made it for this service: nothing is added to its name. */
	if (service)
		return xstrndup(service, strcspn(service, ":"));
	return xasprintf("%s/run", state);
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
	made.runtime = runtime_of(from, made.state);
	*out = made;
	made = (struct paths)PATHS_INIT;
	return 0;
}

int paths_open_private(const char *path, struct err *err)
{
	struct stat st;
	own_fd int fd = dir_make(AT_FDCWD, path, 0700, err);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0)
		return fail_errno(err, "stat %s", path);
	if (st.st_uid != geteuid())
		return fail(err, ERR_DENIED,
		            "%s belongs to user %u, not to you; remove it or set another place", path,
		            st.st_uid);
	if (st.st_mode & 0077)
		return fail(err, ERR_DENIED, "%s can be entered by others (mode %04o); run: chmod 700 %s",
		            path, st.st_mode & 07777, path);
	return fd_steal(&fd);
}
