#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/banned.h"

void random_bytes(void *out, size_t n)
{
	unsigned char *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			bug("getrandom: errno %d", errno);
		p += got;
		n -= (size_t)got;
	}
}

void random_name(char *out, size_t n)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; i < n;) {
		unsigned char b;
		random_bytes(&b, 1);
		if (b < 252) /* the largest multiple of 36: no digit is likelier */
			out[i++] = digits[b % 36];
	}
	out[n] = '\0';
}
