#include "manifest/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/banned.h"

struct place {
	int dir;
	const char *name; /* "home" */
	const char *shown;
	const char *suffixes[3];
	bool trusted;
};

enum { PLACES = 3, MORE_PLACES = 64 };

void found_clear(struct found *found)
{
	mem_drop(&found->file);
}

static bool same_directory(int a, int b)
{
	struct stat x, y;

	return a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* Somebody who works in his home directory has his own files before him, not a stranger's. */
static int cwd_of(const struct manifest_dirs *dirs)
{
	return same_directory(dirs->cwd, dirs->home) || same_directory(dirs->cwd, dirs->etc) ? -1 : dirs->cwd;
}

static void places_of(const struct manifest_dirs *dirs, struct place out[PLACES])
{
	out[0] = (struct place){ dirs->home, "home", dirs->home_name, { ".md" }, true };
	out[1] = (struct place){ dirs->etc, "etc", dirs->etc_name, { ".md", ".json" }, true };
	out[2] = (struct place){ cwd_of(dirs), "cwd", dirs->cwd_name, { ".md" }, false };
}

/* Links are how home directories and NixOS are managed, so a trusted place may have them. */
static int open_in(const struct place *place, const char *path)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

	return place->trusted ? openat(place->dir, path, flags) :
	                        file_open_beneath(place->dir, path, flags, 0);
}

static int read_found(const struct place *place, int fd, const char *path, struct found *out,
                      struct str *bytes, struct err *err)
{
	own_mem char *file = xasprintf("%s/%s", place->shown, path);
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail_errno(err, "stat %s", file);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERR_INPUT, "%s is not a regular file", file);
	if (file_read_fd(fd, file, MANIFEST_FILE_MAX, bytes, err) != 0)
		return -1;
	found_clear(out);
	out->trusted = place->trusted;
	out->file = mem_steal(&file);
	return 0;
}

/* 1: found and read, 0: not there. Two forms of one name in one place: neither is right. */
static int look_in(const struct place *place, const char *folder, const char *name, struct found *out,
                   struct str *bytes, struct err *err)
{
	int hits = 0;

	for (size_t i = 0; i < ARRAY_LEN(place->suffixes) && place->suffixes[i] && place->dir >= 0; i++) {
		own_mem char *path =
			xasprintf("%s%s%s%s", folder, *folder ? "/" : "", name, place->suffixes[i]);
		own_fd int fd = open_in(place, path);
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (fd < 0 && errno == ELOOP)
			return fail(err, ERR_DENIED, "%s/%s is a link, or behind one; none is followed there",
			            place->shown, path);
		if (fd < 0)
			return fail_errno(err, "open %s/%s", place->shown, path);
		if (hits++ > 0)
			return fail(err, ERR_INPUT, "%s and %s/%s both exist; remove one", out->file,
			            place->shown, path);
		if (read_found(place, fd, path, out, bytes, err) != 0)
			return -1;
	}
	return hits;
}

void manifest_names_clear(struct manifest_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		free(names->v[i].name);
		free(names->v[i].file);
	}
	mem_drop(&names->v);
	names->n = 0;
}

enum { NAMES_MAX = 10000 };

static int add_name(struct manifest_names *names, const struct place *place, const char *folder,
                    const char *entry, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(place->suffixes) && place->suffixes[i]; i++) {
		if (!str_ends(entry, place->suffixes[i]))
			continue;
		own_mem char *name = xstrndup(entry, strlen(entry) - strlen(place->suffixes[i]));
		if (!manifest_name_is_valid(name))
			continue;
		for (size_t k = 0; k < names->n; k++)
			if (str_is(names->v[k].name, name))
				return 0; /* an earlier place wins */
		if (names->n == NAMES_MAX)
			return fail(err, ERR_INPUT, "more than %d files in %s/%s", NAMES_MAX, place->shown,
			            folder);
		names->v = xrealloc(names->v, names->n + 1, sizeof *names->v);
		names->v[names->n++] =
			(struct manifest_name){ mem_steal(&name), place->name,
			                        xasprintf("%s/%s/%s", place->shown, folder, entry) };
	}
	return 0;
}

