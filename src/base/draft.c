#include "base/draft.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/random.h"
#include "base/banned.h"

enum { SELF = sizeof "/proc/self/fd/" + 12 };

static void self_of(const struct draft *d, char out[SELF])
{
	snprintf(out, SELF, "/proc/self/fd/%d", d->fd);
}

static void choose_name(struct draft *d)
{
	snprintf(d->temp, sizeof d->temp, ".draft-");
	random_name(d->temp + strlen(d->temp), 12);
}

static int link_as(const struct draft *d, const char *name)
{
	char self[SELF];

	self_of(d, self);
	return linkat(AT_FDCWD, self, d->dir, name, AT_SYMLINK_FOLLOW);
}

int draft_stage(struct draft *d)
{
	if (d->temp[0])
		return 0;
	choose_name(d);
	if (link_as(d, d->temp) == 0)
		return 0;
	d->temp[0] = '\0';
	return -1;
}

static int open_unnamed(int dir, mode_t mode)
{
	return openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);
}

/* Whether a name can be given later: through /proc, which not every place has, and by a file system or
 * a policy that allows it. Tried with another file, since what had a name once gets none again; and
 * once for each file system in a row. */
static bool can_be_named(const struct draft *d)
{
	static struct {
		bool passed;
		dev_t device;
	} last;
	char self[SELF];
	struct stat st;

	self_of(d, self);
	if (access(self, F_OK) != 0 || fstat(d->fd, &st) != 0)
		return false;
	if (last.passed && last.device == st.st_dev)
		return true;
	own_draft struct draft probe = { .fd = open_unnamed(d->dir, 0600), .dir = d->dir };
	last.passed = probe.fd >= 0 && draft_stage(&probe) == 0;
	last.device = st.st_dev;
	return last.passed;
}

static int open_nameless(struct draft *d, int dir, mode_t mode)
{
	d->fd = open_unnamed(dir, mode);
	if (d->fd >= 0 && can_be_named(d))
		return 0;
	fd_drop(&d->fd);
	return -1;
}

int draft_open(struct draft *d, int dir, mode_t mode)
{
	*d = (struct draft){ .fd = -1, .dir = dir };
	if (open_nameless(d, dir, mode) == 0)
		return 0;
	choose_name(d);
	d->fd = openat(dir, d->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (d->fd < 0)
		d->temp[0] = '\0';
	return d->fd < 0 ? -1 : 0;
}

/* What a network's file system keeps back until a file is closed may not fit. */
static int hand_in(int fd)
{
	int again = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return again < 0 ? -1 : close(again);
}

int draft_place(struct draft *d, const char *name)
{
	if (hand_in(d->fd) != 0)
		return -1;
	if (!d->temp[0]) {
		if (link_as(d, name) == 0)
			return 0;
		/* A link takes no other's place, and a rename does. */
		if (errno != EEXIST || draft_stage(d) != 0)
			return -1;
	}
	if (renameat(d->dir, d->temp, d->dir, name) != 0)
		return -1;
	d->temp[0] = '\0';
	return 0;
}

void draft_drop(struct draft *d)
{
	int saved = errno;

	if (d->temp[0])
		unlinkat(d->dir, d->temp, 0);
	d->temp[0] = '\0';
	fd_drop(&d->fd);
	errno = saved;
}
