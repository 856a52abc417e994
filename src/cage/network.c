/* The network of a cage: `lo`, and sockets that listen on it for somebody outside. */
#include "cage/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/banned.h"

/* 127.0.0.0/8 and ::1 come with it. */
int network_loopback_up(struct err *err)
{
	struct ifreq request = { .ifr_name = "lo" };
	own_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno(err, "a socket for lo");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : fail_errno(err, "bringing lo up");
}

/* Privileged ports too: the network namespace is ours while we have its capabilities. */
int network_listen(const struct cage_listener *l, struct err *err)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(l->port),
		                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int on = 1;
	own_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
		return fail_errno(err, "a listening socket");
	if (bind(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
	    listen(fd, l->backlog > 0 ? l->backlog : 128) != 0)
		return fail_errno(err, "listening on port %u", l->port);
	return fd_steal(&fd);
}
