/* What a guest may try by itself, one line of standard input each; the answer is that line and
 * what came of it: "reached" (the other side answered), "silent", "ok" or the errno's name.
 *
 *   tcp ADDRESS PORT | udp ADDRESS PORT | unix PATH-OR-@NAME | socket FAMILY TYPE PROTOCOL
 *   address ADDRESS (adds it to lo) | ldisc NUMBER | xattr FILE NAME
 *   read PATH | write PATH | descriptors | kinds | listen PORT (until it is killed)
 *
 * Static: it needs nothing of what it runs in. The same program outside is the control. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { WAIT_MS = 1500 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static const char *outcome(long rc)
{
	return rc >= 0 ? "ok" : strerrorname_np(errno);
}

static socklen_t parse(const char *text, const char *port, union address *out)
{
	*out = (union address){ 0 };
	uint16_t n = htons((uint16_t)strtol(port, NULL, 10));
	if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = n;
		return sizeof out->v4;
	}
	if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = n;
		/* Link-local without an interface goes nowhere by itself: lo is the one there is. */
		out->v6.sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&out->v6.sin6_addr) ? 1 : 0;
		return sizeof out->v6;
	}
	return 0;
}

/* Whatever comes back counts: the listeners of the test answer everybody. */
static const char *ask(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char answer[64];

	if (send(fd, "attempt\n", 8, MSG_NOSIGNAL) < 0)
		return strerrorname_np(errno);
	if (poll(&p, 1, WAIT_MS) != 1)
		return "silent";
	ssize_t n = recv(fd, answer, sizeof answer, 0);
	return n > 0 ? "reached" : n == 0 ? "silent" : strerrorname_np(errno);
}

static const char *dial(int type, const union address *to, socklen_t n)
{
	int fd = n ? socket(to->any.sa_family, type | SOCK_NONBLOCK, 0) : -1, error = 0;
	struct pollfd p = { fd, POLLOUT, 0 };
	socklen_t size = sizeof error;

	if (fd < 0)
		return n ? strerrorname_np(errno) : "EINVAL";
	if (connect(fd, &to->any, n) != 0 && errno != EINPROGRESS) {
		error = errno;
	} else if (poll(&p, 1, WAIT_MS) != 1) {
		close(fd);
		return "silent";
	} else {
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	}
	const char *result = error ? strerrorname_np(error) : ask(fd);
	close(fd);
	return result;
}

static const char *dial_unix(const char *name)
{
	union address to = { .local = { .sun_family = AF_UNIX } };
	size_t n = strlen(name);

	if (n >= sizeof to.local.sun_path)
		return "ENAMETOOLONG";
	memcpy(to.local.sun_path, name, n);
	if (name[0] == '@')
		to.local.sun_path[0] = '\0';
	return dial(SOCK_STREAM, &to,
	            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (name[0] != '@')));
}

static const char *add_address(const char *text)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg address;
		struct rtattr attribute;
		struct in_addr value;
	} ask = { { sizeof ask, RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 1, 0 },
		  { AF_INET, 32, 0, RT_SCOPE_UNIVERSE, 1 },
		  { RTA_LENGTH(4), IFA_LOCAL },
		  { 0 } };
	char answer[4096];
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	inet_pton(AF_INET, text, &ask.value);
	if (fd < 0 || send(fd, &ask, sizeof ask, 0) < 0 ||
	    recv(fd, answer, sizeof answer, 0) < (ssize_t)sizeof ask.head)
		return strerrorname_np(errno);
	close(fd);
	const struct nlmsgerr *e = NLMSG_DATA((struct nlmsghdr *)answer);
	errno = -e->error;
	return outcome(e->error);
}

static const char *line_discipline(int which)
{
	int no = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	ioctl(master, TIOCSPTLCK, &no);
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	const char *result = outcome(ioctl(slave, TIOCSETD, &which));
	close(slave);
	close(master);
	return result;
}

static const char *open_path(const char *path, int flags)
{
	char byte;
	int fd = open(path, flags, 0600);
	long rc = fd < 0 || (flags & O_ACCMODE) != O_RDONLY ? fd : read(fd, &byte, 1);
	const char *result = outcome(rc);

	close(fd);
	return result;
}

static const char *listen_on(const char *port)
{
	union address at;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t n = parse("0.0.0.0", port, &at);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, &at.any, n) != 0 || listen(fd, 16) != 0)
		return strerrorname_np(errno);
	printf("listen %s ok\n", port);
	fflush(stdout);
	for (int peer; (peer = accept(fd, NULL, NULL)) >= 0; close(peer))
		if (send(peer, "inside\n", 7, MSG_NOSIGNAL) < 0)
			continue;
	return strerrorname_np(errno);
}

static void descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");

	printf("descriptors");
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && strtol(e->d_name, NULL, 10) != dirfd(d))
			printf(" %s", e->d_name);
	printf("\n");
}

/* A socket would carry descriptors (SCM_RIGHTS), in or out; a pipe does not. */
static void kinds(void)
{
	printf("kinds");
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		int rc = fstat(fd, &st);
		printf(" %s", rc                   ? "closed" :
		              S_ISFIFO(st.st_mode) ? "pipe" :
		              S_ISSOCK(st.st_mode) ? "socket" :
		                                     "other");
	}
	printf("\n");
}

static const char *attempt(const char *what, const char *a, const char *b, const char *c)
{
	union address to;

	if (strcmp(what, "tcp") == 0)
		return dial(SOCK_STREAM, &to, parse(a, b, &to));
	if (strcmp(what, "udp") == 0)
		return dial(SOCK_DGRAM, &to, parse(a, b, &to));
	if (strcmp(what, "unix") == 0)
		return dial_unix(a);
	if (strcmp(what, "socket") == 0) {
		int fd = socket((int)strtol(a, NULL, 10), (int)strtol(b, NULL, 10), (int)strtol(c, NULL, 10));
		const char *result = outcome(fd);
		close(fd);
		return result;
	}
	if (strcmp(what, "address") == 0)
		return add_address(a);
	if (strcmp(what, "ldisc") == 0)
		return line_discipline((int)strtol(a, NULL, 10));
	if (strcmp(what, "xattr") == 0)
		return outcome(setxattr(a, b, "/etc", 4, 0));
	if (strcmp(what, "read") == 0)
		return open_path(a, O_RDONLY);
	if (strcmp(what, "write") == 0)
		return open_path(a, O_WRONLY | O_CREAT);
	if (strcmp(what, "listen") == 0)
		return listen_on(a);
	return "unknown";
}

int main(void)
{
	char line[512];

	while (fgets(line, sizeof line, stdin)) {
		char word[4][200] = { "", "", "", "" };
		line[strcspn(line, "\n")] = '\0';
		sscanf(line, "%199s %199s %199s %199s", word[0], word[1], word[2], word[3]);
		if (strcmp(word[0], "descriptors") == 0)
			descriptors();
		else if (strcmp(word[0], "kinds") == 0)
			kinds();
		else
			printf("%s %s\n", line, attempt(word[0], word[1], word[2], word[3]));
		fflush(stdout);
	}
	return 0;
}
