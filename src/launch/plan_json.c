#include "launch/plan.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "base/banned.h"

enum kind { TEXT, FLAG, NUMBER, WORDS, LIST };

struct column {
	const char *name;
	enum kind kind;
	size_t at; /* of the member */
	/* LIST: of the count, the size of an element, and its columns. */
	size_t count_at, size;
	const struct column *columns;
};

/* clang-format off */
#define COLUMN(type, kind, member) { #member, kind, offsetof(struct type, member), 0, 0, NULL }
#define ROWS(member, count, type, columns) \
	{ #member, LIST, offsetof(struct plan, member), offsetof(struct plan, count), \
	  sizeof(struct type), columns }
#define END { NULL, TEXT, 0, 0, 0, NULL }
/* clang-format on */

static const struct column env_columns[] = { COLUMN(plan_env, TEXT, name), COLUMN(plan_env, TEXT, value),
	                                     END };
static const struct column secret_columns[] = {
	COLUMN(plan_secret, TEXT, name),
	COLUMN(plan_secret, FLAG, ask),
	COLUMN(plan_secret, TEXT, reference),
	END,
};
static const struct column credential_columns[] = {
	COLUMN(plan_credential, TEXT, host),
	COLUMN(plan_credential, NUMBER, port),
	COLUMN(plan_credential, NUMBER, scheme),
	COLUMN(plan_credential, TEXT, header),
	COLUMN(plan_credential, NUMBER, source),
	COLUMN(plan_credential, TEXT, reference),
	COLUMN(plan_credential, TEXT, placeholder),
	COLUMN(plan_credential, FLAG, provider),
	END,
};
static const struct column file_columns[] = {
	COLUMN(plan_file, TEXT, path),
	COLUMN(plan_file, TEXT, content),
	COLUMN(plan_file, FLAG, executable),
	END,
};
static const struct column skill_columns[] = { COLUMN(plan_skill, TEXT, name), COLUMN(plan_skill, TEXT, path),
	                                       END };
static const struct column host_columns[] = { COLUMN(plan_host, TEXT, name), COLUMN(plan_host, TEXT, address),
	                                      END };

static const struct column plan_columns[] = {
	COLUMN(plan, TEXT, name),
	COLUMN(plan, TEXT, agent),
	COLUMN(plan, TEXT, label),
	COLUMN(plan, WORDS, bottles),
	COLUMN(plan, TEXT, backend),
	COLUMN(plan, TEXT, bundle),
	COLUMN(plan, TEXT, image),
	COLUMN(plan, TEXT, image_hash),
	COLUMN(plan, TEXT, image_cache),
	COLUMN(plan, TEXT, smolvm),
	COLUMN(plan, WORDS, command),
	COLUMN(plan, FLAG, headless),
	COLUMN(plan, FLAG, detach),
	COLUMN(plan, FLAG, remove_at_end),
	COLUMN(plan, TEXT, workspace),
	COLUMN(plan, TEXT, workspace_inode),
	COLUMN(plan, NUMBER, workspace_mode),
	COLUMN(plan, WORDS, workspace_exclude),
	COLUMN(plan, WORDS, tools),
	COLUMN(plan, WORDS, tools_real),
	COLUMN(plan, WORDS, path),
	ROWS(env, nenv, plan_env, env_columns),
	ROWS(secrets, nsecrets, plan_secret, secret_columns),
	ROWS(credentials, ncredentials, plan_credential, credential_columns),
	COLUMN(plan, WORDS, ca_env),
	ROWS(files, nfiles, plan_file, file_columns),
	ROWS(skills, nskills, plan_skill, skill_columns),
	COLUMN(plan, TEXT, skills_dir),
	COLUMN(plan, TEXT, git_name),
	COLUMN(plan, TEXT, git_email),
	COLUMN(plan, NUMBER, cpus),
	COLUMN(plan, NUMBER, memory_mib),
	COLUMN(plan, NUMBER, disk_gib),
	COLUMN(plan, NUMBER, pids),
	COLUMN(plan, FLAG, cpus_given),
	COLUMN(plan, FLAG, memory_mib_given),
	COLUMN(plan, FLAG, disk_gib_given),
	COLUMN(plan, FLAG, pids_given),
	COLUMN(plan, TEXT, routes),
	COLUMN(plan, NUMBER, log),
	COLUMN(plan, TEXT, upstream_proxy),
	COLUMN(plan, WORDS, extra_ca),
	COLUMN(plan, WORDS, resolver),
	ROWS(hosts, nhosts, plan_host, host_columns),
	COLUMN(plan, NUMBER, head_bytes),
	COLUMN(plan, NUMBER, headers),
	COLUMN(plan, NUMBER, head_ms),
	COLUMN(plan, NUMBER, idle_ms),
	COLUMN(plan, NUMBER, total_ms),
	COLUMN(plan, NUMBER, connect_ms),
	COLUMN(plan, NUMBER, connections),
	COLUMN(plan, NUMBER, pool),
	COLUMN(plan, NUMBER, pool_ms),
	COLUMN(plan, NUMBER, decoded_bytes),
	COLUMN(plan, NUMBER, frame_bytes),
	COLUMN(plan, NUMBER, audit_queue),
	COLUMN(plan, NUMBER, audit_mib),
	COLUMN(plan, TEXT, docker_program),
	COLUMN(plan, TEXT, docker_host),
	COLUMN(plan, TEXT, lease_first),
	COLUMN(plan, TEXT, lease_last),
	COLUMN(plan, TEXT, lease_directory),
	COLUMN(plan, WORDS, unlimited),
	COLUMN(plan, TEXT, term),
	END,
};

