/* For QEMU without acceleration: its clocks run VM_CLOCK times slower, so that what is tested
 * inside sees a machine that is slow evenly, and not one whose deadlines pass while it waits
 * for a processor that others use too. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t which, struct timespec *out)
{
	static int (*real)(clockid_t, struct timespec *);
	static long factor;

	if (!real) {
		const char *text = getenv("VM_CLOCK");
		factor = text ? strtol(text, NULL, 10) : 1;
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	}
	int rc = real(which, out);
	if (rc != 0 || factor < 2 || which != CLOCK_MONOTONIC)
		return rc;
	long long ns = (out->tv_sec * 1000000000LL + out->tv_nsec) / factor;
	out->tv_sec = ns / 1000000000;
	out->tv_nsec = ns % 1000000000;
	return 0;
}
