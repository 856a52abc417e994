#include "registry/registry.h"

#include <limits.h>
#include <string.h>

#include "base/proc.h"
#include "base/banned.h"

static const char *const state_names[] = {
	[RECORD_STARTING] = "starting", [RECORD_RUNNING] = "running", [RECORD_STOPPING] = "stopping",
	[RECORD_STOPPED] = "stopped",   [RECORD_DEAD] = "dead",
};

const char *record_state_name(enum record_state state)
{
	return state_names[state];
}

static void resource_clear(struct resource *r)
{
	mem_drop(&r->kind);
	mem_drop(&r->name);
}

void record_add_resource(struct record *r, const char *kind, const char *name)
{
	r->resources = xrealloc(r->resources, r->nresources + 1, sizeof *r->resources);
	r->resources[r->nresources++] = (struct resource){ xstrdup(kind), xstrdup(name) };
}

bool record_drop_resource(struct record *r, const char *kind, const char *name)
{
	for (size_t i = 0; i < r->nresources; i++) {
		if (!str_is(r->resources[i].kind, kind) || !str_is(r->resources[i].name, name))
			continue;
		resource_clear(&r->resources[i]);
		r->nresources--;
		memmove(&r->resources[i], &r->resources[i + 1], (r->nresources - i) * sizeof *r->resources);
		return true;
	}
	return false;
}

void record_clear(struct record *r)
{
	mem_drop(&r->label);
	mem_drop(&r->agent);
	strv_clear(&r->bottles);
	mem_drop(&r->runtime);
	mem_drop(&r->backend);
	mem_drop(&r->bundle);
	mem_drop(&r->workspace);
	mem_drop(&r->workspace_mode);
	strv_clear(&r->workspace_exclude);
	json_drop(&r->plan);
	for (size_t i = 0; i < r->nresources; i++)
		resource_clear(&r->resources[i]);
	mem_drop(&r->resources);
	json_drop(&r->proof);
	strv_clear(&r->limits_not_enforced);
	*r = (struct record)RECORD_INIT;
}

/* Each kind of member knows how it is written and how it is read back. @where is the member
 * of the struct. Reading returns false for a value of the wrong type or out of range. */
static json *put_text(const void *where)
{
	const char *text = *(char *const *)where;

	return text ? json_of_string(text) : NULL;
}

static bool take_text(json *j, void *where)
{
	size_t n = 0;
	const char *text = json_string_n(j, &n);

	if (json_kind(j) == JSON_NULL)
		return true;
	if (json_kind(j) != JSON_STRING || strlen(text) != n)
		return false;
	*(char **)where = xstrdup(text);
	return true;
}

static json *put_texts(const void *where)
{
	const struct strv *sv = where;
	json *made = json_array_of();

	for (size_t i = 0; i < sv->n; i++)
		json_push(made, json_of_string(sv->v[i]));
	return made;
}

static bool take_texts(json *j, void *where)
{
	if (json_kind(j) != JSON_ARRAY)
		return false;
	for (size_t i = 0; i < json_count(j); i++) {
		char *text = NULL;
		if (!take_text(json_at(j, i), &text) || !text)
			return false;
		strv_take(where, text);
	}
	return true;
}

static json *put_json(const void *where)
{
	json *j = *(json *const *)where;

	return j ? json_ref(j) : NULL;
}

static bool take_json(json *j, void *where)
{
	*(json **)where = json_kind(j) == JSON_NULL ? NULL : json_ref(j);
	return true;
}

static json *put_count(const void *where)
{
	return json_of_int((int64_t) * (const uint64_t *)where);
}

static bool take_count(json *j, void *where)
{
	if (json_kind(j) != JSON_INT || json_int(j, -1) < 0)
		return false;
	*(uint64_t *)where = (uint64_t)json_int(j, 0);
	return true;
}

static bool take_directory(json *j, void *where)
{
	return take_text(j, where) && (!*(char **)where || **(char **)where == '/');
}

static json *put_time(const void *where)
{
	return json_of_int(*(const int64_t *)where);
}

static bool take_time(json *j, void *where)
{
	if (json_kind(j) != JSON_INT)
		return false;
	*(int64_t *)where = json_int(j, 0);
	return true;
}

static json *put_int(const void *where)
{
	return json_of_int(*(const int *)where);
}

static bool take_int(json *j, void *where)
{
	if (json_kind(j) != JSON_INT || json_int(j, 0) < INT_MIN || json_int(j, 0) > INT_MAX)
		return false;
	*(int *)where = (int)json_int(j, 0);
	return true;
}

static json *put_truth(const void *where)
{
	return json_of_truth(*(const bool *)where);
}

static bool take_truth(json *j, void *where)
{
	*(bool *)where = json_truth(j, false);
	return json_kind(j) == JSON_BOOL;
}

static json *put_slug(const void *where)
{
	return json_of_string(where);
}

static bool take_slug(json *j, void *where)
{
	const char *slug = json_string(j, "");

	if (!slug_is_valid(slug))
		return false;
	memcpy(where, slug, strlen(slug) + 1);
	return true;
}

