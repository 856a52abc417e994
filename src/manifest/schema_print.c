/* A struct as JSON, and its rows as a reference page. */
#include "manifest/schema.h"

#include <string.h>

#include "base/own.h"
#include "base/banned.h"

static bool given(const struct field *f, const char *base)
{
	return !f->given || *(const bool *)(base + f->given - 1);
}

static json *texts_json(const struct field *f, const char *base)
{
	const struct strv *texts = (const struct strv *)(base + f->at);

	if (f->off && *(const bool *)(base + f->off - 1))
		return json_of_truth(false);
	json *list = json_array_of();
	for (size_t i = 0; i < texts->n; i++)
		json_push(list, json_of_string(texts->v[i]));
	return list;
}

static json *items_json(const struct field *f, const char *base, bool full)
{
	size_t n = *(const size_t *)(base + f->count);
	const char *item = *(char *const *)(base + f->at);
	json *all = f->type == FIELD_LIST ? json_array_of() : json_object_of();

	for (size_t i = 0; i < n; i++, item += f->of->size) {
		if (f->type == FIELD_LIST) {
			json_push(all, schema_json(f->of, item, full));
			continue;
		}
		const char *name = *(char *const *)(item + f->of->name_at);
		json_set(all, name,
		         f->type == FIELD_NAMED ?
		                 schema_json(f->of, item, full) :
		                 json_of_string(*(char *const *)(item + f->of->fields[0].at)));
	}
	return all;
}

/* NULL: there is nothing to say. */
static json *field_json(const struct field *f, const char *base, bool full)
{
	const char *text;

	switch (f->type) {
	case FIELD_TEXT:
		text = *(char *const *)(base + f->at);
		return text && (full || !f->fallback || !str_is(text, f->fallback)) ? json_of_string(text) :
		                                                                      NULL;
	case FIELD_TRUTH: {
		bool value = *(const bool *)(base + f->at);
		return full || value ? json_of_truth(value) : NULL;
	}
	case FIELD_NUMBER:
		return (full && f->fallback) || given(f, base) ?
		               json_of_int((int64_t) * (const unsigned long *)(base + f->at)) :
		               NULL;
	case FIELD_WORD:
		text = f->words[*(const int *)(base + f->at)];
		if (!given(f, base) && !(full && f->fallback))
			return NULL;
		return full || !f->fallback || !str_is(text, f->fallback) ? json_of_string(text) : NULL;
	case FIELD_TEXTS:
	case FIELD_LIST:
	case FIELD_NAMED:
	case FIELD_PAIRS:
	case FIELD_STRUCT:
	case FIELD_IGNORED:
	case FIELD_REFUSED:
		break;
	}
	return NULL;
}

static json *nested_json(const struct field *f, const char *base, bool full)
{
	own_json json *value = NULL;

	if (f->type == FIELD_STRUCT && given(f, base))
		value = schema_json(f->of, base + f->at, full);
	else if (f->type == FIELD_TEXTS && given(f, base))
		value = texts_json(f, base);
	else if (f->type == FIELD_LIST || f->type == FIELD_NAMED || f->type == FIELD_PAIRS)
		value = items_json(f, base, full);
	/* What was written empty is something to say only where its absence differs. */
	bool tells = value && (json_count(value) > 0 || json_kind(value) == JSON_BOOL || full || f->given);
	return tells ? mem_steal(&value) : NULL;
}

json *schema_json(const struct schema *schema, const void *object, bool full)
{
	json *map = json_object_of();

	for (size_t i = 0; i < schema->nfields; i++) {
		const struct field *f = &schema->fields[i];
		json *value =
			f->type < FIELD_TEXTS ? field_json(f, object, full) : nested_json(f, object, full);
		if (value)
			json_set(map, f->name, value);
	}
	return map;
}

static void print_type(const struct field *f, struct str *out)
{
	static const char *const types[] = { "text",
		                             "true or false",
		                             "whole number",
		                             "",
		                             "list of texts",
		                             "map",
		                             "list of maps",
		                             "map of named maps",
		                             "map from name to text",
		                             "anything; ignored",
		                             "refused" };

	str_add(out,
	        f->type == FIELD_TEXTS && (f->flags & FIELD_ONE) ? "text, or list of texts" : types[f->type]);
	if (f->type == FIELD_TEXTS && f->off)
		str_add(out, ", or false");
	for (size_t i = 0; f->type == FIELD_WORD && f->words[i]; i++)
		str_addf(out, "%s*%s*", i ? ", " : "", f->words[i]);
	if (f->type == FIELD_NUMBER)
		str_addf(out, ", %lu to %lu", f->min, f->max);
	if (f->most)
		str_addf(out, ", at most %zu", f->most);
	if (f->flags & FIELD_REQUIRED)
		str_add(out, "; required");
	if (f->fallback)
		str_addf(out, "; default *%s*", f->fallback);
}

/* scdoc reads an underscore at a word's edge as a mark. */
static void add_plain(struct str *out, const char *text)
{
	for (; *text; text++)
		if (strchr("_*`\\", *text))
			str_addf(out, "\\%c", *text);
		else
			str_addc(out, *text);
}

void schema_print(const struct schema *schema, const char *prefix, struct str *out)
{
	for (size_t i = 0; i < schema->nfields; i++) {
		const struct field *f = &schema->fields[i];
		const char *shape = f->type == FIELD_LIST                            ? "[]" :
		                    f->type == FIELD_NAMED || f->type == FIELD_PAIRS ? ".NAME" :
		                                                                       "";
		own_mem char *path = xasprintf("%s%s%s%s", prefix, *prefix ? "." : "", f->name, shape);
		str_add(out, "*");
		add_plain(out, path);
		str_add(out, "*\n\t");
		print_type(f, out);
		str_add(out, ".\n\n\t");
		add_plain(out, f->help);
		str_add(out, ".\n\n");
		if (f->of && f->type != FIELD_PAIRS)
			schema_print(f->of, path, out);
	}
}
