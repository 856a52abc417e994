#include "egress/gateway.h"
#include "egress/client.h"

#include <stdio.h>

#include "base/random.h"
#include "base/banned.h"

/* The audit queue has room again: whoever waited for it goes on. */
static void on_drained(void *arg)
{
	struct gateway *g = arg;
	struct client *next;

	for (struct client *c = g->clients; c; c = next) {
		next = c->after; /* pumping may free the client, and only that one */
		if (c->waiting)
			client_pump(c);
	}
	gateway_consider_accepting(g);
}

static void on_keeper_lost(void *arg)
{
	struct gateway *g = arg;

	loop_stop(g->loop);
}

static void set_limits(struct gateway *g)
{
	const struct egress_limits *l = &g->config.limits;

	g->limits = (struct http_limits)HTTP_LIMITS_DEFAULT;
	g->limits.head = l->head_bytes;
	g->limits.line = l->head_bytes / 2;
	g->limits.fields = l->headers < HTTP_FIELDS_MAX ? l->headers : HTTP_FIELDS_MAX;
}

static int init_parts(struct gateway *g, struct err *err)
{
	const struct egress_config *config = &g->config;

	if (policy_compile(config->routes, strlen(config->routes), &g->policy, err) != 0)
		return -1;
	if (credentials_compile(g->policy, config, &g->credentials, err) != 0)
		return -1;
	if (tls_init(&g->tls, config->slug, config->extra_ca, err) != 0)
		return -1;
	return resolver_new(g->loop, config, &g->resolver, err);
}

int gateway_init(struct gateway *g, struct loop *loop, struct egress_config *config, int control,
                 struct err *err)
{
	*g = (struct gateway){ .loop = loop, .config = *config };
	*config = (struct egress_config)EGRESS_CONFIG_INIT;
	set_limits(g);
	random_name(g->id_prefix, sizeof g->id_prefix - 1);
	audit_init(&g->audit, loop, control, g->config.limits.audit_queue);
	g->audit.drained = on_drained;
	g->audit.lost = on_keeper_lost;
	g->audit.arg = g;
	g->audit.secrets = &g->credentials.secrets;
	if (init_parts(g, err) == 0)
		return 0;
	gateway_clear(g);
	return -1;
}

int gateway_take_roots(struct gateway *g, struct err *err)
{
	int rc = tls_take_roots(&g->tls, g->config.roots, err);

	mem_drop(&g->config.roots);
	return rc;
}

/* What was under way is recorded as far as it came. */
static void end_client(struct client *c)
{
	if (c->state == CLIENT_EXCHANGE || c->state == CLIENT_WEBSOCKET)
		client_record(c, c->x.answered, refusal_word(REFUSE_STOPPING), c->x.status);
	client_free(c);
}

void gateway_clear(struct gateway *g)
{
	timer_cancel(g->loop, &g->starved);
	for (size_t i = 0; i < g->nlisteners; i++)
		loop_unwatch(g->loop, &g->listeners[i].watch);
	g->nlisteners = 0;
	while (g->clients)
		end_client(g->clients);
	pool_clear(g);
	audit_flush(&g->audit);
	resolver_free(g->resolver);
	g->resolver = NULL;
	tls_clear(&g->tls);
	credentials_clear(&g->credentials);
	policy_drop(&g->policy);
	audit_clear(&g->audit);
	egress_config_clear(&g->config);
	str_clear(&g->text);
	str_clear(&g->line);
}

void gateway_next_id(struct gateway *g, char out[REQUEST_ID])
{
	snprintf(out, REQUEST_ID, "%s-%llx", g->id_prefix, (unsigned long long)++g->ids);
}
