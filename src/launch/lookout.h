#pragma once
/* Who replaces a file of a shared workspace while a bottle runs takes away what was mounted over
 * its name: the kernel detaches a mount from a file that is removed. Nothing inside can do that,
 * but everybody on the host. So the directories of such names are watched. What was seen can't
 * be undone: the guest may have been quicker. */
#include "base/loop.h"
#include "base/own.h"

struct post {
	int watched; /* inotify's number of its directory */
	char *name, *path;
	bool hidden, told;
};
struct lookout {
	int fd; /* inotify; -1: nothing is watched */
	struct post *posts;
	size_t n;
	struct loop *loop;
	struct watch on_event;
	/* Names that were removed, moved or replaced just now, each of them once. */
	void (*lost)(void *arg, const struct strv *hidden, const struct strv *obeyed);
	void *arg;
};
/* clang-format off */
#define LOOKOUT_INIT { .fd = -1, .on_event = WATCH_INIT }
/* clang-format on */
void lookout_clear(struct lookout *o);

/* Before the name is looked at: what happens to it from then on is heard of. @dir: that it
 * stands in, @path: for messages. */
int lookout_post(struct lookout *o, int dir, const char *name, const char *path, bool hidden,
                 struct err *err);
bool lookout_has(const struct lookout *o, const char *path, bool hidden);
int lookout_begin(struct lookout *o, struct loop *loop,
                  void (*lost)(void *arg, const struct strv *hidden, const struct strv *obeyed), void *arg,
                  struct err *err);
