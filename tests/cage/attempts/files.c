/* What a descriptor that is open already could be asked for. */
#include "attempts.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int own_file(void)
{
	int fd = open("/tmp/attempt-file", O_CREAT | O_RDWR, 0600);

	unlink("/tmp/attempt-file");
	return fd;
}
/* BTRFS_IOC_SNAP_CREATE of nothing: elsewhere than on btrfs the kernel knows no such request. */
static long no_snapshot(void)
{
	struct {
		int64_t fd;
		char name[4088];
	} what = { .fd = -1, .name = "attempt-snapshot" };

	return ioctl(open("/tmp", O_RDONLY), 0x50009401, &what);
}
static long no_set_flags(void)
{
	long flags = 0x40; /* nodump */

	return ioctl(own_file(), FS_IOC_SETFLAGS, &flags);
}
static long no_label(void)
{
	char label[256];

	return ioctl(open("/tmp", O_RDONLY), FS_IOC_GETFSLABEL, label);
}
static long no_net_namespace(void)
{
	return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCGSKNS);
}
static long no_lease(void)
{
	return fcntl(own_file(), F_SETLEASE, F_WRLCK);
}
static long yes_readable(void)
{
	int n;

	return ioctl(own_file(), FIONREAD, &n);
}

const struct attempt attempts_files[] = {
	{ "snapshot", no_snapshot },
	{ "set-flags", no_set_flags },
	{ "fs-label", no_label },
	{ "net-namespace", no_net_namespace },
	{ "lease", no_lease },
	{ "readable", yes_readable },
	{ 0 },
};
