#include "pool/pool.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/own.h"
#include "base/proc.h"
#include "base/banned.h"

bool pool_has_alias(const char *ifconfig, struct in_addr address)
{
	char wanted[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &address, wanted, sizeof wanted);
	for (const char *p = ifconfig; *p;) {
		size_t n = strcspn(p, " \t\r\n");
		if (n == strlen(wanted) && memcmp(p, wanted, n) == 0)
			return true;
		p += n;
		p += strspn(p, " \t\r\n");
	}
	return false;
}

#ifdef __APPLE__

enum { IFCONFIG_BYTES = 256 * 1024, IFCONFIG_MS = 10000, SUDO_MS = 300000 };

static int add_alias(struct in_addr address, struct err *err)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &address, text, sizeof text);
	own_mem char *prefix = xasprintf("%s/32", text);
	char *argv[] = { "sudo",           "-p",  "bot-bottle needs a loopback address; password of %u: ",
		         "/sbin/ifconfig", "lo0", "alias",
		         prefix,           "up",  NULL };
	const struct proc_spec spec = { .path = "/usr/bin/sudo", .argv = argv };
	int status = proc_run(&spec, NULL, NULL, NULL, IFCONFIG_BYTES, SUDO_MS, err);
	if (status == 0)
		return 0;
	return fail(err, ERR_DENIED,
	            "the address %s could not be added to lo0; by hand: sudo /sbin/ifconfig lo0 alias %s up",
	            text, prefix);
}

int pool_make_aliases(const struct pool_range *range, struct err *err)
{
	own_str struct str shown = STR_INIT;
	char *argv[] = { "ifconfig", "lo0", NULL };
	const struct proc_spec spec = { .path = "/sbin/ifconfig", .argv = argv };

	int status = proc_run(&spec, NULL, &shown, NULL, IFCONFIG_BYTES, IFCONFIG_MS, err);
	if (status < 0)
		return -1;
	if (status != 0)
		return fail(err, ERR_SYSTEM, "/sbin/ifconfig lo0 ended with status %d", status);
	for (uint32_t i = ntohl(range->first.s_addr); i <= ntohl(range->last.s_addr); i++) {
		struct in_addr address = { htonl(i) };
		if (!pool_has_alias(str_c(&shown), address) && add_alias(address, err) != 0)
			return -1;
	}
	return 0;
}

#else

int pool_make_aliases(const struct pool_range *range, struct err *err)
{
	/* Linux answers on all of 127.0.0.0/8. */
	(void)range;
	(void)err;
	return 0;
}

#endif
