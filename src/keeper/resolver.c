#include "keeper/bottle.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/banned.h"

/* The gateway sees no file of the host: what resolves names is passed in, and again when it
 * changes. The directory is watched, since such files are replaced and not written to. */

static int read_file(const char *path, struct str *out)
{
	struct err ignored = ERR_INIT;
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -1 : file_read_fd(fd, path, SIDECAR_FILE_MAX, out, &ignored);
}

static void on_change(void *arg, uint32_t events)
{
	struct keeper *k = arg;
	own_str struct str resolv_conf = STR_INIT;
	own_str struct str hosts = STR_INIT;
	struct err err = ERR_INIT;
	char drained[4096];

	(void)events;
	while (read(k->watcher, drained, sizeof drained) > 0)
		;
	/* Half of a change: the rest of it comes with an event of its own. */
	if (read_file("/etc/resolv.conf", &resolv_conf) != 0 || read_file("/etc/hosts", &hosts) != 0)
		return;
	if (launch_in_docker(&k->launch)) {
		str_reset(&resolv_conf);
		str_add(&resolv_conf, LAUNCH_DOCKER_RESOLVER);
	}
	if (k->launch.gateway.ready &&
	    sidecar_tell_resolver(&k->launch.gateway, &resolv_conf, &hosts, &err) != 0)
		log_warn("the gateway was not told of a change of the resolver why=%s", err.text);
}

static int watch(struct keeper *k, struct err *err)
{
	char real[4096];

	k->watcher = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (k->watcher < 0)
		return fail_errno(err, "inotify_init1");
	if (inotify_add_watch(k->watcher, "/etc", IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR) < 0)
		return fail_errno(err, "watching /etc");
	/* Often a link to what a resolver of the host writes. */
	if (readlink("/etc/resolv.conf", real, sizeof real) > 0)
		inotify_add_watch(k->watcher, "/etc/resolv.conf", IN_CLOSE_WRITE | IN_MODIFY);
	return loop_watch(&k->loop, &k->on_watcher, k->watcher, EPOLLIN, on_change, k, err);
}

void resolver_watch(struct keeper *k)
{
	struct err err = ERR_INIT;

	if (watch(k, &err) == 0)
		return;
	log_warn("changes of the host's resolver will not be seen why=%s", err.text);
	fd_drop(&k->watcher);
}

void resolver_unwatch(struct keeper *k)
{
	loop_unwatch(&k->loop, &k->on_watcher);
	fd_drop(&k->watcher);
}
