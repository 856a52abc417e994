/* JSON to nodes. base/json has the last word on what is JSON; it keeps no lines, so the text
 * is walked once more in step with the tree, which has its members in the order of the
 * text. The walk may rely on the text being valid, and stops at its end all the same. */
#include "manifest/node.h"

#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "manifest/manifest.h"
#include "base/banned.h"

struct walk {
	struct node_pool *pool;
	const char *file;
	const char *p, *end;
	unsigned line;
	struct node_budget budget;
};

static void skip_blank(struct walk *w)
{
	for (; w->p < w->end && strchr(" \t\r\n", *w->p); w->p++)
		w->line += *w->p == '\n';
}

static void skip_byte(struct walk *w)
{
	skip_blank(w);
	if (w->p < w->end)
		w->p++;
}

static void skip_scalar(struct walk *w)
{
	if (w->p < w->end && *w->p == '"') {
		for (w->p++; w->p < w->end && *w->p != '"'; w->p++)
			if (*w->p == '\\' && w->p + 1 < w->end)
				w->p++;
		if (w->p < w->end)
			w->p++;
		return;
	}
	while (w->p < w->end && !strchr(",]} \t\r\n", *w->p))
		w->p++;
}

static int walk_value(struct walk *w, const json *value, struct node **out, struct err *err);

struct member_walk {
	struct walk *w;
	struct node *map;
	struct err *err;
	int rc;
};

static bool walk_member(void *arg, const char *key, json *value)
{
	struct member_walk *m = arg;
	struct node *child = NULL;

	skip_blank(m->w);
	unsigned line = m->w->line;
	skip_scalar(m->w);
	skip_byte(m->w); /* the colon */
	m->rc = node_spend(&m->w->budget, m->w->file, line, strlen(key), m->err);
	if (m->rc == 0)
		m->rc = walk_value(m->w, value, &child, m->err);
	if (m->rc != 0)
		return false;
	skip_byte(m->w); /* a comma, or the end */
	child->key = node_text(m->w->pool, key, strlen(key));
	child->key_line = line;
	node_append(m->map, child);
	return true;
}

static int walk_nested(struct walk *w, const json *value, struct node *node, struct err *err)
{
	size_t n = json_count(value);

	skip_byte(w); /* the bracket */
	if (n == 0) {
		skip_byte(w);
		return 0;
	}
	if (node->kind == NODE_MAP) {
		struct member_walk m = { w, node, err, 0 };
		json_each(value, walk_member, &m);
		return m.rc;
	}
	for (size_t i = 0; i < n; i++) {
		struct node *child = NULL;
		if (walk_value(w, json_at(value, i), &child, err) != 0)
			return -1;
		skip_byte(w);
		node_append(node, child);
	}
	return 0;
}

static int set_scalar(struct walk *w, const json *value, struct node *node, struct err *err)
{
	const char *start = w->p, *text;
	size_t n;

	skip_scalar(w);
	switch (json_kind(value)) {
	case JSON_STRING:
		text = json_string_n(value, &n);
		if (strlen(text) != n)
			return fail(err, ERR_INPUT, "%s:%u: a NUL byte is no text", w->file, node->line);
		node->kind = NODE_TEXT;
		node->text = node_text(w->pool, text, n);
		break;
	case JSON_BOOL:
		node->kind = NODE_TRUTH;
		node->truth = json_truth(value, false);
		node->text = node->truth ? "true" : "false";
		break;
	case JSON_INT:
		node->kind = NODE_NUMBER;
		node->number = json_int(value, 0);
		node->text = node_text(w->pool, start, (size_t)(w->p - start));
		break;
	case JSON_NULL:
		node->text = "null";
		break;
	default:
		return fail(err, ERR_INPUT, "%s:%u: fractions have no place here; write a whole number",
		            w->file, node->line);
	}
	return node_spend(&w->budget, w->file, node->line, strlen(node->text), err);
}

static int walk_value(struct walk *w, const json *value, struct node **out, struct err *err)
{
	enum json_kind kind = json_kind(value);

	skip_blank(w);
	struct node *node = node_new(w->pool, NODE_NULL, w->file, w->line);
	*out = node;
	if (kind != JSON_ARRAY && kind != JSON_OBJECT)
		return set_scalar(w, value, node, err);
	node->kind = kind == JSON_ARRAY ? NODE_LIST : NODE_MAP;
	if (node_spend(&w->budget, w->file, node->line, 0, err) != 0)
		return -1;
	return walk_nested(w, value, node, err);
}

int node_parse_json(struct node_pool *pool, const char *file, const void *bytes, size_t n, struct node **out,
                    struct err *err)
{
	struct walk w = { .pool = pool, .p = bytes, .end = (const char *)bytes + n, .line = 1 };
	own_json json *value = NULL;
	struct node *root = NULL;

	if (json_parse_unique(bytes, n, MANIFEST_DEPTH_MAX, &value, err) != 0)
		return fail_in(err, "%s", file);
	w.file = node_text(pool, file, strlen(file));
	if (walk_value(&w, value, &root, err) != 0)
		return -1;
	if (root->kind != NODE_MAP)
		return fail(err, ERR_INPUT, "%s:%u: must be an object of fields, not %s", file, root->line,
		            node_kind_name(root->kind));
	*out = root;
	return 0;
}
