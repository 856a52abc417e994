#include "test.h"

#include <string.h>

#include "manifest/config.h"
#include "manifest/manifest.h"
#include "policy/policy.h"

static int check(const char *yaml, struct err *err)
{
	own_mem char *text = xasprintf("---\n%s\n---\nbody\n", yaml);

	return manifest_check(MANIFEST_KIND_BOTTLE, "dev.md", text, strlen(text), NULL, err);
}

static int check_agent(const char *yaml, struct err *err)
{
	own_mem char *text = xasprintf("---\n%s\n---\nbody\n", yaml);

	return manifest_check(MANIFEST_KIND_AGENT, "rev.md", text, strlen(text), NULL, err);
}

#define ROUTE(rest) "egress: {routes: [{host: a.example.com" rest "}]}"
#define REPO(rest)  "git-gate: {repos: {x: {" rest "}}}"
#define URL         "url: ssh://git@h.example/a.git"
#define KEY         "key: {provider: static, path: ~/k}"

/* Each mistake beside the same thing said right. */
static const struct {
	const char *wrong, *says, *right;
} cases[] = {
	{ "egres: {}", "dev.md:2: unknown key \"egres\" in a bottle; did you mean \"egress\"?",
	  "egress: {}" },
	{ "zzzzzz: 1", "see the manual page", "resources: {}" },
	{ "image: ''", "is empty", "image: /x.tar" },
	{ "image: 12", "put it in quotes", "image: '/12'" },
	{ "image:", "has no value", "image: /a" },
	{ "env:", "write {}", "env: {}" },
	{ "env: {1A: x}", "no variable's name", "env: {A1: x}" },
	{ "env: {BOT_BOTTLE_X: x}", "set by bottle itself", "env: {BOT: x}" },
	{ "env: {A: '${1x}'}", "no variable's name", "env: {A: '${X1}'}" },
	{ "env: {A: [x]}", "must be text", "env: {A: 12, B: true, C: 'x ${Y} z', D: '?', E: '?which'}" },
	{ "env: {A: \"x\\u0007\"}", "control character", "env: {A: \"x\\n\"}" },
	{ "extends: Base", "is no name", "extends: base" },
	{ "extends: [a, b--c]", "is no name", "extends: [a, b-c]" },
	{ "extends: [1]", "must be text", "extends: [a]" },
	{ "workspace: clone", "one of copy, mount, none", "workspace: mount" },
	{ "workspace_exclude: [../x]", "no pattern", "workspace_exclude: [.env, '**/*.pem']" },
	{ "workspace_exclude: .env", "must be a list", "workspace_exclude: []" },
	{ "tools: [~/.ssh]", "holds credentials", "tools: [~/.nvm]" },
	{ "tools: [~/.config]", "holds credentials", "tools: [~/.config/nvim]" },
	{ "tools: [~/.aws/x]", "holds credentials", "tools: [~/.awsome]" },
	{ "tools: [/home/a/.ssh]", "holds credentials", "tools: [/home/a/.cargo/bin]" },
	{ "tools: [/home/a]", "whole home", "tools: [/home/a/x]" },
	{ "tools: [~/]", "whole home", "tools: [~/x]" },
	{ "tools: [/]", "whole home or host", "tools: [/opt/node]" },
	{ "tools: [/etc/ssl]", "the host's own", "tools: [/usr/local/go]" },
	{ "tools: [/usr/../etc]", "\"..\" in it", "tools: [/usr//lib/]" },
	{ "tools: [bin]", "no path", "tools: [/bin]" },
	{ "resources: {cpus: 0}", "0 is not within 1 and 1024", "resources: {cpus: 1}" },
	{ "resources: {cpus: -1}", "-1 is not within", "resources: {cpus: 1024}" },
	{ "resources: {cpus: 1025}", "not within", "resources: {pids: 16}" },
	{ "resources: {cpus: 1.5}", "a whole number", "resources: {cpus: 2}" },
	{ "resources: {memory_mib: '8192'}", "not \"8192\": quotes make it text; leave them out",
	  "resources: {memory_mib: 8192}" },
	{ "resources: {memory_mib: '8 GiB'}", "a whole number, not 8 GiB", "resources: {memory_mib: 8192}" },
	{ "resources: {memory_mib: 010}", "a whole number", "resources: {memory_mib: 64}" },
	{ "resources: {memory_mib: 99999999999999999999}", "a whole number", "resources: {disk_gib: 1}" },
	{ "agent_provider: {template: ../x}", "is no name", "agent_provider: {template: claude}" },
	{ "agent_provider: {forward_host_credentials: yes}", "true or false, not yes",
	  "agent_provider: {forward_host_credentials: true}" },
	{ "agent_provider: {dockerfile: x}", "image: dockerfile:PATH", "image: dockerfile:/x" },
	{ "egress: {log: 3}", "one of off, blocks, all", "egress: {log: 2}" },
	{ "egress: {log: on}", "one of off, blocks, all", "egress: {log: off}" },
	{ "routes: []", "under egress", "egress: {routes: []}" },
	{ "supervise: true", "nothing to switch", "egress: {}" },
	{ "egress: {routes: [{}]}", "a route has no \"host\"", ROUTE("") },
	{ "egress: {routes: [x]}", "a list of maps", ROUTE("") },
	{ "egress: {routes: {host: a.b}}", "must be a list", ROUTE("") },
	{ "egress: {routes: [{host: 'https://a.b'}]}", "no host name", "egress: {routes: [{host: A.b.}]}" },
	{ "egress: {routes: [{host: 'a.b:443'}]}", "no host name",
	  "egress: {routes: [{host: a.b, port: 443}]}" },
	{ "egress: {routes: [{host: 'a b'}]}", "no host name", "egress: {routes: [{host: a-b}]}" },
	{ "egress: {routes: [{host: -a.b}]}", "no host name",
	  "egress: {routes: [{host: xn--bcher-kva.example}]}" },
	{ "egress: {routes: [{host: a..b}]}", "no host name", "egress: {routes: [{host: a.b}]}" },
	{ "egress: {routes: [{host: b\xc3\xbc"
	  "cher.example}]}",
	  "no host name", "egress: {routes: [{host: a.b}]}" },
	{ "egress: {routes: [{host: '127.1'}]}", "odd spelling", "egress: {routes: [{host: 127.0.0.1}]}" },
	{ "egress: {routes: [{host: '0x7f.1'}]}", "odd spelling", "egress: {routes: [{host: '::1'}]}" },
	{ "egress: {routes: [{host: a.0x7f}]}", "odd spelling",
	  "egress: {routes: [{host: '[2001:DB8::1]'}]}" },
	{ "egress: {routes: [{host: '*.a.b'}]}", "also needs \"wildcard: true\"",
	  "egress: {routes: [{host: '*.a.b', wildcard: true}]}" },
	{ ROUTE(", plain: true, auth: {scheme: bearer, token_ref: T}"), "in the clear",
	  ROUTE(", plain: true, allow_private: true, auth: {scheme: bearer, token_ref: T}") },
	{ ROUTE(", wildcard: true"), "needs a host like *.a.example.com", ROUTE(", wildcard: false") },
	{ "egress: {routes: [{host: '*.com', wildcard: true}]}", "top-level", ROUTE("") },
	{ "egress: {routes: [{host: 'a.*.b', wildcard: true}]}", "no host name", ROUTE("") },
	{ ROUTE(", port: 0"), "not within 1 and 65535", ROUTE(", port: 1") },
	{ ROUTE(", port: 65536"), "not within", ROUTE(", port: 65535") },
	{ ROUTE(", port: '443'"), "a whole number", ROUTE(", port: 443") },
	{ ROUTE(", hots: x"), "did you mean \"host\"", ROUTE("") },
	{ ROUTE(", websocket: on"), "true or false, not on", ROUTE(", websocket: true") },
	{ ROUTE(", plain: 'true'"), "true or false, not \"true\": quotes make it text",
	  ROUTE(", plain: true") },
	{ ROUTE(", auth: {}"), "auth has no \"token_ref\"", ROUTE(", auth: {scheme: bearer, token_ref: T}") },
	{ ROUTE(", auth: {token_ref: T}"), "exactly one of",
	  ROUTE(", auth: {header: X-Api-Key, token_ref: T}") },
	{ ROUTE(", auth: {scheme: basic, header: X, token_ref: T}"), "exactly one of",
	  ROUTE(", auth: {scheme: basic, token_ref: 'file:/run/x'}") },
	{ ROUTE(", auth: {scheme: Bearer, token_ref: T}"), "one of bearer, token, basic",
	  ROUTE(", auth: {scheme: token, token_ref: 'credential:x.y'}") },
	{ ROUTE(", auth: {scheme: bearer, token_ref: 'credential:../x'}"), "no credential's name",
	  ROUTE(", auth: {scheme: bearer, token_ref: 'credential:x'}") },
	{ ROUTE(", auth: {scheme: bearer, token_ref: 'file:x'}"), "no path",
	  ROUTE(", auth: {scheme: bearer, token_ref: 'file:~/x'}") },
	{ ROUTE(", auth: {scheme: bearer, token_ref: 'a b'}"), "no variable's name",
	  ROUTE(", auth: {scheme: bearer, token_ref: A_B}") },
	{ ROUTE(", auth: {header: Host, token_ref: T}"), "sets \"Host\" itself",
	  ROUTE(", auth: {header: Private-Token, token_ref: T}") },
	{ ROUTE(", auth: {header: Proxy-Authorization, token_ref: T}"), "strips",
	  ROUTE(", auth: {header: Cookie, token_ref: T}") },
	{ ROUTE(", auth: {header: 'X: y', token_ref: T}"), "no header's name", ROUTE("") },
	{ ROUTE(", matches: []"), "limits nothing", ROUTE(", matches: [{methods: [get]}]") },
	{ ROUTE(", matches: [{}]"), "allows every request", ROUTE("") },
	{ ROUTE(", matches: [{methods: []}]"), "limits nothing",
	  ROUTE(", matches: [{methods: [GET, HEAD]}]") },
	{ ROUTE(", matches: [{methods: [CONNECT]}]"), "never forwarded",
	  ROUTE(", matches: [{methods: [PROPFIND]}]") },
	{ ROUTE(", matches: [{paths: [{value: /x}]}]"), "a path has no \"type\"",
	  ROUTE(", matches: [{paths: [{type: exact, value: /x}]}]") },
	{ ROUTE(", matches: [{paths: [{type: glob, value: /x}]}]"), "one of exact, regex, prefix",
	  ROUTE(", matches: [{paths: [{type: regex, value: '/x/.*'}]}]") },
	{ ROUTE(", matches: [{paths: [{type: prefix, value: x}]}]"), "must begin with /",
	  ROUTE(", matches: [{paths: [{type: prefix, value: /}]}]") },
	{ ROUTE(", matches: [{paths: [{type: prefix, value: /a/../b}]}]"), "no request ever has",
	  ROUTE(", matches: [{paths: [{type: prefix, value: /a/..b}]}]") },
	{ ROUTE(", matches: [{headers: [{name: A, type: prefix, value: x}]}]"), "one of exact, regex",
	  ROUTE(", matches: [{headers: [{name: A, value: x}]}]") },
	{ ROUTE(", dlp: {outbound_detectors: [tokens]}"), "none of known_secrets",
	  ROUTE(", dlp: {outbound_detectors: false}") },
	{ ROUTE(", dlp: {outbound_detectors: true}"), "a list, or false",
	  ROUTE(", dlp: {outbound_detectors: [entropy]}") },
	{ ROUTE(", dlp: {outbound_on_match: allow}"), "one of block",
	  ROUTE(", dlp: {outbound_on_match: supervise}") },
	{ ROUTE(", git: {push: true}"), "unknown key", ROUTE(", git: {fetch: true}") },
	{ ROUTE(", path_allowlist: [/x]"), "write matches", ROUTE("") },
	{ ROUTE("}, {host: A.Example.com"), "a.example.com:443 stands here twice",
	  ROUTE("}, {host: a.example.com, port: 444") },
	{ REPO(KEY), "a repo has no \"url\"", REPO(URL ", " KEY) },
	{ REPO(URL), "a repo has no \"key\"", REPO(URL ", key: {provider: gitea, forge_token_env: T}") },
	{ REPO(URL ", key: {provider: static}"), "has a \"path\"", REPO(URL ", " KEY) },
	{ REPO(URL ", key: {provider: github, path: /x}"), "\"forge_token_env\"",
	  REPO(URL ", key: {provider: github, forge_token_env: T}") },
	{ REPO("url: 'https://h/a.git', " KEY), "no SSH URL",
	  REPO("url: 'ssh://git@h.example:2222/a/b.git', " KEY) },
	{ REPO("url: 'ssh://h/a.git', " KEY), "names no user", REPO("url: 'ssh://a@h/a.git', " KEY) },
	{ REPO("url: 'ssh://-oProxyCommand=x@h/a', " KEY), "names no user", REPO(URL ", " KEY) },
	{ REPO("url: 'ssh://g@-h/a.git', " KEY), "no host name", REPO(URL ", " KEY) },
	{ REPO("url: 'ssh://g@h/../a.git', " KEY), "\"..\" in it", REPO(URL ", " KEY) },
	{ REPO("url: 'ssh://g@h:0/a.git', " KEY), "not within 1 and 65535",
	  REPO("url: 'ssh://g@h:1/a.git', " KEY) },
	{ REPO("url: 'ssh://g@h/a;b', " KEY), "no plain path", REPO(URL ", " KEY) },
	{ REPO(URL ", " KEY ", host_key: x"), "no host key",
	  REPO(URL
	       ", " KEY
	       ", host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") },
	{ REPO(URL ", " KEY ", push: {refs: [main]}"), "no ref",
	  REPO(URL ", " KEY ", push: {refs: ['refs/heads/a/*']}") },
	{ REPO(URL ", " KEY ", push: {refs: ['refs/*/x']}"), "no ref",
	  REPO(URL ", " KEY ", push: {refs: [refs/tags/x]}") },
	{ REPO(URL ", " KEY ", identity: x"), "key: {provider: static", REPO(URL ", " KEY) },
	{ "git-gate: {repos: {X: {" URL "}}}", "is no name", REPO(URL ", " KEY) },
	{ "git-gate: {user: {name: 'a <b>'}}", "can't stand in a commit",
	  "git-gate: {user: {name: A B, email: a@b}}" },
};

