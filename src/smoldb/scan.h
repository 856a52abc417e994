#pragma once
/* A strict scanner of JSON text (RFC 8259, UTF-8 without BOM, exactly one value) that keeps
 * byte positions, so that one top-level value can be replaced and every other byte stays.
 * Keys are compared as the strings they denote: "a" and "\u0061" are one key. The text is
 * another program's, so everything is bounded: the depth, and through the caller the size. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/str.h"

enum { SCAN_DEPTH = 64 };

struct span {
	size_t at, len;
};

struct scan {
	struct span value; /* of the wanted top-level key; len 0: the key is not there */
	size_t close;      /* offset of the object's closing brace */
	bool empty;        /* the object has no members */
};

/* Checks @bytes as one JSON object in which no object, at any depth, has a key twice or one that
 * holds a NUL, and finds the value of the top-level @key. ERR_INPUT names the byte and what is
 * wrong there. */
int scan_object(const void *bytes, size_t n, const char *key, struct scan *out, struct err *err);

/* The text with the value of @key replaced by the JSON text @value, or the member added as
 * the last one. Nothing else changes. */
void scan_splice(const void *bytes, size_t n, const struct scan *where, const char *key, const char *value,
                 struct str *out);
