/* Sockets of every family, and whom they reach. */
#include "attempts.h"

#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static long family(int domain, int type, int protocol)
{
	return socket(domain, type, protocol);
}
static long no_packet(void)
{
	return family(AF_PACKET, SOCK_RAW, 0);
}
static long no_vsock(void)
{
	return family(AF_VSOCK, SOCK_STREAM, 0);
}
static long no_alg(void)
{
	return family(AF_ALG, SOCK_SEQPACKET, 0);
}
static long no_raw(void)
{
	return family(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static long no_mptcp(void)
{
	return family(AF_INET, SOCK_STREAM, 262);
}
static long no_uevent(void)
{
	return family(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
}
static long no_netfilter(void)
{
	return family(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
}
/* An int's upper half must not make another family of it: the kernel would ignore it. */
static long no_wide_packet(void)
{
	return syscall(SYS_socket, 0x100000000UL | AF_PACKET, SOCK_RAW, 0);
}
static long no_wide_unix(void)
{
	return syscall(SYS_socket, 0x100000000UL | AF_UNIX, SOCK_STREAM, 0);
}
static long no_dccp(void)
{
	return family(AF_INET, SOCK_DCCP, 0);
}
static long no_seqpacket(void)
{
	return family(AF_INET6, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}
/* The kernel makes AF_PACKET of it. */
static long no_old_packet(void)
{
	return family(AF_INET, SOCK_PACKET, 0);
}
static long no_wide_raw(void)
{
	return syscall(SYS_socket, AF_INET, 0x100000000UL | SOCK_RAW, IPPROTO_ICMP);
}
static long yes_unix_seqpacket(void)
{
	return family(AF_UNIX, SOCK_SEQPACKET, 0);
}
static long yes_udp(void)
{
	return family(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
static long yes_route(void)
{
	return family(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}
static long yes_tcp(void)
{
	return family(AF_INET6, SOCK_STREAM, 0);
}

const struct attempt attempts_network[] = {
	{ "packet", no_packet },
	{ "vsock", no_vsock },
	{ "alg", no_alg },
	{ "raw", no_raw },
	{ "mptcp", no_mptcp },
	{ "netlink-uevent", no_uevent },
	{ "netlink-netfilter", no_netfilter },
	{ "wide-packet", no_wide_packet },
	{ "wide-unix", no_wide_unix },
	{ "dccp", no_dccp },
	{ "seqpacket", no_seqpacket },
	{ "old-packet", no_old_packet },
	{ "wide-raw", no_wide_raw },
	{ "unix-seqpacket", yes_unix_seqpacket },
	{ "udp", yes_udp },
	{ "netlink-route", yes_route },
	{ "tcp6", yes_tcp },
	{ 0 },
};

long dial_unix(const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(to.sun_path, name, n < sizeof to.sun_path ? n : sizeof to.sun_path - 1);
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	return connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

long dial_tcp(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)strtol(port, NULL, 10)),
		                  .sin_addr = { htonl(INADDR_LOOPBACK) } };

	return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to);
}
