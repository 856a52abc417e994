#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/own.h"
#include "preflight/probes.h"
#include "base/banned.h"

enum { DISK_LEAST_MIB = 1024 };
#define DOCKER_SOCKET "/var/run/docker.sock"

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

int probe_docker(const struct preflight_host *host, struct str *found, struct err *err)
{
	const char *path = DOCKER_SOCKET;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	own_fd int fd = -1;

	if (host->docker) {
		if (!str_starts(host->docker, "unix:///"))
			return fail(err, ERR_INPUT,
			            "DOCKER_HOST is %.100s; only a local socket is used: unix:///PATH",
			            host->docker);
		path = host->docker + strlen("unix://");
	}
	if (strlen(path) >= sizeof address.sun_path)
		return fail(err, ERR_INPUT, "the docker socket's path is longer than %zu bytes",
		            sizeof address.sun_path - 1);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_errno(err, "make a socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
		str_addf(found, "%s answers", path);
		return 0;
	}
	if (errno == EACCES || errno == EPERM)
		return fail(
			err, ERR_DENIED,
			"the docker socket %s may not be used by you; join the group docker (usermod -aG docker USER) "
			"and log in again; members of it are root on this host in all but name",
			path);
	if (errno == ECONNREFUSED)
		return fail(err, ERR_MISSING,
		            "nobody listens on the docker socket %s; systemctl start docker", path);
	return fail(
		err, ERR_MISSING,
		"there is no docker socket %s; install docker (NixOS: virtualisation.docker.enable = true), start it "
		"and join the group docker",
		path);
}
