/* Reading: a map of nodes becomes a struct, row by row. */
#include "manifest/schema.h"

#include <limits.h>
#include <string.h>

#include "base/own.h"
#include "manifest/manifest.h"
#include "base/banned.h"

enum { TEXT_MAX_DEFAULT = 4096, ITEMS_MAX_DEFAULT = 256, NAME_MAX_DEFAULT = 256 };

static int fail_at(const struct node *node, const char *key, struct err *err)
{
	return fail_in(err, "%s:%u: %s", node->file, node->line, key);
}

/* A number or a truth, but for quotes. */
static bool is_quoted(const struct node *node, const struct field *f)
{
	unsigned long number;

	return node->kind == NODE_TEXT &&
	       (f->type == FIELD_NUMBER ? str_number(node->text, 0, ULONG_MAX, &number) :
	        f->type == FIELD_TRUTH  ? str_is(node->text, "true") || str_is(node->text, "false") :
	                                  false);
}

static int wrong_kind(const struct node *node, const struct field *f, const char *wanted, struct err *err)
{
	own_str struct str shown = STR_INIT;

	if (node->kind == NODE_NULL)
		fail(err, ERR_INPUT, "has no value; leave the key out%s",
		     f->type >= FIELD_TEXTS ? ", or write {} or [] to clear what parents set" : "");
	else if (node->text) {
		str_add_escaped(&shown, node->text, strlen(node->text), 40);
		fail(err, ERR_INPUT,
		     is_quoted(node, f) ? "must be %s, not \"%s\": quotes make it text; leave them out" :
		                          "must be %s, not %s",
		     wanted, str_c(&shown));
	} else
		fail(err, ERR_INPUT, "must be %s, not %s", wanted, node_kind_name(node->kind));
	return fail_at(node, f->name, err);
}

/* Control bytes have no place in any value, and would be an attack on whoever prints it. */
static int check_bytes(const char *text, bool multiline, struct err *err)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if ((*p < 0x20 && !(multiline && strchr("\n\t", *p))) || *p == 0x7f)
			return fail(err, ERR_INPUT, "has a control character (0x%02x)", *p);
	return 0;
}

static int take_text(const struct field *f, const struct node *node, char **out, struct err *err)
{
	bool spelled = (f->flags & FIELD_SCALARS) && (node->kind == NODE_TRUTH || node->kind == NODE_NUMBER);
	size_t most = f->max ? f->max : TEXT_MAX_DEFAULT;

	if (node->kind != NODE_TEXT && !spelled)
		return wrong_kind(node, f, node->text ? "text (put it in quotes)" : "text", err);
	size_t n = strlen(node->text);
	if (n > most) {
		fail(err, ERR_INPUT, "is %zu bytes long; the limit is %zu", n, most);
		return fail_at(node, f->name, err);
	}
	own_mem char *text = xstrdup(node->text);
	if (check_bytes(text, f->type == FIELD_PAIRS || (f->type == FIELD_TEXT && most > TEXT_MAX_DEFAULT),
	                err) != 0 ||
	    (f->check && f->check(&text, err) != 0))
		return fail_at(node, f->name, err);
	*out = mem_steal(&text);
	return 0;
}

static int take_truth(const struct field *f, const struct node *node, bool *out, struct err *err)
{
	if (node->kind != NODE_TRUTH)
		return wrong_kind(node, f, "true or false", err);
	*out = node->truth;
	return 0;
}

static int take_number(const struct field *f, const struct node *node, unsigned long *out, struct err *err)
{
	if (node->kind != NODE_NUMBER)
		return wrong_kind(node, f, "a whole number", err);
	if (node->number < 0 || (unsigned long)node->number < f->min ||
	    (unsigned long)node->number > f->max) {
		fail(err, ERR_INPUT, "%s is not within %lu and %lu", node->text, f->min, f->max);
		return fail_at(node, f->name, err);
	}
	*out = (unsigned long)node->number;
	return 0;
}

static int take_word(const struct field *f, const struct node *node, int *out, struct err *err)
{
	own_str struct str all = STR_INIT;

	for (int i = 0; f->words[i]; i++) {
		bool by_index = (f->flags & FIELD_BY_INDEX) && node->kind == NODE_NUMBER && node->number == i;
		if (by_index || (node->kind == NODE_TEXT && str_is(node->text, f->words[i]))) {
			*out = i;
			return 0;
		}
		str_addf(&all, "%s%s", i ? ", " : "one of ", f->words[i]);
	}
	return wrong_kind(node, f, str_c(&all), err);
}

static int check_count(const struct field *f, const struct node *node, struct err *err)
{
	size_t most = f->most ? f->most : ITEMS_MAX_DEFAULT;

	if (node->count <= most && (node->count > 0 || !(f->flags & FIELD_NOT_EMPTY)))
		return 0;
	if (node->count == 0)
		fail(err, ERR_INPUT,
		     "is empty; an empty list limits nothing, so leave it out if that is meant");
	else
		fail(err, ERR_INPUT, "has %zu entries; the limit is %zu", node->count, most);
	return fail_at(node, f->name, err);
}

