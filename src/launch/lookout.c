#include "launch/lookout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/str.h"
#include "base/banned.h"

enum { GROW = 64, BATCH = 64 * 1024 };

void lookout_clear(struct lookout *o)
{
	if (o->loop)
		loop_unwatch(o->loop, &o->on_event);
	for (size_t i = 0; i < o->n; i++) {
		mem_drop(&o->posts[i].name);
		mem_drop(&o->posts[i].path);
	}
	mem_drop(&o->posts);
	fd_drop(&o->fd);
	*o = (struct lookout)LOOKOUT_INIT;
}

static int fail_watch(const char *path, struct err *err)
{
	static const char *const limits[] = { "fs.inotify.max_user_watches",
		                              "fs.inotify.max_user_instances" };

	if (errno == ENOSPC || errno == EMFILE)
		return fail(
			err, ERR_UNCONFINED,
			"the workspace can't be watched while the bottle runs: %s is too low for it; raise "
			"it, or use workspace: copy",
			limits[errno == EMFILE]);
	return fail_errno(err, "watching %s", path);
}

/* Through the descriptor that the walk holds: the watch is on the directory that was looked at. */
static int watch_directory(int fd, int dir, const char *path, struct err *err)
{
	char self[sizeof "/proc/self/fd/" + 12];

	snprintf(self, sizeof self, "/proc/self/fd/%d", dir);
	int watched =
		inotify_add_watch(fd, self, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
	return watched >= 0 ? watched : fail_watch(path, err);
}

int lookout_post(struct lookout *o, int dir, const char *name, const char *path, bool hidden, struct err *err)
{
	if (o->fd < 0)
		o->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (o->fd < 0)
		return fail_watch(path, err);
	int watched = watch_directory(o->fd, dir, path, err);
	if (watched < 0)
		return -1;
	if (o->n % GROW == 0)
		o->posts = xrealloc(o->posts, o->n + GROW, sizeof *o->posts);
	o->posts[o->n++] = (struct post){ watched, xstrdup(name), xstrdup(path), hidden, false };
	return 0;
}

bool lookout_has(const struct lookout *o, const char *path, bool hidden)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->posts[i].hidden == hidden && str_is(o->posts[i].path, path))
			return true;
	return false;
}

/* A watch that is gone has lost all of its names; a queue that ran over, everything. */
static bool concerns(const struct inotify_event *e, const struct post *p)
{
	if (e->mask & IN_Q_OVERFLOW)
		return true;
	return p->watched == e->wd && ((e->mask & IN_IGNORED) || (e->len > 0 && str_is(e->name, p->name)));
}

static void note_lost(struct lookout *o, const struct inotify_event *e, struct strv *hidden,
                      struct strv *obeyed)
{
	for (size_t i = 0; i < o->n; i++) {
		struct post *p = &o->posts[i];
		if (p->told || !concerns(e, p))
			continue;
		p->told = true;
		strv_add(p->hidden ? hidden : obeyed, p->path);
	}
}

static void on_event(void *arg, uint32_t events)
{
	struct lookout *o = arg;
	own_strv struct strv hidden = STRV_INIT;
	own_strv struct strv obeyed = STRV_INIT;
	_Alignas(struct inotify_event) char batch[BATCH];
	ssize_t n = read(o->fd, batch, sizeof batch);

	(void)events;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const struct inotify_event *)(batch + at);
		note_lost(o, e, &hidden, &obeyed);
		at += (ssize_t)(sizeof *e + e->len);
	}
	if (hidden.n > 0 || obeyed.n > 0)
		o->lost(o->arg, &hidden, &obeyed);
}

int lookout_begin(struct lookout *o, struct loop *loop,
                  void (*lost)(void *arg, const struct strv *hidden, const struct strv *obeyed), void *arg,
                  struct err *err)
{
	o->loop = loop;
	o->lost = lost;
	o->arg = arg;
	return o->fd < 0 ? 0 : loop_watch(loop, &o->on_event, o->fd, EPOLLIN, on_event, o, err);
}
