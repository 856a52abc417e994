#include "egress/resolve.h"

#include <ares.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>

#include "base/own.h"
#include "base/banned.h"

enum {
	SOCKETS = 64, /* that c-ares may have open at once */
	TRY_MS = 2000,
	TRIES = 3,
	QUERIES = 1024, /* at once: a wildcard route has as many names as somebody asks for */
};

/* One name that is asked for, however many wait for its answer. */
struct query {
	struct resolver *resolver;
	struct lookup *waiting; /* NULL: nobody does any more */
	struct query *next;
	bool again; /* the servers changed under it */
	char *name;
};

struct socket_watch {
	struct watch watch;
	struct resolver *resolver;
};

struct resolver {
	struct loop *loop;
	ares_channel channel;
	struct socket_watch sockets[SOCKETS];
	struct timer timer;
	struct query *queries;
	size_t nqueries;
	struct str configured;
	char *fixed, *hosts;
};

/* ---- c-ares on the loop ---- */

static void on_time(void *arg);

static void plan_timer(struct resolver *r)
{
	struct timeval room;
	struct timeval *left = ares_timeout(r->channel, NULL, &room);

	if (left)
		timer_set(r->loop, &r->timer,
		          (uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1, on_time, r);
	else
		timer_cancel(r->loop, &r->timer);
}

static void on_time(void *arg)
{
	struct resolver *r = arg;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	plan_timer(r);
}

static void on_socket(void *arg, uint32_t events)
{
	struct socket_watch *s = arg;
	struct resolver *r = s->resolver;
	int fd = s->watch.fd;
	bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP);

	ares_process_fd(r->channel, in ? fd : ARES_SOCKET_BAD, events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	plan_timer(r);
}

/* c-ares says what it waits for on a socket; nothing, before it closes it. */
static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct socket_watch *unused = NULL;
	uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < SOCKETS; i++) {
		struct socket_watch *s = &r->sockets[i];
		if (s->watch.fd == fd) {
			if (events)
				loop_change(r->loop, &s->watch, events);
			else
				loop_unwatch(r->loop, &s->watch);
			return;
		}
		if (s->watch.fd < 0 && !unused)
			unused = s;
	}
	/* Without a watch the question simply times out. */
	if (events && unused)
		loop_watch(r->loop, &unused->watch, fd, events, on_socket, unused, &err);
}

/* ---- questions ---- */

static void ask(struct query *q);

static void unlink_query(struct query *q)
{
	struct query **at = &q->resolver->queries;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->resolver->nqueries--;
}

static void collect(const struct ares_addrinfo *info, struct addresses *out)
{
	for (const struct ares_addrinfo_node *n = info->nodes; n && out->n < RESOLVE_MAX; n = n->ai_next) {
		struct address *a = &out->at[out->n];
		if (n->ai_family == AF_INET) {
			a->n = 4;
			memcpy(a->bytes, &((const struct sockaddr_in *)(const void *)n->ai_addr)->sin_addr,
			       4);
		} else if (n->ai_family == AF_INET6) {
			a->n = 16;
			memcpy(a->bytes, &((const struct sockaddr_in6 *)(const void *)n->ai_addr)->sin6_addr,
			       16);
		} else {
			continue;
		}
		out->n++;
	}
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct query *q = arg;
	struct addresses found = { 0 };

	(void)timeouts;
	if (status == ARES_ECANCELLED && q->again && q->waiting) {
		q->again = false;
		return; /* resolver_update() asks again once all are cancelled */
	}
	if (info) {
		collect(info, &found);
		ares_freeaddrinfo(info);
	}
	/* Whoever is told may ask for the same name anew, or give up on behalf of others. */
	unlink_query(q);
	for (struct lookup *l = q->waiting; l; l = q->waiting) {
		q->waiting = l->next;
		l->query = NULL;
		l->fn(l->arg, status == ARES_SUCCESS && found.n ? &found : NULL);
	}
	mem_drop(&q->name);
	free(q);
}

static void ask(struct query *q)
{
	/* Unsorted: sorting would dial each address to ask the kernel for its source. */
	struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NOSORT,
		                             .ai_family = AF_UNSPEC,
		                             .ai_socktype = SOCK_STREAM };
	struct resolver *r = q->resolver;

	ares_getaddrinfo(r->channel, q->name, NULL, &hints, on_answer, q);
	plan_timer(r);
}

