#pragma once
/* What libFuzzer and replay.c call. A harness aborts where a property does not hold. */
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define must(condition)                                      \
	do {                                                 \
		if (!(condition))                            \
			bug("%s does not hold", #condition); \
	} while (0)
