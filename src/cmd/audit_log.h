#pragma once
/* Reading a bottle's audit log line by line, as two verbs do. */
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"

/* Each line as an object, in order; -1 from @fn ends it. A line that is none is an error with
 * its number. A log that is not there yet has no lines. Of a last line without an end, which a
 * living keeper may just be writing, @cut says the number; 0: there is none. */
int audit_log_each(int dir, int (*fn)(void *arg, const json *record, struct err *err), void *arg,
                   uint64_t *cut, struct err *err);
