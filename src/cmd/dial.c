#include "cmd/dial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "registry/names.h"
#include "base/banned.h"

int keeper_dial(struct command *c, const char *slug, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	unsigned uid = 0;
	int pid = 0, runtime;

	if (!slug_is_valid(slug))
		return fail(err, ERR_USAGE, "\"%.60s\" is not a bottle's slug; see bottle ls", slug);
	runtime = command_runtime(c, err);
	if (runtime < 0)
		return -1;
	own_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_errno(err, "make a socket");
	/* Through the held directory: a path of any length would not fit in an address. */
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s.sock", runtime, slug);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return fail(err, ERR_MISSING, "bottle %s does not run; see bottle ls", slug);
		return fail_errno(err, "reach the keeper of %s", slug);
	}
	if (msg_peer(fd, &uid, &pid, err) != 0)
		return -1;
	if (uid != geteuid())
		return fail(err, ERR_DENIED, "the socket of %s is held by user %u", slug, uid);
	return fd_steal(&fd);
}

int keeper_await(int fd, enum keeper_say wanted, struct msg *raw, struct keeper_message *out, struct err *err)
{
	for (;;) {
		int rc = keeper_hear(fd, raw, out, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return fail(err, ERR_MISSING, "the bottle's keeper is gone");
		if (out->say == wanted)
			return 0;
		if (out->say == KEEPER_FAILED) {
			*err = out->why;
			return -1;
		}
		if (out->say == KEEPER_ENDED)
			return fail(err, ERR_MISSING, "the bottle has ended");
	}
}
