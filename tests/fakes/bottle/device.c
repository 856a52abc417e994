/* In the place of the machine's device, in a `bottle` that only the tests link: the double of
 * smolvm boots nothing, so /dev/null stands where its monitor opens /dev/kvm. */
#include "backend/smolmachines.h"

int machine_device_check(struct err *err)
{
	(void)err;
	return 0;
}

int machine_device_add(struct tree *t, const struct cage_ids *ids, struct err *err)
{
	(void)ids;
	(void)err;
	tree_add(t,
	         (struct cage_mount){ CAGE_BIND, "/dev/kvm", .source = "/dev/null", .flags = CAGE_DEVICE });
	return 0;
}
