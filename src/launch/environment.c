#include "launch/launch.h"

#include <string.h>

#include "launch/words.h"
#include "base/str.h"
#include "base/banned.h"

enum { GATEWAY_PORT = 9099 };

static const char *const proxy_names[] = { "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
	                                   "http_proxy", "https_proxy", "all_proxy" };

/* Every client that ships its own roots has its own variable. */
static const char *const bundle_names[] = {
	"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",       "PIP_CERT",
	"AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO",  "DENO_CERT",      "CODEX_CA_CERTIFICATE", "NIX_SSL_CERT_FILE",
};

static void set_network(const struct launch *l, struct strv *env)
{
	own_mem char *proxy = xasprintf("http://%s:%d", l->backend->address, GATEWAY_PORT);
	own_mem char *direct =
		xasprintf("localhost,127.0.0.1,::1%s%s", str_is(l->backend->address, "127.0.0.1") ? "" : ",",
	                  str_is(l->backend->address, "127.0.0.1") ? "" : l->backend->address);

	for (size_t i = 0; i < ARRAY_LEN(proxy_names); i++)
		strv_setenv(env, proxy_names[i], proxy);
	strv_setenv(env, "NO_PROXY", direct);
	strv_setenv(env, "no_proxy", direct);
	strv_setenv(env, "NODE_USE_ENV_PROXY", "1");
	/* Node adds to its own roots; everybody else replaces them. */
	strv_setenv(env, "NODE_EXTRA_CA_CERTS", GUEST_CA);
	for (size_t i = 0; i < ARRAY_LEN(bundle_names); i++)
		strv_setenv(env, bundle_names[i], GUEST_CA_BUNDLE);
	for (size_t i = 0; i < l->plan->ca_env.n; i++)
		strv_setenv(env, l->plan->ca_env.v[i], GUEST_CA_BUNDLE);
}

static void set_place(const struct launch *l, struct strv *env)
{
	own_str struct str path = STR_INIT;

	for (size_t i = 0; i < l->plan->path.n; i++)
		str_addf(&path, "%s%s", i ? ":" : "", l->plan->path.v[i]);
	/* Last: on a host with programs of its own they go before ours. */
	if (l->closure.bin)
		str_addf(&path, ":%s", l->closure.bin);
	strv_setenv(env, "PATH", str_c(&path));
	strv_setenv(env, "HOME", GUEST_HOME);
	strv_setenv(env, "USER", "agent");
	strv_setenv(env, "LOGNAME", "agent");
	strv_setenv(env, "SHELL", "/bin/sh");
	strv_setenv(env, "LANG", "C.UTF-8");
	strv_setenv(env, "TERM", l->plan->term ? l->plan->term : "dumb");
	strv_setenv(env, "BOT_BOTTLE", "1");
	strv_setenv(env, "BOT_BOTTLE_SLUG", l->record.slug);
}

/* Where a client wants to hold a credential it finds the placeholder under the same name. */
static const char *set_placeholders(const struct launch *l, struct strv *env)
{
	const char *of_provider = NULL;

	for (size_t i = 0; i < l->plan->ncredentials; i++) {
		const struct plan_credential *c = &l->plan->credentials[i];
		if (c->source == PLAN_VARIABLE && !c->provider)
			strv_setenv(env, c->reference, l->placeholders.v[i]);
		if (c->provider && !of_provider)
			of_provider = l->placeholders.v[i];
	}
	return of_provider;
}

void launch_environment(const struct launch *l, struct strv *out, struct strv *secret)
{
	set_place(l, out);
	const char *placeholder = set_placeholders(l, out);
	const struct word words[] = { { "placeholder", placeholder } };

	for (size_t i = 0; i < l->plan->nenv; i++) {
		own_mem char *value = words_fill(l->plan->env[i].value, words, 1);
		if (value)
			strv_setenv(out, l->plan->env[i].name, value);
	}
	for (size_t i = 0; i < l->plan->nsecrets; i++)
		strv_setenv(secret, l->plan->secrets[i].name, secret_expose(&l->secrets->env[i]));
	/* Last: a manifest does not lead its programs past the gateway by a variable. */
	set_network(l, out);
}
