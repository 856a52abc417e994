#include "egress/profile.h"

#include <sys/resource.h>

#include "base/own.h"
#include "cage/cage.h"
#include "proto/egress.h"
#include "base/banned.h"

static const struct cage_call network[] = {
	CALL(socket, "dial origins, ask name servers"),
	CALL(connect, "dial an address that was judged; ask a name server"),
};

static const struct cage_limit limits[] = {
	LIMIT(NPROC, 1, 1, "it starts nothing"),
	LIMIT(FSIZE, 0, 0, "it writes no file"),
	LIMIT(CORE, 0, 0, "its memory holds credentials"),
	LIMIT(NOFILE, EGRESS_DESCRIPTORS, EGRESS_DESCRIPTORS,
	      "two connections for each of the guest, and the pool"),
};

int egress_confine(bool contained, struct err *err)
{
	const struct cage_calls calls[] = { cage_calls_common, CAGE_CALLS(network) };
	const struct cage_profile profile = {
		.name = "bottle-egress",
		.calls = calls,
		.ncalls = ARRAY_LEN(calls),
		.sockets = CAGE_SOCKET_INET,
		.no_tcp_bind = true,
		.limits = limits,
		.nlimits = ARRAY_LEN(limits),
		.dumpable = false,
		.contained = contained,
	};

	return cage_enter(&profile, NULL, 0, err);
}
