#include "manifest/node.h"

#include <string.h>

#include "base/own.h"
#include "base/utf8.h"
#include "manifest/manifest.h"
#include "base/banned.h"

struct node_chunk {
	struct node_chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char bytes[];
};

enum { CHUNK = 16 * 1024 };

void node_pool_clear(struct node_pool *pool)
{
	while (pool->chunks) {
		struct node_chunk *next = pool->chunks->next;
		free(pool->chunks);
		pool->chunks = next;
	}
}

void *node_alloc(struct node_pool *pool, size_t n)
{
	const size_t align = _Alignof(max_align_t);

	n = (n + align - 1) / align * align;
	if (!pool->chunks || pool->chunks->size - pool->chunks->used < n) {
		size_t size = n > CHUNK ? n : CHUNK;
		struct node_chunk *chunk = xmalloc(sizeof *chunk + size);
		*chunk = (struct node_chunk){ .next = pool->chunks, .size = size };
		pool->chunks = chunk;
	}
	void *p = pool->chunks->bytes + pool->chunks->used;
	pool->chunks->used += n;
	return memset(p, 0, n);
}

char *node_text(struct node_pool *pool, const char *text, size_t n)
{
	char *copy = node_alloc(pool, n + 1);

	memcpy(copy, text, n);
	return copy;
}

struct node *node_new(struct node_pool *pool, enum node_kind kind, const char *file, unsigned line)
{
	struct node *node = node_alloc(pool, sizeof *node);

	*node = (struct node){ .kind = kind, .file = file, .line = line };
	return node;
}

void node_append(struct node *parent, struct node *child)
{
	child->next = NULL;
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->count++;
}

struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (struct node *n = map->first; n; n = n->next)
		if (str_is(n->key, key))
			return n;
	return NULL;
}

int node_spend(struct node_budget *budget, const char *file, unsigned line, size_t n, struct err *err)
{
	budget->nodes++;
	budget->text += n;
	if (budget->nodes > MANIFEST_NODES_MAX)
		return fail(err, ERR_INPUT, "%s:%u: more than %d values, aliases expanded; write less of it",
		            file, line, MANIFEST_NODES_MAX);
	if (budget->text > MANIFEST_TEXT_MAX)
		return fail(err, ERR_INPUT,
		            "%s:%u: more than %d bytes of values, aliases expanded; write less of it", file,
		            line, MANIFEST_TEXT_MAX);
	return 0;
}

struct node *node_copy(struct node_pool *pool, const struct node *from, struct node_budget *budget,
                       struct err *err)
{
	/* Every level spends, so a bomb of aliases stops at the limit and not at the end of memory. */
	if (budget &&
	    node_spend(budget, from->file, from->line, from->text ? strlen(from->text) : 0, err) != 0)
		return NULL;
	struct node *copy = node_alloc(pool, sizeof *copy);
	*copy = *from;
	copy->first = copy->last = copy->next = NULL;
	copy->count = 0;
	for (const struct node *n = from->first; n; n = n->next) {
		struct node *child = node_copy(pool, n, budget, err);
		if (!child)
			return NULL;
		node_append(copy, child);
	}
	return copy;
}

const char *node_kind_name(enum node_kind kind)
{
	static const char *const names[] = {
		"empty", "true or false", "a number", "text", "a list", "a map"
	};

	return names[kind];
}

/* The line that begins at @p, without its end; @next is where the following one begins. */
static size_t line_length(const char *p, const char *end, const char **next)
{
	const char *stop = memchr(p, '\n', (size_t)(end - p));

	*next = stop ? stop + 1 : end;
	stop = stop ? stop : end;
	while (stop > p && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	return (size_t)(stop - p);
}

static bool is_fence(const char *p, const char *end, const char **next)
{
	return line_length(p, end, next) == 3 && memcmp(p, "---", 3) == 0;
}

static const char *stripped(struct node_pool *pool, const char *p, const char *end)
{
	const char *next;

	while (p < end && line_length(p, end, &next) == 0)
		p = next;
	while (end > p && strchr(" \t\r\n", end[-1]))
		end--;
	return node_text(pool, p, (size_t)(end - p));
}

static int split_frontmatter(struct node_pool *pool, const char *file, const char *p, const char *end,
                             struct node **out, const char **body, struct err *err)
{
	const char *front;

	if (!is_fence(p, end, &front))
		return fail(err, ERR_INPUT, "%s:1: no frontmatter; the first line must be ---", file);
	for (const char *line = front, *next; line < end; line = next) {
		if (!is_fence(line, end, &next))
			continue;
		if (node_parse_yaml(pool, file, 2, front, (size_t)(line - front), out, err) != 0)
			return -1;
		*body = stripped(pool, next, end);
		return 0;
	}
	return fail(err, ERR_INPUT,
	            "%s:1: the frontmatter has no end; put --- on a line of its own behind it", file);
}

enum node_form node_form_of(const char *file)
{
	return str_ends(file, ".json") ? NODE_JSON : str_ends(file, ".yaml") ? NODE_YAML : NODE_FRONTMATTER;
}

int node_parse_file(struct node_pool *pool, const char *file, enum node_form form, const void *bytes,
                    size_t n, struct node **out, const char **body, struct err *err)
{
	const char *p = bytes, *end = p + n;

	if (n > MANIFEST_FILE_MAX)
		return fail(err, ERR_INPUT, "%s is larger than the limit of %d bytes", file,
		            MANIFEST_FILE_MAX);
	if (n > 0 && memchr(p, '\0', n))
		return fail(err, ERR_INPUT, "%s has a NUL byte; it must be text", file);
	if (!utf8_is_valid(p, n))
		return fail(err, ERR_INPUT, "%s is not UTF-8", file);
	*body = "";
	if (form == NODE_JSON)
		return node_parse_json(pool, file, bytes, n, out, err);
	/* A byte order mark is an editor's habit, and says nothing here. */
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	if (form == NODE_YAML)
		return node_parse_yaml(pool, file, 1, p, (size_t)(end - p), out, err);
	return split_frontmatter(pool, file, p, end, out, body, err);
}
