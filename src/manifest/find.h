#pragma once
/* Where manifests lie. A place is a held directory; home comes before /etc, and what lies
 * below the working directory is a stranger's and is opened without following any link. */
#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"
#include "manifest/manifest.h"

struct found {
	char *file; /* as errors name it; NULL: not found */
	bool trusted;
};
void found_clear(struct found *found);
#define own_found __attribute__((cleanup(found_clear)))

/* Finds @folder/@name, reads it into @bytes. ERR_MISSING says where it was looked for. */
int find_bottle(const struct manifest_dirs *dirs, const char *name, struct found *out, struct str *bytes,
                struct err *err);
int find_agent(const struct manifest_dirs *dirs, const char *name, struct found *out, struct str *bytes,
               struct err *err);
int find_provider(const struct manifest_dirs *dirs, const char *name, struct found *out, struct str *bytes,
                  struct err *err);
/* A warning in the log when the working directory has a bottles directory. */
void find_warn_of_bottles(const struct manifest_dirs *dirs);
