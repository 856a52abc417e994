#include "cmd/bottles.h"

#include <string.h>

#include "cmd/audit_log.h"
#include "cmd/proof_text.h"
#include "keeper/audit.h"
#include "base/banned.h"

enum { RECORD_DEPTH_MAX = 16 };

struct each {
	int (*fn)(void *arg, const json *record, struct err *err);
	void *arg;
	uint64_t lines;
};

static int each_line(void *arg, uint64_t number, const char *line, size_t n, struct err *err)
{
	struct each *e = arg;
	own_json json *record = NULL;

	e->lines = number;
	if (json_parse(line, n, RECORD_DEPTH_MAX, &record, err) != 0)
		return fail_in(err, "line %llu of the audit log", (unsigned long long)number);
	return e->fn(e->arg, record, err);
}

int audit_log_each(int dir, int (*fn)(void *arg, const json *record, struct err *err), void *arg,
                   uint64_t *cut, struct err *err)
{
	struct each e = { .fn = fn, .arg = arg };
	size_t bytes = 0;

	if (audit_read(dir, each_line, &e, &bytes, err) != 0)
		return -1;
	*cut = bytes > 0 ? e.lines + 1 : 0;
	return 0;
}

struct printing {
	struct str text;
	bool as_json;
	bool began; /* as JSON: the array is open, and holds one already */
};

/* Members that stand at the front in this order, or that only the chain needs. */
static const char *const leading[] = { "time", "kind", "verdict", "method", "host", "port", "path" };
static const char *const silent[] = { "seq", "prev" };

static bool is_one_of(const char *key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(key, names[i]))
			return true;
	return false;
}

static void add_value(struct str *out, const json *value)
{
	own_str struct str raw = STR_INIT;

	if (json_kind(value) == JSON_STRING)
		str_add(&raw, json_string(value, ""));
	else
		json_print(value, &raw);
	str_add_visible(out, str_c(&raw));
}

static bool add_pair(void *arg, const char *key, json *value)
{
	struct str *out = arg;

	str_addc(out, ' ');
	str_add_visible(out, key);
	str_addc(out, '=');
	add_value(out, value);
	return true;
}

static bool add_member(void *arg, const char *key, json *value)
{
	struct str *out = arg;

	if (is_one_of(key, leading, ARRAY_LEN(leading)) || is_one_of(key, silent, ARRAY_LEN(silent)))
		return true;
	if (str_is(key, "details") && json_kind(value) == JSON_OBJECT) {
		json_each(value, add_pair, out);
	} else if (str_is(key, "proof") && json_kind(value) == JSON_OBJECT) {
		own_json json *lines = proof_lines(value);
		for (size_t i = 0; i < json_count(lines); i++)
			str_addf(out, "%s%s", i ? "; " : " ", json_string(json_at(lines, i), ""));
	} else {
		add_pair(out, key, value);
	}
	return true;
}

/* One at a time: a log may be long. */
static int print_json(struct printing *p, const json *record, struct err *err)
{
	own_str struct str text = STR_INIT;

	str_reset(&p->text);
	str_add(&p->text, p->began ? ",\n  " : "[\n  ");
	json_print(record, &text);
	json_add_visible(&p->text, &text);
	p->began = true;
	return ui_write(p->text.data, p->text.len, err);
}

static int print_record(void *arg, const json *record, struct err *err)
{
	struct printing *p = arg;

	if (p->as_json)
		return print_json(p, record, err);
	p->began = true;
	str_reset(&p->text);
	for (size_t i = 0; i < ARRAY_LEN(leading); i++) {
		const json *value = json_get(record, leading[i]);
		if (!value)
			continue;
		if (p->text.len > 0)
			str_addc(&p->text, ' ');
		add_value(&p->text, value);
	}
	json_each(record, add_member, &p->text);
	str_addc(&p->text, '\n');
	return ui_write(p->text.data, p->text.len, err);
}

static int print_log(struct command *c, const struct bottle *b, struct err *err)
{
	struct printing p = { .as_json = c->ui.json };
	uint64_t cut = 0;
	int rc = audit_log_each(b->dir, print_record, &p, &cut, err);

	str_clear(&p.text);
	if (rc != 0 && p.as_json && p.began) {
		/* What was printed is a list, and one document: its end is said beside it. */
		ui_text("\n]\n");
		c->ui.json = false;
	}
	if (rc != 0)
		return -1;
	if (c->ui.json)
		ui_text(p.began ? "\n]\n" : "[]\n");
	if (!p.began && b->record.audit_count > 0)
		ui_note(&c->ui,
		        "the log is empty, and the record knows of %llu line%s; `bottle audit --verify %s` says more",
		        (unsigned long long)b->record.audit_count, b->record.audit_count == 1 ? "" : "s",
		        b->record.slug);
	if (cut > 0 && !record_keeper_lives(&b->record))
		ui_note(&c->ui,
		        "line %llu is cut short: its end was never written; `bottle audit --verify %s` says more",
		        (unsigned long long)cut, b->record.slug);
	return 0;
}

static int verify(struct command *c, const struct bottle *b, struct err *err)
{
	static const struct ui_column fields[] = {
		{ "bottle", "bottle", false },
		{ "lines", "lines", false },
		{ "head", "head", false },
		{ "verified", "verified", false },
	};
	const struct record *r = &b->record;
	const struct audit_claim claim = { r->audit_count, r->audit_count > 0 ? r->audit_head : NULL };
	struct audit_found found = { 0 };
	/* While it runs, and after a kill, the log may be ahead of the record, never behind. */
	enum audit_end end = r->state == RECORD_STOPPED ? AUDIT_ENDED :
	                     record_keeper_lives(r)     ? AUDIT_GROWING :
	                                                  AUDIT_AHEAD;

	if (audit_verify(b->dir, &claim, end, &found, err) != 0)
		return fail_in(err, "bottle %s", r->slug);
	own_json json *out = json_object_of();
	json_set_string(out, "bottle", r->slug);
	json_set_int(out, "lines", (int64_t)found.count);
	json_set_string(out, "head", found.head);
	json_set_truth(out, "verified", true);
	ui_object(&c->ui, out, fields, ARRAY_LEN(fields));
	return 0;
}

static int audit_run(struct command *c, struct err *err)
{
	own_bottle struct bottle b = BOTTLE_INIT;

	if (bottle_open(c, command_arg(c, 0), &b, err) != 0)
		return -1;
	return command_has(c, "verify") ? verify(c, &b, err) : print_log(c, &b, err);
}

static const struct option options[] = {
	{ .name = "verify", .help = "check the chain of hashes, and that the record agrees with its end" },
	{ 0 },
};

const struct verb verb_audit = {
	.name = "audit",
	.args = "[--verify] SLUG",
	.summary = "the audit log, readable; or whether it is whole",
	.details =
		"Each line of the log carries the hash of the one before, and the record holds count and head: a line that "
		"was changed, removed or put in shows, unless somebody with the user's rights rewrote the rest and the "
		"record as well.",
	.group = GROUP_LOOK,
	.flags = VERB_JSON,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_SLUG,
	.options = options,
	.run = audit_run,
};