enum { PLAN_ROWS_MAX = 10000 };

static void clear_columns(const struct column *c, char *base)
{
	for (; c->name; c++) {
		char *at = base + c->at;
		if (c->kind == TEXT)
			mem_drop(at);
		if (c->kind == WORDS)
			strv_clear((struct strv *)at);
		if (c->kind != LIST)
			continue;
		size_t *n = (size_t *)(base + c->count_at);
		for (size_t i = 0; i < *n; i++)
			clear_columns(c->columns, *(char **)at + i * c->size);
		mem_drop(at);
		*n = 0;
	}
}

void plan_clear(struct plan *p)
{
	clear_columns(plan_columns, (char *)p);
}

static json *print_columns(const struct column *columns, const char *base);

static json *print_words(const struct strv *words)
{
	json *list = json_array_of();

	for (size_t i = 0; i < words->n; i++)
		json_push(list, json_of_string(words->v[i]));
	return list;
}

static json *print_member(const struct column *c, const char *base)
{
	const char *at = base + c->at;

	switch (c->kind) {
	case TEXT:
		return *(char *const *)at ? json_of_string(*(char *const *)at) : NULL;
	case FLAG:
		return json_of_truth(*(const bool *)at);
	case NUMBER:
		return json_of_int((int64_t) * (const unsigned long *)at);
	case WORDS:
		return print_words((const struct strv *)at);
	case LIST:
		break;
	}
	json *list = json_array_of();
	size_t n = *(const size_t *)(base + c->count_at);
	for (size_t i = 0; i < n; i++)
		json_push(list, print_columns(c->columns, *(char *const *)at + i * c->size));
	return list;
}

static json *print_columns(const struct column *columns, const char *base)
{
	json *out = json_object_of();

	for (const struct column *c = columns; c->name; c++)
		json_set(out, c->name, print_member(c, base));
	return out;
}

json *plan_to_json(const struct plan *p)
{
	return print_columns(plan_columns, (const char *)p);
}

static int read_columns(const struct column *columns, const json *j, char *base, struct err *err);

static int read_words(const struct column *c, const json *j, struct strv *out, struct err *err)
{
	for (size_t i = 0; i < json_count(j); i++) {
		const char *word = json_string(json_at(j, i), NULL);
		if (!word)
			return fail(err, ERR_INPUT, "plan: %s holds something that is no text", c->name);
		strv_add(out, word);
	}
	return 0;
}