static void every_mistake_is_refused_and_its_right_form_is_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		if (check(cases[i].right, &err) != 0)
			fail_msg("control \"%s\": %s", cases[i].right, err.text);
		if (check(cases[i].wrong, &err) == 0)
			fail_msg("\"%s\" was not refused", cases[i].wrong);
		if (!strstr(err.text, cases[i].says))
			fail_msg("\"%s\": \"%s\" does not say \"%s\"", cases[i].wrong, err.text,
			         cases[i].says);
		if (!strstr(err.text, "dev.md:2"))
			fail_msg("\"%s\" does not name file and line", err.text);
	}
}

/* One side prints the document, the other reads it: they agree on every form that is right. */
static void the_policy_reads_the_routes_of_every_right_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_mem char *text = xasprintf("---\n%s\n---\n", cases[i].right);
		own_json json *routes = NULL;
		own_policy struct policy *policy = NULL;
		own_str struct str printed = STR_INIT;
		struct err err = ERR_INIT;
		assert_ok(manifest_check(MANIFEST_KIND_BOTTLE, "dev.md", text, strlen(text), &routes, &err),
		          &err);
		json_print(routes, &printed);
		if (policy_compile(str_c(&printed), printed.len, &policy, &err) != 0)
			fail_msg("%s: %s", str_c(&printed), err.text);
		assert_int_equal(policy_count(policy), json_count(json_get(routes, "routes")));
	}
}

