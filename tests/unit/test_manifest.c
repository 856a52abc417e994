#include "test.h"

#include "base/log.h"
#include "manifest/config.h"
#include "manifest_files.h"

static const char *why_of(const struct manifest_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->nwhy; i++)
		if (str_is(plan->why[i].path, path))
			return plan->why[i].source;
	return "nowhere";
}

static const char *env_of(const struct manifest_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->bottle.nenv; i++)
		if (str_is(plan->bottle.env[i].name, name))
			return plan->bottle.env[i].written;
	return NULL;
}

static const struct manifest_route *route_of(const struct manifest_plan *plan, const char *host)
{
	for (size_t i = 0; i < plan->bottle.egress.nroutes; i++)
		if (str_is(plan->bottle.egress.routes[i].host, host))
			return &plan->bottle.egress.routes[i];
	return NULL;
}

static void a_bottle_alone_has_every_default(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "dev", "");
	assert_ok(resolve_bottles(&f, "dev", &plan, &err), &err);
	assert_string_equal(plan.bottle.agent_provider.template, "shell");
	assert_int_equal(plan.bottle.egress.log, MANIFEST_LOG_BLOCKS);
	assert_int_equal(plan.bottle.egress.nroutes, 0);
	assert_int_equal(plan.bottle.resources.memory_mib, 8192);
	assert_false(plan.bottle.resources.memory_mib_given);
	assert_int_equal(plan.bottle.workspace, MANIFEST_WORKSPACE_COPY);
	assert_null(plan.bottle.image);
	assert_string_equal(plan.prompt, "");
	assert_string_equal(why_of(&plan, "resources.cpus"), "default");
	assert_ok(manifest_unsupported(&plan, &err), &err);
}

static void parents_are_laid_under_their_children(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "base",
	           "env: {A: base, B: base}\nresources: {cpus: 2, pids: 100}\ntools: [/opt/a]\n"
	           "workspace_exclude: [.env]\ngit-gate: {user: {name: N, email: e@x}}\n"
	           "egress: {log: all, routes: [{host: One.example, websocket: true}, {host: two.example}]}");
	put_bottle(&f, "claude-dev",
	           "extends: base\nenv: {B: dev}\ntools: [/opt/b, /opt/a]\nresources: {cpus: 3}\n"
	           "egress: {routes: [{host: one.example}, {host: one.example, port: 8443}]}");
	put_bottle(&f, "reviewer",
	           "extends: [claude-dev]\ngit-gate: {user: {name: R}}\nworkspace_exclude: [x]");
	assert_ok(resolve_bottles(&f, "reviewer", &plan, &err), &err);
	own_mem char *lineage = manifest_lineage(&plan);
	assert_string_equal(lineage, "base -> claude-dev -> reviewer");
	assert_string_equal(env_of(&plan, "A"), "base");
	assert_string_equal(env_of(&plan, "B"), "dev");
	assert_int_equal(plan.bottle.resources.cpus, 3);
	assert_true(plan.bottle.resources.pids_given && plan.bottle.resources.pids == 100);
	assert_int_equal(plan.bottle.tools.n, 2);
	assert_int_equal(plan.bottle.workspace_exclude.n, 2);
	assert_string_equal(plan.bottle.git_gate.user.name, "R");
	assert_string_equal(plan.bottle.git_gate.user.email, "e@x");
	assert_int_equal(plan.bottle.egress.log, MANIFEST_LOG_ALL);
	assert_int_equal(plan.bottle.egress.nroutes, 3);
	/* Replaced whole: nothing of the earlier route is left. */
	assert_false(route_of(&plan, "one.example")->websocket);
	assert_string_equal(why_of(&plan, "env.B"), "home/bottles/claude-dev.md:3");
	assert_string_equal(why_of(&plan, "env.A"), "home/bottles/base.md:2");
	assert_string_equal(why_of(&plan, "egress.routes[one.example:443].host"),
	                    "home/bottles/claude-dev.md:6");
	assert_string_equal(why_of(&plan, "git-gate.user.email"), "home/bottles/base.md:6");
}

