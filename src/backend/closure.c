#include "backend/closure.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/banned.h"

enum { SHOWN = 120 };
#define LIST   "closure"
#define GUEST  "guest"
#define REMEDY "install the package again, or remove " LIST " and " GUEST " there for the host's own programs"

/* What a guest has of its own, and what is no program: never in a list, nor is anything below. */
static const char *const closed[] = {
	"/boot", "/dev", "/etc", "/home",      "/proc",    "/root",
	"/run",  "/sys", "/var", "/workspace", "/nix/var", "/nix/store/.links"
};

void closure_clear(struct closure *c)
{
	strv_clear(&c->paths);
	mem_drop(&c->bin);
}

static bool lies_in(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	return str_starts(path, directory) && (path[n] == '/' || path[n] == '\0');
}

bool closure_holds(const struct closure *c, const char *path)
{
	for (size_t i = 0; i < c->paths.n; i++)
		if (lies_in(path, c->paths.v[i]))
			return true;
	return false;
}

bool closure_shows(const struct closure *c, const char *path)
{
	char real[PATH_MAX];

	if (c->paths.n == 0 || !realpath(path, real))
		return true;
	return !lies_in(real, CLOSURE_STORE) || closure_holds(c, real);
}

bool closure_is_all(const struct closure *c)
{
	char real[PATH_MAX];

	return c->paths.n > 0 && realpath("/bin/sh", real) && lies_in(real, CLOSURE_STORE);
}

/* Whole components, none of them empty, "." or "..": a path that says what it means. */
static bool is_plain(const char *path)
{
	if (path[0] != '/' || path[1] == '\0')
		return false;
	while (*path) {
		size_t n = strcspn(++path, "/");
		if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += n;
	}
	return true;
}

static bool is_closed(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(closed); i++)
		if (lies_in(path, closed[i]) || lies_in(closed[i], path))
			return true;
	return false;
}

/* What is wrong with one line; NULL: nothing. */
static const char *fault_of(const char *line, size_t n)
{
	struct stat st;

	if (n > CLOSURE_PATH_MAX)
		return "is too long";
	if (strlen(line) != n || !is_plain(line))
		return "is no absolute path in its plain form";
	if (is_closed(line))
		return "is, or holds, a place that is not for programs";
	if (lstat(line, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ? "is not there" : "can't be looked at";
	if (S_ISLNK(st.st_mode))
		return "is a symbolic link, which may lead out of the list";
	return S_ISDIR(st.st_mode) || S_ISREG(st.st_mode) ? NULL : "is neither a directory nor a file";
}

static int read_list(const char *share, const struct str *text, struct strv *out, struct err *err)
{
	size_t number = 0;

	for (const char *p = text->data, *end = p + text->len; p < end; number++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((newline ? newline : end) - p);
		own_mem char *line = xstrndup(p, n);
		const char *fault = number == CLOSURE_PATHS_MAX ? "is one line too many" : fault_of(line, n);
		own_str struct str shown = STR_INIT;
		if (fault) {
			str_add_escaped(&shown, p, n, SHOWN);
			return fail(err, ERR_INPUT, "%.120s/" LIST " line %zu: %s %s; " REMEDY, share,
			            number + 1, str_c(&shown), fault);
		}
		strv_add(out, line);
		p += n + 1;
	}
	return number > 0 ? 0 : fail(err, ERR_INPUT, "%.200s/" LIST " is empty; " REMEDY, share);
}

static int find_bin(const char *share, struct closure *c, struct err *err)
{
	own_mem char *bin = xasprintf("%s/" GUEST "/bin", share);
	char real[PATH_MAX];
	struct stat st;

	if (!realpath(bin, real) || stat(real, &st) != 0)
		return fail(err, ERR_MISSING,
		            "%.200s, the programs that " LIST " is for, is not there; " REMEDY, bin);
	if (!S_ISDIR(st.st_mode) || !closure_holds(c, real))
		return fail(err, ERR_INPUT,
		            "%.120s is %.120s, which is no directory of a path in " LIST "; " REMEDY, bin,
		            real);
	c->bin = xstrdup(real);
	return 0;
}

int closure_load(const char *share, struct closure *out, struct err *err)
{
	own_closure struct closure c = CLOSURE_INIT;
	own_str struct str text = STR_INIT;
	own_fd int dir = open(share, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0)
		return fail_errno(err, "open %s", share);
	if (faccessat(dir, LIST, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno != ENOENT)
			return fail_errno(err, "%s/" LIST, share);
		/* Half an installation would silently be another tree than the packager meant. */
		if (faccessat(dir, GUEST, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
			return 0;
		return fail(err, ERR_MISSING,
		            "%.200s/" LIST ", the list of what " GUEST " needs, is not there; " REMEDY,
		            share);
	}
	if (file_read(dir, LIST, CLOSURE_BYTES, &text, err) != 0)
		return fail_in(err, "%s", share);
	if (read_list(share, &text, &c.paths, err) != 0 || find_bin(share, &c, err) != 0)
		return -1;
	closure_clear(out);
	*out = c;
	c = (struct closure)CLOSURE_INIT;
	return 0;
}
