#pragma once
/* Which file and line each value of a merged manifest comes from. */
#include "manifest/manifest.h"
#include "manifest/node.h"

void why_collect(const struct node *merged, struct manifest_why **out, size_t *n);
void why_clear(struct manifest_why **why, size_t *n);