static void a_list_of_bottles_merges_like_parents_and_an_empty_one_clears(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan ab = MANIFEST_PLAN_INIT, ba = MANIFEST_PLAN_INIT,
					       abc = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "a",
	           "env: {X: a, Y: a}\nimage: /a\negress: {routes: [{host: a.example}]}\ntools: [/opt/a]");
	put_bottle(&f, "b", "env: {X: b}\nimage: /b\negress: {routes: [{host: b.example}]}");
	put_bottle(&f, "c", "env: {}\negress: {routes: []}\ntools: []");
	assert_ok(resolve_bottles(&f, "a b", &ab, &err), &err);
	assert_ok(resolve_bottles(&f, "b a", &ba, &err), &err);
	assert_ok(resolve_bottles(&f, "a b c", &abc, &err), &err);
	assert_string_equal(env_of(&ab, "X"), "b");
	assert_string_equal(env_of(&ba, "X"), "a");
	assert_string_equal(ab.bottle.image, "/b");
	assert_string_equal(ba.bottle.image, "/a");
	assert_int_equal(ab.bottle.egress.nroutes, 2);
	assert_int_equal(abc.bottle.nenv, 0);
	assert_int_equal(abc.bottle.egress.nroutes, 0);
	assert_int_equal(abc.bottle.tools.n, 0);
	assert_string_equal(why_of(&abc, "env"), "home/bottles/c.md:2");
	assert_int_equal(abc.bottles.n, 3);
}

static void repos_merge_field_by_field_and_their_key_whole(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(
		&f, "base",
		"git-gate: {repos: {x: {url: 'ssh://g@h.example/x.git', key: {provider: static, path: ~/k}}}}");
	put_bottle(
		&f, "dev",
		"extends: base\n"
		"git-gate: {repos: {x: {key: {provider: gitea, forge_token_env: T}, push: {refs: [refs/heads/a]}}}}");
	put_bottle(&f, "half", "git-gate: {repos: {y: {push: {refs: [refs/heads/a]}}}}");
	assert_ok(resolve_bottles(&f, "dev", &plan, &err), &err);
	const struct manifest_repo *repo = plan.bottle.git_gate.repos;
	assert_string_equal(repo->url, "ssh://g@h.example/x.git");
	assert_int_equal(repo->key.provider, MANIFEST_KEY_GITEA);
	assert_null(repo->key.path);
	assert_int_equal(repo->push.refs.n, 1);
	assert_refused(manifest_unsupported(&plan, &err), &err, ERR_INPUT, "git-gate.repos.x");
	/* What no parent completes is incomplete. */
	assert_refused(resolve_bottles(&f, "half", &plan, &err), &err, ERR_INPUT, "a repo has no \"url\"");
}

static void diamonds_count_once_and_circles_are_refused(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "root", "env: {A: root}");
	put_bottle(&f, "left", "extends: root\nenv: {A: left}");
	put_bottle(&f, "right", "extends: root");
	put_bottle(&f, "both", "extends: [left, right]");
	put_bottle(&f, "self", "extends: self");
	put_bottle(&f, "one", "extends: two");
	put_bottle(&f, "two", "extends: [root, one]");
	put_bottle(&f, "orphan", "extends: nobody");
	assert_ok(resolve_bottles(&f, "both root", &plan, &err), &err);
	own_mem char *lineage = manifest_lineage(&plan);
	assert_string_equal(lineage, "root -> left -> right -> both");
	assert_string_equal(env_of(&plan, "A"), "left");
	assert_refused(resolve_bottles(&f, "self", &plan, &err), &err, ERR_INPUT,
	               "bottle self extends itself");
	assert_refused(resolve_bottles(&f, "one", &plan, &err), &err, ERR_INPUT,
	               "in a circle: one -> two -> one");
	assert_refused(resolve_bottles(&f, "orphan", &plan, &err), &err, ERR_MISSING,
	               "bottle orphan extends nobody");
	assert_refused(resolve_bottles(&f, "nobody", &plan, &err), &err, ERR_MISSING,
	               "home/bottles, etc/bottles");
	assert_refused(resolve_bottles(&f, "../x", &plan, &err), &err, ERR_USAGE, "is no name");
}

