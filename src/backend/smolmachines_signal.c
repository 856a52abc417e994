/* Signals for what runs in the machine. */
#include "backend/smolmachines.h"

#include <stdlib.h>

#include "base/banned.h"

static void on_failed(void *arg, int status, const char *why)
{
	(void)status;
	(void)why;
	free(arg);
}

static void on_exited(void *arg, int status)
{
	(void)status;
	free(arg);
}

/* smolvm's exec passes no signal on, so it is carried by one of its own, which nobody waits
 * for: what the machine does with it is the machine's affair. */
int machine_signal(struct guest *g, uint32_t number, int signo, struct err *err)
{
	const struct machine *m = g->machine;
	own_strv struct strv argv = STRV_INIT, env = STRV_INIT;
	const char *const words[] = { m->smolvm.program, "machine", "exec",        "--name",
		                      m->name,           "--",      MACHINE_GUEST, "signal" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		strv_add(&argv, words[i]);
	strv_addf(&argv, "%u", number);
	strv_addf(&argv, "%d", signo);
	machine_environment(m, &env);
	const struct init_run run = {
		.argv = argv, .env = env, .cwd = (char *)"/", .uid = CAGE_UID, .gid = CAGE_UID
	};
	struct program *p = xcalloc(1, sizeof *p);
	*p = (struct program){ .failed = on_failed, .exited = on_exited, .arg = p };
	if (guest_run(g, &run, NULL, p, err) == 0)
		return 0;
	free(p);
	return -1;
}
