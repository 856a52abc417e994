#include "cmd/summary.h"

#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "cmd/gather.h"
#include "cmd/session.h"
#include "base/banned.h"

static void line(struct command *c, const char *heading, const struct str *value)
{
	if (value->len > 0)
		ui_note(&c->ui, "%-12s %s", heading, str_c(value));
}

static void add_item(struct str *s, const char *text)
{
	if (s->len > 0)
		str_add(s, ", ");
	str_add_visible(s, text);
}

static void print_image(struct command *c, const struct plan *p)
{
	own_str struct str text = STR_INIT;

	if (p->image)
		add_item(&text, p->image);
	line(c, "image", &text);
}

static void print_program(struct command *c, const struct plan *p)
{
	own_str struct str text = STR_INIT;

	for (size_t i = 0; i < p->command.n; i++) {
		str_add(&text, i ? " " : "");
		str_add_visible(&text, p->command.v[i]);
	}
	/* A prompt may be long; what runs is said by its beginning. */
	if (text.len > 200) {
		text.len = 200;
		text.data[200] = '\0';
		str_add(&text, "...");
	}
	line(c, "runs", &text);
}

/* What a route opens beyond its name. */
static void print_wide_route(struct command *c, const json *route)
{
	const char *host = json_get_string(route, "host", "?");
	bool plain = json_get_truth(route, "plain", false);
	const struct {
		bool said;
		const char *what;
	} rows[] = {
		{ *host == '*', "every name below it, whoever holds it" },
		{ json_get_truth(route, "allow_private", false),
		  "may lead to private addresses: this host and its network" },
		{ plain && !json_get(route, "auth"), "without TLS: anybody on the way reads and changes it" },
		{ plain && json_get(route, "auth"), "without TLS: anybody on the way reads its credential" },
	};
	own_str struct str shown = STR_INIT;

	str_add_visible(&shown, host);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].said)
			ui_note(&c->ui, "%-12s %s: %s", "", str_c(&shown), rows[i].what);
}

static void print_routes(struct command *c, const struct plan *p)
{
	own_str struct str text = STR_INIT;
	own_json json *doc = NULL;
	struct err ignored = ERR_INIT;

	if (json_parse(p->routes, strlen(p->routes), 16, &doc, &ignored) == 0) {
		const json *routes = json_get(doc, "routes");
		for (size_t i = 0; i < json_count(routes); i++)
			add_item(&text, json_get_string(json_at(routes, i), "host", "?"));
	}
	if (text.len == 0)
		str_add(&text, "nothing");
	line(c, "reaches", &text);
	for (size_t i = 0; i < json_count(json_get(doc, "routes")); i++)
		print_wide_route(c, json_at(json_get(doc, "routes"), i));
}

static void print_secrets(struct command *c, const struct plan *p)
{
	own_str struct str text = STR_INIT;

	for (size_t i = 0; i < p->nsecrets; i++)
		add_item(&text, p->secrets[i].name);
	line(c, "secrets", &text);
	str_reset(&text);
	for (size_t i = 0; i < p->ncredentials; i++) {
		own_mem char *one =
			xasprintf("%s for %s", p->credentials[i].reference, p->credentials[i].host);
		add_item(&text, one);
	}
	line(c, "kept outside", &text);
}

static void print_limits(struct command *c, const struct plan *p)
{
	for (size_t i = 0; i < p->unlimited.n; i++) {
		own_mem char *name = xstrndup(p->unlimited.v[i], strcspn(p->unlimited.v[i], "_"));
		ui_note(&c->ui, "%-12s not limited", name);
	}
	if (p->upstream_proxy)
		ui_note(&c->ui,
		        "%-12s %s resolves the names: private addresses can't be told from public ones here",
		        "proxy", p->upstream_proxy);
}

void summary_print(struct command *c, const struct plan *p)
{
	const struct backend *backend;
	own_str struct str bottles = STR_INIT;
	own_str struct str how = STR_INIT;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < p->bottles.n; i++)
		add_item(&bottles, p->bottles.v[i]);
	line(c, "bottle", &bottles);
	str_addf(&how, "%s", p->backend);
	if (backend_find(p->backend, &backend, &ignored) == 0)
		str_addf(&how, " (%s)", backend->isolation);
	line(c, "backend", &how);
	print_image(c, p);
	print_program(c, p);
	summary_workspace(c, p);
	print_routes(c, p);
	print_secrets(c, p);
	print_limits(c, p);
}

static void tell_slug(struct command *c, const char *slug)
{
	own_json json *data = json_object_of();

	json_set_string(data, "slug", slug);
	if (c->json)
		ui_json(data);
	else
		ui_text("%s\n", slug);
}

static int follow(struct command *c, const struct plan *p, int keeper, struct err *err)
{
	struct session s = { .launching = true,
		             .detach = p->detach,
		             .no_input = p->detach || (p->headless && isatty(STDIN_FILENO)) };
	int rc = session_relay(c, keeper, &s, err);

	if (rc != 0 && s.status < 0)
		return -1;
	if (s.left) {
		struct err untold = ERR_INIT;
		tell_slug(c, s.slug);
		/* It runs: whoever started it must learn its name all the same. The status is main's, as at
		 * the end of every verb whose output was not taken. */
		if (ui_flush(&untold) != 0)
			ui_note(&c->ui, "%s; bottle %s runs all the same, and `bottle stop %s` ends it",
			        untold.text, s.slug, s.slug);
		return 0;
	}
	/* 126 and 127 are the program's own story, told like a shell does. */
	if (rc != 0)
		ui_error(&c->ui, err);
	if (!p->remove_at_end)
		session_summary(c, s.slug);
	return s.status < 0 ? fail(err, ERR_SYSTEM, "the bottle left no status") : s.status;
}

int launch_and_follow(struct command *c, struct plan *p, const char *slug,
                      int (*confirm)(struct command *c, const struct plan *p, struct err *err),
                      struct err *err)
{
	own_launch_secrets struct launch_secrets secrets = LAUNCH_SECRETS_INIT;

	if (gather_secrets(c, p, &secrets, err) != 0)
		return -1;
	if (confirm && confirm(c, p, err) != 0)
		return -1;
	own_fd int keeper = session_launch(c, p, &secrets, slug, err);
	/* From here on they are the keeper's. */
	launch_secrets_clear(&secrets);
	if (keeper < 0)
		return -1;
	return follow(c, p, keeper, err);
}
