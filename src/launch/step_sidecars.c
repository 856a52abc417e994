#include "launch/steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/random.h"
#include "launch/fault.h"
#include "launch/proof.h"
#include "launch/words.h"
#include "proto/egress.h"
#include "base/banned.h"

enum { ROOTS_MAX = 4 << 20, PEM_MAX = 64 * 1024, RANDOM_BYTES = 16 };

/* Where hosts keep the roots that they trust. */
static const char *const root_files[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
	"/etc/ssl/certs/ca-bundle.crt",
};

char *random_text(void)
{
	unsigned char bytes[RANDOM_BYTES];
	own_str struct str text = STR_INIT;

	random_bytes(bytes, sizeof bytes);
	hex_encode(&text, bytes, sizeof bytes);
	return str_steal(&text);
}

/* The host's own files are often links; who may write /etc is trusted. */
static int read_host_file(const char *path, size_t limit, struct str *out, struct err *err)
{
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return fail_errno(err, "open %s", path);
	return file_read_fd(fd, path, limit, out, err);
}

static char *read_if_there(const char *path, size_t limit)
{
	own_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;

	if (read_host_file(path, limit, &text, &ignored) != 0)
		str_reset(&text);
	return str_steal(&text);
}

static char *host_roots(void)
{
	for (size_t i = 0; i < ARRAY_LEN(root_files); i++) {
		char *pem = read_if_there(root_files[i], ROOTS_MAX);
		if (*pem)
			return pem;
		mem_drop(&pem);
	}
	return xstrdup("");
}

static int read_extra_ca(const struct plan *p, struct str *out, struct err *err)
{
	for (size_t i = 0; i < p->extra_ca.n; i++) {
		size_t before = out->len;
		if (read_host_file(p->extra_ca.v[i], ROOTS_MAX, out, err) != 0)
			return fail_in(err, "extra_ca");
		/* What is in it is OpenSSL's to say, in the gateway; but it skips what it does not know. */
		if (!strstr(str_c(out) + before, "CERTIFICATE-----"))
			return fail(err, ERR_INPUT,
			            "extra_ca: %s holds no certificate in PEM form; openssl x509 -inform DER "
			            "makes one of a binary one",
			            p->extra_ca.v[i]);
		str_addc(out, '\n');
	}
	return 0;
}

static void config_limits(const struct plan *p, struct egress_limits *limits)
{
	*limits = (struct egress_limits){
		.head_bytes = (uint32_t)p->head_bytes,
		.headers = (uint32_t)p->headers,
		.head_ms = (uint32_t)p->head_ms,
		.idle_ms = (uint32_t)p->idle_ms,
		.total_ms = (uint32_t)p->total_ms,
		.connect_ms = (uint32_t)p->connect_ms,
		.connections = (uint32_t)p->connections,
		.pool = (uint32_t)p->pool,
		.pool_ms = (uint32_t)p->pool_ms,
		.decoded_bytes = (uint32_t)p->decoded_bytes,
		.frame_bytes = (uint32_t)p->frame_bytes,
		.audit_queue = (uint32_t)p->audit_queue,
	};
}

/* http://HOST:PORT, as the configuration's own check left it. */
static int config_upstream(const struct plan *p, struct egress_config *c, struct err *err)
{
	unsigned long port;

	if (!p->upstream_proxy)
		return 0;
	const char *host =
		str_starts(p->upstream_proxy, "http://") ? p->upstream_proxy + strlen("http://") : NULL;
	const char *colon = host ? strrchr(host, ':') : NULL;
	own_mem char *digits = colon ? xstrndup(colon + 1, strcspn(colon + 1, "/")) : xstrdup("");
	if (!colon || !str_number(digits, 1, 65535, &port))
		return fail(err, ERR_INPUT, "upstream_proxy: it has to be http://HOST:PORT");
	c->proxy_host = xstrndup(host, (size_t)(colon - host));
	c->proxy_port = (uint32_t)port;
	return 0;
}

static bool is_same_credential(const struct plan_credential *a, const struct plan_credential *b)
{
	return a->source == b->source && str_is(a->reference, b->reference) &&
	       str_is(a->placeholder, b->placeholder);
}

/* New at each launch, in the form that the provider's programs expect. Routes that name the same
 * credential share one: what names it in the guest has room for one. */
