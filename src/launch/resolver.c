#include "launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "policy/policy.h"
#include "proto/sidecar.h"
#include "base/banned.h"

enum { HOSTS_MAX = 32 << 20 }; /* lists of what is to be blocked are long */

/* The host's own files are often links; who may write /etc is trusted. One that is not there says
 * nothing, as in the C library. */
static int read_etc(const char *path, size_t limit, struct str *out, struct err *err)
{
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return fail_errno(err, "open %s", path);
	return file_read_fd(fd, path, limit, out, err);
}

int launch_read_resolv_conf(const struct launch *l, struct str *out, struct err *err)
{
	if (!launch_in_docker(l))
		return read_etc("/etc/resolv.conf", SIDECAR_FILE_MAX, out, err);
	str_add(out, LAUNCH_DOCKER_RESOLVER);
	return 0;
}

/* The one name beside those of routes that a gateway resolves; NULL: none. The caller frees. */
static char *proxy_name(const struct plan *p)
{
	const char *host = p->upstream_proxy ? strstr(p->upstream_proxy, "://") : NULL;

	return host ? xstrndup(host + 3, strcspn(host + 3, ":/")) : NULL;
}

static int keep_asked(const struct plan *p, struct str *hosts, struct err *err)
{
	own_policy struct policy *policy = NULL;
	own_mem char *proxy = proxy_name(p);
	own_str struct str kept = STR_INIT;

	if (policy_compile(p->routes, strlen(p->routes), &policy, err) != 0)
		return -1;
	policy_keep_hosts(policy, proxy, (struct slice){ hosts->data, hosts->len }, &kept);
	if (kept.len > SIDECAR_FILE_MAX)
		return fail(err, ERR_INPUT,
		            "/etc/hosts: %zu bytes of lines for hosts of routes; the limit is %d", kept.len,
		            SIDECAR_FILE_MAX);
	str_clear(hosts);
	*hosts = kept;
	kept = (struct str)STR_INIT;
	return 0;
}

int launch_read_hosts(const struct launch *l, struct str *out, struct err *err)
{
	own_str struct str hosts = STR_INIT;

	if (read_etc("/etc/hosts", HOSTS_MAX, &hosts, err) != 0 ||
	    (hosts.len > SIDECAR_FILE_MAX && keep_asked(l->plan, &hosts, err) != 0))
		return -1;
	str_clear(out);
	*out = hosts;
	hosts = (struct str)STR_INIT;
	return 0;
}
