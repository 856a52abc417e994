#pragma once
/* A throw-away set of places with manifests in them. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"
#include "manifest/manifest.h"

struct files {
	char root[64];
	int fd;
	struct manifest_dirs dirs;
};

static inline int files_place(struct files *f, const char *name)
{
	struct err err = ERR_INIT;
	int fd = dir_make(f->fd, name, 0700, &err);

	assert_true(fd >= 0);
	return fd;
}

static inline void files_up(struct files *f)
{
	memcpy(f->root, "/tmp/manifest.XXXXXX", sizeof "/tmp/manifest.XXXXXX");
	assert_non_null(mkdtemp(f->root));
	f->fd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->dirs = (struct manifest_dirs)MANIFEST_DIRS_INIT;
	f->dirs.home = files_place(f, "home");
	f->dirs.etc = files_place(f, "etc");
	f->dirs.cwd = files_place(f, "cwd");
	f->dirs.share = open("src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->dirs.home_name = "home";
	f->dirs.etc_name = "etc";
	f->dirs.cwd_name = "cwd";
}

static inline void files_down(struct files *f)
{
	struct err err = ERR_INIT;

	fd_drop(&f->dirs.home);
	fd_drop(&f->dirs.etc);
	fd_drop(&f->dirs.cwd);
	fd_drop(&f->dirs.share);
	fd_drop(&f->fd);
	assert_ok(dir_remove(AT_FDCWD, f->root, &err), &err);
}
#define own_files __attribute__((cleanup(files_down)))

static inline void put(struct files *f, const char *path, const char *text)
{
	struct err err = ERR_INIT;
	own_mem char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	own_fd int fd = dir_make(f->fd, folder, 0700, &err);

	assert_ok(file_write(fd, strrchr(path, '/') + 1, text, strlen(text), 0600, &err), &err);
}

/* A bottle in home: its frontmatter. */
static inline void put_bottle(struct files *f, const char *name, const char *yaml)
{
	own_mem char *path = xasprintf("home/bottles/%s.md", name);
	own_mem char *text = xasprintf("---\n%s\n---\n", yaml);

	put(f, path, text);
}

static inline int resolve_bottles(struct files *f, const char *names, struct manifest_plan *out,
                                  struct err *err)
{
	own_strv struct strv list = STRV_INIT;
	own_mem char *copy = xstrdup(names);

	for (char *save = NULL, *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save))
		strv_add(&list, name);
	return manifest_resolve(&f->dirs, NULL, &list, out, err);
}