static void an_agent_brings_no_credentials_routes_or_remotes(void **state)
{
	(void)state;
	static const char *const wrong[] = { "env: {A: b}", "egress: {}",         "routes: []",
		                             "repos: {}",   "tools: [/x]",        "git-gate: {repos: {}}",
		                             "image: /x",   "agent_provider: {}", "extends: a" };
	struct err err = ERR_INIT;

	assert_ok(check_agent("name: x\ndescription: y\nmodel: opus\ncolor: red\nmemory: [1]\nbottle: dev\n"
	                      "skills: [a, b-c]\ngit-gate: {user: {name: R}}",
	                      &err),
	          &err);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_refused(check_agent(wrong[i], &err), &err, ERR_INPUT, "in a bottle, not in an agent");
	assert_refused(check_agent("skills: [../x]", &err), &err, ERR_INPUT, "is no name");
}

static int check_text(const char *file, const char *text, size_t n, struct err *err)
{
	return manifest_check(MANIFEST_KIND_BOTTLE, file, text, n, NULL, err);
}

static void yaml_has_no_surprises(void **state)
{
	(void)state;
	static const struct {
		const char *wrong, *says;
	} odd[] = {
		{ "env: {A: 1}\nenv: {A: 2}",
		  "dev.md:3: key \"env\" stands here twice; the first is on line 2" },
		{ "image: !!str x", "tags" },
		{ "image: ! x", "tags" },
		{ "env: !!map {}", "tags" },
		{ "<<: {image: /x}", "merge keys" },
		{ "? [a]\n: b", "a key must be text" },
		{ "env: *nothing", "no anchor" },
		{ "env: &a {A: *a}", "no anchor" },
		{ "--- x", "dev.md" },
		{ "image: /x\n...\nimage: /y", "document" },
		{ "- a", "must be a map of fields, not a list" },
		{ "just text", "must be a map of fields, not text" },
		{ "image: [", "not YAML" },
		{ "image: \"\\0\"", "NUL" },
		{ "a: &x {b: c}\n*x : y", "" },
	};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		assert_refused(check(odd[i].wrong, &err), &err, ERR_INPUT, odd[i].says);
	assert_ok(check("env: {COUNTRY: NO, A: on, B: 1.20, C: 010, D: null_}", &err), &err);
	assert_ok(check("env: &e {A: '1'}\nextends: [base]", &err), &err);
	assert_ok(
		check("egress: {routes: [{host: a.b, matches: &m [{methods: [GET]}]}, {host: c.d, matches: *m}]}",
	              &err),
		&err);
	assert_ok(check("# nothing but a comment", &err), &err);
}

