#include "cmd/bottles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/audit_log.h"
#include "launch/proof.h"
#include "manifest/check.h"
#include "proto/egress.h"
#include "base/banned.h"

/* Bounded: the guest decides how many different requests are refused. */
enum { HOSTS_MAX = 200, WANTED_MAX = 20, PLAIN_PORT = 80, TLS_PORT = 443 };

/* Refusals that a route would change. For every other reason a route is no answer: a foreign
 * credential, a bad certificate, a push over https. */
static const char *const answerable[] = { "host-not-routed", "port-not-routed", "no-match", "plain-http",
	                                  "name-not-qualified" };

struct wanted {
	char *method, *path; /* NULL path: only the host was seen */
};

struct wish {
	char *host;
	int64_t port;
	size_t refused;
	bool plain; /* http was asked for */
	struct wanted v[WANTED_MAX];
	size_t n;
	bool more; /* than @v, and not all of it could be in a route */
};

struct wishes {
	struct wish v[HOSTS_MAX];
	size_t n;
	bool more;
};

static void wishes_free(struct wishes **all)
{
	for (size_t i = 0; *all && i < (*all)->n; i++) {
		struct wish *w = &(*all)->v[i];
		mem_drop(&w->host);
		for (size_t j = 0; j < w->n; j++) {
			mem_drop(&w->v[j].method);
			mem_drop(&w->v[j].path);
		}
	}
	mem_drop(all);
}
#define own_wishes __attribute__((cleanup(wishes_free)))

/* One exact name, as a route has it. */
static bool host_can_be_routed(const char *host)
{
	struct err ignored = ERR_INIT;
	own_mem char *canonical = xstrdup(host);

	return *host != '*' && check_host(&canonical, &ignored) == 0 && str_is(canonical, host);
}

/* Printable, as canonical paths are, and not cut. */
static bool path_can_be_routed(const char *path)
{
	for (const char *p = path; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '?' || *p == '#')
			return false;
	return *path == '/' && strlen(path) <= EGRESS_PATH_SHOWN;
}

/* As a route's own check would leave it. */
static bool method_can_be_routed(const char *method)
{
	struct err ignored = ERR_INIT;
	own_mem char *canonical = xstrdup(method);

	return *method && check_method(&canonical, &ignored) == 0 && str_is(canonical, method);
}

static bool is_answerable(const char *reason)
{
	for (size_t i = 0; i < ARRAY_LEN(answerable); i++)
		if (str_is(answerable[i], reason))
			return true;
	return false;
}

static struct wish *wish_for(struct wishes *all, const char *host, int64_t port)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_is(all->v[i].host, host) && all->v[i].port == port)
			return &all->v[i];
	if (all->n == HOSTS_MAX) {
		all->more = true;
		return NULL;
	}
	struct wish *made = &all->v[all->n++];
	*made = (struct wish){ .host = xstrdup(host), .port = port };
	return made;
}

static void want(struct wish *w, const char *method, const char *path)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_is(w->v[i].method, method) && str_is(w->v[i].path, path))
			return;
	if (w->n == WANTED_MAX) {
		w->more = true;
		return;
	}
	w->v[w->n++] = (struct wanted){ xstrdup(method), xstrdup(path) };
}

/* A log that was written before schemes were has none; then the port, and the reasons that https
 * never gets behind its CONNECT, tell. */
static bool is_plain(const json *record, int64_t port)
{
	const char *scheme = json_get_string(record, "scheme", "");

	if (*scheme)
		return str_is(scheme, "http");
	return !str_is(json_get_string(record, "method", ""), "CONNECT") &&
	       (port == PLAIN_PORT || !str_is(json_get_string(record, "reason", ""), "no-match"));
}

static int note(void *arg, const json *record, struct err *err)
{
	struct wishes *all = arg;
	(void)err;
	const char *host = json_get_string(record, "host", "");
	const char *method = json_get_string(record, "method", "");
	const char *path = json_get_string(record, "path", "");

	if (!str_is(json_get_string(record, "kind", ""), "egress") ||
	    !str_is(json_get_string(record, "verdict", ""), "deny") ||
	    !is_answerable(json_get_string(record, "reason", "")) || !host_can_be_routed(host) ||
	    str_ends(host, PROOF_HOSTS))
		return 0;
	int64_t port = json_get_int(record, "port", TLS_PORT);
	struct wish *w = wish_for(all, host, port);
	if (!w)
		return 0;
	w->refused++;
	w->plain = w->plain || is_plain(record, port);
	/* Of a tunnel there is no more than its host. */
	if (str_is(method, "CONNECT") || !*path)
		return 0;
	if (path_can_be_routed(path) && method_can_be_routed(method))
		want(w, method, path);
	else
		w->more = true;
	return 0;
}

