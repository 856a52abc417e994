/* The stream of `bottle cp` as it comes out of a bottle: whatever it says, nothing is made but the
 * one name that was asked for, and no more than the limit is written. */
#include "driver/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "proto/files.h"

enum { LIMIT = 100000 };

static void told(void *arg, const char *text)
{
	size_t *remarks = arg;

	must(strlen(text) <= FILES_TROUBLE);
	(*remarks)++;
}

/* What stands in the directory that the stream was received in, and nothing half-made. */
static void check_made(const char *top, bool whole)
{
	DIR *dir = opendir(top);
	bool found = false;

	must(dir != NULL);
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.' && strlen(e->d_name) <= 2)
			continue;
		must(strcmp(e->d_name, "wanted") == 0);
		found = true;
	}
	closedir(dir);
	must(found || !whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char top[] = "/tmp/files-stream-XXXXXX";
	struct files_count count;
	struct err err = ERR_INIT, ignored = ERR_INIT;
	size_t remarks = 0;

	own_fd int in = file_sealed("stream", bytes, n, &err);
	must(in >= 0 && mkdtemp(top));
	own_fd int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = files_receive(in, dir, "wanted", LIMIT, told, &remarks, &count, &err);
	must(rc == 0 || err.kind != ERR_NONE);
	must(count.remarks == remarks);
	must(rc != 0 || (count.bytes <= LIMIT && count.files + count.directories <= n));
	check_made(top, rc == 0 && count.files > 0);
	must(dir_remove(AT_FDCWD, top, &ignored) == 0);
	return 0;
}
