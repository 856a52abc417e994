#include "launch/targets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"
#include "base/random.h"
#include "base/str.h"
#include "base/banned.h"

enum { CONTROL_MS = 1000 };
#define PATH_NAME "proof.sock"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static void serve(void *arg, uint32_t events)
{
	struct target *t = arg;

	(void)events;
	if (t->datagram) {
		union address from;
		socklen_t n = sizeof from;
		char byte;
		if (recvfrom(t->fd, &byte, 1, MSG_DONTWAIT, &from.any, &n) >= 0)
			sendto(t->fd, t->nonce, sizeof t->nonce, MSG_DONTWAIT | MSG_NOSIGNAL, &from.any, n);
		return;
	}
	own_fd int peer = accept4(t->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (peer >= 0)
		send(peer, t->nonce, sizeof t->nonce, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Dials it as any process of this host can. */
static int dial(struct target *t, const union address *to, socklen_t n, const char *name, struct err *err)
{
	own_fd int fd = socket(to->any.sa_family, (t->datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	unsigned char answer[PROBE_NONCE];

	if (fd < 0 || connect(fd, &to->any, n) != 0 || (t->datagram && send(fd, "?", 1, MSG_NOSIGNAL) != 1))
		return fail_errno(err, "the proof's target \"%s\" can't be dialled from outside", name);
	struct pollfd come = { t->fd, POLLIN, 0 }, answered = { fd, POLLIN, 0 };
	if (poll(&come, 1, CONTROL_MS) == 1)
		serve(t, 0);
	if (poll(&answered, 1, CONTROL_MS) != 1 ||
	    recv(fd, answer, sizeof answer, 0) != (ssize_t)sizeof answer ||
	    memcmp(answer, t->nonce, sizeof answer) != 0)
		return fail(err, ERR_UNCONFINED, "the proof's target \"%s\" does not answer from outside",
		            name);
	return 0;
}

static int open_target(struct targets *all, union address *at, socklen_t *n, bool datagram,
                       struct target **out, struct err *err)
{
	struct target *t = &all->v[all->n++];

	*t = (struct target){ .fd = -1, .datagram = datagram, .watch = WATCH_INIT };
	random_bytes(t->nonce, sizeof t->nonce);
	t->fd = socket(at->any.sa_family,
	               (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd < 0 || bind(t->fd, &at->any, *n) != 0 || (!datagram && listen(t->fd, 16) != 0))
		return fail_errno(err, "opening a target of the proof");
	if (at->any.sa_family != AF_UNIX && getsockname(t->fd, &at->any, n) != 0)
		return fail_errno(err, "asking for a target's port");
	*out = t;
	return 0;
}

static int add_target(struct targets *all, struct proof *p, union address at, socklen_t n,
                      struct proof_check row, struct err *err)
{
	struct target *t;

	if (open_target(all, &at, &n, row.family == PROBE_UDP, &t, err) != 0 ||
	    dial(t, &at, n, row.name, err) != 0)
		return -1;
	struct proof_check *c = proof_add(p, PROOF_UNREACHED, row.family, row.name);
	memcpy(c->address, row.address, sizeof c->address);
	memcpy(c->nonce, t->nonce, sizeof c->nonce);
	c->port = at.any.sa_family == AF_INET  ? ntohs(at.v4.sin_port) :
	          at.any.sa_family == AF_INET6 ? ntohs(at.v6.sin6_port) :
	                                         0;
	c->request = "?";
	return loop_watch(all->loop, &t->watch, t->fd, EPOLLIN, serve, t, err);
}

static struct proof_check row_of(enum probe_family family, const char *name, const char *address)
{
	struct proof_check row = { .family = family };

	snprintf(row.name, sizeof row.name, "%s", name);
	snprintf(row.address, sizeof row.address, "%s", address);
	return row;
}

static void skip(struct proof *p, enum probe_family family, const char *name, const char *why)
{
	proof_add(p, PROOF_UNREACHED, family, name)->skipped = why;
}

static int add_v4(struct targets *all, struct proof *p, enum probe_family family, const char *name,
                  const char *address, struct err *err)
{
	union address at = { .v4 = { .sin_family = AF_INET } };

	inet_pton(AF_INET, address, &at.v4.sin_addr);
	return add_target(all, p, at, sizeof at.v4, row_of(family, name, address), err);
}

/* The first address that is on a wire. */
static bool interface_address(char out[INET_ADDRSTRLEN])
{
	struct ifaddrs *list = NULL;
	bool found = false;

	if (getifaddrs(&list) != 0)
		return false;
	for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		const void *raw = i->ifa_addr;
		const struct sockaddr_in *in = raw;
		if (!raw || i->ifa_addr->sa_family != AF_INET || (i->ifa_flags & IFF_LOOPBACK) ||
		    !(i->ifa_flags & IFF_UP))
			continue;
		found = inet_ntop(AF_INET, &in->sin_addr, out, INET_ADDRSTRLEN);
	}
	freeifaddrs(list);
	return found;
}

static int add_interface(struct targets *all, struct proof *p, struct err *err)
{
	char address[INET_ADDRSTRLEN];

	if (!interface_address(address)) {
		skip(p, PROBE_TCP, "the host's network address", "the host has no interface with an address");
		return 0;
	}
	return add_v4(all, p, PROBE_TCP, "the host's network address", address, err);
}

static int add_v6(struct targets *all, struct proof *p, struct err *err)
{
	union address at = { .v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT } };
	own_fd int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, &at.any, sizeof at.v6) != 0) {
		skip(p, PROBE_TCP, "the host's ::1", "the host has no IPv6");
		return 0;
	}
	return add_target(all, p, at, sizeof at.v6, row_of(PROBE_TCP, "the host's ::1", "::1"), err);
}

static int add_abstract(struct targets *all, struct proof *p, struct err *err)
{
	union address at = { .local = { .sun_family = AF_UNIX } };
	char suffix[17], name[40];

	random_name(suffix, sizeof suffix - 1);
	snprintf(name, sizeof name, "bot-bottle-proof-%s", suffix);
	memcpy(at.local.sun_path + 1, name, strlen(name));
	socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	return add_target(all, p, at, n, row_of(PROBE_UNIX_ABSTRACT, "an abstract socket of the host", name),
	                  err);
}

/* Bound and dialled through the held directory; the guest is told the path itself. */
static int add_path(struct targets *all, struct proof *p, struct err *err)
{
	union address at = { .local = { .sun_family = AF_UNIX } };
	char link[64], dir[PATH_MAX];

	snprintf(link, sizeof link, "/proc/self/fd/%d", all->dir);
	ssize_t n = readlink(link, dir, sizeof dir - 1);
	if (n <= 0)
		return fail_errno(err, "finding the path of the bottle's directory");
	dir[n] = '\0';
	own_mem char *path = xasprintf("%s/" PATH_NAME, dir);
	if (strlen(path) >= sizeof at.local.sun_path) {
		skip(p, PROBE_UNIX_PATH, "a socket file of the host", "its path is too long to be dialled");
		return 0;
	}
	unlinkat(all->dir, PATH_NAME, 0);
	snprintf(at.local.sun_path, sizeof at.local.sun_path, "%s/" PATH_NAME, link);
	return add_target(all, p, at, sizeof at.local,
	                  row_of(PROBE_UNIX_PATH, "a socket file of the host", path), err);
}

int targets_open(struct targets *t, struct loop *loop, int dir, struct proof *p, struct err *err)
{
	t->loop = loop;
	t->dir = dir;
	if (add_v4(t, p, PROBE_TCP, "the host's 127.0.0.1", "127.0.0.1", err) != 0 ||
	    add_v4(t, p, PROBE_UDP, "the host's 127.0.0.1, udp", "127.0.0.1", err) != 0 ||
	    add_v4(t, p, PROBE_TCP, "the host's 127.0.0.77", "127.0.0.77", err) != 0)
		return -1;
	if (add_interface(t, p, err) != 0 || add_v6(t, p, err) != 0)
		return -1;
	return add_abstract(t, p, err) == 0 ? add_path(t, p, err) : -1;
}

void targets_close(struct targets *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->loop)
			loop_unwatch(t->loop, &t->v[i].watch);
		fd_drop(&t->v[i].fd);
	}
	if (t->n > 0)
		unlinkat(t->dir, PATH_NAME, 0);
	t->n = 0;
}
