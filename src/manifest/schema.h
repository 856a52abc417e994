#pragma once
/* A struct described by rows: the row says which key of a map goes where, within what bounds,
 * what stands there without it, and how two files' values become one. From the same rows
 * come reading, merging, clearing, printing as JSON and the reference page. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "manifest/node.h"

enum field_type {
	FIELD_TEXT,    /* char * */
	FIELD_TRUTH,   /* bool */
	FIELD_NUMBER,  /* unsigned long */
	FIELD_WORD,    /* an enum whose values are the indices of .words */
	FIELD_TEXTS,   /* struct strv */
	FIELD_STRUCT,  /* a struct of schema .of */
	FIELD_LIST,    /* pointer to structs of .of, and their number at .count */
	FIELD_NAMED,   /* a map from names to structs; the name goes to .of->name_at */
	FIELD_PAIRS,   /* a map from names to text; the text goes to the first field of .of */
	FIELD_IGNORED, /* any value is accepted and forgotten; .help says why */
	FIELD_REFUSED, /* the key has no place here; .help says what to do */
};

enum field_flag {
	FIELD_REQUIRED = 1,   /* in a complete manifest */
	FIELD_WHOLE = 2,      /* merging replaces it, though it is a map */
	FIELD_UNION = 4,      /* merging texts adds those that are new */
	FIELD_ONE = 8,        /* a single text stands for a list of one */
	FIELD_SCALARS = 16,   /* numbers and truth values are taken as they are spelled */
	FIELD_BY_INDEX = 32,  /* a word may be given by its number */
	FIELD_NOT_EMPTY = 64, /* an empty list would mean the opposite of what it looks like */
};

/* Checks a text and may rewrite it into its one canonical form: *@text is owned. */
typedef int (*field_check)(char **text, struct err *err);

struct schema;

struct field {
	const char *name;
	enum field_type type;
	unsigned flags;
	size_t at;              /* offset in the struct */
	size_t count;           /* LIST, NAMED, PAIRS: offset of the size_t */
	size_t given;           /* 1 + offset of a bool that tells whether the key was there; 0: none */
	size_t off;             /* TEXTS: 1 + offset of a bool; the value may then be `false`; 0: none */
	unsigned long min, max; /* NUMBER: bounds; TEXT, TEXTS, PAIRS: most bytes of one; LIST...: see most */
	size_t most;            /* most items */
	const char *const *words;
	const char *fallback; /* spelled as in a file; NULL: nothing */
	const struct schema *of;
	field_check check;
	const char *help;
};

struct schema {
	const char *title; /* for the reference */
	size_t size;
	const struct field *fields;
	size_t nfields;
	size_t name_at; /* NAMED and PAIRS: offset of the char * for the name */
	field_check check_name;
	/* After all fields are read: what concerns several of them. @complete: see schema_read(). */
	int (*finish)(void *object, bool complete, struct err *err);
	void (*clear)(void *object); /* what finish() made */
	/* LIST: what makes two items one, e.g. host and port; merging replaces by it, and a file
	 * must not have it twice. Owned by the caller; NULL: the item has none. */
	char *(*identity)(const struct node *item);
};

/* @object is zeroed memory; what it holds after a failure must be cleared too. @complete:
 * required fields must be there; a file that only adds to another need not have them. */
int schema_read(const struct schema *schema, const struct node *map, bool complete, void *object,
                struct err *err);
void schema_clear(const struct schema *schema, void *object);
/* What differs from the defaults; @full: all of it. */
json *schema_json(const struct schema *schema, const void *object, bool full);

/* Lays @over on @under, by the rows' rules; the result shares nodes with both. */
struct node *schema_merge(struct node_pool *pool, const struct schema *schema, struct node *under,
                          struct node *over);

/* Visits every scalar and every empty map or list. @path is like "egress.routes[api.example.com].port". */
typedef void (*schema_visitor)(void *arg, const char *path, const struct node *node);
void schema_visit(const struct schema *schema, const struct node *map, schema_visitor visit, void *arg);
/* And every default that stands because no key is there: the row says which. */
typedef void (*schema_default_visitor)(void *arg, const char *path, const struct field *field);
void schema_visit_defaults(const struct schema *schema, const struct node *map, schema_default_visitor visit,
                           void *arg);

void schema_print(const struct schema *schema, const char *prefix, struct str *out);
