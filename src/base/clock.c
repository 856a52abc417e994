#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/banned.h"

uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t clock_unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The last @digits of the number; returns the place behind them. */
static char *put_digits(char *out, int number, int digits)
{
	unsigned left = (unsigned)number;

	for (int i = digits; i-- > 0; left /= 10)
		out[i] = (char)('0' + left % 10);
	return out + digits;
}

void clock_text(int64_t unix_ms, char out[CLOCK_TEXT])
{
	time_t s = (time_t)(unix_ms / 1000);
	struct tm tm = { 0 };

	gmtime_r(&s, &tm);
	const struct {
		int number, digits;
		char before;
	} parts[] = {
		{ tm.tm_mon + 1, 2, '-' }, { tm.tm_mday, 2, '-' }, { tm.tm_hour, 2, 'T' },
		{ tm.tm_min, 2, ':' },     { tm.tm_sec, 2, ':' },  { (int)(unix_ms % 1000), 3, '.' },
	};
	out = put_digits(out, tm.tm_year + 1900, 4);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		*out++ = parts[i].before;
		out = put_digits(out, parts[i].number, parts[i].digits);
	}
	memcpy(out, "Z", 2);
}