static void make_placeholders(struct launch *l)
{
	const struct plan_credential *all = l->plan->credentials;

	strv_clear(&l->placeholders);
	for (size_t i = 0; i < l->plan->ncredentials; i++) {
		size_t same = 0;
		while (!is_same_credential(&all[same], &all[i]))
			same++;
		own_mem char *random = random_text();
		const struct word words[] = { { "random", random } };
		strv_take(&l->placeholders, same < i ? xstrdup(l->placeholders.v[same]) :
		                                       words_fill(all[i].placeholder, words, 1));
	}
}

static int config_credentials(const struct launch *l, struct egress_config *c, struct err *err)
{
	const struct plan *p = l->plan;

	if (l->secrets->ncredentials != p->ncredentials || l->secrets->nenv != p->nsecrets)
		return fail(err, ERR_INPUT,
		            "the plan wants %zu credentials and %zu variables; %zu and %zu were gathered",
		            p->ncredentials, p->nsecrets, l->secrets->ncredentials, l->secrets->nenv);
	for (size_t i = 0; i < p->ncredentials; i++) {
		const struct plan_credential *from = &p->credentials[i];
		struct egress_credential *to = egress_config_add_credential(c);
		to->host = xstrdup(from->host);
		to->port = (uint32_t)from->port;
		to->scheme = (enum egress_scheme)from->scheme;
		to->header = xstrdup(from->header);
		to->placeholder = xstrdup(l->placeholders.v[i]);
		secret_copy(&to->value, &l->secrets->credentials[i]);
	}
	return 0;
}

static void fill_hosts(const struct plan *p, struct egress_config *c)
{
	own_str struct str hosts = STR_INIT;

	for (size_t i = 0; i < p->nhosts; i++)
		str_addf(&hosts, "%s %s\n", p->hosts[i].address, p->hosts[i].name);
	c->fixed_hosts = str_steal(&hosts);
	strv_copy(&c->resolver, &p->resolver);
}

static int fill_config(struct launch *l, struct egress_config *c, struct err *err)
{
	static const enum egress_log logs[] = { [MANIFEST_LOG_OFF] = EGRESS_LOG_OFF,
		                                [MANIFEST_LOG_BLOCKS] = EGRESS_LOG_BLOCKS,
		                                [MANIFEST_LOG_ALL] = EGRESS_LOG_ALL };
	const struct plan *p = l->plan;
	own_str struct str extra = STR_INIT;

	if (p->log >= ARRAY_LEN(logs))
		return fail(err, ERR_INPUT, "plan: log %lu is unknown", p->log);
	own_mem char *nonce = random_text();
	snprintf(l->nonce, sizeof l->nonce, "%s", nonce);
	mem_drop(&l->canary);
	l->canary = random_text();
	make_placeholders(l);
	str_reset(&l->resolv_conf);
	if (read_extra_ca(p, &extra, err) != 0 || launch_read_resolv_conf(l, &l->resolv_conf, err) != 0 ||
	    launch_read_hosts(l, &l->hosts, err) != 0)
		return -1;
	c->slug = xstrdup(l->record.slug);
	c->routes = xstrdup(p->routes);
	c->canary = xstrdup(l->canary);
	c->roots = host_roots();
	c->extra_ca = str_steal(&extra);
	c->resolv_conf = xstrdup(str_c(&l->resolv_conf));
	c->hosts = xstrdup(str_c(&l->hosts));
	c->nonce = xstrdup(l->nonce);
	c->log = logs[p->log];
	fill_hosts(p, c);
	config_limits(p, &c->limits);
	str_reset(&l->bundle);
	str_addf(&l->bundle, "%s\n%s\n", c->roots, c->extra_ca);
	return config_upstream(p, c, err) == 0 ? config_credentials(l, c, err) : -1;
}

int gateway_record(const char *text, json **out, struct err *err)
{
	own_json json *record = NULL;

	if (json_parse_unique(text, strlen(text), 8, &record, err) != 0)
		return -1;
	if (!str_is(json_get_string(record, "kind", ""), "egress"))
		return fail(err, ERR_INPUT, "its kind is none of a gateway's");
	*out = mem_steal(&record);
	return 0;
}

