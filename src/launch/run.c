#include "launch/launch.h"

#include <string.h>

#include "base/file.h"
#include "base/msg.h"
#include "base/own.h"
#include "base/banned.h"

enum { SECRETS_FD = 3 };
#define SECRETS_FD_TEXT "3"

static void drop_secrets(struct strv *secrets)
{
	for (size_t i = 0; i < secrets->n; i++)
		explicit_bzero(secrets->v[i], strlen(secrets->v[i]));
	strv_clear(secrets);
}

/* The variables as a file without a name, which the guest's runner reads and closes. */
static int seal_secrets(const struct strv *secrets, struct err *err)
{
	own_str struct str bytes = STR_INIT;
	size_t n = sizeof(uint32_t);

	for (size_t i = 0; i < secrets->n; i++)
		n += sizeof(uint32_t) + strlen(secrets->v[i]);
	str_reserve(&bytes, n);
	pack_strv(&bytes, secrets);
	int fd = file_sealed("secrets", bytes.data, bytes.len, err);
	explicit_bzero(bytes.data, bytes.len);
	return fd;
}

static void add_fd(struct init_run *run, int *fds, int fd, int target)
{
	if (fd < 0)
		return;
	fds[run->ntargets] = fd;
	run->targets[run->ntargets++] = (uint8_t)target;
}

int launch_run(struct launch *l, const struct launch_command *c, struct program *p, struct err *err)
{
	static const char *const runner[] = { "bottle-guest", "run", SECRETS_FD_TEXT, "--", NULL };
	OWN(drop_secrets) struct strv secrets = STRV_INIT;
	own_strv struct strv env = STRV_INIT;
	own_strv struct strv argv = STRV_INIT;
	int fds[INIT_FDS_MAX];

	launch_environment(l, &env, &secrets);
	for (size_t i = 0; c->env && i < c->env->n; i++) {
		const char *equals = strchr(c->env->v[i], '=');
		own_mem char *name = equals ? xstrndup(c->env->v[i], (size_t)(equals - c->env->v[i])) : NULL;
		if (!name || *name == '\0')
			return fail(err, ERR_USAGE, "a variable has to be NAME=VALUE");
		strv_setenv(&env, name, equals + 1);
	}
	own_fd int sealed = c->self ? -1 : seal_secrets(&secrets, err);
	if (sealed < 0 && !c->self)
		return -1;
	for (const char *const *w = runner; *w && !c->self; w++)
		strv_add(&argv, *w);
	for (size_t i = 0; i < c->argv->n; i++)
		strv_add(&argv, c->argv->v[i]);
	/* Borrowed by the message, which is encoded and gone when guest_run() returns. */
	struct init_run run = { .self = true, .terminal = c->terminal, .rows = c->rows, .columns = c->columns,
				.argv = argv, .env = env, .uid = CAGE_UID, .gid = CAGE_UID,
				.cwd = (char *)(c->directory ? c->directory : GUEST_WORKSPACE) };
	if (!c->terminal) {
		add_fd(&run, fds, c->in, 0);
		add_fd(&run, fds, c->out, 1);
		add_fd(&run, fds, c->err, 2);
	}
	add_fd(&run, fds, sealed, SECRETS_FD);
	return guest_run(&l->guest, &run, fds, p, err);
}
