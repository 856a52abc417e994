/* How long one call takes, called a number of times in one process:
 * build/tests/bench/smoldb DATABASE MACHINE ROUNDS write|equal|verify. Prints microseconds. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/own.h"
#include "smoldb/smoldb.h"

static struct strv list_of(const char *cidr)
{
	struct strv list = STRV_INIT;

	strv_add(&list, cidr);
	return list;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	const struct smoldb_options o = { .path = argv[1], .busy_ms = SMOLDB_BUSY_MS };
	struct strv lists[] = { list_of("100.96.0.1/32"), list_of("127.0.0.16/32") };
	long rounds = strtol(argv[3], NULL, 10);
	bool verify = str_is(argv[4], "verify"), write = str_is(argv[4], "write"), written;
	struct err err = ERR_INIT;

	uint64_t start = clock_us();
	for (long i = 0; i < rounds; i++) {
		const struct strv *list = &lists[write ? i % 2 : 1];
		int rc = verify ? smoldb_verify(&o, argv[2], list, &err) :
		                  smoldb_enforce(&o, argv[2], list, &written, &err);
		if (rc != 0)
			bug("%s: %s", argv[4], err.text);
	}
	printf("%.1f\n", (double)(clock_us() - start) / (double)rounds);
	strv_clear(&lists[0]);
	strv_clear(&lists[1]);
	return 0;
}
