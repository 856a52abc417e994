#include "launch/steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "launch/fault.h"
#include "launch/words.h"
#include "base/banned.h"

/* The home was the guest's before, when a bottle is resumed: every name in it is hostile, so
 * each component is opened by itself and no link is followed. */

enum { SKILL_FILE_MAX = 4 << 20, SKILL_ENTRIES = 2000, SKILL_DEPTH = 16 };

static int enter(int parent, const char *name, struct err *err)
{
	if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
		return fail_errno(err, "making %s", name);
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 ? fd : fail_errno(err, "opening %s", name);
}

/* Every directory of @path below @home, made where missing; the last component is left in @name. */
static int enter_path(int home, const char *path, const char **name, struct err *err)
{
	own_fd int at = fcntl(home, F_DUPFD_CLOEXEC, 3);

	if (at < 0)
		return fail_errno(err, "duplicating a descriptor");
	for (const char *slash; (slash = strchr(path, '/')); path = slash + 1) {
		own_mem char *component = xstrndup(path, (size_t)(slash - path));
		if (*component == '\0' || str_is(component, "."))
			continue;
		if (str_is(component, ".."))
			return fail(err, ERR_INPUT, "a path in the home goes upwards");
		int next = enter(at, component, err);
		if (next < 0)
			return -1;
		fd_drop(&at);
		at = next;
	}
	*name = path;
	return fd_steal(&at);
}

static int write_file(int home, const char *path, const char *text, mode_t mode, struct err *err)
{
	const char *name;

	own_fd int dir = enter_path(home, path, &name, err);
	if (dir < 0)
		return fail_in(err, "%s", path);
	if (*name == '\0' || str_is(name, "..") || str_is(name, "."))
		return fail(err, ERR_INPUT, "%s is no file name", path);
	return file_place(dir, name, text, strlen(text), mode, err);
}

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

struct copying {
	size_t entries;
};

static int copy_directory(struct copying *c, int from, int to, int depth, struct err *err);

static int copy_entry(struct copying *c, int from, int to, const char *name, int depth, struct err *err)
{
	struct stat st;

	if (++c->entries > SKILL_ENTRIES || depth > SKILL_DEPTH)
		return fail(err, ERR_INPUT, "over %d files, or %d directories deep", SKILL_ENTRIES,
		            SKILL_DEPTH);
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail_errno(err, "%s", name);
	if (S_ISDIR(st.st_mode)) {
		own_fd int inner = openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		own_fd int made = inner < 0 ? -1 : enter(to, name, err);
		if (inner < 0)
			return fail_errno(err, "%s", name);
		return made < 0 ? -1 : copy_directory(c, inner, made, depth + 1, err);
	}
	if (!S_ISREG(st.st_mode))
		return 0; /* a link may lead anywhere on the host */
	own_str struct str bytes = STR_INIT;
	if (file_read(from, name, SKILL_FILE_MAX, &bytes, err) != 0)
		return -1;
	return file_place(to, name, str_c(&bytes), bytes.len, st.st_mode & 0100 ? 0700 : 0600, err);
}

static int copy_directory(struct copying *c, int from, int to, int depth, struct err *err)
{
	own_fd int fd = fcntl(from, F_DUPFD_CLOEXEC, 3);
	OWN(close_dir) DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return fail_errno(err, "reading a directory");
	fd_steal(&fd);
	for (struct dirent *e; (e = readdir(d));) {
		if (str_is(e->d_name, ".") || str_is(e->d_name, ".."))
			continue;
		if (copy_entry(c, from, to, e->d_name, depth, err) != 0)
			return -1;
	}
	return 0;
}

static int place_skills(const struct plan *p, int home, struct err *err)
{
	for (size_t i = 0; i < p->nskills; i++) {
		const struct plan_skill *s = &p->skills[i];
		struct copying c = { 0 };
		const char *rest;
		own_mem char *path = xasprintf("%s/%s/", p->skills_dir, s->name);
		own_fd int from = openat(AT_FDCWD, s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (from < 0)
			return fail_errno(err, "skill %s: %s", s->name, s->path);
		own_fd int to = enter_path(home, path, &rest, err);
		if (to < 0 || copy_directory(&c, from, to, 0, err) != 0)
			return fail_in(err, "skill %s", s->name);
	}
	return 0;
}

static const char *provider_placeholder(const struct launch *l)
{
	for (size_t i = 0; i < l->plan->ncredentials; i++)
		if (l->plan->credentials[i].provider)
			return l->placeholders.v[i];
	return NULL;
}

static int place_files(const struct launch *l, int home, struct err *err)
{
	const struct word words[] = { { "placeholder", provider_placeholder(l) } };

	for (size_t i = 0; i < l->plan->nfiles; i++) {
		const struct plan_file *f = &l->plan->files[i];
		own_mem char *content = words_fill(f->content, words, ARRAY_LEN(words));
		if (!content)
			continue; /* it would hold a credential, and there is none */
		if (write_file(home, f->path, content, f->executable ? 0700 : 0600, err) != 0)
			return -1;
	}
	return 0;
}

static void add_git_value(struct str *out, const char *key, const char *value)
{
	if (!value)
		return;
	str_addf(out, "\t%s = \"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			str_addc(out, '\\');
		str_addc(out, *value == '\n' || *value == '\r' ? ' ' : *value);
	}
	str_add(out, "\"\n");
}

static int place_git(const struct plan *p, int home, struct err *err)
{
	own_str struct str text = STR_INIT;

	if (!p->git_name && !p->git_email)
		return 0;
	str_add(&text, "[user]\n");
	add_git_value(&text, "name", p->git_name);
	add_git_value(&text, "email", p->git_email);
	return write_file(home, ".config/git/config", str_c(&text), 0600, err);
}

int provision_up(void *arg, struct err *err)
{
	struct launch *l = arg;

	own_fd int home = openat(l->dir, RECORD_HOME, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (home < 0)
		return fail_errno(err, "open the guest's home");
	/* A secret that opens nothing: where it turns up, somebody was looking for one. */
	if (write_file(home, ".config/bot-bottle/credentials", l->canary, 0600, err) != 0 ||
	    launch_fault("preparing the home", FAULT_DURING, err) != 0 || place_files(l, home, err) != 0 ||
	    place_git(l->plan, home, err) != 0 || place_skills(l->plan, home, err) != 0)
		return fail_in(err, "the guest's home");
	return 0;
}
