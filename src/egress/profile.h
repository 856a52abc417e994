#pragma once
/* What the gateway may do once it is caged: the network, and nothing else. */
#include <stdbool.h>
#include "base/err.h"

/* Enters the cage, for good. @contained: it stands in a container that an engine made. */
int egress_confine(bool contained, struct err *err);
