/* YAML to nodes, event by event. Depth, count and size are checked at each event, so that
 * nothing is built from a text that would be refused later. An alias is a copy of what its
 * anchor named; an anchor counts once its node is complete, so none holds itself. */
#include "manifest/node.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/own.h"
#include "manifest/manifest.h"
#include "base/banned.h"

enum { ANCHORS_MAX = 256 };

struct anchor {
	const char *name;
	const struct node *node;
};

struct reader {
	struct node_pool *pool;
	const char *file;
	unsigned line; /* of the first byte */
	yaml_parser_t parser;
	struct node_budget budget;
	struct anchor anchors[ANCHORS_MAX];
	size_t nanchors;
};

static unsigned line_of(const struct reader *r, const yaml_mark_t *mark)
{
	return r->line + (unsigned)mark->line;
}

static int next_event(struct reader *r, yaml_event_t *event, struct err *err)
{
	if (yaml_parser_parse(&r->parser, event))
		return 0;
	const char *problem = r->parser.problem ? r->parser.problem : "out of memory";
	return fail(err, ERR_INPUT, "%s:%u: not YAML: %s", r->file, line_of(r, &r->parser.problem_mark),
	            problem);
}

static void event_clear(yaml_event_t *event)
{
	yaml_event_delete(event);
}
#define own_event __attribute__((cleanup(event_clear)))

static bool is_number(const char *text)
{
	const char *digits = text + (*text == '-');
	size_t n = strspn(digits, "0123456789");

	/* No leading zero: what would be octal in one YAML is decimal in another. */
	return n > 0 && !digits[n] && n <= 18 && (n == 1 || *digits != '0');
}

static void resolve_plain(struct node *node)
{
	const char *text = node->text;

	if (str_is(text, "true") || str_is(text, "false")) {
		node->kind = NODE_TRUTH;
		node->truth = *text == 't';
	} else if (!*text || str_is(text, "~") || str_is(text, "null")) {
		node->kind = NODE_NULL;
	} else if (is_number(text)) {
		node->kind = NODE_NUMBER;
		node->number = strtoll(text, NULL, 10);
	}
}

static int refuse_tag(const struct reader *r, const yaml_char_t *tag, unsigned line, struct err *err)
{
	if (!tag)
		return 0;
	return fail(err, ERR_INPUT,
	            "%s:%u: tags (!...) mean nothing here; remove it, or put the value in quotes", r->file,
	            line);
}

static int remember(struct reader *r, const yaml_char_t *name, const struct node *node, struct err *err)
{
	if (!name)
		return 0;
	if (r->nanchors == ANCHORS_MAX)
		return fail(err, ERR_INPUT, "%s:%u: more than %d anchors", r->file, node->line, ANCHORS_MAX);
	const char *copy = node_text(r->pool, (const char *)name, strlen((const char *)name));
	r->anchors[r->nanchors++] = (struct anchor){ copy, node };
	return 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *event, struct node **out, struct err *err)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t n = event->data.scalar.length;
	unsigned line = line_of(r, &event->start_mark);

	if (refuse_tag(r, event->data.scalar.tag, line, err) != 0 ||
	    node_spend(&r->budget, r->file, line, n, err) != 0)
		return -1;
	if (strlen(text) != n)
		return fail(err, ERR_INPUT, "%s:%u: a NUL byte is no text", r->file, line);
	struct node *node = node_new(r->pool, NODE_TEXT, r->file, line);
	node->text = node_text(r->pool, text, n);
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		resolve_plain(node);
	*out = node;
	return remember(r, event->data.scalar.anchor, node, err);
}

static int read_alias(struct reader *r, const yaml_event_t *event, struct node **out, struct err *err)
{
	const char *name = (const char *)event->data.alias.anchor;

	/* The latest of a name counts, as YAML has it. */
	for (size_t i = r->nanchors; i-- > 0;)
		if (str_is(r->anchors[i].name, name)) {
			*out = node_copy(r->pool, r->anchors[i].node, &r->budget, err);
			return *out ? 0 : -1;
		}
	return fail(err, ERR_INPUT, "%s:%u: no anchor &%s is complete before this alias", r->file,
	            line_of(r, &event->start_mark), name);
}

static int read_node(struct reader *r, const yaml_event_t *event, int depth, struct node **out,
                     struct err *err);

static int read_key(struct reader *r, struct node *map, const yaml_event_t *event, struct node **out,
                    struct err *err)
{
	unsigned line = line_of(r, &event->start_mark);
	struct node *key;

	if (event->type != YAML_SCALAR_EVENT)
		return fail(err, ERR_INPUT, "%s:%u: a key must be text", r->file, line);
	if (read_scalar(r, event, &key, err) != 0)
		return -1;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && str_is(key->text, "<<"))
		return fail(err, ERR_INPUT, "%s:%u: merge keys (<<) are not read; use extends", r->file,
		            line);
	const struct node *twin = node_get(map, key->text);
	if (twin)
		return fail(err, ERR_INPUT, "%s:%u: key \"%s\" stands here twice; the first is on line %u",
		            r->file, line, key->text, twin->key_line);
	*out = key;
	return 0;
}

