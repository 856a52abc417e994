#include "bundle/docker.h"
#include "bundle/docker_run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/banned.h"

enum { SHOWN = 160, GOING_RESTS = 100, GOING_REST_NS = 100 * 1000 * 1000 };
/* Nobody on the host, and nobody in the image. */
#define DOCKER_USER "65532:65532"

static const char *host_of(const struct docker *d)
{
	return d->host ? d->host : DOCKER_SOCKET;
}

int docker_check(const struct docker *d, struct err *err)
{
	if (!d->program)
		return fail(err, ERR_MISSING,
		            "docker is not on PATH; install it (NixOS: virtualisation.docker.enable = true), "
		            "or use --bundle embedded");
	if (!str_starts(host_of(d), "unix:///"))
		return fail(err, ERR_INPUT,
		            "DOCKER_HOST is %.100s; only a local socket is used: unix:///PATH", d->host);
	return 0;
}

int docker_explain(const struct docker *d, const char *verb, int status, const struct str *said,
                   struct err *err)
{
	own_str struct str shown = STR_INIT;
	const char *text = str_c(said);

	if (strstr(text, "permission denied") && (strstr(text, "socket") || strstr(text, "docker API")))
		return fail(err, ERR_DENIED,
		            "the docker socket %s may not be used by you; join the group docker and log in "
		            "again; members of it are root on this host in all but name",
		            host_of(d));
	if (strstr(text, "Cannot connect to the Docker daemon") || strstr(text, "connection refused") ||
	    strstr(text, "failed to connect to the docker API"))
		return fail(err, ERR_MISSING,
		            "no docker answers on %s; start it (systemctl start docker) and join the group "
		            "docker",
		            host_of(d));
	size_t n = strcspn(text, "\n");
	str_add_escaped(&shown, text, n, SHOWN);
	return fail(err, ERR_SYSTEM, "docker %s on %s ended with status %d: %s", verb, host_of(d), status,
	            str_c(&shown));
}

void docker_arguments(const struct docker *d, const char *const *args, struct strv *out)
{
	static const char *const first[] = { "docker", "--config", "/nonexistent", "--host" };

	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		strv_add(out, first[i]);
	strv_add(out, host_of(d));
	for (; *args; args++)
		strv_add(out, *args);
}

int docker_run(const struct docker *d, const char *const *args, int ms, struct str *out, struct str *said,
               struct err *err)
{
	own_strv struct strv argv = STRV_INIT;

	if (docker_check(d, err) != 0)
		return -1;
	docker_arguments(d, args, &argv);
	const struct proc_spec spec = { .path = d->program, .argv = argv.v, .die_with_parent = true };
	struct err why = ERR_INIT;
	int status = proc_run(&spec, NULL, out, said, DOCKER_OUTPUT, ms, &why);
	if (status >= 0)
		return status;
	fail(err, why.kind,
	     "docker %s on %s: %s; is the daemon well? (docker info, systemctl status docker; its socket "
	     "is for the group docker)",
	     args[0], host_of(d), why.text);
	err->sys = ETIMEDOUT;
	return -1;
}

static int must(const struct docker *d, const char *const *args, int ms, struct str *out, struct err *err)
{
	own_str struct str said = STR_INIT;
	int status = docker_run(d, args, ms, out, &said, err);

	if (status < 0)
		return -1;
	return status == 0 ? 0 : docker_explain(d, args[0], status, &said, err);
}

/* ---- what is there ---- */

int docker_version(const struct docker *d, struct str *out, struct err *err)
{
	const char *const args[] = { "version", "--format={{.Server.Version}}", NULL };
	own_str struct str text = STR_INIT;

	if (must(d, args, DOCKER_MS, &text, err) != 0)
		return -1;
	size_t n = strcspn(str_c(&text), "\n");
	if (n == 0)
		return fail(err, ERR_SYSTEM, "docker version on %s says nothing", host_of(d));
	str_add_escaped(out, str_c(&text), n, SHOWN);
	return 0;
}

static int list_ids(const struct docker *d, struct strv *out, struct err *err)
{
	const char *const args[] = { "ps",         "--all",    "--quiet",
		                     "--no-trunc", "--filter", "name=^/?" POOL_CONTAINER_PREFIX,
		                     NULL };
	own_str struct str text = STR_INIT;

	if (must(d, args, DOCKER_MS, &text, err) != 0)
		return -1;
	for (const char *p = str_c(&text); *p;) {
		size_t n = strcspn(p, "\n");
		if (n > 0)
			strv_take(out, xstrndup(p, n));
		p += n + (p[n] == '\n');
	}
	return 0;
}

