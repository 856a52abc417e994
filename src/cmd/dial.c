#include "cmd/dial.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "cmd/bottles.h"
#include "registry/paths.h"
#include "base/banned.h"

enum {
	DEATH_MS = 1000, /* from a keeper's hanging up to its end, on a busy host */
	LOOK_MS = 50,
};

int keeper_unreached(struct command *c, const char *slug, struct err *err)
{
	own_bottle struct bottle first = BOTTLE_INIT, b = BOTTLE_INIT;

	/* Twice: between reading a record and looking for its keeper, that may have written its
	 * last word and ended. */
	if (bottle_open(c, slug, &first, err) != 0)
		return -1;
	enum record_state state = record_shown_state(&first.record);
	if (state == RECORD_DEAD) {
		if (bottle_open(c, slug, &b, err) != 0)
			return -1;
		state = b.record.state == RECORD_STOPPED ? RECORD_STOPPED : RECORD_DEAD;
	}
	switch (state) {
	case RECORD_STOPPED:
		return fail(err, ERR_MISSING, "bottle %s is not running; `bottle resume %s` starts it again",
		            slug, slug);
	case RECORD_DEAD:
		return fail(err, ERR_MISSING,
		            "bottle %s is dead: its keeper is gone; `bottle cleanup %s` frees what it left",
		            slug, slug);
	case RECORD_STARTING:
		return fail(err, ERR_BUSY, "bottle %s is starting; try again when bottle ls says running",
		            slug);
	case RECORD_RUNNING:
	case RECORD_STOPPING:
		break;
	}
	const struct paths *paths = command_paths(c, err);
	if (!paths)
		return -1;
	return fail(
		err, ERR_BUSY,
		"bottle %s is %s, and its keeper can't be reached at %.200s/%s.sock; `bottle stop %s` ends it",
		slug, record_state_name(state), first.record.runtime ? first.record.runtime : paths->runtime,
		slug, slug);
}

/* Nothing of it runs any more, or its keeper has written its last word and goes. */
static bool has_ended(struct command *c, const char *slug)
{
	own_bottle struct bottle b = BOTTLE_INIT;
	struct err ignored = ERR_INIT;

	if (bottle_open(c, slug, &b, &ignored) != 0)
		return true;
	enum record_state state = record_shown_state(&b.record);
	return state == RECORD_STOPPED || state == RECORD_DEAD;
}

bool keeper_is_gone(struct command *c, const char *slug, struct err *err)
{
	own_bottle struct bottle b = BOTTLE_INIT;
	struct proc keeper = PROC_INIT;
	struct err why = ERR_INIT;
	const uint64_t deadline = clock_ms() + DEATH_MS;

	if (bottle_open(c, slug, &b, &why) == 0)
		proc_find(b.record.keeper_pid, b.record.keeper_start, &keeper);
	own_fd int pidfd = keeper.pidfd;
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	while (!has_ended(c, slug)) {
		if (clock_ms() >= deadline)
			return false;
		if (poll(&end, 1, LOOK_MS) > 0)
			break;
	}
	keeper_unreached(c, slug, err);
	return true;
}

int keeper_hung_up(struct command *c, const char *slug, struct err *err)
{
	return keeper_is_gone(c, slug, err) ? -1 : fail(err, ERR_BUSY, "bottle %s is ending", slug);
}

int keeper_ask(struct command *c, const char *slug, int fd, const struct keeper_message *m, struct err *err)
{
	if (keeper_say(fd, m, NULL, 0, err) == 0)
		return 0;
	return err->sys == EPIPE || err->sys == ECONNRESET ? keeper_hung_up(c, slug, err) : -1;
}

/* Nobody is at its socket: before it is made, and from the moment on in which a bottle begins to end. */
static int nobody_there(struct command *c, const char *slug, struct err *err)
{
	own_bottle struct bottle b = BOTTLE_INIT;
	struct err ignored = ERR_INIT;
	bool starts = bottle_open(c, slug, &b, &ignored) == 0 && b.record.state == RECORD_STARTING;

	return !starts && keeper_is_gone(c, slug, err) ? -1 : keeper_unreached(c, slug, err);
}

static int dial(struct command *c, const char *slug, const struct record *r, bool *nobody, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	own_fd int runtime = bottle_runtime(c, r, err);
	own_fd int fd = runtime < 0 ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (runtime < 0) {
		*nobody = err->sys == ENOENT;
		return -1;
	}
	if (fd < 0)
		return fail_errno(err, "make a socket");
	/* Through the held directory: a path of any length would not fit in an address. */
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s.sock", runtime, slug);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		*nobody = errno == ENOENT || errno == ECONNREFUSED;
		return fail_errno(err, "reach the keeper of %s", slug);
	}
	return fd_steal(&fd);
}

int keeper_dial_once(struct command *c, const char *slug, bool *nobody, struct err *err)
{
	int bottles = command_bottles(c, err);
	own_fd int dir = bottles < 0 ? -1 : registry_open(bottles, slug, err);
	own_record struct record r = RECORD_INIT;
	struct err ignored = ERR_INIT;
	unsigned uid = 0;
	int pid = 0;

	*nobody = false;
	/* A keeper whose record can't be read is there all the same. */
	if (dir >= 0)
		registry_load(dir, &r, &ignored);
	own_fd int fd = dir < 0 ? -1 : dial(c, slug, &r, nobody, err);
	if (fd < 0 || msg_peer(fd, &uid, &pid, err) != 0)
		return -1;
	if (uid != geteuid())
		return fail(err, ERR_DENIED, "the socket of %s is held by user %u", slug, uid);
	return fd_steal(&fd);
}

int keeper_dial(struct command *c, const char *slug, struct err *err)
{
	bool nobody;
	int fd = keeper_dial_once(c, slug, &nobody, err);

	return nobody ? nobody_there(c, slug, err) : fd;
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
