/* Stands in the place of src/launch/fault.c in the test's own `bottle`: what fails is said by
 * the file "fault" in the directory above the program's, one line: WHEN (0 before, 1 during,
 * 2 after), ACTION (fail, kill), the step's name. */
#include "launch/fault.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

int launch_fault(const char *step, enum fault_when when, struct err *err)
{
	char path[PATH_MAX], action[8], name[64];
	int at;
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);

	path[n > 0 ? n : 0] = '\0';
	for (int i = 0; i < 2 && strrchr(path, '/'); i++)
		*strrchr(path, '/') = '\0';
	memcpy(path + strlen(path), "/fault", sizeof "/fault");
	own_file FILE *f = fopen(path, "re");
	if (!f || fscanf(f, "%d %7s %63[^\n]", &at, action, name) != 3 || at != (int)when || !str_is(name, step))
		return 0;
	if (str_is(action, "kill"))
		kill(getpid(), SIGKILL);
	return fail(err, ERR_SYSTEM, "the test made \"%s\" fail", step);
}
