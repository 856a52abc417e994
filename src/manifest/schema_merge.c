/* Two trees become one. It works on nodes, not on structs, so every value of the result
 * still knows the file and line that it comes from. */
#include "manifest/schema.h"

#include <string.h>

#include "base/own.h"
#include "base/banned.h"

static struct node *shallow(struct node_pool *pool, const struct node *from, bool with_children)
{
	struct node *copy = node_alloc(pool, sizeof *copy);

	*copy = *from;
	copy->next = NULL;
	if (!with_children) {
		copy->first = copy->last = NULL;
		copy->count = 0;
	}
	return copy;
}

/* A place in the list: the node itself stays where it is, also for other lists. */
static void append_shared(struct node_pool *pool, struct node *to, const struct node *item)
{
	node_append(to, shallow(pool, item, true));
}

static const struct field *field_of(const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->nfields; i++)
		if (str_is(schema->fields[i].name, name))
			return &schema->fields[i];
	return NULL;
}

static bool has_text(const struct node *list, const char *text)
{
	for (const struct node *n = list->first; n; n = n->next)
		if (str_is(n->text, text))
			return true;
	return false;
}

static struct node *merge_texts(struct node_pool *pool, const struct node *under, const struct node *over)
{
	struct node *list = shallow(pool, over, false);

	for (const struct node *n = under->first; n; n = n->next)
		append_shared(pool, list, n);
	for (const struct node *n = over->first; n; n = n->next)
		if (!has_text(list, n->text))
			append_shared(pool, list, n);
	return list;
}

/* Identities of @list in order; freed with identities_clear(). */
struct identities {
	char **v;
	size_t n;
};

static void identities_clear(struct identities *ids)
{
	for (size_t i = 0; i < ids->n; i++)
		free(ids->v[i]);
	mem_drop(&ids->v);
	ids->n = 0;
}
#define own_identities __attribute__((cleanup(identities_clear)))

static struct identities identities_of(const struct schema *of, const struct node *list)
{
	struct identities ids = { xcalloc(list->count + 1, sizeof *ids.v), 0 };

	for (const struct node *n = list->first; n; n = n->next)
		ids.v[ids.n++] = of->identity(n);
	return ids;
}

static bool holds(const struct identities *ids, const char *identity)
{
	for (size_t i = 0; i < ids->n; i++)
		if (identity && str_is(ids->v[i], identity))
			return true;
	return false;
}

/* The later item replaces the earlier whole; it stands where the later list has it. */
static struct node *merge_items(struct node_pool *pool, const struct schema *of, const struct node *under,
                                const struct node *over)
{
	own_identities struct identities old = identities_of(of, under);
	own_identities struct identities new = identities_of(of, over);
	struct node *list = shallow(pool, over, false);
	size_t i = 0;

	for (const struct node *n = under->first; n; n = n->next, i++)
		if (!holds(&new, old.v[i]))
			append_shared(pool, list, n);
	for (const struct node *n = over->first; n; n = n->next)
		append_shared(pool, list, n);
	return list;
}

static struct node *merge_value(struct node_pool *pool, const struct field *f, struct node *under,
                                struct node *over);

/* @of: the schema of each value, NULL for plain text. */
static struct node *merge_named(struct node_pool *pool, const struct schema *of, const struct node *under,
                                const struct node *over)
{
	struct node *map = shallow(pool, over, false);

	for (struct node *n = under->first; n; n = n->next) {
		struct node *winner = node_get(over, n->key);
		if (!winner)
			append_shared(pool, map, n);
		else if (of && n->kind == NODE_MAP && winner->kind == NODE_MAP && winner->count > 0)
			node_append(map, schema_merge(pool, of, n, winner));
		else
			append_shared(pool, map, winner);
	}
	for (struct node *n = over->first; n; n = n->next)
		if (!node_get(under, n->key))
			append_shared(pool, map, n);
	return map;
}

