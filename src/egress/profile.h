#pragma once
/* What the gateway may do once it is caged: the network, and nothing else. */
#include "base/err.h"

/* Enters the cage, for good. */
int egress_confine(struct err *err);