enum { KEYS_MAX = 1024 };

static int read_map(struct reader *r, struct node *map, int depth, struct err *err)
{
	for (;;) {
		struct node *key = NULL, *value = NULL;
		own_event yaml_event_t event = { 0 };
		own_event yaml_event_t behind = { 0 };

		if (next_event(r, &event, err) != 0)
			return -1;
		if (event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (map->count == KEYS_MAX)
			return fail(err, ERR_INPUT, "%s:%u: more than %d keys in one map", r->file, map->line,
			            KEYS_MAX);
		if (read_key(r, map, &event, &key, err) != 0 || next_event(r, &behind, err) != 0 ||
		    read_node(r, &behind, depth, &value, err) != 0)
			return -1;
		value->key = key->text;
		value->key_line = key->line;
		node_append(map, value);
	}
}

static int read_list(struct reader *r, struct node *list, int depth, struct err *err)
{
	for (;;) {
		struct node *item = NULL;
		own_event yaml_event_t event = { 0 };

		if (next_event(r, &event, err) != 0)
			return -1;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (read_node(r, &event, depth, &item, err) != 0)
			return -1;
		node_append(list, item);
	}
}

static int read_nested(struct reader *r, const yaml_event_t *event, int depth, struct node **out,
                       struct err *err)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	unsigned line = line_of(r, &event->start_mark);
	const yaml_char_t *tag = is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag;

	if (depth >= MANIFEST_DEPTH_MAX)
		return fail(err, ERR_INPUT, "%s:%u: nested deeper than %d levels", r->file, line,
		            MANIFEST_DEPTH_MAX);
	if (refuse_tag(r, tag, line, err) != 0 || node_spend(&r->budget, r->file, line, 0, err) != 0)
		return -1;
	struct node *node = node_new(r->pool, is_map ? NODE_MAP : NODE_LIST, r->file, line);
	if ((is_map ? read_map : read_list)(r, node, depth + 1, err) != 0)
		return -1;
	*out = node;
	return remember(r, is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
	                node, err);
}

static int read_node(struct reader *r, const yaml_event_t *event, int depth, struct node **out,
                     struct err *err)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, event, out, err);
	case YAML_ALIAS_EVENT:
		return read_alias(r, event, out, err);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return read_nested(r, event, depth, out, err);
	default:
		return fail(err, ERR_INPUT, "%s:%u: a value is missing", r->file,
		            line_of(r, &event->start_mark));
	}
}

/* Stream start, document start, the one value, document end, stream end; and nothing else. */
static int read_document(struct reader *r, struct node **out, struct err *err)
{
	static const struct {
		yaml_event_type_t type;
		const char *complaint;
	} after[] = {
		{ YAML_DOCUMENT_END_EVENT, "more than one value" },
		{ YAML_STREAM_END_EVENT, "more than one document; a manifest is one" },
	};
	own_event yaml_event_t start = { 0 };
	own_event yaml_event_t document = { 0 };
	own_event yaml_event_t value = { 0 };

	if (next_event(r, &start, err) != 0 || next_event(r, &document, err) != 0)
		return -1;
	if (document.type == YAML_STREAM_END_EVENT) {
		*out = node_new(r->pool, NODE_MAP, r->file, r->line);
		return 0;
	}
	if (next_event(r, &value, err) != 0 || read_node(r, &value, 0, out, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		own_event yaml_event_t event = { 0 };
		if (next_event(r, &event, err) != 0)
			return -1;
		if (event.type != after[i].type)
			return fail(err, ERR_INPUT, "%s:%u: %s", r->file, line_of(r, &event.start_mark),
			            after[i].complaint);
	}
	return 0;
}

static void reader_clear(struct reader *r)
{
	yaml_parser_delete(&r->parser);
}

int node_parse_yaml(struct node_pool *pool, const char *file, unsigned line, const void *bytes, size_t n,
                    struct node **out, struct err *err)
{
	__attribute__((cleanup(reader_clear))) struct reader r = { .pool = pool, .line = line };
	struct node *root = NULL;

	if (!yaml_parser_initialize(&r.parser))
		return fail(err, ERR_SYSTEM, "no memory for a YAML reader");
	r.file = node_text(pool, file, strlen(file));
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, bytes, n);
	if (read_document(&r, &root, err) != 0)
		return -1;
	if (root->kind != NODE_MAP)
		return fail(err, ERR_INPUT, "%s:%u: must be a map of fields, not %s", file, root->line,
		            node_kind_name(root->kind));
	*out = root;
	return 0;
}
