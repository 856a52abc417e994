#pragma once
/* What one invocation has looked up about its host; made by need, freed with the command. */
#include "manifest/config.h"
#include "manifest/manifest.h"
#include "registry/paths.h"

struct places_held {
	struct paths paths;
	bool have_paths;
	char *cwd;
	int bottles, runtime; /* descriptors; -1: not opened yet */
	struct manifest_dirs dirs;
	bool have_dirs;
	bool warned;                    /* of bottles below the working directory */
	struct manifest_dir *providers; /* the configuration's, opened */
	size_t nproviders;
	char *share;
	struct host_config config;
	bool have_config;
	int etc, user; /* configuration directories; -1: none, or not opened yet */
};
void places_clear(struct places_held **held);
