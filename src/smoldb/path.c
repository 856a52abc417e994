#include <arpa/inet.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "smoldb/smoldb.h"
#include "base/banned.h"

static bool given(const char *value)
{
	return value && *value;
}

int smoldb_path(const struct smoldb_env *env, char **out, struct err *err)
{
	static const char tail[] = "smolvm/server/smolvm.db";

	if (given(env->smolvm_data_dir))
		*out = xasprintf("%s/.local/share/%s", env->smolvm_data_dir, tail);
	else if (!env->macos && given(env->xdg_data_home) && env->xdg_data_home[0] == '/')
		*out = xasprintf("%s/%s", env->xdg_data_home, tail);
	else if (given(env->home) && env->macos)
		*out = xasprintf("%s/Library/Application Support/%s", env->home, tail);
	else if (given(env->home))
		*out = xasprintf("%s/.local/share/%s", env->home, tail);
	else
		return fail(err, ERR_MISSING,
		            "no home directory to look for smolvm's database in; name it with --db");
	return 0;
}

/* True where a bit behind the first @length is set. */
static bool host_bits(const unsigned char *address, size_t size, unsigned long length)
{
	for (size_t bit = length; bit < size * 8; bit++)
		if (address[bit / 8] >> (7 - bit % 8) & 1)
			return true;
	return false;
}

int smoldb_check_cidr(const char *text, struct err *err)
{
	unsigned char address[sizeof(struct in6_addr)];
	own_str struct str shown = STR_INIT;
	unsigned long length;

	str_add_escaped(&shown, text, strlen(text), 80);
	const char *slash = strchr(text, '/');
	if (!slash)
		return fail(err, ERR_UNCONFINED,
		            "\"%s\" is not a CIDR: no /length; for one address write /32 (IPv6: /128)",
		            str_c(&shown));
	own_mem char *name = xstrndup(text, (size_t)(slash - text));
	bool v4 = inet_pton(AF_INET, name, address) == 1;
	if (!v4 && inet_pton(AF_INET6, name, address) != 1)
		return fail(err, ERR_UNCONFINED,
		            "\"%s\" is not a CIDR: no IPv4 or IPv6 address before the slash", str_c(&shown));
	size_t size = v4 ? 4 : 16;
	/* One spelling only: "/08" is refused, as some readers take it for octal. */
	if (!str_number(slash + 1, 0, size * 8, &length) || (slash[1] == '0' && slash[2]))
		return fail(err, ERR_UNCONFINED, "\"%s\" is not a CIDR: the length must be 0 to %zu",
		            str_c(&shown), size * 8);
	if (host_bits(address, size, length))
		return fail(
			err, ERR_UNCONFINED,
			"\"%s\" is not a CIDR: bits are set behind its length; for one address write /%zu",
			str_c(&shown), size * 8);
	return 0;
}