#define LITERAL(text) text, sizeof(text) - 1

static void a_file_must_be_whole_text(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	assert_ok(check_text("dev.md", LITERAL("---\n---\n"), &err), &err);
	assert_ok(check_text("dev.md", LITERAL("\xef\xbb\xbf---\r\nimage: /x\r\n---\r\n"), &err), &err);
	assert_refused(check_text("dev.md", LITERAL(""), &err), &err, ERR_INPUT, "no frontmatter");
	assert_refused(check_text("dev.md", LITERAL("image: /x\n"), &err), &err, ERR_INPUT, "no frontmatter");
	assert_refused(check_text("dev.md", LITERAL("---\nimage: /x\n"), &err), &err, ERR_INPUT,
	               "has no end");
	assert_refused(check_text("dev.md", LITERAL("---\n\0---\n---\n"), &err), &err, ERR_INPUT, "NUL");
	assert_refused(check_text("dev.md", LITERAL("---\n---\n\xff\n"), &err), &err, ERR_INPUT, "UTF-8");
	assert_ok(check_text("dev.json", LITERAL("{\"image\":\"/x\"}"), &err), &err);
	assert_refused(check_text("dev.json", LITERAL("{\n\"image\":\"/x\",\n \"imag\":1}"), &err), &err,
	               ERR_INPUT, "dev.json:3: unknown key");
	assert_refused(check_text("dev.json", LITERAL("{\"image\":\"/x\",\"image\":\"/x\"}"), &err), &err,
	               ERR_INPUT, "twice");
	assert_refused(check_text("dev.json", LITERAL("{\"resources\":{\"cpus\":1.5}}"), &err), &err,
	               ERR_INPUT, "fractions");
	assert_refused(check_text("dev.json", LITERAL("[]"), &err), &err, ERR_INPUT, "an object");
}

