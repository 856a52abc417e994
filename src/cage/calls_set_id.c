/* A file that the guest makes is, in a shared workspace, its owner's on the host's disk: with a
 * set-id bit it would lend that owner's rights (root's, for root's bottles) to any local user.
 * openat2 may stand in no profile beside these: its mode lies in memory, where no filter sees
 * it. Without O_CREAT the mode of an open is whatever was in the register. */
#include "cage/cage.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/banned.h"

#define WHY "a set-id file would be the owner's on the host too"
#define REFUSE_MODE(name, arg) \
	REFUSE_IF(name, arg, S_ISUID, S_ISUID, WHY), REFUSE_IF(name, arg, S_ISGID, S_ISGID, WHY)
#define REFUSE_MODE_OPEN(name, flags, mode)                                 \
	REFUSE_IF_BOTH(name, flags, O_CREAT, mode, S_ISUID, WHY),           \
		REFUSE_IF_BOTH(name, flags, O_CREAT, mode, S_ISGID, WHY),   \
		REFUSE_IF_BOTH(name, flags, O_TMPFILE, mode, S_ISUID, WHY), \
		REFUSE_IF_BOTH(name, flags, O_TMPFILE, mode, S_ISGID, WHY)

static const struct cage_call rows[] = {
	REFUSE_MODE(chmod, 1),     REFUSE_MODE(fchmod, 1),       REFUSE_MODE(fchmodat, 2),
	REFUSE_MODE(fchmodat2, 2), REFUSE_MODE(creat, 1),        REFUSE_MODE(mknod, 1),
	REFUSE_MODE(mknodat, 2),   REFUSE_MODE_OPEN(open, 1, 2), REFUSE_MODE_OPEN(openat, 2, 3),
};
const struct cage_calls cage_calls_set_id = CAGE_CALLS(rows);
