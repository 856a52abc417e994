/* posture DATABASE MACHINE GIVEN: what the launch asks of a machine's row before it boots it.
 * First it sets dns_filter_hosts, for which smolvm has no flag; then the whole row is compared. */
#include "smoldb/posture.h"

#include <stdio.h>
#include <string.h>

#include "smoldb/smoldb.h"
#include "base/banned.h"

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	own_str struct str row = STR_INIT;
	own_json json *given = NULL;
	bool written;

	if (argc != 4)
		return 2;
	const struct smoldb_options o = { .path = argv[1], .busy_ms = SMOLDB_BUSY_MS };
	if (json_parse(argv[3], strlen(argv[3]), 8, &given, &err) != 0 ||
	    smoldb_set(&o, argv[2], "dns_filter_hosts", "[]", &written, &err) != 0 ||
	    smoldb_read(&o, argv[2], &row, &err) != 0 ||
	    posture_check(row.data, row.len, given, POSTURE_CREATED, &err) != 0) {
		puts(err.text);
		return 1;
	}
	return 0;
}
