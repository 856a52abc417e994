#include "base/clock.h"

#include <stdio.h>
#include <time.h>

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

void clock_text(int64_t unix_ms, char out[CLOCK_TEXT])
{
	time_t s = (time_t)(unix_ms / 1000);
	struct tm tm = { 0 };

	gmtime_r(&s, &tm);
	char date[32];
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, CLOCK_TEXT, "%.19s.%03uZ", date, (unsigned)(unix_ms % 1000) % 1000U);
}
