#include "launch/codex.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { DEPTH_MAX = 16, NAME_LENGTH_MAX = 128 };

/* Where the tokens say which account they are of. */
#define CLAIMS       "https://api.openai.com/auth"
#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define LOG_IN_AGAIN "run `codex login` on the host"

void codex_login_clear(struct codex_login *l)
{
	secret_clear(&l->access);
	mem_drop(&l->account);
	mem_drop(&l->plan_type);
}

/* It goes into a file and a header as it stands. */
static bool is_plain_name(const char *name)
{
	size_t n = strspn(name, NAME_LETTERS);

	return n > 0 && n <= NAME_LENGTH_MAX && name[n] == '\0';
}

/* The middle one of a token's three parts. Nothing is verified: the host trusts its own file. */
static int read_claims(const char *token, json **out, struct err *err)
{
	own_str struct str text = STR_INIT;
	const char *payload = strchr(token, '.');
	const char *end = payload ? strchr(payload + 1, '.') : NULL;

	if (!end || strchr(end + 1, '.') || token[strspn(token, NAME_LETTERS ".")] != '\0')
		return fail(err, ERR_INPUT, "the access token has not the form of one; " LOG_IN_AGAIN);
	str_reserve(&text, strlen(token));
	bool good = base64_decode(&text, payload + 1, (size_t)(end - payload - 1), true) &&
	            json_parse_unique(text.data, text.len, DEPTH_MAX, out, err) == 0;
	explicit_bzero(text.data, text.len);
	return good ? 0 :
	              fail(err, ERR_INPUT, "the access token says nothing that can be read; " LOG_IN_AGAIN);
}

static char *name_in(const json *j, const char *key)
{
	const char *name = json_get_string(j, key, NULL);

	return name && is_plain_name(name) ? xstrdup(name) : NULL;
}

static int check_expiry(int64_t expires, int64_t now_ms, struct err *err)
{
	char text[CLOCK_TEXT];

	/* A year of five digits is no date that a token carries. */
	if (expires <= 0 || expires > 253402300799)
		return fail(err, ERR_INPUT,
		            "the access token does not say until when it is good; " LOG_IN_AGAIN);
	if (expires > now_ms / 1000)
		return 0;
	clock_text(expires * 1000, text);
	return fail(err, ERR_INPUT, "the login ran out at %s; use codex once on the host, which renews it",
	            text);
}

static int read_tokens(const json *file, int64_t now_ms, struct codex_login *out, struct err *err)
{
	own_json json *claims = NULL;
	const json *tokens = json_get(file, "tokens");
	const char *access = json_get_string(tokens, "access_token", NULL);

	if (!access && json_get_string(file, "OPENAI_API_KEY", NULL))
		return fail(err, ERR_INPUT,
		            "it holds an API key and no login; " LOG_IN_AGAIN
		            " with an account, or write a route with the key as its auth");
	if (!access || *access == '\0')
		return fail(err, ERR_INPUT, "it holds no access token; " LOG_IN_AGAIN);
	if (read_claims(access, &claims, err) != 0)
		return -1;
	out->expires = json_get_int(claims, "exp", 0);
	if (check_expiry(out->expires, now_ms, err) != 0)
		return -1;
	const json *about = json_get(claims, CLAIMS);
	out->account = name_in(tokens, "account_id");
	if (!out->account)
		out->account = name_in(about, "chatgpt_account_id");
	out->plan_type = name_in(about, "chatgpt_plan_type");
	secret_set(&out->access, access, strlen(access));
	return 0;
}

int codex_login_read(const void *bytes, size_t n, int64_t now_ms, struct codex_login *out, struct err *err)
{
	own_codex_login struct codex_login l = CODEX_LOGIN_INIT;
	own_json json *file = NULL;

	if (json_parse_unique(bytes, n, DEPTH_MAX, &file, err) != 0 || json_kind(file) != JSON_OBJECT)
		return fail(err, ERR_INPUT, "it is not one JSON object; " LOG_IN_AGAIN);
	if (read_tokens(file, now_ms, &l, err) != 0)
		return -1;
	*out = l;
	l = (struct codex_login)CODEX_LOGIN_INIT;
	return 0;
}

static void add_part(struct str *out, const struct str *text)
{
	size_t from = out->len;

	base64_encode(out, text->data, text->len);
	while (out->len > from && out->data[out->len - 1] == '=')
		out->len--;
	out->data[out->len] = '\0';
	for (char *c = out->data + from; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
}

/* Two parts that clients read, and random characters where the signature would be. */
static char *hollow_token(const struct codex_login *l)
{
	own_str struct str header = STR_INIT, payload = STR_INIT, token = STR_INIT;
	own_json json *claims = json_object_of();
	json *about = json_object_of();

	str_add(&header, "{\"alg\":\"none\",\"typ\":\"JWT\"}");
	json_set_int(claims, "exp", l->expires);
	json_set(claims, CLAIMS, about);
	if (l->account)
		json_set_string(about, "chatgpt_account_id", l->account);
	if (l->plan_type)
		json_set_string(about, "chatgpt_plan_type", l->plan_type);
	json_print(claims, &payload);
	add_part(&token, &header);
	str_addc(&token, '.');
	add_part(&token, &payload);
	str_add(&token, ".{random}");
	return str_steal(&token);
}

static char *hollow_file(const struct codex_login *l, int64_t now_ms)
{
	own_str struct str text = STR_INIT;
	own_json json *file = json_object_of();
	json *tokens = json_object_of();
	char now[CLOCK_TEXT];

	json_set_string(file, "auth_mode", "chatgpt");
	json_set_string(file, "OPENAI_API_KEY", NULL);
	json_set_string(tokens, "id_token", "{placeholder}");
	json_set_string(tokens, "access_token", "{placeholder}");
	json_set_string(tokens, "refresh_token", "{placeholder}");
	json_set_string(tokens, "account_id", l->account);
	json_set(file, "tokens", tokens);
	/* Fresh, or the client would renew it by the clock. */
	clock_text(now_ms, now);
	json_set_string(file, "last_refresh", now);
	json_print_pretty(file, &text);
	return str_steal(&text);
}

static void set_file(struct plan *p, const char *path, char *content)
{
	for (size_t i = 0; i < p->nfiles; i++) {
		if (!str_is(p->files[i].path, path))
			continue;
		mem_drop(&p->files[i].content);
		p->files[i].content = content;
		return;
	}
	p->files = xrealloc(p->files, p->nfiles + 1, sizeof *p->files);
	p->files[p->nfiles++] = (struct plan_file){ xstrdup(path), content, false };
}

void codex_fill_plan(const struct codex_login *l, int64_t now_ms, struct plan_credential *credential,
                     struct plan *p)
{
	mem_drop(&credential->placeholder);
	credential->placeholder = hollow_token(l);
	set_file(p, CODEX_AUTH, hollow_file(l, now_ms));
}
