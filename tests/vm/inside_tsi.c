/* The one program of a libkrun machine: dials what a listener of the outer host stands behind, by
 * ordinary sockets (which TSI takes over) and by TSI's own protocol, and then listens. A line per
 * attempt: its name, and REACHED or what it got instead. Ends when its machine is ended. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <linux/vm_sockets.h>
#include <unistd.h>

enum { PATIENCE_MS = 4000, TRIES = 10 };

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

/* @to: an address, a path, or "@" and an abstract name. */
static struct address address_of(const char *to, int port)
{
	struct address a = { .len = sizeof a.in };
	size_t n = strlen(to);

	if (*to == '/' || *to == '@') {
		a.un.sun_family = AF_UNIX;
		memcpy(a.un.sun_path, to, n + 1);
		if (*to == '@')
			a.un.sun_path[0] = '\0';
		a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*to == '/'));
	} else if (strchr(to, ':')) {
		a.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
		inet_pton(AF_INET6, to, &a.in6.sin6_addr);
		a.len = sizeof a.in6;
	} else {
		a.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
		inet_pton(AF_INET, to, &a.in.sin_addr);
	}
	return a;
}

static const char *in_words(int rc)
{
	return rc == 0 ? "REACHED" : strerrorname_np(rc);
}

/* Whoever gets a datagram answers at once. */
static int hears(int fd)
{
	struct pollfd from = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&from, 1, PATIENCE_MS) != 1)
		return ETIMEDOUT;
	ssize_t n = recv(fd, &byte, 1, 0);
	return n > 0 ? 0 : n == 0 ? ECONNRESET : errno;
}

/* To be connected is enough: who listens there notes the visit. */
static int dial(const char *to, int port)
{
	const struct address a = address_of(to, port);
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int fd = socket(a.any.sa_family, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	int rc = fd < 0 || connect(fd, &a.any, a.len) != 0 ? errno : 0;
	close(fd);
	return rc;
}

static int send_to(const char *to, int port)
{
	const struct address a = address_of(to, port);
	int fd = socket(a.any.sa_family, SOCK_DGRAM, 0);
	int rc = fd < 0 || sendto(fd, "x", 1, 0, &a.any, a.len) != 1 ? errno : hears(fd);

	close(fd);
	return rc;
}

/* ---- TSI without the guest kernel's help: two datagrams to the VMM ---- */

enum { TSI_CREATE = 1024, TSI_CONNECT = 1025, OUR_PORT = 5555 };

struct create {
	uint32_t port;
	uint16_t family, type;
};

struct connect {
	uint32_t port, len;
	struct sockaddr_storage to;
};

static int tell(int fd, unsigned port, const void *what, size_t n)
{
	const struct sockaddr_vm vmm = { .svm_family = AF_VSOCK,
		                         .svm_cid = VMADDR_CID_HOST,
		                         .svm_port = port };

	return sendto(fd, what, n, 0, (const struct sockaddr *)&vmm, sizeof vmm) == (ssize_t)n ? 0 : errno;
}

static int raw(const char *to, int port)
{
	static uint32_t next = OUR_PORT;
	const struct address a = address_of(to, port);
	const struct sockaddr_vm ours = { .svm_family = AF_VSOCK,
		                          .svm_cid = VMADDR_CID_ANY,
		                          .svm_port = ++next };
	const struct create create = { next, a.any.sa_family, SOCK_STREAM };
	struct connect connect = { .port = next, .len = a.len };
	int fd = socket(AF_VSOCK, SOCK_DGRAM, 0);
	struct pollfd from = { .fd = fd, .events = POLLIN };
	int32_t answer = 0;

	memcpy(&connect.to, &a, a.len);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&ours, sizeof ours) != 0)
		return errno;
	int rc = tell(fd, TSI_CREATE, &create, sizeof create);
	if (rc == 0)
		rc = tell(fd, TSI_CONNECT, &connect, sizeof connect);
	if (rc == 0)
		rc = poll(&from, 1, PATIENCE_MS) != 1        ? ETIMEDOUT :
		     recv(fd, &answer, sizeof answer, 0) < 4 ? EIO :
		                                               -answer;
	close(fd);
	return rc;
}

static const struct attempt {
	const char *name;
	int (*how)(const char *to, int port);
	const char *to;
	int port;
} attempts[] = {
	{ "tcp", dial, "127.0.0.1", 8080 },
	{ "tcp-17", dial, "127.0.0.17", 9000 },
	{ "tcp6", dial, "::1", 8080 },
	{ "udp", send_to, "127.0.0.1", 8053 },
	{ "no-route", dial, "192.0.2.1", 80 },
	{ "unix-path", dial, "/tmp/host.sock", 0 },
	{ "unix-abstract", dial, "@hostabs", 0 },
	{ "raw-tcp", raw, "127.0.0.1", 8080 },
	{ "raw-unix", raw, "/tmp/host.sock", 0 },
	{ "gateway", dial, "127.0.0.1", 9099 },
	{ "raw-gateway", raw, "127.0.0.1", 9099 },
};

/* libkrun can pass on what the other side says before connect() is over in here, which then ends
 * with EPROTO. That is neither a way nor a wall: it is tried again. */
static int try(const struct attempt *a)
{
	int rc = EPROTO;

	for (int n = 0; n < TRIES && rc == EPROTO; n++)
		rc = a->how(a->to, a->port);
	return rc;
}

int main(void)
{
	const struct address any = address_of("0.0.0.0", 7777);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		printf("%s %s\n", attempts[i].name, in_words(try(&attempts[i])));
	}
	if (fd < 0 || bind(fd, &any.any, any.len) != 0 || listen(fd, 8) != 0)
		printf("listens %s\n", in_words(errno));
	else
		printf("listens\n");
	for (;;) {
		int peer = accept(fd, NULL, NULL);
		if (peer < 0)
			break;
		(void)!write(peer, "guest\n", 6);
		close(peer);
	}
	for (;;)
		pause();
}
