#include "keeper/bottle.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

/* The gateway sees no file of the host: what resolves names is passed in, and again when it
 * changes. Directories are watched, since such files are replaced and not written to: a watch of
 * the file itself ends with the first one. */
enum { EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR };

/* Where it leads, or would if that were there; NULL: it is no link, and not there. */
static char *resolv_conf_path(void)
{
	char link[PATH_MAX];
	char *real = realpath("/etc/resolv.conf", NULL);
	ssize_t n = real ? 0 : readlink("/etc/resolv.conf", link, sizeof link - 1);

	if (real || n <= 0)
		return real;
	link[n] = '\0';
	return *link == '/' ? xstrdup(link) : xasprintf("/etc/%s", link);
}

/* /etc/resolv.conf is often a link to what a resolver of the host writes, and both may be replaced,
 * or go with their directory: then the nearest one that is there tells when it comes back. */
static void follow_link(struct keeper *k)
{
	own_mem char *path = resolv_conf_path();
	int there = -1;

	for (char *slash; there < 0 && path && (slash = strrchr(path, '/'));) {
		*slash = '\0';
		there = inotify_add_watch(k->watcher, *path ? path : "/", EVENTS);
	}
	/* The same directory is the same watch, by whatever path. */
	if (there < 0 || there == k->beside)
		return;
	if (k->beside >= 0)
		inotify_rm_watch(k->watcher, k->beside);
	k->beside = there == k->in_etc ? -1 : there;
}

static void remember(struct str *told, struct str *text)
{
	str_clear(told);
	*told = *text;
	*text = (struct str)STR_INIT;
}

/* What can't be passed on stays as it was told, and holds the other up no more than it must. So does a
 * resolv.conf that says nothing: it is on its way to be replaced, or its resolver is to come back. */
static void read_again(const struct launch *l, struct str *resolv_conf, struct str *hosts)
{
	struct err err = ERR_INIT;

	if (launch_read_resolv_conf(l, resolv_conf, &err) != 0) {
		log_warn("a change of the resolver is not passed on why=%s", err.text);
		str_reset(resolv_conf);
	}
	if (resolv_conf->len == 0)
		str_add(resolv_conf, str_c(&l->resolv_conf));
	if (launch_read_hosts(l, hosts, &err) != 0) {
		log_warn("a change of /etc/hosts is not passed on why=%s", err.text);
		str_add(hosts, str_c(&l->hosts));
	}
}

static void look_again(struct keeper *k)
{
	struct launch *l = &k->launch;
	own_str struct str resolv_conf = STR_INIT;
	own_str struct str hosts = STR_INIT;
	struct err err = ERR_INIT;

	follow_link(k); /* before it is read: what comes later is an event of its own */
	read_again(l, &resolv_conf, &hosts);
	/* Other files change there, too. */
	if (!l->gateway.ready ||
	    (str_is(str_c(&l->resolv_conf), str_c(&resolv_conf)) && str_is(str_c(&l->hosts), str_c(&hosts))))
		return;
	if (sidecar_tell_resolver(&l->gateway, &resolv_conf, &hosts, &err) != 0) {
		log_warn("the gateway was not told of a change of the resolver why=%s", err.text);
		return;
	}
	remember(&l->resolv_conf, &resolv_conf);
	remember(&l->hosts, &hosts);
}

static void on_change(void *arg, uint32_t events)
{
	struct keeper *k = arg;
	char drained[4096];

	(void)events;
	while (read(k->watcher, drained, sizeof drained) > 0)
		;
	look_again(k);
}

static int watch(struct keeper *k, struct err *err)
{
	k->watcher = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (k->watcher < 0)
		return fail_errno(err, "inotify_init1");
	k->in_etc = inotify_add_watch(k->watcher, "/etc", EVENTS);
	if (k->in_etc < 0)
		return fail_errno(err, "watching /etc");
	if (loop_watch(&k->loop, &k->on_watcher, k->watcher, EPOLLIN, on_change, k, err) != 0)
		return -1;
	look_again(k); /* the launch took its time */
	return 0;
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
