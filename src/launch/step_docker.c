#include "launch/steps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/random.h"
#include "proto/bundle.h"
#include "launch/fault.h"
#include "base/banned.h"

/* The sidecars' names and places in the image that `make sidecar-image` builds. */
#define IMAGE_ARCHIVE "/" LAUNCH_SHARE "/sidecar-image.tar"
#define IMAGE_SIDECAR "/bin/bottle-egress"
static const char *const image_command[] = { "/bin/bottle-relay", "inside", NULL };

enum { STOP_MS = 2000 };

bool launch_in_docker(const struct launch *l)
{
	return str_is(l->plan->bundle, "docker");
}

bool docker_wanted(void *arg)
{
	return launch_in_docker(arg);
}

/* In the container 127.0.0.1 is the container. */
static bool is_loopback(const char *place)
{
	return str_starts(place, "127.") || str_starts(place, "[::1]") || str_is(place, "::1") ||
	       str_starts(place, "http://127.") || str_starts(place, "http://[::1]") ||
	       str_starts(place, "http://localhost");
}

static int check_plan(const struct plan *p, struct err *err)
{
	for (size_t i = 0; i < p->resolver.n; i++)
		if (is_loopback(p->resolver.v[i]))
			return fail(
				err, ERR_INPUT,
				"resolver: %s can't be reached from the docker bundle's container; leave it "
				"out, or use --bundle embedded",
				p->resolver.v[i]);
	if (p->upstream_proxy && is_loopback(p->upstream_proxy))
		return fail(err, ERR_INPUT,
		            "upstream_proxy: %s can't be reached from the docker bundle's container; name an "
		            "address of the host's network, or use --bundle embedded",
		            p->upstream_proxy);
	return 0;
}

static int lease(struct launch *l, struct err *err)
{
	struct launch_docker *d = &l->docker;
	struct pool_range range;

	if (pool_range_parse(l->plan->lease_first, l->plan->lease_last, &range, err) != 0 ||
	    pool_make_aliases(&range, err) != 0)
		return -1;
	return pool_acquire(d->leases, &range, &d->taken, l->record.slug, &d->lease, err);
}

int lease_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	struct launch_docker *d = &l->docker;

	d->docker = (struct docker){ l->plan->docker_program, l->plan->docker_host };
	if (check_plan(l->plan, err) != 0 || docker_check(&d->docker, err) != 0)
		return -1;
	d->leases = pool_open(l->plan->lease_directory, l->runtime, err);
	if (d->leases < 0 || docker_published(&d->docker, &d->taken, err) != 0 || lease(l, err) != 0)
		return -1;
	return launch_fault("leasing an address", FAULT_DURING, err);
}

void lease_down(void *arg)
{
	struct launch *l = arg;

	pool_release(&l->docker.lease);
	pool_taken_clear(&l->docker.taken);
	fd_drop(&l->docker.leases);
}

static const struct {
	const char *made, *asked; /* kinds of resources in the record */
} kinds[] = {
	[DOCKER_CONTAINER] = { "container", "asked-container" },
	[DOCKER_NETWORK] = { "network", "asked-network" },
};

/* Written down before it is made: a keeper that is killed in between leaves a name too many. */
static int ask_for(struct launch *l, struct docker_made *m, struct err *err)
{
	m->asked = docker_asked_for(m->name);
	record_drop_resource(&l->record, kinds[m->kind].made, m->name);
	record_add_resource(&l->record, kinds[m->kind].asked, m->asked);
	if (launch_save(l, err) == 0)
		return 0;
	/* It was not asked. */
	record_drop_resource(&l->record, kinds[m->kind].asked, m->asked);
	mem_drop(&m->asked);
	mem_drop(&m->name);
	return -1;
}

/* Docker has answered, by a yes or a no: it does nothing more that it was asked for. */
static int answered(struct launch *l, struct docker_made *m, struct err *err)
{
	record_drop_resource(&l->record, kinds[m->kind].asked, m->asked);
	mem_drop(&m->asked);
	record_add_resource(&l->record, kinds[m->kind].made, m->name);
	return launch_save(l, err);
}

/* What became of asking: @rc, with what docker said in @err. */
static int settle(struct launch *l, struct docker_made *m, int rc, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (rc == 0)
		return answered(l, m, err);
	if (err->sys != ETIMEDOUT)
		answered(l, m, &ignored);
	return -1;
}

static void free_resource(struct launch *l, struct docker_made *m)
{
	const char *kind = m->asked ? kinds[m->kind].asked : kinds[m->kind].made;
	const char *name = m->asked ? m->asked : m->name;
	const struct docker *d = &l->docker.docker;
	struct err err = ERR_INIT;

	if (!m->name)
		return;
	if ((m->asked ? docker_remove_asked_for(d, m->kind, m->asked, &err) :
	                docker_remove(d, m->kind, m->name, &err)) == 0) {
		record_drop_resource(&l->record, kind, name);
		launch_save(l, &err);
	} else {
		fail_in(&err, "%s %s stays, for bottle cleanup", kinds[m->kind].made, m->name);
		l->events->log(l->arg, LOG_ERROR, err.text);
	}
	mem_drop(&m->name);
	mem_drop(&m->asked);
}