static struct query *find_query(const struct resolver *r, const char *name)
{
	struct query *q = r->queries;

	while (q && !str_is(q->name, name))
		q = q->next;
	return q;
}

static void wait_for(struct query *q, struct lookup *lookup)
{
	lookup->query = q;
	lookup->next = q->waiting;
	q->waiting = lookup;
}

void resolve_name(struct resolver *r, const char *name, struct lookup *lookup,
                  void (*fn)(void *arg, const struct addresses *found), void *arg)
{
	struct addresses found = { 0 };

	*lookup = (struct lookup){ .fn = fn, .arg = arg };
	if (hosts_find(r->fixed, name, &found) || hosts_find(r->hosts, name, &found)) {
		fn(arg, &found);
		return;
	}
	/* The final dot: this name and no other, no search list. */
	own_mem char *whole = xasprintf("%s.", name);
	struct query *q = find_query(r, whole);
	if (q) {
		wait_for(q, lookup);
		return;
	}
	if (r->nqueries >= QUERIES) {
		fn(arg, NULL);
		return;
	}
	q = xcalloc(1, sizeof *q);
	*q = (struct query){ .resolver = r, .next = r->queries, .name = mem_steal(&whole) };
	r->queries = q;
	r->nqueries++;
	wait_for(q, lookup);
	ask(q);
}

void lookup_cancel(struct lookup *lookup)
{
	struct lookup **at = lookup->query ? &lookup->query->waiting : NULL;

	if (!at)
		return;
	while (*at != lookup)
		at = &(*at)->next;
	*at = lookup->next;
	lookup->query = NULL;
}

/* ---- life ---- */

static int use_servers(struct resolver *r, const char *resolv_conf, struct err *err)
{
	own_str struct str servers = STR_INIT;

	if (r->configured.len)
		str_addn(&servers, r->configured.data, r->configured.len);
	else
		resolv_conf_servers(resolv_conf, &servers);
	/* The same default as the C library's. */
	if (servers.len == 0)
		str_add(&servers, "127.0.0.1:53");
	int status = ares_set_servers_ports_csv(r->channel, servers.data);
	if (status != ARES_SUCCESS)
		return fail(err, ERR_INPUT, "resolver %s: %s", servers.data, ares_strerror(status));
	return 0;
}

int resolver_update(struct resolver *r, const char *resolv_conf, const char *hosts, struct err *err)
{
	struct query *q;

	for (q = r->queries; q; q = q->next)
		q->again = true;
	/* c-ares takes new servers only while nothing is asked. */
	ares_cancel(r->channel);
	int rc = use_servers(r, resolv_conf, err);
	mem_drop(&r->hosts);
	r->hosts = xstrdup(hosts);
	for (q = r->queries; q;) {
		struct query *next = q->next; /* an answer at once frees it */
		ask(q);
		q = next;
	}
	return rc;
}

int resolver_new(struct loop *loop, const struct egress_config *config, struct resolver **out,
                 struct err *err)
{
	char only_dns[] = "b";
	struct resolver *r = xcalloc(1, sizeof *r);
	struct ares_options options = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		                        .timeout = TRY_MS,
		                        .tries = TRIES,
		                        .lookups = only_dns,
		                        .sock_state_cb = on_state,
		                        .sock_state_cb_data = r };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
	           ARES_OPT_SOCK_STATE_CB;

	r->loop = loop;
	for (size_t i = 0; i < SOCKETS; i++)
		r->sockets[i] = (struct socket_watch){ .watch = WATCH_INIT, .resolver = r };
	int status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS)
		status = ares_init_options(&r->channel, &options, mask);
	if (status != ARES_SUCCESS) {
		free(r);
		return fail(err, ERR_SYSTEM, "c-ares: %s", ares_strerror(status));
	}
	for (size_t i = 0; i < config->resolver.n; i++)
		str_addf(&r->configured, "%s%s", i ? "," : "", config->resolver.v[i]);
	r->fixed = xstrdup(config->fixed_hosts);
	r->hosts = xstrdup(config->hosts);
	if (use_servers(r, config->resolv_conf, err) != 0) {
		resolver_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	ares_destroy(r->channel); /* every question gets its (negative) answer */
	ares_library_cleanup();
	timer_cancel(r->loop, &r->timer);
	str_clear(&r->configured);
	mem_drop(&r->fixed);
	mem_drop(&r->hosts);
	free(r);
}