static int take_texts(const struct field *f, const struct node *node, bool *off, struct strv *out,
                      struct err *err)
{
	char *text = NULL;

	if (off && node->kind == NODE_TRUTH && !node->truth) {
		*off = true;
		return 0;
	}
	if ((f->flags & FIELD_ONE) && node->kind == NODE_TEXT) {
		if (take_text(f, node, &text, err) != 0)
			return -1;
		strv_take(out, text);
		return 0;
	}
	if (node->kind != NODE_LIST)
		return wrong_kind(node, f,
		                  off                  ? "a list, or false" :
		                  f->flags & FIELD_ONE ? "text or a list" :
		                                         "a list",
		                  err);
	if (check_count(f, node, err) != 0)
		return -1;
	for (const struct node *item = node->first; item; item = item->next) {
		if (take_text(f, item, &text, err) != 0)
			return -1;
		strv_take(out, text);
	}
	return 0;
}

static int read_item(const struct field *f, const struct node *item, bool complete, void *object,
                     struct err *err)
{
	const struct schema *of = f->of;

	if (f->type == FIELD_LIST)
		return item->kind == NODE_MAP ? schema_read(of, item, true, object, err) :
		                                wrong_kind(item, f, "a list of maps", err);
	own_mem char *name = xstrdup(item->key);
	if (strlen(name) > NAME_MAX_DEFAULT) {
		fail(err, ERR_INPUT, "a name of %zu bytes is too long", strlen(name));
		return fail_at(item, f->name, err);
	}
	if (check_bytes(name, false, err) != 0 || (of->check_name && of->check_name(&name, err) != 0))
		return fail_in(err, "%s:%u: %s", item->file, item->key_line, f->name);
	*(char **)((char *)object + of->name_at) = mem_steal(&name);
	if (f->type == FIELD_NAMED)
		return item->kind == NODE_MAP ? schema_read(of, item, complete, object, err) :
		                                wrong_kind(item, f, "a map of maps", err);
	char **text = (char **)((char *)object + of->fields[0].at);
	if (take_text(f, item, text, err) != 0)
		return -1;
	if (of->fields[0].check && of->fields[0].check(text, err) != 0)
		return fail_at(item, item->key, err);
	if (of->finish && of->finish(object, complete, err) != 0)
		return fail_at(item, item->key, err);
	return 0;
}

/* A file may not say the same thing twice: the second would win in silence. Sorted, so that
 * many items do not cost their square. */
struct identity {
	char *text;
	const struct node *item;
};

static int compare_identities(const void *a, const void *b)
{
	const struct identity *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : x->item->line < y->item->line ? -1 : x->item->line > y->item->line;
}

static int check_identities(const struct field *f, const struct node *list, struct err *err)
{
	own_mem struct identity *all = xcalloc(list->count + 1, sizeof *all);
	size_t n = 0;
	int rc = 0;

	for (const struct node *item = list->first; item; item = item->next) {
		char *text = f->of->identity(item);
		if (text)
			all[n++] = (struct identity){ text, item };
	}
	qsort(all, n, sizeof *all, compare_identities);
	for (size_t i = 1; i < n && rc == 0; i++)
		if (str_is(all[i].text, all[i - 1].text)) {
			fail(err, ERR_INPUT, "%s stands here twice; the first is on line %u", all[i].text,
			     all[i - 1].item->line);
			rc = fail_at(all[i].item, f->name, err);
		}
	for (size_t i = 0; i < n; i++)
		free(all[i].text);
	return rc;
}

static int take_items(const struct field *f, const struct node *node, bool complete, void *object,
                      struct err *err)
{
	enum node_kind wanted = f->type == FIELD_LIST ? NODE_LIST : NODE_MAP;
	void **items = (void **)((char *)object + f->at);
	size_t *count = (size_t *)((char *)object + f->count);

	if (node->kind != wanted)
		return wrong_kind(node, f, node_kind_name(wanted), err);
	if (check_count(f, node, err) != 0 || (f->of->identity && check_identities(f, node, err) != 0))
		return -1;
	*items = xcalloc(node->count + 1, f->of->size);
	for (const struct node *item = node->first; item; item = item->next) {
		/* Counted before it is read: clearing sees a half-read item too. */
		void *slot = (char *)*items + (*count)++ * f->of->size;
		if (read_item(f, item, complete, slot, err) != 0)
			return -1;
	}
	return 0;
}

static int read_field(const struct field *f, const struct node *node, bool complete, void *object,
                      struct err *err)
{
	char *base = object;
	bool *off = f->off ? (bool *)(base + f->off - 1) : NULL;