static void repeated(struct str *out, const char *before, const char *each, size_t n, const char *after)
{
	str_add(out, before);
	for (size_t i = 0; i < n; i++)
		str_addf(out, "%s%zu.example", each, i);
	str_add(out, after);
}

static void sizes_have_limits_that_are_told(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	own_str struct str routes = STR_INIT, many = STR_INIT, deep = STR_INIT, shallow = STR_INIT,
			   big = STR_INIT, bomb = STR_INIT, long_bomb = STR_INIT;

	repeated(&routes, "egress:\n  routes:", "\n    - host: h", MANIFEST_ROUTES_MAX, "");
	assert_ok(check(str_c(&routes), &err), &err);
	repeated(&many, "egress:\n  routes:", "\n    - host: h", 10000, "");
	assert_refused(check(str_c(&many), &err), &err, ERR_INPUT, "10000 entries; the limit is 4096");

	for (int i = 0; i < 64; i++)
		str_addc(&deep, '[');
	assert_refused(check(str_c(&deep), &err), &err, ERR_INPUT, "deeper than 16 levels");
	str_add(&shallow, "{\"a\":");
	for (int i = 0; i < 64; i++)
		str_addc(&shallow, '[');
	assert_refused(check_text("x.json", str_c(&shallow), shallow.len, &err), &err, ERR_INPUT,
	               "deeper than 16 levels");

	str_add(&big, "---\n---\n");
	while (big.len < MANIFEST_FILE_MAX)
		str_addc(&big, 'x');
	assert_ok(check_text("dev.md", str_c(&big), big.len, &err), &err);
	str_addc(&big, 'x');
	assert_refused(check_text("dev.md", str_c(&big), big.len, &err), &err, ERR_INPUT,
	               "limit of 1048576 bytes");

	str_add(&bomb, "a: &a [x,x,x,x,x,x,x,x,x,x]\n");
	for (int c = 'b'; c < 'k'; c++)
		str_addf(&bomb, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c - 1, c - 1,
		         c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
	assert_refused(check(str_c(&bomb), &err), &err, ERR_INPUT, "aliases expanded");
	str_add(&long_bomb, "a: &a ");
	for (int i = 0; i < 100000; i++)
		str_addc(&long_bomb, 'x');
	str_add(&long_bomb, "\nb: [");
	for (int i = 0; i < 100; i++)
		str_add(&long_bomb, "*a,");
	str_add(&long_bomb, "]\n");
	assert_refused(check(str_c(&long_bomb), &err), &err, ERR_INPUT, "bytes of values");
}

static void names_are_of_one_form(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool ok;
	} names[] = {
		{ "a", true },
		{ "a1-b2-c", true },
		{ "", false },
		{ "1a", false },
		{ "a-", false },
		{ "-a", false },
		{ "a--b", false },
		{ "A", false },
		{ "a_b", false },
		{ "a/b", false },
		{ "..", false },
		{ "a\n", false },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (manifest_name_is_valid(names[i].name) != names[i].ok)
			fail_msg("%s", names[i].name);
	assert_false(manifest_name_is_valid(NULL));
}

static void the_reference_names_every_kind_of_row(void **state)
{
	(void)state;
	own_str struct str page = STR_INIT;

	manifest_print_fields(MANIFEST_KIND_BOTTLE, &page);
	assert_non_null(
		strstr(str_c(&page), "*egress.routes[].port*\n\twhole number, 1 to 65535; default *443*."));
	assert_non_null(strstr(str_c(&page), "*git-gate.repos.NAME.url*\n\ttext; required."));
	assert_non_null(strstr(str_c(&page), "*copy*, *mount*, *none*"));
	assert_non_null(strstr(str_c(&page), "*agent\\_provider.auth\\_token*"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_is_refused_and_its_right_form_is_not),
		cmocka_unit_test(the_policy_reads_the_routes_of_every_right_form),
		cmocka_unit_test(an_agent_brings_no_credentials_routes_or_remotes),
		cmocka_unit_test(yaml_has_no_surprises),
		cmocka_unit_test(a_file_must_be_whole_text),
		cmocka_unit_test(sizes_have_limits_that_are_told),
		cmocka_unit_test(names_are_of_one_form),
		cmocka_unit_test(the_reference_names_every_kind_of_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
