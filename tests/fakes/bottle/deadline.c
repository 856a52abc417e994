/* In the place of the waits for smolvm, in a `bottle` that only the tests link: a double that
 * hangs is waited for as long as a busy machine may take, and no longer. */
#include "backend/smolmachines.h"

const struct machine_deadlines machine_deadlines = {
	.version = 5000,
	.create = 5000,
	.start = 5000,
	.stop = 5000,
	.remove = 5000,
	.prepare = 5000,
	.look = 5000,
	.channel = 2000,
};