static char *last_log;

static void keep_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	free(last_log);
	last_log = xstrdup(line);
}

static void a_working_directory_is_not_trusted(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT, sure = MANIFEST_PLAN_INIT;
	own_strv struct strv asked = STRV_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "dev", "");
	put(&f, "home/agents/mine.md", "---\nbottle: dev\n---\nBe kind.\n");
	put(&f, "etc/agents/ours.md", "---\nbottle: dev\n---\n");
	put(&f, "cwd/agents/theirs.md", "---\nbottle: dev\n---\n\n  Their prompt.\n\n");
	put(&f, "cwd/agents/thief.md", "---\nbottle: evil\n---\n");
	assert_ok(manifest_resolve(&f.dirs, "mine", NULL, &plan, &err), &err);
	assert_false(plan.bottle_is_suggestion);
	assert_string_equal(plan.prompt, "Be kind.");
	manifest_plan_clear(&plan);

	assert_ok(manifest_resolve(&f.dirs, "theirs", NULL, &plan, &err), &err);
	assert_true(plan.bottle_is_suggestion);
	assert_string_equal(plan.agent_file, "cwd/agents/theirs.md");
	assert_string_equal(plan.prompt, "  Their prompt.");
	strv_add(&asked, "dev");
	assert_ok(manifest_resolve(&f.dirs, "theirs", &asked, &sure, &err), &err);
	assert_false(sure.bottle_is_suggestion);

	/* A bottle from there is neither found nor overlooked in silence. */
	put(&f, "cwd/bottles/evil.md", "---\negress: {routes: [{host: evil.example}]}\n---\n");
	log_set_sink(keep_log, NULL, LOG_WARN);
	assert_refused(manifest_resolve(&f.dirs, "thief", NULL, &plan, &err), &err, ERR_MISSING, "evil");
	log_set_sink(NULL, NULL, LOG_WARN);
	assert_non_null(strstr(last_log, "cwd/bottles"));
	mem_drop(&last_log);
	put(&f, "cwd/bottles/dev.md", "---\nimage: /evil\n---\n");
	manifest_plan_clear(&plan);
	assert_ok(manifest_resolve(&f.dirs, "mine", NULL, &plan, &err), &err);
	assert_null(plan.bottle.image);

	put(&f, "cwd/agents/mine.md", "---\nbottle: dev\n---\n");
	put(&f, "cwd/agents/ours.md", "---\nbottle: dev\n---\n");
	assert_refused(manifest_resolve(&f.dirs, "mine", NULL, &plan, &err), &err, ERR_DENIED,
	               "home/agents/mine.md and in cwd/agents/mine.md");
	assert_refused(manifest_resolve(&f.dirs, "ours", NULL, &plan, &err), &err, ERR_DENIED,
	               "etc/agents/ours.md");
}

static void links_are_followed_at_home_and_not_in_a_clone(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "dev", "");
	put(&f, "elsewhere/agent.md", "---\nbottle: dev\n---\n");
	put(&f, "home/agents/x.md", "---\nbottle: dev\n---\n");
	put(&f, "cwd/agents/x2.md", "---\nbottle: dev\n---\n");
	assert_int_equal(symlinkat("../../elsewhere/agent.md", f.dirs.home, "agents/linked.md"), 0);
	assert_int_equal(symlinkat("../../elsewhere/agent.md", f.dirs.cwd, "agents/stray.md"), 0);
	assert_ok(manifest_resolve(&f.dirs, "linked", NULL, &plan, &err), &err);
	manifest_plan_clear(&plan);
	assert_refused(manifest_resolve(&f.dirs, "stray", NULL, &plan, &err), &err, ERR_DENIED,
	               "none is followed");
	assert_int_equal(mkfifoat(f.dirs.cwd, "agents/pipe.md", 0600), 0);
	assert_refused(manifest_resolve(&f.dirs, "pipe", NULL, &plan, &err), &err, ERR_INPUT,
	               "not a regular file");
}

