/* Stands in the place of launch/fault.o in the `bottle` of the fault tests. It obeys the file
 * "fault" beside the program: one line, WHEN ACTION STEP. A point that stops waits there, as
 * a stopped process, until somebody sends SIGCONT or something worse. */
#include "launch/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

static const char *const when_names[] = {
	[FAULT_BEFORE] = "before",
	[FAULT_DURING] = "during",
	[FAULT_AFTER] = "after",
	[FAULT_UNDOING] = "undoing",
};

static bool read_planted(struct str *out)
{
	struct err ignored = ERR_INIT;
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n <= 0)
		return false;
	self[n] = '\0';
	char *slash = strrchr(self, '/');
	*slash = '\0';
	own_fd int dir = open(self, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir >= 0 && file_read(dir, "fault", 4096, out, &ignored) == 0;
}

int launch_fault(const char *step, enum fault_when when, struct err *err)
{
	static const struct {
		const char *action;
		enum err_kind kind;
	} failures[] = {
		{ "fail", ERR_SYSTEM },
		{ "unconfined", ERR_UNCONFINED },
	};
	own_str struct str planted = STR_INIT;

	if (!read_planted(&planted))
		return 0;
	char *rest = planted.data;
	const char *moment = strsep(&rest, " "), *action = strsep(&rest, " "), *at = strsep(&rest, "\n");
	if (!at || !str_is(moment, when_names[when]) || !str_is(at, step))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(failures); i++)
		if (str_is(action, failures[i].action))
			return fail(err, failures[i].kind, "planted %s %s", moment, at);
	if (str_is(action, "stop"))
		raise(SIGSTOP);
	return 0;
}
