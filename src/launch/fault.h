#pragma once
/* Where a test makes a step fail. The program as it is built and installed has no such
 * switch: fault.c does nothing. The fault tests link a `bottle` of their own, in which another
 * object stands in the place of fault.o, so there is no option, variable or descriptor by
 * which anybody could reach this in the real one. */
#include "base/err.h"

enum fault_when {
	FAULT_BEFORE,  /* the step's up() was not entered */
	FAULT_DURING,  /* in its middle, where a step has one: after it acquired, before it is done */
	FAULT_AFTER,   /* up() is done, and the next step has not begun */
	FAULT_UNDOING, /* before the step's down(), which goes on whatever is said here */
};

/* The bottle's program is not in the table: what comes after it is not undone, but ends. */
#define FAULT_PROGRAM "starting the program"

/* 0: go on. The real one always says so. */
int launch_fault(const char *step, enum fault_when when, struct err *err);
