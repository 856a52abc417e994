#include "base/json.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/banned.h"

void json_drop(json **j)
{
	if (*j)
		json_object_put(*j);
	*j = NULL;
}

json *json_ref(json *j)
{
	return j ? json_object_get(j) : NULL;
}

static void tokener_drop(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
	*t = NULL;
}

int json_parse(const void *bytes, size_t n, int max_depth, json **out, struct err *err)
{
	__attribute__((cleanup(tokener_drop))) struct json_tokener *t = json_tokener_new_ex(max_depth);
	own_json json *j = NULL;

	if (!t)
		return fail(err, ERR_SYSTEM, "no JSON reader of depth %d", max_depth);
	if (n > INT32_MAX)
		return fail(err, ERR_INPUT, "JSON of %zu bytes is too large", n);
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	j = json_tokener_parse_ex(t, bytes, (int)n);
	enum json_tokener_error e = json_tokener_get_error(t);
	size_t end = json_tokener_get_parse_end(t);
	/* A bare number at the end of input waits for a byte that ends it. */
	if (e == json_tokener_continue && n > 0) {
		j = json_tokener_parse_ex(t, "", 1);
		e = json_tokener_get_error(t);
		end = n;
	}
	if (e == json_tokener_continue || (e == json_tokener_success && n == 0))
		return fail(err, ERR_INPUT, "the JSON ends too early, at byte %zu", n);
	if (e == json_tokener_error_depth)
		return fail(err, ERR_INPUT, "the JSON is nested deeper than %d levels", max_depth);
	if (e != json_tokener_success)
		return fail(err, ERR_INPUT, "not JSON at byte %zu: %s", end, json_tokener_error_desc(e));
	if (end < n && strspn((const char *)bytes + end, " \t\r\n") < n - end)
		return fail(err, ERR_INPUT, "bytes behind the JSON value at byte %zu", end);
	*out = mem_steal(&j);
	return 0;
}

enum json_kind json_kind(const json *j)
{
	switch (json_object_get_type(j)) {
	case json_type_boolean:
		return JSON_BOOL;
	case json_type_int:
		return JSON_INT;
	case json_type_double:
		return JSON_DOUBLE;
	case json_type_string:
		return JSON_STRING;
	case json_type_array:
		return JSON_ARRAY;
	case json_type_object:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

const char *json_kind_name(enum json_kind kind)
{
	static const char *const names[] = { "null",     "true or false", "a whole number", "a number",
		                             "a string", "a list",        "an object" };

	return names[kind];
}

json *json_get(const json *j, const char *key)
{
	json *value = NULL;

	if (json_kind(j) != JSON_OBJECT || !json_object_object_get_ex(j, key, &value))
		return NULL;
	return value;
}

json *json_at(const json *j, size_t i)
{
	return json_kind(j) == JSON_ARRAY && i < json_object_array_length(j) ?
	               json_object_array_get_idx(j, i) :
	               NULL;
}

size_t json_count(const json *j)
{
	switch (json_kind(j)) {
	case JSON_ARRAY:
		return json_object_array_length(j);
	case JSON_OBJECT:
		return (size_t)json_object_object_length(j);
	default:
		return 0;
	}
}

const char *json_string(const json *j, const char *fallback)
{
	return json_kind(j) == JSON_STRING ? json_object_get_string((json *)j) : fallback;
}

const char *json_string_n(const json *j, size_t *n)
{
	if (json_kind(j) != JSON_STRING) {
		*n = 0;
		return NULL;
	}
	*n = (size_t)json_object_get_string_len(j);
	return json_object_get_string((json *)j);
}

int64_t json_int(const json *j, int64_t fallback)
{
	return json_kind(j) == JSON_INT ? json_object_get_int64(j) : fallback;
}

bool json_truth(const json *j, bool fallback)
{
	return json_kind(j) == JSON_BOOL ? json_object_get_boolean(j) : fallback;
}

const char *json_get_string(const json *j, const char *key, const char *fallback)
{
	return json_string(json_get(j, key), fallback);
}

int64_t json_get_int(const json *j, const char *key, int64_t fallback)
{
	return json_int(json_get(j, key), fallback);
}

bool json_get_truth(const json *j, const char *key, bool fallback)
{
	return json_truth(json_get(j, key), fallback);
}

void json_each(const json *j, bool (*fn)(void *arg, const char *key, json *value), void *arg)
{
	if (json_kind(j) != JSON_OBJECT)
		return;
	json_object_object_foreach((json *)j, key, value) if (!fn(arg, key, value)) return;
}

bool json_equal(const json *a, const json *b)
{
	return json_object_equal((json *)a, (json *)b);
}

static json *made(json *j)
{
	if (!j)
		bug("out of memory");
	return j;
}

json *json_object_of(void)
{
	return made(json_object_new_object());
}

json *json_array_of(void)
{
	return made(json_object_new_array());
}

json *json_of_string(const char *s)
{
	return s ? made(json_object_new_string(s)) : NULL;
}

json *json_of_stringn(const char *s, size_t n)
{
	return made(json_object_new_string_len(s, (int)n));
}

json *json_of_int(int64_t v)
{
	return made(json_object_new_int64(v));
}

json *json_of_truth(bool v)
{
	return made(json_object_new_boolean(v));
}

void json_set(json *j, const char *key, json *value)
{
	if (json_object_object_add(j, key, value) != 0)
		bug("out of memory");
}

void json_set_string(json *j, const char *key, const char *value)
{
	json_set(j, key, json_of_string(value));
}

void json_set_int(json *j, const char *key, int64_t value)
{
	json_set(j, key, json_of_int(value));
}

void json_set_truth(json *j, const char *key, bool value)
{
	json_set(j, key, json_of_truth(value));
}

void json_unset(json *j, const char *key)
{
	json_object_object_del(j, key);
}

void json_push(json *j, json *value)
{
	if (json_object_array_add(j, value) != 0)
		bug("out of memory");
}

void json_print(const json *j, struct str *out)
{
	str_add(out, json_object_to_json_string_ext((json *)j,
	                                            JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

void json_print_pretty(const json *j, struct str *out)
{
	str_add(out,
	        json_object_to_json_string_ext((json *)j, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
	                                                          JSON_C_TO_STRING_NOSLASHESCAPE));
}
