#include "relay/relay.h"

#include <sys/resource.h>

#include "cage/cage.h"
#include "base/banned.h"

static const struct cage_call network[] = {
	CALL(socket, "dial the other side"),
	CALL(connect, "dial the other side"),
	CALL(wait4, "as pid 1: what has ended"),
};

static const struct cage_limit limits[] = {
	LIMIT(NPROC, 1, 1, "it starts nothing"),
	LIMIT(FSIZE, 0, 0, "it writes no file"),
	LIMIT(CORE, 0, 0, "its memory holds the token"),
	LIMIT(NOFILE, 4096, 4096, "two descriptors for each connection"),
};

int relay_confine(bool contained, struct err *err)
{
	const struct cage_calls calls[] = { cage_calls_common, CAGE_CALLS(network) };
	const struct cage_profile profile = {
		.name = "bottle-relay",
		.calls = calls,
		.ncalls = ARRAY_LEN(calls),
		.sockets = CAGE_SOCKET_INET,
		.no_tcp_bind = true,
		.limits = limits,
		.nlimits = ARRAY_LEN(limits),
		.contained = contained,
	};

	return cage_enter(&profile, NULL, 0, err);
}
