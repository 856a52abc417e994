/* What the kernel counts by user. What is used inside counts for whoever made the namespace, too, and
 * that one's limit is for the programs of the host. */
#include "cage/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { SHARE = 4 }; /* a cage's part of what its maker may have */

/* Of fanotify and of namespaces nobody in a cage can make one: no profile has the calls. */
static const struct counter {
	const char *name, *host; /* below sys: the cage's own, and what there is on this host */
	unsigned long most;
	const char *why;
} counters[] = {
	{ "user/max_inotify_instances", "fs/inotify/max_user_instances", 128,
	  "the usual 128 are what the user's editors, terminals and services share" },
	{ "user/max_inotify_watches", "fs/inotify/max_user_watches", 65536,
	  "each holds kernel memory, and a large project has thousands of directories" },
};

static int read_host(int sys, const struct counter *c, unsigned long *out, struct err *err)
{
	own_str struct str text = STR_INIT;

	if (file_read(sys, c->host, 64, &text, err) != 0)
		return -1;
	text.data[strcspn(text.data, "\n")] = '\0';
	return str_number(text.data, 0, 1UL << 31, out) ? 0 :
	                                                  fail(err, ERR_SYSTEM, "%s is no number", c->host);
}

/* Does: lowers them for all that will run inside. Needs CAP_SYS_RESOURCE over the user namespace, and
 * a /proc/sys that can be written to. Must not yet be anywhere but in it: the one that is changed is
 * the caller's. */
int counters_lower(int sys, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		const struct counter *c = &counters[i];
		char number[32];
		unsigned long host;
		own_fd int fd = openat(sys, c->name, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && errno == ENOENT)
			continue; /* a kernel that has none of that */
		if (fd < 0)
			return fail_errno(err, "its %s", c->name);
		if (read_host(sys, c, &host, err) != 0)
			return -1;
		host /= SHARE;
		snprintf(number, sizeof number, "%lu\n", host < c->most ? host : c->most);
		if (write(fd, number, strlen(number)) != (ssize_t)strlen(number))
			return fail_errno(err, "its %s", c->name);
	}
	return 0;
}