static void a_home_that_is_worked_in_is_home(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "dev", "");
	put(&f, "home/agents/mine.md", "---\nbottle: dev\n---\n");
	fd_drop(&f.dirs.cwd);
	f.dirs.cwd = dup(f.dirs.home);
	assert_ok(manifest_resolve(&f.dirs, "mine", NULL, &plan, &err), &err);
	assert_false(plan.bottle_is_suggestion);
}

static void home_comes_before_etc_and_json_counts_there(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	own_manifest_names struct manifest_names names = { 0 };
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "dev", "image: /home");
	put(&f, "etc/bottles/dev.json", "{\"image\":\"/etc\"}");
	put(&f, "etc/bottles/ci.json", "{\n\"image\":\n\"/etc\"}");
	put(&f, "etc/bottles/twice.json", "{}");
	put(&f, "etc/bottles/twice.md", "---\n---\n");
	put(&f, "etc/bottles/broken.json", "{");
	put(&f, "etc/bottles/README", "no manifest");
	put(&f, "home/bottles/x.json", "{}");
	put(&f, "cwd/bottles/stranger.md", "---\n---\n");
	assert_ok(resolve_bottles(&f, "dev", &plan, &err), &err);
	assert_string_equal(plan.bottle.image, "/home");
	manifest_plan_clear(&plan);
	assert_ok(resolve_bottles(&f, "ci", &plan, &err), &err);
	assert_string_equal(plan.bottle.image, "/etc");
	assert_string_equal(why_of(&plan, "image"), "etc/bottles/ci.json:3");
	assert_refused(resolve_bottles(&f, "twice", &plan, &err), &err, ERR_INPUT, "both exist");
	assert_refused(resolve_bottles(&f, "broken", &plan, &err), &err, ERR_INPUT,
	               "etc/bottles/broken.json");
	assert_ok(manifest_list_bottles(&f.dirs, &names, &err), &err);
	own_str struct str all = STR_INIT;
	for (size_t i = 0; i < names.n; i++)
		str_addf(&all, "%s:%s ", names.v[i].name, names.v[i].from);
	assert_string_equal(str_c(&all), "broken:etc ci:etc dev:home twice:etc ");
}

static void without_a_bottle_both_fixes_are_named(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put(&f, "home/agents/bare.md", "---\n---\n");
	assert_refused(manifest_resolve(&f.dirs, "bare", NULL, &plan, &err), &err, ERR_INPUT,
	               "--bottle NAME");
	assert_non_null(strstr(err.text, "bottle: NAME in home/agents/bare.md"));
	assert_refused(manifest_resolve(&f.dirs, NULL, NULL, &plan, &err), &err, ERR_USAGE, "--bottle NAME");
	assert_refused(manifest_resolve(&f.dirs, "nobody", NULL, &plan, &err), &err, ERR_MISSING,
	               "cwd/agents");
}