int docker_published(const struct docker *d, struct pool_taken *out, struct err *err)
{
	enum { TRIES = 3 };

	/* One that is removed between the two questions makes the second fail: then both again. */
	for (int i = 1;; i++) {
		own_strv struct strv args = STRV_INIT;
		own_strv struct strv ids = STRV_INIT;
		own_str struct str text = STR_INIT;
		own_str struct str said = STR_INIT;
		if (list_ids(d, &ids, err) != 0)
			return -1;
		if (ids.n == 0)
			return 0;
		strv_add(&args, "inspect");
		strv_add(&args, "--type=container");
		for (size_t j = 0; j < ids.n; j++)
			strv_add(&args, ids.v[j]);
		int status = docker_run(d, (const char *const *)args.v, DOCKER_MS, &text, &said, err);
		if (status < 0)
			return -1;
		if (status == 0)
			return pool_read_inspect(str_c(&text), text.len, out, err);
		if (i == TRIES || !strstr(str_c(&said), "No such"))
			return docker_explain(d, "inspect", status, &said, err);
	}
}

int docker_image_name(const char *archive, char **out, struct err *err)
{
	char digest[SHA256_TEXT];
	own_str struct str bytes = STR_INIT;

	if (faccessat(AT_FDCWD, archive, F_OK, 0) != 0 && errno == ENOENT)
		return fail(err, ERR_MISSING,
		            "there is no %.200s, which the sidecars' image is made from; run `make "
		            "sidecar-image` before `make install`, or use --bundle embedded",
		            archive);
	if (file_read(AT_FDCWD, archive, DOCKER_IMAGE_MAX, &bytes, err) != 0)
		return fail_in(err, "the sidecars' image");
	sha256_text(bytes.data, bytes.len, digest);
	*out = xasprintf("bot-bottle-sidecars:%.32s", digest);
	return 0;
}

int docker_has_image(const struct docker *d, const char *name, struct err *err)
{
	const char *const args[] = { "image", "inspect", "--format={{.Id}}", name, NULL };
	own_str struct str said = STR_INIT;
	int status = docker_run(d, args, DOCKER_MS, NULL, &said, err);

	if (status <= 0)
		return status < 0 ? -1 : 1;
	return strstr(str_c(&said), "No such image") ? 0 :
	                                               docker_explain(d, "image inspect", status, &said, err);
}

int docker_image(const struct docker *d, const char *archive, char **out, struct err *err)
{
	own_mem char *name = NULL;
	int there = docker_image_name(archive, &name, err) == 0 ? docker_has_image(d, name, err) : -1;

	if (there < 0)
		return -1;
	/* What it runs, and as whom, is said in it too: by itself it is not a shell of root's. */
	const char *const import[] = { "import",
		                       "--change=CMD [\"/bin/bottle-relay\", \"inside\"]",
		                       "--change=USER " DOCKER_USER,
		                       archive,
		                       name,
		                       NULL };
	if (there == 0 && must(d, import, DOCKER_SLOW_MS, NULL, err) != 0)
		return -1;
	*out = mem_steal(&name);
	return 0;
}

/* ---- the network ---- */

/* An interface of the host with an address in 192.168.X.0/24, or whose own network holds it:
 * docker would take it, and the host would lose its neighbours. */
static bool host_uses(unsigned choice)
{
	struct ifaddrs *list = NULL;
	uint32_t net = 192u << 24 | 168u << 16 | choice << 8;
	bool uses = false;

	if (getifaddrs(&list) != 0)
		return false;
	for (const struct ifaddrs *i = list; i && !uses; i = i->ifa_next) {
		const void *raw = i->ifa_addr, *raw_mask = i->ifa_netmask;
		if (!raw || !raw_mask || i->ifa_addr->sa_family != AF_INET)
			continue;
		const struct sockaddr_in *at = raw, *mask = raw_mask;
		uint32_t both = ntohl(mask->sin_addr.s_addr) & 0xffffff00u;
		uses = (ntohl(at->sin_addr.s_addr) & both) == (net & both);
	}
	freeifaddrs(list);
	return uses;
}

