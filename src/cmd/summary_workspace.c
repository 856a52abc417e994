#include "cmd/summary.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "registry/paths.h"
#include "base/banned.h"

/* A summary is not worth more than a glance at a large tree. */
enum { LOOK_ENTRIES = 5000, LOOK_DEPTH = 32, NAMED = 3 };

struct look {
	uid_t owner;
	size_t seen, found;
	struct str names;
};

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static void look_in(struct look *k, int parent, const char *name, const char *below, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	OWN(close_dir) DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	for (struct dirent *e; d && k->seen < LOOK_ENTRIES && (e = readdir(d));) {
		struct stat st;
		if (str_is(e->d_name, ".") || str_is(e->d_name, ".."))
			continue;
		k->seen++;
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		own_mem char *path = xasprintf("%s%s%s", below, *below ? "/" : "", e->d_name);
		if (st.st_uid != k->owner && k->found++ < NAMED) {
			str_add(&k->names, k->names.len ? ", " : "");
			str_add_name(&k->names, path);
		}
		if (S_ISDIR(st.st_mode) && depth < LOOK_DEPTH)
			look_in(k, fd, e->d_name, path, depth + 1);
	}
}

/* Inside they are nobody's: the agent has what everybody may do with them, and no more. */
static void print_owners(struct command *c, const char *workspace)
{
	struct look k = { .names = STR_INIT };
	struct stat st;

	if (stat(workspace, &st) != 0)
		return;
	k.owner = geteuid() == 0 ? st.st_uid : geteuid();
	look_in(&k, AT_FDCWD, workspace, "", 0);
	if (k.found > 0)
		ui_note(&c->ui,
		        "%-12s files of other owners (%zu%s) are only as open inside as they are to everybody: %s%s",
		        "", k.found, k.seen >= LOOK_ENTRIES ? " or more" : "", str_c(&k.names),
		        k.found > NAMED ? ", ..." : "");
	str_clear(&k.names);
}

/* Where the upper layer lies: on these a copy may fail, or lose what the kernel promises. */
static void print_layer(struct command *c)
{
	struct err ignored = ERR_INIT;
	int bottles = command_bottles(c, &ignored);
	struct statfs fs;

	if (bottles < 0 || fstatfs(bottles, &fs) != 0)
		return;
	const char *kind = fs.f_type == OVERLAYFS_SUPER_MAGIC ? "an overlay (a container's own file system)" :
	                   fs.f_type == NFS_SUPER_MAGIC       ? "NFS" :
	                                                        NULL;
	if (kind)
		ui_note(&c->ui,
		        "%-12s changes would lie on %s, where a layer of changes may not work; set XDG_STATE_HOME to a "
		        "local disk",
		        "", kind);
}

void summary_workspace(struct command *c, const struct plan *p)
{
	own_str struct str text = STR_INIT;
	static const char *const how[] = {
		[MANIFEST_WORKSPACE_COPY] = "changes stay in the bottle until they are exported",
		[MANIFEST_WORKSPACE_MOUNT] =
			"the agent works on these files themselves; what a tool of the host obeys stays as it is",
		[MANIFEST_WORKSPACE_NONE] = "none",
	};

	if (!p->workspace) {
		ui_note(&c->ui, "%-12s none", "workspace");
		return;
	}
	str_add_visible(&text, p->workspace);
	ui_note(&c->ui, "%-12s %s (%s)", "workspace", str_c(&text), how[p->workspace_mode]);
	if (p->workspace_mode == MANIFEST_WORKSPACE_MOUNT) {
		ui_note(&c->ui, "%-12s new files of that kind can be made, and are named at the end", "");
		ui_note(&c->ui,
		        "%-12s replaced on the host, one is no longer kept; an excluded one ends the bottle",
		        "");
	}
	if (p->workspace_mode == MANIFEST_WORKSPACE_COPY)
		print_layer(c);
	print_owners(c, p->workspace);
}