static struct node *merge_value(struct node_pool *pool, const struct field *f, struct node *under,
                                struct node *over)
{
	bool lists = under->kind == NODE_LIST && over->kind == NODE_LIST;
	bool maps = under->kind == NODE_MAP && over->kind == NODE_MAP;

	/* An explicit empty map or list clears, and so it wins as it is. */
	if (over->count == 0 || !(lists || maps) || (f->flags & FIELD_WHOLE))
		return shallow(pool, over, true);
	if (f->type == FIELD_STRUCT)
		return schema_merge(pool, f->of, under, over);
	if (f->type == FIELD_NAMED)
		return merge_named(pool, f->of, under, over);
	if (f->type == FIELD_PAIRS)
		return merge_named(pool, NULL, under, over);
	if (f->type == FIELD_LIST && f->of->identity)
		return merge_items(pool, f->of, under, over);
	if (f->type == FIELD_TEXTS && (f->flags & FIELD_UNION))
		return merge_texts(pool, under, over);
	return shallow(pool, over, true);
}

struct node *schema_merge(struct node_pool *pool, const struct schema *schema, struct node *under,
                          struct node *over)
{
	struct node *map = shallow(pool, over, false);

	for (struct node *n = under->first; n; n = n->next) {
		struct node *winner = node_get(over, n->key);
		const struct field *f = field_of(schema, n->key);
		if (!winner || !f)
			append_shared(pool, map, winner ? winner : n);
		else
			node_append(map, merge_value(pool, f, n, winner));
	}
	for (struct node *n = over->first; n; n = n->next)
		if (!node_get(under, n->key))
			append_shared(pool, map, n);
	return map;
}

struct tour {
	schema_visitor visit;
	schema_default_visitor visit_default;
	void *arg;
};

static void tour_map(const struct tour *t, const struct schema *schema, const char *prefix,
                     const struct node *map);

static void tour_items(const struct tour *t, const struct field *f, const char *path, const struct node *node)
{
	size_t i = 0;

	for (const struct node *item = node->first; item; item = item->next, i++) {
		own_mem char *identity = f->of && f->of->identity ? f->of->identity(item) : NULL;
		own_mem char *at = item->key ? xasprintf("%s.%s", path, item->key) :
		                   identity  ? xasprintf("%s[%s]", path, identity) :
		                               xasprintf("%s[%zu]", path, i);
		if (item->kind == NODE_MAP && f->of && f->type != FIELD_PAIRS)
			tour_map(t, f->of, at, item);
		else if (t->visit)
			t->visit(t->arg, at, item);
	}
}

static void tour_map(const struct tour *t, const struct schema *schema, const char *prefix,
                     const struct node *map)
{
	for (size_t i = 0; i < schema->nfields; i++) {
		const struct field *f = &schema->fields[i];
		const struct node *node = node_get(map, f->name);
		own_mem char *path = xasprintf("%s%s%s", prefix, *prefix ? "." : "", f->name);
		if (f->type == FIELD_STRUCT && (!node || node->count > 0)) {
			/* A struct whose absence means something has no defaults to show. */
			if (node || !f->given)
				tour_map(t, f->of, path, node);
		} else if (!node && f->fallback && t->visit_default) {
			t->visit_default(t->arg, path, f);
		} else if (node && node->count > 0) {
			tour_items(t, f, path, node);
		} else if (node && t->visit) {
			t->visit(t->arg, path, node);
		}
	}
}

void schema_visit(const struct schema *schema, const struct node *map, schema_visitor visit, void *arg)
{
	tour_map(&(struct tour){ .visit = visit, .arg = arg }, schema, "", map);
}

void schema_visit_defaults(const struct schema *schema, const struct node *map, schema_default_visitor visit,
                           void *arg)
{
	tour_map(&(struct tour){ .visit_default = visit, .arg = arg }, schema, "", map);
}
