#pragma once
/* An archive of an image, as nobody vouches for it, brought into the form that smolvm takes. */
#include <stdbool.h>
#include "base/err.h"

/* Reads @in from its start. Without @converted it is fine as it stands; with it, @out holds an
 * archive that says the same. ERR_INPUT: what is wrong with it. */
int archive_read_image(int in, int out, bool *converted, struct err *err);