int docker_network_create(const struct docker *d, const char *name, const char *slug, struct subnet *out,
                          struct err *err)
{
	for (unsigned i = 0; i < SUBNETS - 1; i++) {
		unsigned choice = subnet_choice(slug, i);
		own_str struct str said = STR_INIT;
		struct subnet net = { 0 };
		subnet_of(choice, &net);
		if (host_uses(choice))
			continue;
		const char *const args[] = { "network",
			                     "create",
			                     "--driver=bridge",
			                     "--subnet",
			                     net.cidr,
			                     "--gateway",
			                     net.gateway,
			                     "--opt=com.docker.network.bridge.enable_icc=false",
			                     name,
			                     NULL };
		int status = docker_run(d, args, DOCKER_SLOW_MS, NULL, &said, err);
		if (status < 0)
			return -1;
		if (status == 0) {
			*out = net;
			return 0;
		}
		if (!strstr(str_c(&said), "verlap"))
			return docker_explain(d, "network create", status, &said, err);
	}
	return fail(
		err, ERR_BUSY,
		"every network of 192.168.0.0/16 overlaps with one of docker's or of this host; docker network "
		"prune removes docker's that nobody uses, and --bundle embedded needs none");
}

int docker_bridge(const struct subnet *net, char out[IF_NAMESIZE], struct err *err)
{
	struct ifaddrs *list = NULL;
	struct in_addr gateway;
	bool found = false;

	if (inet_pton(AF_INET, net->gateway, &gateway) != 1 || getifaddrs(&list) != 0)
		return fail_errno(err, "the interfaces of this host");
	for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		const void *raw = i->ifa_addr;
		const struct sockaddr_in *at = raw;
		found = raw && i->ifa_addr->sa_family == AF_INET && at->sin_addr.s_addr == gateway.s_addr;
		if (found)
			snprintf(out, IF_NAMESIZE, "%s", i->ifa_name);
	}
	freeifaddrs(list);
	return found ? 0 :
	               fail(err, ERR_MISSING,
	                    "docker's bridge with the address %s is not on this host, as with a docker that "
	                    "is not root's, or that runs in a virtual machine; use the system's own docker, "
	                    "or --bundle embedded",
	                    net->gateway);
}

/* ---- the container ---- */

int docker_create(const struct docker *d, const struct docker_container *c, struct err *err)
{
	static const char *const bounds[] = {
		"create",
		"--interactive",
		"--rm",
		"--pull=never",
		"--read-only",
		"--user=" DOCKER_USER,
		"--cap-drop=ALL",
		"--security-opt=no-new-privileges",
		"--pids-limit=16",
		"--memory=256m",
		"--memory-swap=256m",
		"--ulimit=core=0",
		"--ipc=none",
		"--log-driver=none",
		"--restart=no",
		"--hostname=sidecars",
	};
	char address[INET_ADDRSTRLEN];
	own_strv struct strv args = STRV_INIT;

	inet_ntop(AF_INET, &c->publish, address, sizeof address);
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		strv_add(&args, bounds[i]);
	strv_addf(&args, "--name=%s", c->name);
	strv_addf(&args, "--network=%s", c->network);
	strv_addf(&args, "--ip=%s", c->address);
	strv_addf(&args, "--publish=%s:%u:%u/tcp", address, c->port, c->port);
	strv_add(&args, c->image);
	for (const char *const *word = c->command; *word; word++)
		strv_add(&args, *word);
	return must(d, (const char *const *)args.v, DOCKER_SLOW_MS, NULL, err);
}

int docker_start(const struct docker *d, const char *name, struct err *err)
{
	static const char *const taken[] = { "already allocated", "address already in use",
		                             "annot assign requested address" };
	const char *const args[] = { "start", name, NULL };
	own_str struct str said = STR_INIT;
	int status = docker_run(d, args, DOCKER_SLOW_MS, NULL, &said, err);

	if (status <= 0)
		return status;
	docker_explain(d, "start", status, &said, err);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (strstr(str_c(&said), taken[i]))
			return 1;
	return -1;
}

int docker_published_at(const struct docker *d, const char *name, unsigned port, struct sockaddr_in *out,
                        struct err *err)
{
	const char *const args[] = { "inspect", "--type=container", name, NULL };
	own_mem char *wanted = xasprintf("%u/tcp", port);
	own_str struct str text = STR_INIT;

	if (must(d, args, DOCKER_MS, &text, err) != 0)
		return -1;
	return pool_read_published(str_c(&text), text.len, wanted, out, err);
}