static void provider_routes_are_defaults(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT, own = MANIFEST_PLAN_INIT,
					       none = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "dev", "agent_provider: {template: claude}\negress: {routes: [{host: x.example}]}");
	put_bottle(&f, "own",
	           "extends: dev\nagent_provider: {auth_token: MINE}\n"
	           "egress: {routes: [{host: API.anthropic.com, auth: {header: X-Api-Key, token_ref: K}}]}");
	put_bottle(&f, "shut", "extends: dev\negress: {routes: []}");
	assert_ok(resolve_bottles(&f, "dev", &plan, &err), &err);
	assert_int_equal(plan.bottle.egress.nroutes, 2);
	const struct manifest_route *route = route_of(&plan, "api.anthropic.com");
	assert_string_equal(route->auth.token, "BOT_BOTTLE_CLAUDE_OAUTH_TOKEN");
	assert_int_equal(route->auth.scheme, MANIFEST_BEARER);
	assert_true(str_starts(why_of(&plan, "egress.routes[api.anthropic.com:443].host"),
	                       "share/providers/claude.yaml:"));
	assert_non_null(strstr(plan.provider.placeholder, "{random}"));
	assert_ok(resolve_bottles(&f, "own", &own, &err), &err);
	assert_int_equal(own.bottle.egress.nroutes, 2);
	assert_string_equal(route_of(&own, "api.anthropic.com")->auth.header, "X-Api-Key");
	assert_string_equal(own.provider.routes[0].auth.token, "MINE");
	assert_ok(resolve_bottles(&f, "shut", &none, &err), &err);
	assert_int_equal(none.bottle.egress.nroutes, 0);
}

static void a_provider_is_given_what_it_has_a_use_for(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "codex", "agent_provider: {template: codex, forward_host_credentials: true}");
	put_bottle(&f, "closed", "agent_provider: {template: codex}");
	put_bottle(&f, "shell", "agent_provider: {auth_token: X}");
	put_bottle(&f, "claude", "agent_provider: {template: claude, forward_host_credentials: true}");
	put_bottle(&f, "nothing", "agent_provider: {template: nothing}");
	put_bottle(
		&f, "sly",
		"egress: {routes: [{host: a.b, auth: {scheme: bearer, token_ref: 'host-credentials:codex'}}]}");
	put_bottle(&f, "mine", "agent_provider: {template: pi}");
	put_bottle(&f, "asking", "agent_provider: {template: asks}");
	put(&f, "home/providers/pi.json", "{\"command\": [\"pi\", \"--quiet\"]}");
	put(&f, "home/providers/asks.yaml", "command: [x]\nenv: {A: '${HOME}'}\n");
	assert_ok(resolve_bottles(&f, "codex", &plan, &err), &err);
	assert_int_equal(route_of(&plan, "chatgpt.com")->auth.from, MANIFEST_TOKEN_HOST);
	manifest_plan_clear(&plan);
	assert_ok(resolve_bottles(&f, "mine", &plan, &err), &err);
	assert_string_equal(plan.provider.command.v[1], "--quiet");
	assert_refused(resolve_bottles(&f, "closed", &plan, &err), &err, ERR_INPUT,
	               "forward_host_credentials: true");
	assert_refused(resolve_bottles(&f, "shell", &plan, &err), &err, ERR_INPUT, "takes no token");
	assert_refused(resolve_bottles(&f, "claude", &plan, &err), &err, ERR_INPUT, "no login");
	assert_refused(resolve_bottles(&f, "nothing", &plan, &err), &err, ERR_MISSING, "share/providers");
	assert_refused(resolve_bottles(&f, "sly", &plan, &err), &err, ERR_DENIED, "host-credentials:codex");
	assert_refused(resolve_bottles(&f, "asking", &plan, &err), &err, ERR_INPUT,
	               "secrets come from a bottle");
}

static void an_agent_overlays_its_name_in_commits(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "dev", "git-gate: {user: {name: Dev, email: d@x}}");
	put(&f, "home/agents/rev.md", "---\nbottle: dev\ngit-gate: {user: {name: Rev}}\n---\n");
	assert_ok(manifest_resolve(&f.dirs, "rev", NULL, &plan, &err), &err);
	assert_string_equal(plan.bottle.git_gate.user.name, "Rev");
	assert_string_equal(plan.bottle.git_gate.user.email, "d@x");
}

