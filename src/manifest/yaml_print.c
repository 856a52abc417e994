/* JSON values as YAML, through libyaml's emitter: what it quotes, it quotes right. */
#include "manifest/manifest.h"

#include <string.h>
#include <yaml.h>

#include "base/str.h"
#include "base/banned.h"

struct printer {
	yaml_emitter_t emitter;
	bool bad;
};

static int add_output(void *arg, unsigned char *bytes, size_t n)
{
	str_addn(arg, bytes, n);
	return 1;
}

static void emit(struct printer *p, yaml_event_t *event)
{
	/* The emitter takes the event, also when it fails. */
	if (!yaml_emitter_emit(&p->emitter, event))
		p->bad = true;
}

static void emit_scalar(struct printer *p, const char *text, size_t n, bool is_text)
{
	/* A text that would read as something else, here or in an older YAML, is quoted. */
	static const char *const words[] = { "true", "false", "null", "yes", "no", "on",
		                             "off",  "y",     "n",    "~",   "" };
	yaml_scalar_style_t style = YAML_ANY_SCALAR_STYLE;
	yaml_event_t event;

	for (size_t i = 0; is_text && i < ARRAY_LEN(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	if (is_text && n > 0 && strspn(text, "0123456789+-.:_eExXoabcdfABCDF") == n)
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	if (is_text && strchr(text, '\n'))
		style = YAML_LITERAL_SCALAR_STYLE;
	if (yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)n, 1, 1, style))
		emit(p, &event);
	else
		p->bad = true;
}

static void emit_value(struct printer *p, const json *value);

static bool emit_member(void *arg, const char *key, json *value)
{
	emit_scalar(arg, key, strlen(key), true);
	emit_value(arg, value);
	return true;
}

static void emit_list(struct printer *p, const json *value)
{
	yaml_sequence_style_t style =
		json_count(value) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
	yaml_event_t event;

	yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style);
	emit(p, &event);
	for (size_t i = 0; i < json_count(value); i++)
		emit_value(p, json_at(value, i));
	yaml_sequence_end_event_initialize(&event);
	emit(p, &event);
}

static void emit_map(struct printer *p, const json *value)
{
	yaml_mapping_style_t style = json_count(value) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
	yaml_event_t event;

	yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style);
	emit(p, &event);
	json_each(value, emit_member, p);
	yaml_mapping_end_event_initialize(&event);
	emit(p, &event);
}

static void emit_value(struct printer *p, const json *value)
{
	own_str struct str printed = STR_INIT;
	const char *text;
	size_t n;

	switch (json_kind(value)) {
	case JSON_ARRAY:
		emit_list(p, value);
		return;
	case JSON_OBJECT:
		emit_map(p, value);
		return;
	case JSON_STRING:
		text = json_string_n(value, &n);
		emit_scalar(p, text, n, true);
		return;
	default:
		json_print(value, &printed);
		emit_scalar(p, str_c(&printed), printed.len, false);
	}
}

static void printer_clear(struct printer *p)
{
	yaml_emitter_delete(&p->emitter);
}

int manifest_print_yaml(const json *value, struct str *out, struct err *err)
{
	__attribute__((cleanup(printer_clear))) struct printer p = { 0 };
	own_str struct str text = STR_INIT;
	yaml_event_t event;

	if (!yaml_emitter_initialize(&p.emitter))
		return fail(err, ERR_SYSTEM, "no memory for a YAML writer");
	yaml_emitter_set_output(&p.emitter, add_output, &text);
	yaml_emitter_set_unicode(&p.emitter, 1);
	yaml_emitter_set_width(&p.emitter, -1);
	yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
	emit(&p, &event);
	yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
	emit(&p, &event);
	emit_value(&p, value);
	yaml_document_end_event_initialize(&event, 1);
	emit(&p, &event);
	yaml_stream_end_event_initialize(&event);
	emit(&p, &event);
	if (p.bad)
		return fail(err, ERR_SYSTEM, "the YAML writer gave up: %s",
		            p.emitter.problem ? p.emitter.problem : "?");
	str_addn(out, str_c(&text), text.len);
	return 0;
}
