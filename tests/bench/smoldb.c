/* How long one enforce and one verify take, called a number of times in one process:
 * build/tests/bench/smoldb DATABASE MACHINE ROUNDS. Prints microseconds for each as JSON. */
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
	if (argc != 4)
		return 2;
	const struct smoldb_options o = { argv[1], SMOLDB_BUSY_MS };
	struct strv lists[] = { list_of("100.96.0.1/32"), list_of("127.0.0.16/32") };
	long rounds = strtol(argv[3], NULL, 10);
	struct err err = ERR_INIT;
	bool written;

	printf("{");
	for (int what = 0; what < 3; what++) {
		static const char *const names[] = { "enforce, writing", "enforce, equal", "verify" };
		uint64_t start = clock_us();
		for (long i = 0; i < rounds; i++) {
			const struct strv *list = &lists[what == 0 ? i % 2 : (rounds - 1) % 2];
			int rc = what < 2 ? smoldb_enforce(&o, argv[2], list, &written, &err) :
			                    smoldb_verify(&o, argv[2], list, &err);
			if (rc != 0)
				bug("%s: %s", names[what], err.text);
		}
		printf("%s\"%s\": %.1f", what ? ", " : "", names[what],
		       (double)(clock_us() - start) / (double)rounds);
	}
	printf("}\n");
	strv_clear(&lists[0]);
	strv_clear(&lists[1]);
	return 0;
}