static void directory_drop(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

static int add_names(struct manifest_names *names, const struct place *place, const char *folder,
                     struct err *err)
{
	own_fd int fd = open_in(place, folder);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ?
		               0 :
		               fail_errno(err, "open %s/%s", place->shown, folder);
	__attribute__((cleanup(directory_drop))) DIR *d = fdopendir(fd);
	if (!d)
		return errno == ENOTDIR ? 0 : fail_errno(err, "read %s/%s", place->shown, folder);
	fd_steal(&fd);
	for (struct dirent *e; errno = 0, (e = readdir(d)) != NULL;)
		if (add_name(names, place, folder, e->d_name, err) != 0)
			return -1;
	return errno == 0 ? 0 : fail_errno(err, "read %s/%s", place->shown, folder);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct manifest_name *)a)->name, ((const struct manifest_name *)b)->name);
}

enum { NAMED_MAX = 6 };

/* What could have been meant: the near one, else all of a few, else where they are listed. */
static void add_remedy(struct str *out, struct manifest_names *names, const char *name)
{
	own_mem const char **all = xcalloc(names->n + 1, sizeof *all);

	for (size_t i = 0; i < names->n; i++)
		all[i] = names->v[i].name;
	const char *near = str_nearest(name, all, names->n);
	if (near)
		str_addf(out, "did you mean \"%s\"?", near);
	else if (names->n == 0)
		str_add(out, "`bottle init` writes the first");
	else if (names->n > NAMED_MAX)
		str_add(out, "`bottle manifest check` lists those that there are");
	if (near || names->n == 0 || names->n > NAMED_MAX)
		return;
	qsort(names->v, names->n, sizeof *names->v, compare_names);
	for (size_t i = 0; i < names->n; i++)
		str_addf(out, "%s%s", i ? ", " : names->n > 1 ? "there are " : "there is ", names->v[i].name);
}

static int not_found(const struct place *places, size_t n, const char *folder, const char *name,
                     struct err *err)
{
	own_manifest_names struct manifest_names names = { 0 };
	own_str struct str where = STR_INIT, remedy = STR_INIT;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		if (places[i].dir < 0)
			continue;
		str_addf(&where, "%s%s%s%s", where.len ? ", " : "", places[i].shown, *folder ? "/" : "",
		         folder);
		/* One that can't be listed is only no help. */
		(void)add_names(&names, &places[i], folder, &ignored);
	}
	if (where.len == 0)
		return fail(err, ERR_MISSING,
		            "there is no file for \"%s\" in any place, because none exists; run bottle init",
		            name);
	add_remedy(&remedy, &names, name);
	return fail(err, ERR_MISSING, "there is no file for \"%s\" in %s; %s", name, str_c(&where),
	            str_c(&remedy));
}

/* Names in manifests are checked where they are read, so this one was typed. */
static int check_asked(const char *what, const char *name, struct err *err)
{
	own_str struct str shown = STR_INIT;

	if (manifest_name_is_valid(name))
		return 0;
	str_add_escaped(&shown, name, strlen(name), 60);
	return fail(err, ERR_USAGE,
	            "\"%s\" is no name of %s; lower-case letters, digits and single hyphens, at most %d",
	            str_c(&shown), what, MANIFEST_NAME_MAX);
}

static int find_first(const struct place *places, size_t n, const char *name, struct found *out,
                      struct str *bytes, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int hit = look_in(&places[i], "bottles", name, out, bytes, err);
		if (hit != 0)
			return hit < 0 ? -1 : 0;
	}
	return not_found(places, n, "bottles", name, err);
}

int find_bottle(const struct manifest_dirs *dirs, const char *name, struct found *out, struct str *bytes,
                struct err *err)
{
	struct place places[PLACES];

	if (check_asked("a bottle", name, err) != 0)
		return -1;
	places_of(dirs, places);
	/* Home and /etc: the third place never has a say in what a bottle may do. */
	return find_first(places, PLACES - 1, name, out, bytes, err);
}

