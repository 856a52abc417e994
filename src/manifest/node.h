#pragma once
/* Text as a tree of nodes, before anybody asks what it means. Every node knows its file and
 * line, so that every later complaint and every answer of --why can name them. Nodes live
 * in a pool and are freed together; merging may share them between trees. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum node_kind {
	NODE_NULL,
	NODE_TRUTH,
	NODE_NUMBER, /* whole; the spelling is in text */
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
};

struct node {
	enum node_kind kind;
	const char *file;
	unsigned line;
	const char *key; /* in a map, else NULL */
	unsigned key_line;
	const char *text; /* scalars: as written */
	int64_t number;
	bool truth;
	struct node *first, *last, *next;
	size_t count; /* children */
};

struct node_chunk;
struct node_pool {
	struct node_chunk *chunks;
};
/* clang-format off */
#define NODE_POOL_INIT { 0 }
/* clang-format on */
void node_pool_clear(struct node_pool *pool);
#define own_node_pool __attribute__((cleanup(node_pool_clear)))
void *node_alloc(struct node_pool *pool, size_t n); /* zeroed */
char *node_text(struct node_pool *pool, const char *text, size_t n);

/* What one file may cost, counted while it is read. */
struct node_budget {
	size_t nodes, text;
};

struct node *node_new(struct node_pool *pool, enum node_kind kind, const char *file, unsigned line);
void node_append(struct node *parent, struct node *child);
struct node *node_get(const struct node *map, const char *key); /* NULL: none, or no map */
/* One more node of @n bytes of text is within the limits. */
int node_spend(struct node_budget *budget, const char *file, unsigned line, size_t n, struct err *err);
/* A copy of @from and all below it; @budget may be NULL for what was counted before. */
struct node *node_copy(struct node_pool *pool, const struct node *from, struct node_budget *budget,
                       struct err *err);
/* "true or false", "a list", ... as in "must be a list". */
const char *node_kind_name(enum node_kind kind);

/* Full YAML 1.1 as libyaml reads it, less what a manifest has no use for: tags, several
 * documents, keys that are not text. Only true and false are booleans, only decimal whole
 * numbers are numbers. @line is that of the first byte. An empty text is an empty map. */
int node_parse_yaml(struct node_pool *pool, const char *file, unsigned line, const void *bytes, size_t n,
                    struct node **out, struct err *err);
int node_parse_json(struct node_pool *pool, const char *file, const void *bytes, size_t n, struct node **out,
                    struct err *err);

/* The form of a file, by its suffix: .json, .yaml, else Markdown with frontmatter. */
enum node_form { NODE_FRONTMATTER, NODE_JSON, NODE_YAML };
enum node_form node_form_of(const char *file);

/* A whole file. @body is a copy of what follows the frontmatter, stripped of blank lines at
 * both ends; "" for the other forms. */
int node_parse_file(struct node_pool *pool, const char *file, enum node_form form, const void *bytes,
                    size_t n, struct node **out, const char **body, struct err *err);