static void the_documents_say_what_was_written(void **state)
{
	(void)state;
	own_files struct files f;
	own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
	own_str struct str routes = STR_INIT, yaml = STR_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(
		&f, "dev",
		"env: {T: '?token', H: '${HOME}', COUNTRY: NO}\n"
		"egress: {routes: [{host: A.Example, port: 443, matches: [{methods: [get], paths: [{type: prefix, "
		"value: /v1}]}]}, {host: '*.b.example', wildcard: true, plain: true, git: {fetch: false}}, "
		"{host: c.example, auth: {scheme: basic, token_ref: 'file:/x'}}]}");
	assert_ok(resolve_bottles(&f, "dev", &plan, &err), &err);
	own_json json *document = manifest_routes_json(&plan);
	json_print(document, &routes);
	assert_string_equal(
		str_c(&routes),
		"{\"routes\":[{\"host\":\"a.example\",\"port\":443,\"matches\":[{\"paths\":[{\"type\":\"prefix\","
		"\"value\":\"/v1\"}],\"methods\":[\"GET\"]}]},{\"host\":\"*.b.example\",\"wildcard\":true,"
		"\"plain\":true,\"git\":{}},{\"host\":\"c.example\",\"auth\":{\"scheme\":\"basic\","
		"\"token_ref\":\"file:/x\"}}]}");
	own_json json *all = manifest_to_json(&plan);
	assert_ok(manifest_print_yaml(all, &yaml, &err), &err);
	assert_non_null(strstr(str_c(&yaml), "lineage: dev\n"));
	assert_non_null(strstr(str_c(&yaml), "T: ?token\n"));
	assert_non_null(strstr(str_c(&yaml), "COUNTRY: \"NO\"\n"));
	assert_int_equal(plan.bottle.env[0].mode, MANIFEST_ENV_ASK);
	assert_string_equal(plan.bottle.env[0].value, "token");
	assert_int_equal(plan.bottle.env[1].mode, MANIFEST_ENV_HOST);
	assert_string_equal(plan.bottle.env[1].value, "HOME");
}

static void what_this_build_cannot_do_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *bottle, *says;
	} cases[] = {
		{ "egress: {routes: [{host: a.b, dlp: {}}]}", "egress.routes[a.b].dlp" },
		{ "egress: {routes: [{host: a.b, dlp: {outbound_on_match: supervise}}]}", "supervise" },
	};
	own_files struct files f;
	struct err err = ERR_INIT;

	files_up(&f);
	put_bottle(&f, "plain",
	           "egress: {routes: [{host: a.b, git: {fetch: true}}]}\ngit-gate: {user: {name: x}}");
	for (size_t i = 0; i <= ARRAY_LEN(cases); i++) {
		own_manifest_plan struct manifest_plan plan = MANIFEST_PLAN_INIT;
		bool control = i == ARRAY_LEN(cases);
		if (!control)
			put_bottle(&f, "dev", cases[i].bottle);
		assert_ok(resolve_bottles(&f, control ? "plain" : "dev", &plan, &err), &err);
		if (control)
			assert_ok(manifest_unsupported(&plan, &err), &err);
		else
			assert_refused(manifest_unsupported(&plan, &err), &err, ERR_INPUT, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bottle_alone_has_every_default),
		cmocka_unit_test(parents_are_laid_under_their_children),
		cmocka_unit_test(a_list_of_bottles_merges_like_parents_and_an_empty_one_clears),
		cmocka_unit_test(repos_merge_field_by_field_and_their_key_whole),
		cmocka_unit_test(diamonds_count_once_and_circles_are_refused),
		cmocka_unit_test(a_working_directory_is_not_trusted),
		cmocka_unit_test(links_are_followed_at_home_and_not_in_a_clone),
		cmocka_unit_test(a_home_that_is_worked_in_is_home),
		cmocka_unit_test(home_comes_before_etc_and_json_counts_there),
		cmocka_unit_test(without_a_bottle_both_fixes_are_named),
		cmocka_unit_test(provider_routes_are_defaults),
		cmocka_unit_test(a_provider_is_given_what_it_has_a_use_for),
		cmocka_unit_test(an_agent_overlays_its_name_in_commits),
		cmocka_unit_test(the_documents_say_what_was_written),
		cmocka_unit_test(what_this_build_cannot_do_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
