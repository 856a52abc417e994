/* Runs a harness over files, or over every file of its own corpus: make check needs no
 * libFuzzer to see that what was found once stays fixed. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

static int replay(int dirfd, const char *name)
{
	own_str struct str bytes = STR_INIT;
	struct err err = ERR_INIT;

	if (file_read(dirfd, name, 4 << 20, &bytes, &err) < 0) {
		fprintf(stderr, "%s: %s\n", name, err.text);
		return -1;
	}
	/* A copy of exactly that size, so that a sanitizer sees a read behind the end. */
	own_mem uint8_t *exact = malloc(bytes.len ? bytes.len : 1);
	if (bytes.len)
		memcpy(exact, bytes.data, bytes.len);
	LLVMFuzzerTestOneInput(exact, bytes.len);
	return 0;
}

static int replay_corpus(const char *program)
{
	const char *slash = strrchr(program, '/');
	own_mem char *path = xasprintf("tests/fuzz/corpus/%s", slash ? slash + 1 : program);
	int count = 0, bad = 0;
	DIR *dir = opendir(path);

	if (!dir) {
		perror(path);
		return 1;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		bad |= replay(dirfd(dir), entry->d_name);
		count++;
	}
	closedir(dir);
	printf("%s: %d inputs\n", path, count);
	return bad || count == 0;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return replay_corpus(argv[0]);
	for (int i = 1; i < argc; i++)
		if (replay(AT_FDCWD, argv[i]) < 0)
			return 1;
	return 0;
}
