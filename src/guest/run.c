/* Becomes a program whose environment has secrets in it: they come over a descriptor, so that
 * no argument list, no file and no other process's memory ever holds them on the way. */
#include "guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/msg.h"
#include "base/own.h"
#include "base/str.h"
#include "proto/init.h"
#include "base/banned.h"

enum { COUNT_MAX = 1024 };

int guest_add_secrets(int fd, struct strv *env, struct err *err)
{
	own_str struct str bytes = STR_INIT;
	own_strv struct strv secrets = STRV_INIT;

	if (file_read_fd(fd, "the secrets", INIT_SECRETS_MAX, &bytes, err) != 0)
		return -1;
	struct unpack u = unpack_of(bytes.data, bytes.len);
	unpack_strv(&u, COUNT_MAX, INIT_SECRETS_MAX, &secrets);
	explicit_bzero(bytes.data, bytes.len);
	if (!unpack_ok(&u))
		return fail(err, ERR_INPUT, "the secrets are malformed");
	for (size_t i = 0; i < secrets.n; i++) {
		char *value = strchr(secrets.v[i], '=');
		if (!value)
			return fail(err, ERR_INPUT, "a secret without a name");
		*value++ = '\0';
		strv_setenv(env, secrets.v[i], value);
	}
	return 0;
}

int guest_run(int argc, char **argv)
{
	own_strv struct strv env = STRV_INIT;
	struct err err = ERR_INIT;
	unsigned long fd;

	if (argc < 4 || !str_number(argv[1], 3, 63, &fd) || strcmp(argv[2], "--") != 0)
		return guest_fail(GUEST_FAILED, "run FD -- PROGRAM [ARGUMENT...]");
	for (char **e = environ; *e; e++)
		strv_add(&env, *e);
	if (guest_add_secrets((int)fd, &env, &err) != 0)
		return guest_fail(GUEST_FAILED, "%s", err.text);
	close((int)fd);
	environ = env.v;
	bool awaited = fcntl(GUEST_REPORT, F_SETFD, FD_CLOEXEC) == 0;
	execvp(argv[3], argv + 3);
	int sys = errno, missing = sys == ENOENT;
	if (awaited && write(GUEST_REPORT, &sys, sizeof sys) == (ssize_t)sizeof sys)
		return missing ? GUEST_NOT_FOUND : GUEST_CANNOT_RUN;
	errno = sys;
	return guest_fail(missing ? GUEST_NOT_FOUND : GUEST_CANNOT_RUN, "%s: %s", argv[3], strerror(errno));
}