static void gateway_audit(void *arg, const char *text)
{
	struct launch *l = arg;
	own_json json *record = NULL;
	struct err err = ERR_INIT;

	if (gateway_record(text, &record, &err) == 0) {
		/* The proof's own refusal is none of the agent's. */
		if (str_is(json_get_string(record, "verdict", ""), "deny") &&
		    !str_ends(json_get_string(record, "host", ""), PROOF_HOSTS))
			l->refused++;
		if (l->events->audit(l->arg, record, &err) == 0)
			return;
	}
	/* What can't be written down must not go on. */
	fail_in(&err, "the gateway's audit record");
	err.kind = ERR_UNCONFINED;
	launch_interrupt(l, &err);
	if (l->is_up)
		l->events->lost(l->arg, &err);
}

static void gateway_log(void *arg, enum log_level level, const char *line)
{
	struct launch *l = arg;

	l->events->log(l->arg, level, line);
}

static void gateway_died(void *arg, const char *name, const struct err *why)
{
	struct launch *l = arg;
	own_json json *record = json_object_of();
	struct err err = ERR_INIT;

	json_set_string(record, "kind", "sidecar-died");
	json_set_string(record, "sidecar", name);
	json_set_string(record, "why", why->text);
	l->events->audit(l->arg, record, &err);
	launch_interrupt(l, why);
	if (l->is_up)
		l->events->lost(l->arg, why);
}

static int gateway_own(void *arg, const struct str *bytes, struct err *err)
{
	struct launch *l = arg;

	if (l->ca)
		return fail(err, ERR_INPUT, "it made a second CA");
	return egress_ca_decode(bytes, &l->ca, err);
}

static const struct sidecar_events gateway_events = {
	.audit = gateway_audit,
	.log = gateway_log,
	.died = gateway_died,
	.own = gateway_own,
};

static int start_embedded(struct launch *l, const struct str *config, struct err *err)
{
	own_mem char *program = xasprintf("%s/bottle-egress", l->libexec);
	const struct sidecar_listener listeners[] = {
		{ "proxy", l->listeners[0] },
		{ "https", l->listeners[1] },
		{ "http", l->listeners[2] },
	};
	const struct sidecar_spec spec = {
		.name = "egress",
		.program = program,
		.host_network = true,
		.listeners = listeners,
		.nlisteners = ARRAY_LEN(listeners),
		.config = config,
		.events = &gateway_events,
		.arg = l,
	};

	return sidecar_start(l->loop, &spec, &l->gateway, err);
}

enum { CONFIG_USUAL = 4 << 20 }; /* its certificates are most of it */

int sidecars_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	own_egress_config struct egress_config config = EGRESS_CONFIG_INIT;
	own_str struct str bytes = STR_INIT;

	egress_config_init(&config);
	if (fill_config(l, &config, err) != 0)
		return -1;
	/* At once: growing would leave copies behind. */
	str_reserve(&bytes, CONFIG_USUAL);
	egress_config_encode(&config, &bytes);
	int rc = launch_in_docker(l) ? container_start(l, &bytes, &gateway_events, err) :
	                               start_embedded(l, &bytes, err);
	explicit_bzero(bytes.data, bytes.len);
	launch_credentials_clear(l->secrets);
	/* Only the sidecar holds them from here on: when it dies, nothing accepts. */
	for (size_t i = 0; i < LAUNCH_LISTENERS; i++)
		fd_drop(&l->listeners[i]);
	if (rc != 0 || launch_fault("starting the gateway", FAULT_DURING, err) != 0)
		return -1;
	if (launch_wait(l, &l->gateway.ready, LAUNCH_WAIT_MS, "the gateway", err) != 0)
		return -1;
	return l->ca ? 0 : fail(err, ERR_UNCONFINED, "the gateway is ready and has made no CA");
}

void sidecars_down(void *arg)
{
	struct launch *l = arg;

	sidecar_stop(&l->gateway);
	l->gateway = (struct sidecar)SIDECAR_INIT;
	if (launch_in_docker(l))
		container_stop(l);
}

int ca_up(void *arg, struct err *err)
{
	struct launch *l = arg;

	str_add(&l->bundle, l->ca);
	own_fd int etc = openat(l->dir, GUEST_ETC_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (etc < 0)
		return fail_errno(err, "open %s", GUEST_ETC_DIR);
	if (file_place(etc, GUEST_ETC_CA, l->ca, strlen(l->ca), 0644, err) != 0 ||
	    launch_fault("placing certificates", FAULT_DURING, err) != 0)
		return -1;
	return file_place(etc, GUEST_ETC_CA_BUNDLE, l->bundle.data, l->bundle.len, 0644, err);
}
