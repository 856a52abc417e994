/* How long smolvm, and a look at what it wrote, are waited for. The tests with a smolvm that hangs
 * link a shorter table. */
#include "backend/smolmachines.h"

#include "base/banned.h"

const struct machine_deadlines machine_deadlines = {
	.version = 20 * 1000,
	.create = 120 * 1000, /* an image is read and hashed */
	.start = 90 * 1000,   /* smolvm's own deadline is shorter; a VMM that hangs has none */
	.stop = 20 * 1000,
	.remove = 20 * 1000,
	.prepare = 30 * 1000,
	.look = 20 * 1000,    /* over SMOLDB_BUSY_MS, in which SQLite itself gives up */
	.channel = 60 * 1000, /* of a host that is busy: smolvm itself waits for an answer only briefly */
};
