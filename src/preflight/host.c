#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include "backend/closure.h"
#include "base/own.h"
#include "bundle/docker.h"
#include "pool/pool.h"
#include "preflight/probes.h"
#include "registry/paths.h"
#include "base/banned.h"

enum { DISK_LEAST_MIB = 1024 };

static int probe_place(const char *path, const char *fix, struct str *found, struct err *err)
{
	if (!path)
		return 0;
	str_add(found, path);
	return paths_try_private(path, fix, err);
}

int probe_state(const struct preflight_host *host, struct str *found, struct err *err)
{
	return probe_place(host->state, host->state_fix, found, err);
}

int probe_runtime(const struct preflight_host *host, struct str *found, struct err *err)
{
	return probe_place(host->runtime, host->runtime_fix, found, err);
}

int probe_own_programs(const struct preflight_host *host, struct str *found, struct err *err)
{
	static const char *const programs[] = { "bottle-guest", "bottle-egress", "bottle-relay",
		                                "bottle-image" };

	for (size_t i = 0; host->libexec && i < ARRAY_LEN(programs); i++) {
		own_mem char *path = xasprintf("%s/%s", host->libexec, programs[i]);
		if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
			return fail_errno(err, "%s", path);
	}
	if (host->libexec)
		str_addf(found, "in %s", host->libexec);
	return 0;
}

int probe_disk(const struct preflight_host *host, struct str *found, struct err *err)
{
	own_mem char *path = xstrdup(host->state);
	struct statvfs fs;
	unsigned long mib;

	/* The directory need not be there yet: the nearest one above it is on the same disk. */
	while (statvfs(path, &fs) < 0) {
		char *slash = strrchr(path, '/');

		if (errno != ENOENT && errno != ENOTDIR)
			return fail_errno(err, "ask %s for its free space", path);
		if (!slash || slash == path)
			return fail(err, ERR_MISSING, "there is no directory above %s", host->state);
		*slash = 0;
	}
	mib = (unsigned long)((unsigned long long)fs.f_bavail * fs.f_frsize >> 20);
	str_addf(found, "%lu MiB free below %s", mib, path);
	if (mib < DISK_LEAST_MIB)
		return fail(err, ERR_SYSTEM, "%lu MiB are free below %s, %d are needed", mib, path,
		            DISK_LEAST_MIB);
	return 0;
}

/* Why nobody could answer there: each has another remedy. */
static int knock(const char *path, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	own_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof address.sun_path)
		return fail(err, ERR_INPUT, "the docker socket's path is longer than %zu bytes",
		            sizeof address.sun_path - 1);
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0)
		return fail_errno(err, "make a socket");
	/* EAGAIN: it is there, and has left others waiting. */
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN)
		return 0;
	if (errno == EACCES || errno == EPERM)
		return fail(
			err, ERR_DENIED,
			"the docker socket %s may not be used by you; join the group docker (usermod -aG docker USER) "
			"and log in again; members of it are root on this host in all but name",
			path);
	if (errno == ECONNREFUSED)
		return fail(
			err, ERR_MISSING,
			"nobody listens on the docker socket %s; systemctl start docker; it is for the group docker",
			path);
	return fail(
		err, ERR_MISSING,
		"there is no docker socket %s; install docker (NixOS: virtualisation.docker.enable = true), start it "
		"and join the group docker",
		path);
}

int probe_docker(const struct preflight_host *host, struct str *found, struct err *err)
{
	struct err missing = ERR_INIT;
	own_mem char *program = preflight_find_program(host->path, "docker", &missing);
	const struct docker d = { program, host->docker };
	const char *socket = host->docker ? host->docker : DOCKER_SOCKET;
	own_str struct str version = STR_INIT;

	if (!program)
		return fail(err, ERR_MISSING,
		            "docker is not on PATH; install it (NixOS: virtualisation.docker.enable = true), "
		            "start it and join the group docker, which its socket %.100s is for",
		            socket);
	if (docker_check(&d, err) != 0 || knock(socket + strlen("unix://"), err) != 0)
		return -1;
	/* A socket takes a connection also where the daemon behind it is stuck, or is another one. */
	if (docker_version(&d, &version, err) != 0)
		return fail_in(err, "the daemon, whose socket is for the group docker");
	str_addf(found, "%s at %s answers: version %s", program, socket, str_c(&version));
	return 0;
}

int probe_openat2(const struct preflight_host *host, struct str *found, struct err *err)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	own_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)host, (void)found;
	own_fd int fd = (int)syscall(SYS_openat2, root, ".", &how, sizeof how);
	if (fd >= 0)
		return 0;
	fail_errno(err, "the call is not let through");
	err->kind = ERR_UNCONFINED;
	return -1;
}

int probe_programs(const struct preflight_host *host, struct str *found, struct err *err)
{
	own_closure struct closure c = CLOSURE_INIT;

	if (closure_load(host->share, &c, err) != 0)
		return -1;
	if (c.paths.n == 0)
		str_add(found, "the host's own");
	else
		str_addf(found, "%zu path%s of a store, programs in %s", c.paths.n, str_plural(c.paths.n),
		         c.bin);
	return 0;
}

/* Is it there to be made; and where docker can be asked, was it made already. */
int probe_image(const struct preflight_host *host, struct str *found, struct err *err)
{
	struct err ignored = ERR_INIT;
	own_mem char *archive = xasprintf("%s/sidecar-image.tar", host->share);
	own_mem char *program = preflight_find_program(host->path, "docker", &ignored);
	const struct docker d = { program, host->docker };
	own_mem char *name = NULL;

	if (docker_image_name(archive, &name, err) != 0)
		return -1;
	int there = docker_has_image(&d, name, &ignored);
	str_addf(found, "%s, %s", name,
	         there < 0  ? "docker can't be asked for it" :
	         there == 0 ? "which the first launch loads" :
	                      "loaded");
	return 0;
}

int probe_leases(const struct preflight_host *host, struct str *found, struct err *err)
{
	const char *first = host->lease_first ? host->lease_first : "127.0.0.16";
	const char *last = host->lease_last ? host->lease_last : "127.0.0.31";
	own_mem char *own = host->runtime ? xasprintf("%s/leases", host->runtime) : NULL;
	struct pool_range range;
	unsigned unused;

	if (pool_range_parse(first, last, &range, err) != 0 ||
	    pool_count_free(host->lease_directory, own, &range, &unused, err) != 0)
		return -1;
	str_addf(found, "%u free from %s to %s", unused, first, last);
	return 0;
}
