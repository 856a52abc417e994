#pragma once
/* Reading a bottle's audit log line by line, as two verbs do. */
#include "base/err.h"
#include "base/json.h"

enum { AUDIT_LOG_BYTES = 256 * 1024 * 1024 };

/* Each line as an object, in order; false from @fn stops. A line that is none is an error
 * with its number. A log that is not there yet has no lines. */
int audit_log_each(int dir, bool (*fn)(void *arg, const json *record), void *arg, struct err *err);
