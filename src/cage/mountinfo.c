/* The tree read back, as the kernel tells it: the text of a process's mountinfo against the rows
 * that its tree was made from. Each mount must be one that some row makes, with all that the row
 * takes away from it, and in nobody's peer group. */
#include "cage/cage.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cage/inside.h"
#include "base/banned.h"

enum {
	RDONLY = 1 << 0,
	NOSUID = 1 << 1,
	NODEV = 1 << 2,
	NOEXEC = 1 << 3,
	ALL = RDONLY | NOSUID | NODEV | NOEXEC
};

static const struct {
	const char *name;
	unsigned bit;
} options[] = { { "ro", RDONLY }, { "nosuid", NOSUID }, { "nodev", NODEV }, { "noexec", NOEXEC } };

/* proc(5): ID PARENT DEVICE ROOT POINT OPTIONS [PROPAGATION...] - TYPE SOURCE OPTIONS */
struct line {
	char *point, *words, *type;
	unsigned taken; /* of the bits above */
	const char *shared;
};

static char *next_field(char **rest)
{
	char *field = strsep(rest, " ");

	return field ? field : (char *)"";
}

/* A blank, a tab, a line's end and a backslash are written as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p;) {
		bool octal = p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		             p[3] >= '0' && p[3] <= '7';
		*to++ = octal ? (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')) : *p;
		p += octal ? 4 : 1;
	}
	*to = '\0';
}

static unsigned read_options(const char *words)
{
	unsigned found = 0;

	for (size_t n; *words; words += n + (words[n] == ',')) {
		n = strcspn(words, ",");
		for (size_t i = 0; i < ARRAY_LEN(options); i++)
			if (strlen(options[i].name) == n && memcmp(words, options[i].name, n) == 0)
				found |= options[i].bit;
	}
	return found;
}

static int read_line(char *text, struct line *out, struct err *err)
{
	char *rest = text;
	char *field;

	*out = (struct line){ 0 };
	for (int skipped = 0; skipped < 4; skipped++)
		next_field(&rest);
	out->point = next_field(&rest);
	out->words = next_field(&rest);
	while (*(field = next_field(&rest)) && !str_is(field, "-"))
		out->shared = field;
	out->type = next_field(&rest);
	if (!*out->type)
		return fail(err, ERR_UNCONFINED, "mountinfo has a line that is none");
	unescape(out->point);
	out->taken = read_options(out->words);
	return 0;
}

/* What a row of that kind takes away from what it mounts, beside its own flags. */
static const struct kind {
	bool mounts;
	const char *type; /* NULL: what is mounted is somebody's */
	unsigned takes;
	bool flags; /* the row's own count */
} kinds[] = {
	[CAGE_BIND] = { true, NULL, NOSUID, true },
	[CAGE_TMPFS] = { true, "tmpfs", NOSUID | NODEV, true },
	[CAGE_PROC] = { true, "proc", NOSUID | NODEV | NOEXEC, false },
	[CAGE_DEVPTS] = { true, "devpts", NOSUID | NOEXEC, false },
	[CAGE_MQUEUE] = { true, "mqueue", NOSUID | NODEV | NOEXEC, false },
	[CAGE_OVERLAY] = { true, "overlay", NOSUID, true },
	[CAGE_PIN] = { true, NULL, NOSUID, true },
	[CAGE_MASK] = { true, NULL, ALL, false },
};

static unsigned taken_by(const struct cage_mount *row)
{
	const struct kind *k = &kinds[row->kind];

	if (!k->flags)
		return k->takes;
	return k->takes | (row->flags & CAGE_DEVICE ? 0 : NODEV) |
	       (row->flags & CAGE_READ_ONLY ? RDONLY : 0) | (row->flags & CAGE_NOEXEC ? NOEXEC : 0);
}

static bool has_taken(const struct line *l, const char *type, unsigned bits)
{
	return (l->taken & bits) == bits && (!type || str_is(l->type, type));
}

static bool is_at(const struct cage_mount *row, const struct line *l)
{
	return (size_t)row->kind < ARRAY_LEN(kinds) && kinds[row->kind].mounts &&
	       str_is(l->point, row->target);
}

static bool is_closed_in_proc(const struct line *l, const char *name)
{
	for (size_t i = 0; closed_in_proc[i].name; i++)
		if (str_is(name, closed_in_proc[i].name))
			return has_taken(l, "tmpfs", ALL);
	return false;
}

/* What comes with a row's own mount: of /proc the knobs, and what is closed there; of a directory
 * of the host what is mounted below it there. */
static bool comes_with(const struct cage_mount *row, const struct line *l)
{
	size_t n = strlen(row->target);

	if (!str_starts(l->point, row->target) || l->point[n] != '/')
		return false;
	if (row->kind == CAGE_PROC)
		return str_is(l->point + n, "/sys") ? has_taken(l, "proc", ALL) :
		                                      is_closed_in_proc(l, l->point + n + 1);
	return row->kind == CAGE_BIND && has_taken(l, NULL, taken_by(row));
}

static bool is_made(const struct cage_mount *row, const struct line *l)
{
	return is_at(row, l) && has_taken(l, kinds[row->kind].type, taken_by(row));
}

static bool is_planned(const struct line *l, const struct cage_mount *rows, size_t n)
{
	if (str_is(l->point, "/"))
		return has_taken(l, "tmpfs", RDONLY | NOSUID | NODEV);
	for (size_t i = 0; i < n; i++)
		if (is_made(&rows[i], l) || comes_with(&rows[i], l))
			return true;
	return false;
}

static int fail_line(const struct line *l, const char *what, const char *more, struct err *err)
{
	own_str struct str shown = STR_INIT;

	str_add_escaped(&shown, l->point, strlen(l->point), 120);
	return fail(err, ERR_UNCONFINED, "the mount at %s %s (%.20s, %.80s)", str_c(&shown), what, l->type,
	            more);
}

struct lines {
	struct line *v;
	size_t n;
};

static void lines_clear(struct lines *l)
{
	mem_drop(&l->v);
}

/* What lies over a planned mount may be another's that came along; but the planned one is there. */
static int check_row(const struct cage_mount *row, const struct lines *lines, struct err *err)
{
	const struct line *found = NULL;

	for (size_t i = 0; i < lines->n; i++) {
		if (is_made(row, &lines->v[i]))
			return 0;
		if (is_at(row, &lines->v[i]))
			found = &lines->v[i];
	}
	return found ? fail_line(found, "is wider than it was planned", found->words, err) : 0;
}

int cage_mounts_check(const char *mountinfo, const struct cage_mount *rows, size_t n, struct err *err)
{
	own_mem char *copy = xstrdup(mountinfo);
	__attribute__((cleanup(lines_clear))) struct lines lines = { 0 };
	bool rooted = false;

	for (char *rest = copy, *text; (text = strsep(&rest, "\n")) && *text; lines.n++) {
		lines.v = xrealloc(lines.v, lines.n + 1, sizeof *lines.v);
		struct line *l = &lines.v[lines.n];
		if (read_line(text, l, err) != 0)
			return -1;
		if (l->shared)
			return fail_line(l, "is in a peer group", l->shared, err);
		if (!is_planned(l, rows, n))
			return fail_line(l, "is none that was planned", l->words, err);
		rooted = rooted || str_is(l->point, "/");
	}
	for (size_t i = 0; i < n; i++)
		if (check_row(&rows[i], &lines, err) != 0)
			return -1;
	return rooted ? 0 : fail(err, ERR_UNCONFINED, "no mount stands at /");
}
