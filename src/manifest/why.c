#include "manifest/why.h"

#include <string.h>

#include "base/own.h"
#include "manifest/fields.h"
#include "base/banned.h"

struct collector {
	struct manifest_why *v;
	size_t n, room;
};

void why_clear(struct manifest_why **why, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		free((*why)[i].path);
		free((*why)[i].value);
		free((*why)[i].source);
	}
	mem_drop(why);
	*n = 0;
}

static void add(struct collector *c, const char *path, char *value, char *source)
{
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 64;
		c->v = xrealloc(c->v, c->room, sizeof *c->v);
	}
	c->v[c->n++] = (struct manifest_why){ xstrdup(path), value, source };
}

static void add_node(void *arg, const char *path, const struct node *node)
{
	own_str struct str shown = STR_INIT;

	if (node->text)
		str_add_escaped(&shown, node->text, strlen(node->text), 200);
	else
		str_add(&shown, node->kind == NODE_LIST ? "[]" : "{}");
	add(arg, path, str_steal(&shown), xasprintf("%s:%u", node->file, node->line));
}

static void add_default(void *arg, const char *path, const struct field *field)
{
	add(arg, path, xstrdup(field->fallback), xstrdup("default"));
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct manifest_why *)a)->path, ((const struct manifest_why *)b)->path);
}

void why_collect(const struct node *merged, struct manifest_why **out, size_t *n)
{
	struct collector c = { 0 };

	schema_visit(&bottle_schema, merged, add_node, &c);
	schema_visit_defaults(&bottle_schema, merged, add_default, &c);
	if (c.n > 0)
		qsort(c.v, c.n, sizeof *c.v, compare);
	*out = c.v;
	*n = c.n;
}
