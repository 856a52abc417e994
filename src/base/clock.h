#pragma once
#include <stdint.h>
#include <stddef.h>

uint64_t clock_ms(void);     /* monotonic, milliseconds; for deadlines */
uint64_t clock_us(void);     /* monotonic, microseconds; for measurements */
int64_t clock_unix_ms(void); /* wall clock, for people */

enum { CLOCK_TEXT = sizeof "2026-01-01T00:00:00.000Z" };
/* RFC 3339, UTC, milliseconds. */
void clock_text(int64_t unix_ms, char out[CLOCK_TEXT]);
