#include "launch/fault.h"

#include "base/banned.h"

int launch_fault(const char *step, enum fault_when when, struct err *err)
{
	(void)step;
	(void)when;
	(void)err;
	return 0;
}
