#include "launch/launch.h"

#include <string.h>

#include "base/own.h"
#include "launch/steps.h"
#include "proto/init.h"
#include "base/banned.h"

static void drop_secrets(struct strv *secrets)
{
	for (size_t i = 0; i < secrets->n; i++)
		explicit_bzero(secrets->v[i], strlen(secrets->v[i]));
	strv_clear(secrets);
}

int launch_run(struct launch *l, const struct launch_command *c, struct program *p, struct err *err)
{
	OWN(drop_secrets) struct strv secrets = STRV_INIT;
	own_strv struct strv env = STRV_INIT;

	launch_environment(l, &env, &secrets);
	for (size_t i = 0; c->env && i < c->env->n; i++) {
		const char *equals = strchr(c->env->v[i], '=');
		own_mem char *name = equals ? xstrndup(c->env->v[i], (size_t)(equals - c->env->v[i])) : NULL;
		if (!name || *name == '\0')
			return fail(err, ERR_USAGE, "a variable has to be NAME=VALUE");
		strv_setenv(&env, name, equals + 1);
	}
	if (init_check_command(c->argv, &env, err) != 0)
		return -1;
	const struct guest_command command = {
		.self = c->self,
		.argv = c->argv,
		.env = &env,
		.secrets = &secrets,
		.directory = c->directory ? c->directory : GUEST_WORKSPACE,
		.terminal = c->terminal,
		.rows = c->rows,
		.columns = c->columns,
		.in = c->in,
		.out = c->out,
		.err = c->err,
	};
	return l->backend->run(&l->guest, &command, p, err);
}

int launch_prepare(struct launch *l, const struct guest_waiting *w, struct err *err)
{
	OWN(drop_secrets) struct strv secrets = STRV_INIT;
	own_strv struct strv env = STRV_INIT;

	launch_environment(l, &env, &secrets);
	return l->backend->prepare(&l->guest, w, &secrets, err);
}
