#pragma once
/* How the tables are spelled: a row is ROW(name, member, type, ..., .help = ""). OBJECT is
 * the struct that the table describes. */
#include <stddef.h>
#include "manifest/schema.h"

#define HELP(text)    .help = "" text
#define GIVEN(member) .given = offsetof(OBJECT, member) + 1
#define OFF(member)   .off = offsetof(OBJECT, member) + 1
/* clang-format off */
#define ROW(key, kind, member, ...) { .name = key, .type = kind, .at = offsetof(OBJECT, member), __VA_ARGS__ }
#define ITEMS(key, kind, member, schema, ...)                                                         \
	{ .name = key, .type = kind, .at = offsetof(OBJECT, member), .count = offsetof(OBJECT, n##member), \
	  .of = &(schema), __VA_ARGS__ }
#define IGNORED(key, ...) { .name = key, .type = FIELD_IGNORED, __VA_ARGS__ }
#define REFUSED(key, ...) { .name = key, .type = FIELD_REFUSED, __VA_ARGS__ }
#define SCHEMA(heading, rows, ...)                                    \
	{ .title = heading, .size = sizeof(OBJECT), .fields = rows,   \
	  .nfields = sizeof(rows) / sizeof *(rows), \
	  __VA_ARGS__ }
/* clang-format on */