/* Requests that no match can name are not answered by a route for all of the host. */
static bool can_be_routed(const struct wish *w)
{
	return w->n > 0 || !w->more;
}

static json *match_json(const struct wanted *one)
{
	json *match = json_object_of(), *methods = json_array_of(), *paths = json_array_of(),
	     *path = json_object_of();

	json_push(methods, json_of_string(one->method));
	json_set_string(path, "type", "exact");
	json_set_string(path, "value", one->path);
	json_push(paths, path);
	json_set(match, "methods", methods);
	json_set(match, "paths", paths);
	return match;
}

/* No wider than what was asked for: the exact paths and methods where they were seen. */
static json *route_json(const struct wish *w)
{
	json *route = json_object_of();

	json_set_string(route, "host", w->host);
	/* With plain alone both 443 and 80 would be open. */
	if (w->plain || w->port != TLS_PORT)
		json_set_int(route, "port", w->port);
	if (w->plain)
		json_set_truth(route, "plain", true);
	if (w->n == 0)
		return route;
	json *matches = json_array_of();
	for (size_t i = 0; i < w->n; i++)
		json_push(matches, match_json(&w->v[i]));
	json_set(route, "matches", matches);
	return route;
}

/* JSON is YAML: each value in JSON's spelling, so nothing the guest wrote can break out of it. */
static void print_yaml(const struct wishes *all)
{
	ui_text("egress:\n  routes:\n");
	for (size_t i = 0; i < all->n; i++) {
		const struct wish *w = &all->v[i];
		if (!can_be_routed(w))
			continue;
		own_json json *route = route_json(w);
		own_str struct str matches = STR_INIT;
		ui_text("    # refused %zu time%s%s\n", w->refused, str_plural(w->refused),
		        w->n ? "" : "; only the host was seen");
		/* A name like "null" or "1e5" is text in quotes alone. */
		ui_text("    - host: \"%s\"\n", w->host);
		if (json_get(route, "port"))
			ui_text("      port: %lld\n", (long long)w->port);
		if (json_get(route, "plain"))
			ui_text("      plain: true\n");
		if (w->n > 0)
			ui_text("      matches:\n");
		for (size_t j = 0; j < w->n; j++) {
			str_reset(&matches);
			json_print(json_at(json_get(route, "matches"), j), &matches);
			ui_text("        - ");
			ui_text("%s\n", str_c(&matches));
		}
		if (w->more)
			ui_text("        # and more: a prefix may fit better\n");
	}
}

static int suggest_run(struct command *c, struct err *err)
{
	own_bottle struct bottle b = BOTTLE_INIT;
	own_wishes struct wishes *all = xcalloc(1, sizeof *all);
	uint64_t cut = 0;
	size_t routed = 0;

	if (bottle_open(c, command_arg(c, 0), &b, err) != 0 ||
	    audit_log_each(b.dir, note, all, &cut, err) != 0)
		return -1;
	for (size_t i = 0; i < all->n; i++) {
		routed += can_be_routed(&all->v[i]);
		if (!can_be_routed(&all->v[i]))
			ui_note(&c->ui,
			        "%s:%lld: refused %zu time%s, for paths or methods that no route can name as the log has "
			        "them",
			        all->v[i].host, (long long)all->v[i].port, all->v[i].refused,
			        str_plural(all->v[i].refused));
	}
	if (all->more)
		ui_note(&c->ui, "more than %d hosts were refused; these are the first", HOSTS_MAX);
	if (c->ui.json) {
		own_json json *out = json_object_of();
		json *routes = json_array_of();
		for (size_t i = 0; i < all->n; i++)
			if (can_be_routed(&all->v[i]))
				json_push(routes, route_json(&all->v[i]));
		json_set(out, "routes", routes);
		ui_json(out);
		return 0;
	}
	if (all->n == 0)
		ui_note(&c->ui, "nothing was refused that a route would allow");
	if (routed > 0)
		print_yaml(all);
	return 0;
}

const struct verb verb_policy_suggest = {
	.name = "policy suggest",
	.args = "SLUG",
	.summary = "routes for what a bottle's gateway refused",
	.details =
		"YAML for a bottle's manifest, no wider than what was asked for: exact paths and methods where the gateway saw "
		"them. Of https to a host without a route it saw the host alone. A route that is plain also takes https on its "
		"port. Read it before you use it: the agent decided what to ask for.",
	.group = GROUP_RULES,
	.flags = VERB_JSON,
	.min_args = 1,
	.max_args = 1,
	.complete = COMPLETE_SLUG,
	.run = suggest_run,
};
