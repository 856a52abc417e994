#include "base/msg.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/banned.h"

int msg_pair(int out[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out) != 0)
		return fail_errno(err, "socketpair");
	for (int i = 0; i < 2; i++) {
		int size = 2 * MSG_MAX;
		setsockopt(out[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	}
	return 0;
}

static ssize_t send_once(int fd, const struct msghdr *hdr)
{
	ssize_t n;

	do
		n = sendmsg(fd, hdr, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

/* What is on its way counts for the user, whoever sent it, and is held against the sender's own soft
 * limit: any program of the user's that never takes what it is sent can use that up. For this one call
 * the limit is what it may be; a child that is started later has what we were given. */
static ssize_t send_above_limit(int fd, const struct msghdr *hdr)
{
	struct rlimit given, most;

	if (getrlimit(RLIMIT_NOFILE, &given) != 0 || given.rlim_cur >= given.rlim_max)
		return -1;
	most = (struct rlimit){ given.rlim_max, given.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &most) != 0)
		return -1;
	ssize_t n = send_once(fd, hdr);
	int saved = errno;
	setrlimit(RLIMIT_NOFILE, &given);
	errno = saved;
	return n;
}

int msg_send(int fd, const struct str *bytes, const int *fds, size_t nfds, struct err *err)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * MSG_FDS)];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { bytes->data, bytes->len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (bytes->len == 0 || nfds > MSG_FDS)
		bug("message of %zu bytes, %zu descriptors", bytes->len, nfds);
	if (bytes->len > MSG_MAX)
		return fail(err, ERR_INPUT, "a message of %zu bytes is over the limit of %d", bytes->len,
		            MSG_MAX);
	if (nfds) {
		hdr.msg_control = control.space;
		hdr.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	ssize_t n = send_once(fd, &hdr);
	if (n < 0 && errno == ETOOMANYREFS && (n = send_above_limit(fd, &hdr)) < 0 && errno == ETOOMANYREFS)
		return fail(err, ERR_SYSTEM,
		            "too many descriptors of this user's programs are on their way to be sent one "
		            "more; end the program that takes none, or raise the hard limit of open files");
	return n >= 0 ? 0 : fail_errno(err, "sending a message");
}

void msg_clear(struct msg *m)
{
	for (size_t i = 0; i < m->nfds; i++)
		fd_drop(&m->fds[i]);
	m->nfds = 0;
	str_clear(&m->bytes);
}

int msg_take_fd(struct msg *m, size_t i)
{
	return i < m->nfds ? fd_steal(&m->fds[i]) : -1;
}

static void take_fds(struct msghdr *hdr, struct msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (m->nfds < MSG_FDS)
				m->fds[m->nfds++] = fd;
			else
				fd_drop(&fd);
		}
	}
}

int msg_recv(int fd, struct msg *m, struct err *err)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * MSG_FDS)];
		struct cmsghdr align;
	} control;

	for (size_t i = 0; i < m->nfds; i++)
		fd_drop(&m->fds[i]);
	m->nfds = 0;
	str_reset(&m->bytes);
	str_reserve(&m->bytes, MSG_MAX);
	struct iovec iov = { m->bytes.data, MSG_MAX };
	struct msghdr hdr = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = control.space,
		              .msg_controllen = sizeof control.space };
	ssize_t n;
	bool reset = false;
	/* A side that closes before it has read everything resets the connection. That is told
	 * once, and first: what it still said waits behind it. */
	do {
		n = recvmsg(fd, &hdr, MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !reset && (reset = true))));
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0)
		return fail_errno(err, "receiving a message");
	take_fds(&hdr, m);
	if (hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		msg_clear(m);
		return fail(err, ERR_INPUT, "a message over the limit of %d bytes, %d descriptors", MSG_MAX,
		            MSG_FDS);
	}
	m->bytes.len = (size_t)n;
	m->bytes.data[n] = '\0';
	return n > 0;
}

int msg_peer(int fd, unsigned *uid, int *pid, struct err *err)
{
	struct ucred cred;
	socklen_t n = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0)
		return fail_errno(err, "asking who is at the other end");
	*uid = cred.uid;
	*pid = cred.pid;
	return 0;
}

void pack_u8(struct str *s, uint8_t v)
{
	str_addn(s, &v, sizeof v);
}

void pack_u32(struct str *s, uint32_t v)
{
	str_addn(s, &v, sizeof v);
}

void pack_u64(struct str *s, uint64_t v)
{
	str_addn(s, &v, sizeof v);
}

void pack_bytes(struct str *s, const void *bytes, size_t n)
{
	if (n > UINT32_MAX)
		bug("packing %zu bytes", n);
	pack_u32(s, (uint32_t)n);
	str_addn(s, bytes, n);
}

void pack_text(struct str *s, const char *text)
{
	pack_bytes(s, text ? text : "", text ? strlen(text) : 0);
}

void pack_strv(struct str *s, const struct strv *sv)
{
	pack_u32(s, (uint32_t)sv->n);
	for (size_t i = 0; i < sv->n; i++)
		pack_text(s, sv->v[i]);
}

struct unpack unpack_of(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	return (struct unpack){ .p = p, .end = p ? p + n : p };
}

static void unpack_raw(struct unpack *u, void *out, size_t n)
{
	if (u->bad || (size_t)(u->end - u->p) < n) {
		u->bad = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, u->p, n);
	u->p += n;
}

uint8_t unpack_u8(struct unpack *u)
{
	uint8_t v;

	unpack_raw(u, &v, sizeof v);
	return v;
}

uint32_t unpack_u32(struct unpack *u)
{
	uint32_t v;

	unpack_raw(u, &v, sizeof v);
	return v;
}

uint64_t unpack_u64(struct unpack *u)
{
	uint64_t v;

	unpack_raw(u, &v, sizeof v);
	return v;
}

const void *unpack_bytes(struct unpack *u, size_t *n)
{
	size_t len = unpack_u32(u);

	*n = 0;
	if (u->bad || (size_t)(u->end - u->p) < len) {
		u->bad = true;
		return "";
	}
	const void *at = u->p;
	u->p += len;
	*n = len;
	return at;
}

char *unpack_text(struct unpack *u, size_t max)
{
	size_t n;
	const char *at = unpack_bytes(u, &n);

	if (u->bad || n > max || memchr(at, '\0', n)) {
		u->bad = true;
		return NULL;
	}
	return xstrndup(at, n);
}

void unpack_strv(struct unpack *u, size_t max_count, size_t max, struct strv *out)
{
	size_t count = unpack_u32(u);

	if (count > max_count)
		u->bad = true;
	for (size_t i = 0; i < count && !u->bad; i++) {
		char *text = unpack_text(u, max);
		if (text)
			strv_take(out, text);
	}
}

bool unpack_ok(const struct unpack *u)
{
	return !u->bad && u->p == u->end;
}