static bool take_digest(json *j, void *where)
{
	const char *text = json_string(j, NULL);

	if (!text || (strlen(text) != 0 && strlen(text) != SHA256_TEXT - 1) ||
	    strspn(text, "0123456789abcdef") != strlen(text))
		return false;
	memcpy(where, text, strlen(text) + 1);
	return true;
}

static json *put_state(const void *where)
{
	return json_of_string(record_state_name(*(const enum record_state *)where));
}

static bool take_state(json *j, void *where)
{
	for (size_t i = 0; i < RECORD_DEAD; i++) {
		if (!str_is(json_string(j, NULL), state_names[i]))
			continue;
		*(enum record_state *)where = (enum record_state)i;
		return true;
	}
	return false;
}

static json *put_resources(const void *where)
{
	const struct record *r = where;
	json *made = json_array_of();

	for (size_t i = 0; i < r->nresources; i++) {
		json *one = json_object_of();
		json_set_string(one, "kind", r->resources[i].kind);
		json_set_string(one, "name", r->resources[i].name);
		json_push(made, one);
	}
	return made;
}

static bool take_resources(json *j, void *where)
{
	if (json_kind(j) != JSON_ARRAY)
		return false;
	for (size_t i = 0; i < json_count(j); i++) {
		const char *kind = json_get_string(json_at(j, i), "kind", NULL);
		const char *name = json_get_string(json_at(j, i), "name", NULL);
		if (!kind || !name)
			return false;
		record_add_resource(where, kind, name);
	}
	return true;
}

struct member {
	const char *name;
	size_t offset;
	json *(*put)(const void *where);
	bool (*take)(json *j, void *where); /* what it takes is @where's, also after false */
	bool later;                         /* records were written before there was this one */
};

/* clang-format off */
#define MEMBER(name, kind) { #name, offsetof(struct record, name), put_##kind, take_##kind, false }
/* clang-format on */
static const struct member members[] = {
	MEMBER(slug, slug),
	MEMBER(label, text),
	MEMBER(agent, text),
	MEMBER(bottles, texts),
	MEMBER(backend, text),
	MEMBER(bundle, text),
	MEMBER(workspace, text),
	MEMBER(workspace_mode, text),
	MEMBER(workspace_exclude, texts),
	MEMBER(plan, json),
	MEMBER(state, state),
	MEMBER(keeper_pid, int),
	{ "keeper_start", offsetof(struct record, keeper_start), put_count, take_count, false },
	{ "runtime", offsetof(struct record, runtime), put_text, take_directory, true },
	MEMBER(created_ms, time),
	MEMBER(ended_ms, time),
	MEMBER(exit_status, int),
	{ "resources", 0, put_resources, take_resources, false },
	MEMBER(audit_count, count),
	{ "audit_head", offsetof(struct record, audit_head), put_slug, take_digest, false },
	MEMBER(refused, count),
	MEMBER(proof, json),
	MEMBER(limits_not_enforced, texts),
	MEMBER(remove_at_end, truth),
};
_Static_assert(sizeof(unsigned long long) == sizeof(uint64_t), "start times are stored as counts");
_Static_assert(sizeof(pid_t) == sizeof(int), "process ids are stored as ints");

json *record_to_json(const struct record *r)
{
	json *made = json_object_of();

	json_set_int(made, "schema", RECORD_SCHEMA);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		json_set(made, members[i].name, members[i].put((const char *)r + members[i].offset));
	return made;
}

struct seen {
	bool member[ARRAY_LEN(members)];
	const char *strange;
};

static bool note_seen(void *arg, const char *key, json *value)
{
	struct seen *seen = arg;

	(void)value;
	if (str_is(key, "schema"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!str_is(key, members[i].name))
			continue;
		seen->member[i] = true;
		return true;
	}
	seen->strange = key;
	return false;
}

int record_from_json(const json *j, struct record *out, struct err *err)
{
	own_record struct record made = RECORD_INIT;
	struct seen seen = { 0 };

	if (json_kind(j) != JSON_OBJECT)
		return fail(err, ERR_INPUT, "a record is an object, not %s", json_kind_name(json_kind(j)));
	if (json_get_int(j, "schema", 0) != RECORD_SCHEMA)
		return fail(err, ERR_INPUT, "its schema is not %d; another version of bottle wrote it",
		            RECORD_SCHEMA);
	json_each(j, note_seen, &seen);
	if (seen.strange)
		return fail(err, ERR_INPUT, "unknown member \"%.40s\"", seen.strange);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!seen.member[i] && members[i].later)
			continue;
		if (!seen.member[i])
			return fail(err, ERR_INPUT, "\"%s\" is missing", members[i].name);
		if (!members[i].take(json_get(j, members[i].name), (char *)&made + members[i].offset))
			return fail(err, ERR_INPUT, "\"%s\" is wrong", members[i].name);
	}
	*out = made;
	made = (struct record)RECORD_INIT;
	return 0;
}

bool record_keeper_lives(const struct record *r)
{
	return r->keeper_pid > 0 && r->keeper_start != 0 && proc_start_time(r->keeper_pid) == r->keeper_start;
}

enum record_state record_shown_state(const struct record *r)
{
	if (r->state == RECORD_STOPPED || record_keeper_lives(r))
		return r->state;
	return RECORD_DEAD;
}