int bridge_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	struct launch_docker *d = &l->docker;

	d->network.name = xasprintf("bot-bottle-bundle-%s", l->record.slug);
	if (ask_for(l, &d->network, err) != 0)
		return -1;
	int rc = docker_network_create(&d->docker, d->network.name, l->record.slug, &d->subnet, err);
	if (settle(l, &d->network, rc, err) != 0)
		return -1;
	return launch_fault("making the bridge", FAULT_DURING, err);
}

void bridge_down(void *arg)
{
	struct launch *l = arg;

	free_resource(l, &l->docker.network);
}

/* On the leased address, or where somebody else listens there, on the next. */
static int create_and_publish(struct launch *l, const char *image, struct err *err)
{
	struct launch_docker *d = &l->docker;
	int taken;

	d->container.name = xasprintf(POOL_CONTAINER_PREFIX "%s", l->record.slug);
	for (;;) {
		const struct docker_container c = {
			.name = d->container.name,
			.network = d->network.name,
			.image = image,
			.address = d->subnet.bundle,
			.publish = d->lease.address,
			.port = BUNDLE_PORT,
			.command = image_command,
		};
		struct err why = ERR_INIT;
		if (ask_for(l, &d->container, err) != 0 ||
		    settle(l, &d->container, docker_create(&d->docker, &c, err), err) != 0)
			return -1;
		taken = docker_start(&d->docker, d->container.name, &why);
		if (taken == 0)
			return 0;
		if (taken < 0) {
			*err = why;
			return -1;
		}
		l->events->log(l->arg, LOG_WARN, why.text);
		if (docker_remove(&d->docker, DOCKER_CONTAINER, d->container.name, err) != 0)
			return -1;
		pool_taken_add(&d->taken, d->lease.address);
		pool_release(&d->lease);
		if (lease(l, err) != 0)
			return -1;
	}
}

static int check_published(struct launch *l, struct err *err)
{
	char address[INET_ADDRSTRLEN];
	struct launch_docker *d = &l->docker;
	struct sockaddr_in at;

	inet_ntop(AF_INET, &d->lease.address, address, sizeof address);
	if (docker_published_at(&d->docker, d->container.name, BUNDLE_PORT, &at, err) != 0)
		return fail_in(err, "the sidecars were to be at %s:%d", address, BUNDLE_PORT);
	if (at.sin_addr.s_addr != d->lease.address.s_addr || ntohs(at.sin_port) != BUNDLE_PORT)
		return fail(err, ERR_UNCONFINED, "docker publishes the sidecars somewhere else than at %s:%d",
		            address, BUNDLE_PORT);
	return 0;
}

static int start_relay(struct launch *l, int stream, struct bundle_config *c,
                       const struct sidecar_events *events, struct err *err)
{
	static const char *const names[LAUNCH_LISTENERS] = { "proxy", "https", "http" };
	struct sidecar_listener sockets[LAUNCH_LISTENERS + 1] = { [LAUNCH_LISTENERS] = { BUNDLE_CHANNEL,
		                                                                         stream } };
	own_mem char *program = xasprintf("%s/bottle-relay", l->libexec);
	own_str struct str bytes = STR_INIT;

	for (size_t i = 0; i < LAUNCH_LISTENERS; i++) {
		sockets[i] = (struct sidecar_listener){ names[i], l->listeners[i] };
		strv_add(&c->listeners, names[i]);
	}
	bundle_config_encode(c, &bytes);
	const struct sidecar_spec spec = {
		.name = "relay",
		.program = program,
		.host_network = true,
		.listeners = sockets,
		.nlisteners = ARRAY_LEN(sockets),
		.config = &bytes,
		.events = events,
		.arg = l,
	};
	int rc = sidecar_start(l->loop, &spec, &l->gateway, err);
	explicit_bzero(bytes.data, bytes.len);
	return rc;
}

int container_start(struct launch *l, const struct str *config, const struct sidecar_events *events,
                    struct err *err)
{
	struct launch_docker *d = &l->docker;
	own_bundle_config struct bundle_config c = BUNDLE_CONFIG_INIT;
	own_mem char *archive = xasprintf("%s" IMAGE_ARCHIVE, l->libexec);
	own_mem char *image = NULL;
	unsigned char token[BUNDLE_TOKEN];
	char device[IF_NAMESIZE];
	int pair[2];

	if (docker_image(&d->docker, archive, &image, err) != 0 || create_and_publish(l, image, err) != 0 ||
	    check_published(l, err) != 0 || docker_bridge(&d->subnet, device, err) != 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return fail_errno(err, "socketpair");
	own_fd int ours = pair[0];
	own_fd int theirs = pair[1];
	if (docker_attach(&d->docker, d->container.name, theirs, &d->attached, err) != 0)
		return -1;
	random_bytes(token, sizeof token);
	secret_set(&c.token, token, sizeof token);
	explicit_bzero(token, sizeof token);
	c.address = xstrdup(d->subnet.bundle);
	c.device = xstrdup(device);
	c.port = BUNDLE_PORT;
	c.program = xstrdup(IMAGE_SIDECAR);
	str_reserve(&c.sidecar, config->len);
	str_addn(&c.sidecar, config->data, config->len);
	return start_relay(l, ours, &c, events, err);
}

void container_stop(struct launch *l)
{
	proc_stop(&l->docker.attached, STOP_MS);
	free_resource(l, &l->docker.container);
}
