/* Which id of the host stands behind the cage's user. For root's launches it is one that owns
 * no file, runs no process and has no name, so that what gets out of a cage is nobody. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/random.h"
#include "base/str.h"
#include "base/banned.h"

enum {
	FALLBACK_FIRST = 0x70000000, /* above what distributions, systemd and container engines give out */
	FALLBACK_COUNT = 0x10000,
	FILE_MAX_BYTES = 1024 * 1024,
	TRIES = 64,
};

struct range {
	unsigned long first, count;
};

/* "root:START:COUNT" or "0:START:COUNT", the first that is sound. */
static bool read_range(const char *path, struct range *out)
{
	own_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;

	if (file_read(AT_FDCWD, path, FILE_MAX_BYTES, &text, &ignored) != 0)
		return false;
	char *rest = text.data;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		char *name = strsep(&line, ":"), *first = strsep(&line, ":"), *count = line;
		if (!count || (!str_is(name, "root") && !str_is(name, "0")))
			continue;
		if (str_number(first, 65536, UINT32_MAX - 1, &out->first) &&
		    str_number(count, 1, UINT32_MAX - out->first, &out->count))
			return true;
	}
	return false;
}

/* Straight from the file: what a name service would answer is not worth its code here. */
static bool has_name(uid_t uid)
{
	own_file FILE *f = fopen("/etc/passwd", "re");

	for (struct passwd *p; f && (p = fgetpwent(f));)
		if (p->pw_uid == uid)
			return true;
	return false;
}

/* One question to the kernel, which keeps its users in a table: a walk through /proc costs more
 * with every process of the host, and what hides itself there looks like root's. */
static bool runs_something(uid_t uid)
{
	errno = 0;
	return getpriority(PRIO_USER, uid) != -1 || errno != ESRCH;
}

/* An abstract socket's name: the kernel gives it to one process and takes it back by itself. */
static int lock_id(uid_t uid, struct err *err)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	own_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno(err, "a socket");
	int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "cage-id-%u", (unsigned)uid);
	if (bind(fd, (struct sockaddr *)&name,
	         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) != 0)
		return fail_errno(err, "id %u", (unsigned)uid);
	return fd_steal(&fd);
}

static int choose_unused(struct cage_ids *out, struct err *err)
{
	struct range users = { FALLBACK_FIRST, FALLBACK_COUNT }, groups = users;

	/* One without the other is a half-written configuration: the numbers would not match. */
	if (!read_range("/etc/subuid", &users) || !read_range("/etc/subgid", &groups))
		users = groups = (struct range){ FALLBACK_FIRST, FALLBACK_COUNT };
	unsigned long count = users.count < groups.count ? users.count : groups.count;
	for (int i = 0; i < TRIES; i++) {
		uint32_t chance;
		random_bytes(&chance, sizeof chance);
		unsigned long at = chance % count;
		uid_t uid = (uid_t)(users.first + at);
		if (has_name(uid) || runs_something(uid))
			continue;
		int lock = lock_id(uid, err);
		if (lock < 0)
			continue;
		*out = (struct cage_ids){ uid, (gid_t)(groups.first + at), true, lock };
		return 0;
	}
	return fail(err, ERR_BUSY,
	            "no unused id among %lu from %lu; give root a larger range in /etc/subuid "
	            "and /etc/subgid",
	            count, users.first);
}

int cage_ids_choose(struct cage_ids *out, struct err *err)
{
	if (geteuid() == 0)
		return choose_unused(out, err);
	*out = (struct cage_ids){ geteuid(), getegid(), false, -1 };
	return 0;
}

void cage_ids_clear(struct cage_ids *ids)
{
	fd_drop(&ids->lock);
}
