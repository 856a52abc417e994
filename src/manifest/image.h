#pragma once
/* What a manifest may write as `image`: its form, read from the text alone. What stands at a
 * path is looked at when it is used. */
#include <stdbool.h>
#include "base/err.h"

enum image_form {
	IMAGE_AT_PATH,     /* a rootfs directory, an OCI layout, an archive */
	IMAGE_SMOLMACHINE, /* at a path as well, told by its name */
	IMAGE_IN_DAEMON,   /* docker-daemon:REF */
	IMAGE_DOCKERFILE,  /* dockerfile:PATH */
};

struct image_name {
	enum image_form form;
	const char *rest; /* the path or reference, inside the text */
};

/* ERR_INPUT says what forms there are, and for a registry's reference what to do instead. */
int image_name_read(const char *text, struct image_name *out, struct err *err);
/* Built or saved by docker. */
bool image_name_needs_docker(const char *text);
