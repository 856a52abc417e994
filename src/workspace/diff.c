#include "workspace/workspace.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "workspace/below.h"
#include "workspace/changes.h"
#include "workspace/lines.h"
#include "base/banned.h"

enum side_state { SIDE_NONE, SIDE_TEXT, SIDE_BINARY, SIDE_LARGE, SIDE_UNREADABLE };

/* Reads a regular file of one side, bounded; anything else there is no side. */
static enum side_state read_side(int dir, const char *path, struct str *out)
{
	struct err err = ERR_INIT;
	struct stat st;
	own_fd int fd = below_read_file(dir, path, &st);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EINVAL ? SIDE_NONE : SIDE_UNREADABLE;
	if (st.st_size > WORKSPACE_TEXT)
		return SIDE_LARGE;
	/* It may grow while it is read: the limit holds all the same. */
	if (file_read_fd(fd, "a file", WORKSPACE_TEXT, out, &err) != 0)
		return err.kind == ERR_INPUT ? SIDE_LARGE : SIDE_UNREADABLE;
	return out->len > 0 && memchr(out->data, '\0', out->len) ? SIDE_BINARY : SIDE_TEXT;
}

static void add_name(struct str *out, const struct change *c)
{
	str_add_name(out, c->path);
}

/* What can't be shown line by line: one sentence. */
static void say(struct str *out, const struct change *c, const char *what)
{
	str_addf(out, "%s %s ", change_status_name(c->status), entry_kind_name(c->kind));
	add_name(out, c);
	str_addf(out, "%s%s", what[0] ? ": " : "", what);
	if (c->target) {
		str_add(out, " -> ");
		str_add_name(out, c->target);
	}
	str_addc(out, '\n');
	if (c->mode != c->mode_before)
		str_addf(out, "old mode %04o\nnew mode %04o\n", (unsigned)c->mode_before, (unsigned)c->mode);
}

static void add_header(struct str *out, const char *sign, const char *side, const struct change *c,
                       bool there)
{
	str_addf(out, "%s ", sign);
	str_add(out, there ? side : "/dev/null");
	if (there)
		add_name(out, c);
	str_addc(out, '\n');
}

bool workspace_diff(const struct workspace *w, const struct change *c, struct str *out)
{
	own_str struct str before = STR_INIT, after = STR_INIT;
	enum side_state was = SIDE_NONE, is = SIDE_NONE;

	if (c->unreadable) {
		say(out, c, c->unreadable);
		return true;
	}
	if (c->kind != ENTRY_FILE || c->status == CHANGE_MODE) {
		say(out, c, "");
		return true;
	}
	if (c->status != CHANGE_ADDED)
		was = read_side(w->lower, c->path, &before);
	if (c->status != CHANGE_DELETED)
		is = read_side(w->upper, c->path, &after);
	if (was == SIDE_UNREADABLE || is == SIDE_UNREADABLE)
		say(out, c, change_closed_file);
	else if (was == SIDE_LARGE || is == SIDE_LARGE)
		say(out, c, "too large to be shown");
	else if (was == SIDE_BINARY || is == SIDE_BINARY)
		say(out, c, "binary");
	else {
		if (c->mode != c->mode_before)
			say(out, c, "");
		add_header(out, "---", "a/", c, was == SIDE_TEXT);
		add_header(out, "+++", "b/", c, is == SIDE_TEXT);
		lines_diff(str_c(&before), before.len, str_c(&after), after.len, out);
	}
	return was != SIDE_UNREADABLE && is != SIDE_UNREADABLE;
}
