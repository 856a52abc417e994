#pragma once
/* Where things lie on the host, computed from values that the caller took from the
 * environment: no getenv() here, and nothing is touched until paths_open_private(). */
#include <sys/types.h>
#include "base/err.h"

/* What the environment and the password database say; NULL: not set. */
struct places {
	const char *home;          /* $HOME */
	const char *password_home; /* of the user id, from the password database */
	const char *xdg_state_home;
	const char *xdg_cache_home;
	const char *xdg_config_home;
	const char *xdg_runtime_dir;
	const char *runtime_directory; /* systemd's $RUNTIME_DIRECTORY; a list: the first counts */
};

struct paths {
	char *home;
	char *state;   /* .../bot-bottle */
	char *cache;   /* .../bot-bottle */
	char *config;  /* .../bot-bottle */
	char *runtime; /* .../bot-bottle, or <state>/run */
	/* What to do where they can't be used: it names the variable that they come from. */
	const char *state_fix, *runtime_fix;
};
/* clang-format off */
#define PATHS_INIT { 0 }
/* clang-format on */
void paths_clear(struct paths *p);
#define PATHS_CACHE_FIX "set XDG_CACHE_HOME to a directory of yours"
#define own_paths       __attribute__((cleanup(paths_clear)))

/* Values that are empty or not absolute are ignored, as the XDG specification says.
 * ERR_MISSING: no home directory is known, and a place depends on it. */
int paths_resolve(const struct places *from, struct paths *out, struct err *err);

/* Opens the directory, making what is missing with mode 0700. ERR_DENIED: it exists and
 * belongs to another user, or others may enter it; nothing is repaired. @fix: the remedy that a
 * failure names, where there is none of its own. */
int paths_open_private(const char *path, const char *fix, struct err *err);
/* The same of one that is there. */
int paths_find_private(const char *path, struct err *err);
/* Would it be opened, and can files be made in it? Nothing is made. */
int paths_try_private(const char *path, const char *fix, struct err *err);