	if (f->given)
		*(bool *)(base + f->given - 1) = true;
	switch (f->type) {
	case FIELD_TEXT:
		free(*(char **)(base + f->at));
		*(char **)(base + f->at) = NULL;
		return take_text(f, node, (char **)(base + f->at), err);
	case FIELD_TRUTH:
		return take_truth(f, node, (bool *)(base + f->at), err);
	case FIELD_NUMBER:
		return take_number(f, node, (unsigned long *)(base + f->at), err);
	case FIELD_WORD:
		return take_word(f, node, (int *)(base + f->at), err);
	case FIELD_TEXTS:
		return take_texts(f, node, off, (struct strv *)(base + f->at), err);
	case FIELD_STRUCT:
		if (node->kind != NODE_MAP)
			return wrong_kind(node, f, "a map", err);
		return schema_read(f->of, node, complete || (f->flags & FIELD_WHOLE), base + f->at, err);
	case FIELD_LIST:
	case FIELD_NAMED:
	case FIELD_PAIRS:
		return take_items(f, node, complete, object, err);
	case FIELD_IGNORED:
		return 0;
	case FIELD_REFUSED:
		return fail(err, ERR_INPUT, "%s:%u: %s: %s", node->file, node->key_line, f->name, f->help);
	}
	bug("field %s has no type", f->name);
}

/* A table that contradicts itself is found by the first test that reads anything. */
static void set_fallback(const struct field *f, void *object)
{
	struct err err = ERR_INIT;
	char *end = NULL;
	struct node node = { .kind = NODE_TEXT, .file = "default", .text = f->fallback };

	if (f->type == FIELD_NUMBER) {
		node.kind = NODE_NUMBER;
		node.number = strtoll(f->fallback, &end, 10);
	} else if (f->type == FIELD_TRUTH) {
		node.kind = NODE_TRUTH;
		node.truth = str_is(f->fallback, "true");
	}
	struct field plain = *f;
	plain.given = 0;
	if (read_field(&plain, &node, true, object, &err) != 0)
		bug("default of %s: %s", f->name, err.text);
}

static void set_fallbacks(const struct schema *schema, void *object)
{
	for (size_t i = 0; i < schema->nfields; i++) {
		const struct field *f = &schema->fields[i];
		if (f->fallback)
			set_fallback(f, object);
		else if (f->type == FIELD_STRUCT)
			set_fallbacks(f->of, (char *)object + f->at);
	}
}

static const struct field *find_field(const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->nfields; i++)
		if (str_is(schema->fields[i].name, name))
			return &schema->fields[i];
	return NULL;
}

static int unknown_key(const struct schema *schema, const struct node *node, struct err *err)
{
	own_str struct str shown = STR_INIT;
	const char *nearest = NULL;
	unsigned best = 3; /* further away is another word, not a slip */

	for (size_t i = 0; i < schema->nfields; i++) {
		unsigned distance = str_distance(schema->fields[i].name, node->key);
		if (schema->fields[i].type != FIELD_REFUSED && distance < best) {
			best = distance;
			nearest = schema->fields[i].name;
		}
	}
	str_add_escaped(&shown, node->key, strlen(node->key), 60);
	if (nearest)
		return fail(err, ERR_INPUT, "%s:%u: unknown key \"%s\" in %s; did you mean \"%s\"?",
		            node->file, node->key_line, str_c(&shown), schema->title, nearest);
	return fail(err, ERR_INPUT, "%s:%u: unknown key \"%s\" in %s; see the manual page for the fields",
	            node->file, node->key_line, str_c(&shown), schema->title);
}

static int check_required(const struct schema *schema, const struct node *map, struct err *err)
{
	for (size_t i = 0; i < schema->nfields; i++)
		if ((schema->fields[i].flags & FIELD_REQUIRED) && !node_get(map, schema->fields[i].name))
			return fail(err, ERR_INPUT, "%s:%u: %s has no \"%s\"; add it", map->file, map->line,
			            schema->title, schema->fields[i].name);
	return 0;
}

int schema_read(const struct schema *schema, const struct node *map, bool complete, void *object,
                struct err *err)
{
	set_fallbacks(schema, object);
	for (const struct node *node = map->first; node; node = node->next) {
		const struct field *f = find_field(schema, node->key);
		if (!f)
			return unknown_key(schema, node, err);
		if (read_field(f, node, complete, object, err) != 0)
			return -1;
	}
	if (complete && check_required(schema, map, err) != 0)
		return -1;
	if (schema->finish && schema->finish(object, complete, err) != 0)
		return fail_in(err, "%s:%u", map->file, map->line);
	return 0;
}

void schema_clear(const struct schema *schema, void *object)
{
	char *base = object;

	for (size_t i = 0; i < schema->nfields; i++) {
		const struct field *f = &schema->fields[i];
		if (f->type == FIELD_TEXT)
			mem_drop(base + f->at);
		else if (f->type == FIELD_TEXTS)
			strv_clear((struct strv *)(base + f->at));
		else if (f->type == FIELD_STRUCT)
			schema_clear(f->of, base + f->at);
		if (f->type != FIELD_LIST && f->type != FIELD_NAMED && f->type != FIELD_PAIRS)
			continue;
		size_t *count = (size_t *)(base + f->count);
		for (size_t k = 0; k < *count; k++) {
			void *item = *(char **)(base + f->at) + k * f->of->size;
			schema_clear(f->of, item);
			if (f->type != FIELD_LIST)
				mem_drop((char *)item + f->of->name_at);
		}
		*count = 0;
		mem_drop(base + f->at);
	}
	if (schema->clear)
		schema->clear(object);
}
