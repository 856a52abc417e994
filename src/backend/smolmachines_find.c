/* Where smolvm stands. What a person has on PATH is the release's shell wrapper, the bare
 * program, or a compiled wrapper from the Nix store; beside it, or in libexec/smolvm, are its
 * libraries and the root of its guests. A shell wrapper is passed over: it needs a shell, and
 * all that it does is done by machine_environment(). */
#include "backend/smolmachines.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

void smolvm_clear(struct smolvm *s)
{
	mem_drop(&s->program);
	mem_drop(&s->root);
	mem_drop(&s->libraries);
	mem_drop(&s->agent_root);
}

static bool is_directory(const char *dir, const char *name)
{
	own_mem char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* @program's directory, or the one that a package keeps its parts in. */
static char *find_home(const char *program)
{
	static const char *const places[] = { "", "/../libexec/smolvm", "/../share/smolvm",
		                              "/../lib/smolvm" };
	own_mem char *dir = xstrndup(program, (size_t)(strrchr(program, '/') - program));

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		own_mem char *place = xasprintf("%s%s", dir, places[i]);
		char *home = realpath(place, NULL);
		if (home && is_directory(home, "agent-rootfs"))
			return home;
		free(home);
	}
	return NULL;
}

static bool is_script(const char *program)
{
	char start[2] = { 0 };
	own_fd int fd = open(program, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, start, 2) == 2 && start[0] == '#' && start[1] == '!';
}

/* The path in the cage of something below @home. */
static char *inside(const char *home, bool in_store, const char *name)
{
	return xasprintf("%s/%s", in_store ? home : MACHINE_SMOLVM, name);
}

int smolvm_find(const char *program, struct smolvm *out, struct err *err)
{
	if (!program)
		return fail(
			err, ERR_MISSING,
			"smolvm is not on PATH; `bottle doctor` says how to get the version that is supported");
	own_mem char *real = realpath(program, NULL);
	if (!real)
		return fail_errno(err, "%s", program);
	own_mem char *home = find_home(real);
	if (!home)
		return fail(err, ERR_MISSING,
		            "no agent-rootfs beside %s; unpack the release's archive as a whole", real);
	bool in_store = str_starts(real, "/nix/store/"), beside = str_starts(real, home);
	own_mem char *bare = xasprintf("%s/smolvm-bin", home);
	bool bare_exists = access(bare, X_OK) == 0;
	if (is_script(real) && !bare_exists)
		return fail(err, ERR_MISSING,
		            "no smolvm-bin beside the script %s; unpack the release's archive as a whole",
		            real);
	const char *run = is_script(real) || (!in_store && !beside) ? "smolvm-bin" : NULL;
	if (run && !bare_exists)
		return fail(err, ERR_MISSING, "%s is not there", bare);
	out->program = run      ? inside(home, in_store, run) :
	               in_store ? xstrdup(real) :
	                          inside(home, false, strrchr(real, '/') + 1);
	out->root = in_store ? NULL : xstrdup(home);
	out->libraries = is_directory(home, "lib") ? inside(home, in_store, "lib") : NULL;
	out->agent_root = inside(home, in_store, "agent-rootfs");
	return 0;
}
