#include "workspace/lines.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/own.h"
#include "workspace/workspace.h"
#include "base/banned.h"

enum {
	CONTEXT = 3,
	EDITS = 1500, /* differing lines up to which the shortest edit is looked for */
};

struct line {
	const char *text;
	size_t n; /* with its newline */
	uint32_t hash;
};

struct lines {
	struct line *v;
	size_t n;
	bool *changed;
};

static void lines_clear(struct lines *l)
{
	mem_drop(&l->v);
	mem_drop(&l->changed);
}
#define own_lines __attribute__((cleanup(lines_clear)))

static struct lines split(const char *text, size_t n)
{
	struct lines made = { 0 };
	size_t count = 1;

	for (size_t i = 0; i < n; i++)
		count += text[i] == '\n';
	made.v = xcalloc(count, sizeof *made.v);
	made.changed = xcalloc(count, sizeof *made.changed);
	for (size_t at = 0; at < n;) {
		const char *newline = memchr(text + at, '\n', n - at);
		size_t length = newline ? (size_t)(newline - (text + at)) + 1 : n - at;
		uint32_t hash = 2166136261u;
		for (size_t i = 0; i < length; i++)
			hash = (hash ^ (unsigned char)text[at + i]) * 16777619u;
		made.v[made.n++] = (struct line){ text + at, length, hash };
		at += length;
	}
	return made;
}

static bool same(const struct line *a, const struct line *b)
{
	return a->hash == b->hash && a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

/* The stretch in which the two differ, with what is equal at both ends cut off. */
struct stretch {
	const struct line *a, *b;
	bool *gone, *come;
	long n, m;
};

/* E. Myers, "An O(ND) Difference Algorithm", the greedy form: for each number of edits the
 * furthest points on each diagonal, all rounds kept so that the way can be walked back.
 * Returns the number of edits, or -1 over the limit. Round d has d + 1 points. */
static long *round_of(long *points, long d)
{
	return points + d * (d + 1) / 2;
}

static long furthest(const long *before, long d, long at)
{
	/* @at counts the steps down (lines come) in the order of diagonals -d, -d+2, ..., d. */
	if (d == 0 || !before)
		return 0;
	if (at == 0)
		return before[0];
	if (at == d || before[at - 1] + 1 > before[at])
		return before[at - 1] + 1;
	return before[at];
}

static long edits_find(const struct stretch *s, long *points)
{
	for (long d = 0; d <= EDITS; d++) {
		const long *before = d ? round_of(points, d - 1) : NULL;
		for (long at = 0; at <= d; at++) {
			long x = furthest(before, d, at), y = x - (2 * at - d);
			while (x < s->n && y >= 0 && y < s->m && same(&s->a[x], &s->b[y]))
				x++, y++;
			round_of(points, d)[at] = x;
			if (x >= s->n && y >= s->m)
				return d;
		}
	}
	return -1;
}

static void edits_mark(const struct stretch *s, long *points, long edits)
{
	long at = (s->n - s->m + edits) / 2;

	for (long d = edits; d > 0; d--) {
		const long *before = round_of(points, d - 1);
		long x = furthest(before, d, at), y = x - (2 * at - d);
		bool gone = at == d || (at > 0 && before[at - 1] + 1 > before[at]);
		if (gone) {
			if (x >= 1 && x <= s->n)
				s->gone[x - 1] = true;
			at--;
		} else if (y >= 1 && y <= s->m) {
			s->come[y - 1] = true;
		}
	}
}

static void compare(struct lines *a, struct lines *b)
{
	size_t head = 0, tail = 0;

	while (head < a->n && head < b->n && same(&a->v[head], &b->v[head]))
		head++;
	while (tail < a->n - head && tail < b->n - head &&
	       same(&a->v[a->n - 1 - tail], &b->v[b->n - 1 - tail]))
		tail++;
	struct stretch s = { a->v + head,
		             b->v + head,
		             a->changed + head,
		             b->changed + head,
		             (long)(a->n - head - tail),
		             (long)(b->n - head - tail) };
	own_mem long *points = xcalloc((EDITS + 1) * (EDITS + 2) / 2, sizeof *points);
	long edits = edits_find(&s, points);
	if (edits >= 0) {
		edits_mark(&s, points, edits);
		return;
	}
	memset(s.gone, true, (size_t)s.n);
	memset(s.come, true, (size_t)s.m);
}

static void add_line(struct str *out, char sign, const struct line *l)
{
	bool whole = l->text[l->n - 1] == '\n';

	str_addc(out, sign);
	str_addn_visible(out, l->text, l->n - whole, true);
	str_add(out, whole ? "\n" : "\n\\ No newline at end of file\n");
}

/* From (i, j) to the end of a run of changes, with the equal lines between changes that are
 * closer than two contexts; gives where the hunk's last change ends. */
static void hunk_end(const struct lines *a, const struct lines *b, size_t *i, size_t *j)
{
	size_t x = *i, y = *j, equal = 0;

	while ((x < a->n || y < b->n) && equal <= 2 * CONTEXT) {
		if (x < a->n && a->changed[x])
			x++, equal = 0;
		else if (y < b->n && b->changed[y])
			y++, equal = 0;
		else
			x++, y++, equal++;
		if (equal == 0)
			*i = x, *j = y;
	}
}

static void add_hunk(const struct lines *a, const struct lines *b, size_t i, size_t j, size_t to_i,
                     size_t to_j, struct str *out)
{
	/* An empty side is counted from the line before it. */
	str_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", i + (to_i > i), to_i - i, j + (to_j > j), to_j - j);
	while (i < to_i || j < to_j) {
		if (i < to_i && a->changed[i])
			add_line(out, '-', &a->v[i++]);
		else if (j < to_j && b->changed[j])
			add_line(out, '+', &b->v[j++]);
		else
			add_line(out, ' ', &a->v[i++]), j++;
	}
}

void lines_diff(const char *a, size_t na, const char *b, size_t nb, struct str *out)
{
	own_lines struct lines left = split(a, na), right = split(b, nb);

	compare(&left, &right);
	for (size_t i = 0, j = 0; i < left.n || j < right.n;) {
		if (!(i < left.n && left.changed[i]) && !(j < right.n && right.changed[j])) {
			i++, j++;
			continue;
		}
		size_t before = i < CONTEXT ? i : CONTEXT, end_i = i, end_j = j;
		if (j < before)
			before = j;
		hunk_end(&left, &right, &end_i, &end_j);
		size_t after = left.n - end_i < CONTEXT ? left.n - end_i : CONTEXT;
		add_hunk(&left, &right, i - before, j - before, end_i + after, end_j + after, out);
		/* The context is equal on both sides, so going on behind it skips no change. */
		i = end_i + after;
		j = end_j + after;
	}
}
