#include "pool/pool.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/banned.h"

enum { INSPECT_DEPTH = 32 };

void pool_taken_clear(struct pool_taken *t)
{
	mem_drop(&t->v);
	t->n = 0;
}

void pool_taken_add(struct pool_taken *t, struct in_addr address)
{
	if (pool_is_taken(t, address))
		return;
	t->v = xrealloc(t->v, t->n + 1, sizeof *t->v);
	t->v[t->n++] = address;
}

bool pool_is_taken(const struct pool_taken *t, struct in_addr address)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].s_addr == address.s_addr)
			return true;
	return false;
}

struct reading {
	struct pool_taken *taken;
	const char *wanted; /* NULL: none in particular */
	struct sockaddr_in *found;
	size_t bindings; /* of whatever port, at whatever address */
	struct err *err;
	int rc;
};

static bool refuse(struct reading *r, const char *what)
{
	r->rc = fail(r->err, ERR_INPUT, "docker inspect: %s", what);
	return false;
}

/* "9099/tcp": [{"HostIp": "127.0.0.16", "HostPort": "9099"}, ...], or null while not published. */
static bool read_port(void *arg, const char *port, json *bindings)
{
	struct reading *r = arg;

	if (json_kind(bindings) == JSON_NULL)
		return true;
	if (json_kind(bindings) != JSON_ARRAY)
		return refuse(r, "a port's bindings are no list");
	r->bindings += json_count(bindings);
	for (size_t i = 0; i < json_count(bindings); i++) {
		const char *ip = json_get_string(json_at(bindings, i), "HostIp", NULL);
		const char *number = json_get_string(json_at(bindings, i), "HostPort", NULL);
		struct sockaddr_in at = { .sin_family = AF_INET };
		unsigned long n = 0;
		if (!ip || !number)
			return refuse(r, "a binding has no HostIp or HostPort");
		/* An empty one and :: are published on every address; neither is one of ours. */
		if (inet_pton(AF_INET, ip, &at.sin_addr) != 1) {
			struct in6_addr v6;
			if (*ip == '\0' || inet_pton(AF_INET6, ip, &v6) == 1)
				continue;
			return refuse(r, "a HostIp is no address");
		}
		if (*number && !str_number(number, 0, 65535, &n))
			return refuse(r, "a HostPort is no port");
		at.sin_port = htons((uint16_t)n);
		if (r->taken)
			pool_taken_add(r->taken, at.sin_addr);
		if (r->found && n > 0 && str_is(port, r->wanted))
			*r->found = at;
	}
	return true;
}

static int read_ports(const json *ports, struct reading *r)
{
	if (!ports || json_kind(ports) == JSON_NULL)
		return 0;
	if (json_kind(ports) != JSON_OBJECT)
		return fail(r->err, ERR_INPUT, "docker inspect: the ports are no object");
	json_each(ports, read_port, r);
	return r->rc;
}

static int parse(const char *text, size_t n, json **out, struct err *err)
{
	if (json_parse(text, n, INSPECT_DEPTH, out, err) != 0)
		return fail_in(err, "docker inspect");
	if (json_kind(*out) != JSON_ARRAY)
		return fail(err, ERR_INPUT, "docker inspect printed %s, not a list",
		            json_kind_name(json_kind(*out)));
	return 0;
}

/* Docker puts a slash before the name. The match is anchored: a container that only has the
 * words somewhere in its name is none of ours. */
static bool is_ours(const char *name)
{
	return str_starts(name, "/" POOL_CONTAINER_PREFIX) || str_starts(name, POOL_CONTAINER_PREFIX);
}

int pool_read_inspect(const char *text, size_t n, struct pool_taken *out, struct err *err)
{
	own_json json *all = NULL;
	struct reading r = { .taken = out, .err = err };

	if (parse(text, n, &all, err) != 0)
		return -1;
	for (size_t i = 0; i < json_count(all); i++) {
		const json *one = json_at(all, i);
		const char *name = json_get_string(one, "Name", NULL);
		if (!name)
			return fail(err, ERR_INPUT, "docker inspect: a container has no name");
		if (!is_ours(name))
			continue;
		if (read_ports(json_get(json_get(one, "NetworkSettings"), "Ports"), &r) != 0 ||
		    read_ports(json_get(json_get(one, "HostConfig"), "PortBindings"), &r) != 0)
			return -1;
	}
	return 0;
}

int pool_read_published(const char *text, size_t n, const char *port, struct sockaddr_in *out,
                        struct err *err)
{
	own_json json *all = NULL;
	struct sockaddr_in found = { .sin_family = AF_UNSPEC };
	struct reading r = { .wanted = port, .found = &found, .err = err };

	if (parse(text, n, &all, err) != 0)
		return -1;
	if (json_count(all) != 1)
		return fail(err, ERR_INPUT, "docker inspect printed %zu containers, not one",
		            json_count(all));
	if (read_ports(json_get(json_get(json_at(all, 0), "NetworkSettings"), "Ports"), &r) != 0)
		return -1;
	if (found.sin_family != AF_INET)
		return fail(err, ERR_MISSING, "docker publishes nothing for port %s", port);
	if (r.bindings > 1)
		return fail(err, ERR_UNCONFINED, "docker publishes %zu ports, and was to publish %s alone",
		            r.bindings, port);
	*out = found;
	return 0;
}
