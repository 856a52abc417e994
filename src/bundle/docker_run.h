#pragma once
/* What the files of this room share: one docker command, and its words. */
#include "bundle/docker.h"

/* "docker" and the options that keep it to our daemon, then @args. */
void docker_arguments(const struct docker *d, const char *const *args, struct strv *out);
/* The exit status, or -1 where there is none: it could not be run, or did not end. */
int docker_run(const struct docker *d, const char *const *args, int ms, struct str *out, struct str *said,
               struct err *err);