int docker_attach(const struct docker *d, const char *name, int stream, struct proc *out, struct err *err)
{
	const char *const args[] = { "attach", "--sig-proxy=false", name, NULL };
	const struct proc_fd fds[] = { { stream, 0 }, { stream, 1 } };
	own_strv struct strv argv = STRV_INIT;

	docker_arguments(d, args, &argv);
	const struct proc_spec spec = { .path = d->program,
		                        .argv = argv.v,
		                        .fds = fds,
		                        .nfds = ARRAY_LEN(fds),
		                        .die_with_parent = true };
	return proc_spawn(&spec, out, err);
}

/* @list prints what there is of that name. 1: nothing; 0: it is there. */
static int is_gone(const struct docker *d, const char *const *list, struct err *err)
{
	own_str struct str names = STR_INIT;

	if (must(d, list, DOCKER_MS, &names, err) != 0)
		return -1;
	return str_c(&names)[strspn(str_c(&names), " \t\r\n")] == '\0';
}

static const struct thing {
	const char *remove[4], *list[4]; /* behind which the name stands, and its filter */
	const char *filter;
} things[] = {
	[DOCKER_CONTAINER] = { { "rm", "--force", "--volumes" }, { "ps", "--all", "--quiet" }, "^/" },
	[DOCKER_NETWORK] = { { "network", "rm" }, { "network", "ls", "--quiet" }, "^" },
};

/* What docker says of a removal that failed has many forms, and a thing that is there while its record
 * is gone is nobody's any more: only that no such name is listed is believed. --rm removes a container
 * that has ended by itself, and that may be going on. 1: nothing had to be removed. */
static int remove_it(const struct docker *d, enum docker_thing kind, const char *name, struct err *err)
{
	const struct timespec rest = { .tv_nsec = GOING_REST_NS };
	const struct thing *t = &things[kind];
	own_mem char *only = xasprintf("--filter=name=%s%s$", t->filter, name);
	own_strv struct strv args = STRV_INIT, list = STRV_INIT;
	own_str struct str said = STR_INIT;

	for (size_t i = 0; t->remove[i]; i++)
		strv_add(&args, t->remove[i]);
	strv_add(&args, name);
	for (size_t i = 0; t->list[i]; i++)
		strv_add(&list, t->list[i]);
	strv_add(&list, only);
	/* A removal by force is content where there is nothing, so that is asked first. */
	int none = is_gone(d, (const char *const *)list.v, err);
	if (none != 0)
		return none;
	int status = docker_run(d, (const char *const *)args.v, DOCKER_SLOW_MS, NULL, &said, err);
	if (status <= 0)
		return status;
	bool going = strstr(str_c(&said), "already in progress") || strstr(str_c(&said), "is not running");
	for (int n = 0;; n++) {
		int gone = is_gone(d, (const char *const *)list.v, err);
		if (gone != 0)
			return gone > 0 ? 0 : -1;
		if (!going || n == GOING_RESTS)
			return docker_explain(d, "rm", status, &said, err);
		nanosleep(&rest, NULL);
	}
}

int docker_remove(const struct docker *d, enum docker_thing kind, const char *name, struct err *err)
{
	return remove_it(d, kind, name, err) < 0 ? -1 : 0;
}

char *docker_asked_for(const char *name)
{
	return xasprintf("%s %lld", name, (long long)(clock_unix_ms() / 1000));
}

int docker_remove_asked_for(const struct docker *d, enum docker_thing kind, const char *asked,
                            struct err *err)
{
	own_mem char *name = xstrndup(asked, strcspn(asked, " "));
	unsigned long at;

	if (!str_number(asked + strcspn(asked, " ") + (strchr(asked, ' ') != NULL), 0, LONG_MAX, &at))
		return fail(err, ERR_INPUT, "\"%.80s\" does not say when docker was asked for it", asked);
	int there = remove_it(d, kind, name, err);
	if (there <= 0)
		return there;
	/* A clock that was put back is no reason to wait for ever. */
	int64_t left = (int64_t)at + DOCKER_MAY_COME_S - clock_unix_ms() / 1000;
	if (left <= 0 || left > DOCKER_MAY_COME_S)
		return 0;
	return fail(err, ERR_BUSY,
	            "docker was asked for %s and never answered, so it may still make it; run bottle cleanup "
	            "again in %lld minutes",
	            name, (long long)(left + 59) / 60);
}