static int read_list(const struct column *c, const json *j, char *base, struct err *err)
{
	size_t n = json_count(j);

	if (n > PLAN_ROWS_MAX)
		return fail(err, ERR_INPUT, "plan: %s has over %d rows", c->name, PLAN_ROWS_MAX);
	if (n == 0)
		return 0;
	char *rows = xcalloc(n, c->size);
	*(char **)(base + c->at) = rows;
	*(size_t *)(base + c->count_at) = n;
	for (size_t i = 0; i < n; i++)
		if (read_columns(c->columns, json_at(j, i), rows + i * c->size, err) != 0)
			return -1;
	return 0;
}

static int read_member(const struct column *c, const json *j, char *base, struct err *err)
{
	static const enum json_kind wanted[] = {
		[TEXT] = JSON_STRING, [FLAG] = JSON_BOOL,  [NUMBER] = JSON_INT,
		[WORDS] = JSON_ARRAY, [LIST] = JSON_ARRAY,
	};
	char *at = base + c->at;

	if (c->kind == TEXT && json_kind(j) == JSON_NULL)
		return 0;
	if (json_kind(j) != wanted[c->kind])
		return fail(err, ERR_INPUT, "plan: %s is %s, not %s", c->name, json_kind_name(json_kind(j)),
		            json_kind_name(wanted[c->kind]));
	switch (c->kind) {
	case TEXT:
		*(char **)at = xstrdup(json_string(j, ""));
		return 0;
	case FLAG:
		*(bool *)at = json_truth(j, false);
		return 0;
	case NUMBER:
		if (json_int(j, -1) < 0)
			return fail(err, ERR_INPUT, "plan: %s is negative", c->name);
		*(unsigned long *)at = (unsigned long)json_int(j, 0);
		return 0;
	case WORDS:
		return read_words(c, j, (struct strv *)at, err);
	case LIST:
		break;
	}
	return read_list(c, j, base, err);
}

static int read_columns(const struct column *columns, const json *j, char *base, struct err *err)
{
	size_t n = 0;

	if (json_kind(j) != JSON_OBJECT)
		return fail(err, ERR_INPUT, "plan: %s in place of an object", json_kind_name(json_kind(j)));
	for (const struct column *c = columns; c->name; c++, n++)
		if (read_member(c, json_get(j, c->name), base, err) != 0)
			return -1;
	if (json_count(j) != n)
		return fail(err, ERR_INPUT, "plan: %zu members in place of %zu; another version wrote it",
		            json_count(j), n);
	return 0;
}

int plan_from_json(const json *j, struct plan *out, struct err *err)
{
	own_plan struct plan p = PLAN_INIT;

	if (read_columns(plan_columns, j, (char *)&p, err) != 0)
		return -1;
	*out = p;
	p = (struct plan)PLAN_INIT;
	return 0;
}

static int check_text(const char *name, const char *text, struct err *err)
{
	own_str struct str shown = STR_INIT;

	if (!text || utf8_is_valid(text, strlen(text)))
		return 0;
	str_add_visible(&shown, text);
	return fail(err, ERR_INPUT, "%s: \"%.200s\" is not UTF-8, which the bottle's record can't hold", name,
	            str_c(&shown));
}

static int check_columns(const struct column *c, const char *base, struct err *err)
{
	for (; c->name; c++) {
		const char *at = base + c->at;
		const struct strv *words = c->kind == WORDS ? (const struct strv *)at : NULL;
		size_t rows = c->kind == LIST ? *(const size_t *)(base + c->count_at) : 0;

		if (c->kind == TEXT && check_text(c->name, *(char *const *)at, err) != 0)
			return -1;
		for (size_t i = 0; words && i < words->n; i++)
			if (check_text(c->name, words->v[i], err) != 0)
				return -1;
		for (size_t i = 0; i < rows; i++)
			if (check_columns(c->columns, *(char *const *)at + i * c->size, err) != 0)
				return -1;
	}
	return 0;
}

int plan_check_text(const struct plan *p, struct err *err)
{
	return check_columns(plan_columns, (const char *)p, err);
}
