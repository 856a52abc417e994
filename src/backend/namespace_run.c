/* A program in a guest that is the cage itself: init's own runner takes the secret part of the
 * environment from a descriptor. */
#include "backend/namespace.h"

#include <string.h>

#include "base/file.h"
#include "base/msg.h"
#include "base/own.h"
#include "base/banned.h"

enum { SECRETS_FD = 3 };
#define SECRETS_FD_TEXT "3"

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

int namespace_run(struct guest *g, const struct guest_command *c, struct program *p, struct err *err)
{
	static const char *const runner[] = { "bottle-guest", "run", SECRETS_FD_TEXT, "--", NULL };
	own_strv struct strv argv = STRV_INIT;
	int fds[INIT_FDS_MAX];

	own_fd int sealed = c->self ? -1 : seal_secrets(c->secrets, err);
	if (sealed < 0 && !c->self)
		return -1;
	for (const char *const *w = runner; *w && !c->self; w++)
		strv_add(&argv, *w);
	for (size_t i = 0; i < c->argv->n; i++)
		strv_add(&argv, c->argv->v[i]);
	/* Borrowed by the message, which is encoded and gone when guest_run() returns. */
	struct init_run run = { .self = true,
		                .terminal = c->terminal,
		                .rows = c->rows,
		                .columns = c->columns,
		                .argv = argv,
		                .env = *c->env,
		                .uid = CAGE_UID,
		                .gid = CAGE_UID,
		                .cwd = (char *)c->directory };
	if (!c->terminal) {
		add_fd(&run, fds, c->in, 0);
		add_fd(&run, fds, c->out, 1);
		add_fd(&run, fds, c->err, 2);
	}
	add_fd(&run, fds, sealed, SECRETS_FD);
	return guest_run(g, &run, fds, p, err);
}
