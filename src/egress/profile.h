#pragma once
#include "cage/cage.h"

/* What the gateway may do once it is caged. */
extern const struct cage_profile egress_profile;
