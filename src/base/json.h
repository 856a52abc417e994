#pragma once
/* JSON in and out. json-c is included by json.c only; the rest of the house sees its object
 * type as an opaque name. Reading is strict (RFC 8259, UTF-8 checked, one value, no
 * trailing bytes) and bounded; json-c keeps the last of two equal keys, so where a
 * duplicate must be an error the caller says so. */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct json_object;
typedef struct json_object json;

void json_drop(json **j); /* gives back one reference */
#define own_json __attribute__((cleanup(json_drop)))
json *json_ref(json *j); /* one more reference */

/* Depth counts nested arrays and objects. ERR_INPUT names the offset. */
int json_parse(const void *bytes, size_t n, int max_depth, json **out, struct err *err);
/* As json_parse(), and no object at any depth may have a key twice, or one with a NUL, where
 * json-c would end it. */
int json_parse_unique(const void *bytes, size_t n, int max_depth, json **out, struct err *err);

enum json_kind { JSON_NULL, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
enum json_kind json_kind(const json *j);
const char *json_kind_name(enum json_kind kind); /* "a string", "an object", ... */

/* Borrowed; NULL when there is none or @j is no object (array). */
json *json_get(const json *j, const char *key);
json *json_at(const json *j, size_t i);
size_t json_count(const json *j); /* of an array or object; else 0 */
/* Value of that type, or the fallback. Strings are borrowed and end with a NUL; json_string_n()
 * also gives the length, which sees NULs inside. */
const char *json_string(const json *j, const char *fallback);
const char *json_string_n(const json *j, size_t *n);
int64_t json_int(const json *j, int64_t fallback);
bool json_truth(const json *j, bool fallback);
/* The same of a member. */
const char *json_get_string(const json *j, const char *key, const char *fallback);
int64_t json_get_int(const json *j, const char *key, int64_t fallback);
bool json_get_truth(const json *j, const char *key, bool fallback);
/* Visits members in their order; false from @fn stops. */
void json_each(const json *j, bool (*fn)(void *arg, const char *key, json *value), void *arg);
bool json_equal(const json *a, const json *b);

json *json_object_of(void);
json *json_array_of(void);
json *json_of_string(const char *s);
json *json_of_stringn(const char *s, size_t n);
json *json_of_int(int64_t v);
json *json_of_truth(bool v);
/* The value becomes the container's. A NULL value is JSON null. */
void json_set(json *j, const char *key, json *value);
void json_set_string(json *j, const char *key, const char *value); /* NULL: null */
void json_set_int(json *j, const char *key, int64_t value);
void json_set_truth(json *j, const char *key, bool value);
void json_unset(json *j, const char *key);
void json_push(json *j, json *value);

/* One line, no blanks; or indented by two. Slashes are not escaped. */
void json_print(const json *j, struct str *out);
void json_print_pretty(const json *j, struct str *out);
/* A JSON string literal of hostile bytes: what is not UTF-8 becomes U+FFFD. */
void json_print_text(struct str *out, const void *bytes, size_t n);
/* For a terminal: the text of a JSON value with \uXXXX in place of what str_add_visible() does
 * not show; the value is the same. */
void json_add_visible(struct str *out, const struct str *text);