int find_agent(const struct manifest_dirs *dirs, const char *name, struct found *out, struct str *bytes,
               struct err *err)
{
	struct place places[PLACES];
	own_found struct found first = { 0 };

	if (check_asked("an agent", name, err) != 0)
		return -1;
	places_of(dirs, places);
	for (size_t i = 0; i < PLACES; i++) {
		own_found struct found here = { 0 };
		own_str struct str read = STR_INIT;
		int hit = look_in(&places[i], "agents", name, &here, &read, err);
		if (hit < 0)
			return -1;
		if (hit && first.file && !here.trusted)
			return fail(err, ERR_DENIED,
			            "agent %s is in %s and in %s; a file of the working directory never "
			            "shadows yours, so rename one",
			            name, first.file, here.file);
		if (!hit || first.file)
			continue;
		first = here;
		here.file = NULL;
		str_addn(bytes, str_c(&read), read.len);
	}
	if (!first.file)
		return not_found(places, PLACES, "agents", name, err);
	found_clear(out);
	*out = first;
	first.file = NULL;
	return 0;
}

int find_provider(const struct manifest_dirs *dirs, const char *name, struct found *out, struct str *bytes,
                  struct err *err)
{
	const struct place own[] = { { dirs->home, "home", dirs->home_name, { ".yaml", ".json" }, true },
		                     { dirs->etc, "etc", dirs->etc_name, { ".yaml", ".json" }, true } };
	const struct place shipped = { dirs->share, "share", dirs->share_name, { ".yaml", ".json" }, true };
	struct place all[MORE_PLACES + 3];
	size_t n = 0;

	if (check_asked("a provider", name, err) != 0)
		return -1;
	if (dirs->nproviders > MORE_PLACES)
		return fail(err, ERR_INPUT, "more than %d directories of providers", MORE_PLACES);
	all[n++] = own[0];
	all[n++] = own[1];
	for (size_t i = 0; i < dirs->nproviders; i++)
		all[n++] = (struct place){
			dirs->providers[i].fd, "more", dirs->providers[i].name, { ".yaml", ".json" }, true
		};
	all[n++] = shipped;
	for (size_t i = 0; i < n; i++) {
		/* The configured ones hold provider files directly. */
		bool direct = i >= 2 && i + 1 < n;
		int hit = look_in(&all[i], direct ? "" : "providers", name, out, bytes, err);
		if (hit != 0)
			return hit < 0 ? -1 : 0;
	}
	return not_found(all, n, "providers", name, err);
}

void find_warn_of_bottles(const struct manifest_dirs *dirs)
{
	int cwd = cwd_of(dirs);
	struct stat st;

	if (cwd < 0 || (dirs->warned && *dirs->warned) ||
	    fstatat(cwd, "bottles", &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	log_warn(
		"bottles of the working directory are ignored; a bottle counts only in your home or /etc dir=%s/bottles",
		dirs->cwd_name);
	if (dirs->warned)
		*dirs->warned = true;
}

/* --- names ---------------------------------------------------------------------------- */

static int list_names(const struct manifest_dirs *dirs, size_t n, const char *folder,
                      struct manifest_names *out, struct err *err)
{
	own_manifest_names struct manifest_names names = { 0 };
	struct place places[PLACES];

	places_of(dirs, places);
	for (size_t i = 0; i < n; i++)
		if (places[i].dir >= 0 && add_names(&names, &places[i], folder, err) != 0)
			return -1;
	if (names.n > 0)
		qsort(names.v, names.n, sizeof *names.v, compare_names);
	*out = names;
	names = (struct manifest_names){ 0 };
	return 0;
}

int manifest_list_agents(const struct manifest_dirs *dirs, struct manifest_names *out, struct err *err)
{
	return list_names(dirs, PLACES, "agents", out, err);
}

int manifest_list_bottles(const struct manifest_dirs *dirs, struct manifest_names *out, struct err *err)
{
	return list_names(dirs, PLACES - 1, "bottles", out, err);
}
