#include "keeper/requests.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

/* Which requests are fine in which role; all others end the connection. */
static bool may(enum role role, enum keeper_say say)
{
	switch (say) {
	case KEEPER_INFO:
	case KEEPER_EXEC:
	case KEEPER_ATTACH:
		return role == ROLE_NEW;
	case KEEPER_STOP:
		return role == ROLE_NEW || role == ROLE_LAUNCHER;
	case KEEPER_INPUT:
		return role == ROLE_LAUNCHER || role == ROLE_ATTACHED;
	case KEEPER_RESIZE:
	case KEEPER_SIGNAL:
		return role == ROLE_LAUNCHER || role == ROLE_ATTACHED || role == ROLE_EXEC;
	default:
		return false;
	}
}

static void exec_started(void *arg, int terminal)
{
	struct connection *c = arg;
	struct keeper_message m = { .say = KEEPER_STARTED };
	size_t n = 0;
	int fds[3];

	own_fd int master = terminal;
	if (master >= 0)
		fds[n++] = master;
	for (size_t i = 0; master < 0 && i < ARRAY_LEN(c->ours); i++)
		if (c->ours[i] >= 0)
			fds[n++] = c->ours[i];
	m.number = (uint32_t)n;
	connection_say(c, &m, fds, n);
	/* From here on the streams are the caller's alone. */
	for (size_t i = 0; i < ARRAY_LEN(c->ours); i++)
		fd_drop(&c->ours[i]);
}

static void exec_failed(void *arg, int status, const char *why)
{
	struct connection *c = arg;
	struct keeper_message exited = { .say = KEEPER_EXITED, .number = (uint32_t)status };
	struct keeper_message failed = { .say = KEEPER_FAILED };

	fail(&failed.why, status == 125 ? ERR_SYSTEM : ERR_MISSING, "%s", why);
	connection_say(c, &failed, NULL, 0);
	connection_say(c, &exited, NULL, 0);
}

static void exec_exited(void *arg, int status)
{
	struct connection *c = arg;
	struct keeper_message m = { .say = KEEPER_EXITED, .number = (uint32_t)proc_exit_code(status) };

	connection_say(c, &m, NULL, 0);
}

static int make_pipes(struct connection *c, int theirs[3], struct err *err)
{
	for (int i = 0; i < 3; i++) {
		int fds[2];
		if (pipe2(fds, O_CLOEXEC) != 0)
			return fail_errno(err, "pipe");
		c->ours[i] = fds[i == 0 ? 1 : 0];
		theirs[i] = fds[i == 0 ? 0 : 1];
	}
	return 0;
}

/* What the guest program may be asked to be, beside what the keeper itself asks it. */
static bool is_copy(const struct keeper_message *m)
{
	return m->argv.n > 2 && !m->terminal &&
	       (str_is(m->argv.v[1], "send") || str_is(m->argv.v[1], "receive"));
}

/* The bytes are a caller's, or name a file that the guest made. */
static void set_visible(json *details, const char *key, const char *bytes)
{
	own_str struct str shown = STR_INIT;

	str_add_name(&shown, bytes);
	json_set_string(details, key, str_c(&shown));
}

static int answer_exec(struct connection *c, const struct keeper_message *m, struct err *err)
{
	struct keeper *k = c->keeper;
	int theirs[3] = { -1, -1, -1 };
	json *details = json_object_of();

	set_visible(details, "program", m->argv.v[0]);
	if (m->self && is_copy(m)) {
		json_set_string(details, "copy", m->argv.v[1]);
		set_visible(details, "path", m->argv.v[2]);
	}
	if (keeper_audit(k, "exec", details, err) != 0)
		return -1;
	if (!k->launch.is_up || k->stopping)
		return fail(err, ERR_BUSY, "the bottle is not running yet, or not any more");
	if (m->user && !str_is(m->user, "agent"))
		return fail(err, ERR_DENIED,
		            "there is no user %s in this bottle; the namespace backend has one, agent",
		            m->user);
	if (m->self && !is_copy(m))
		return fail(err, ERR_DENIED, "the guest program only copies for a caller");
	c->role = ROLE_EXEC;
	c->terminal = m->terminal;
	c->program = (struct program){
		.started = exec_started, .failed = exec_failed, .exited = exec_exited, .arg = c
	};
	int rc = m->terminal ? 0 : make_pipes(c, theirs, err);
	struct launch_command command = { .argv = &m->argv,
		                          .self = m->self,
		                          .env = &m->env,
		                          .directory = m->directory,
		                          .terminal = m->terminal,
		                          .rows = (uint16_t)m->rows,
		                          .columns = (uint16_t)m->columns,
		                          .in = theirs[0],
		                          .out = theirs[1],
		                          .err = theirs[2] };
	if (rc == 0)
		rc = launch_run(&k->launch, &command, &c->program, err);
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		fd_drop(&theirs[i]);
	return rc;
}

static int answer_attach(struct connection *c, const struct keeper_message *m, struct err *err)
{
	struct keeper *k = c->keeper;
	struct keeper_message started = { .say = KEEPER_STARTED,
		                          .number = k->agent.terminal,
		                          .text = k->launch.record.slug };

	if (!k->agent.running)
		return fail(err, ERR_BUSY, "the bottle's program is not running");
	c->role = ROLE_ATTACHED;
	connection_say(c, &started, NULL, 0);
	if (k->agent.terminal && m->rows > 0)
		return guest_resize(&k->launch.guest, &k->agent.program, (uint16_t)m->rows,
		                    (uint16_t)m->columns, err);
	return 0;
}

static int answer_info(struct connection *c, struct err *err)
{
	own_keeper_message struct keeper_message m = { .say = KEEPER_STATUS };
	own_json json *status = keeper_status(c->keeper);
	own_str struct str text = STR_INIT;

	json_print(status, &text);
	if (text.len > KEEPER_STATUS_MAX)
		return fail(err, ERR_SYSTEM, "the bottle's status is over the limit of %d bytes",
		            KEEPER_STATUS_MAX);
	m.text = str_steal(&text);
	connection_say(c, &m, NULL, 0);
	return 0;
}

static struct program *program_of(struct connection *c)
{
	return c->role == ROLE_EXEC ? &c->program : &c->keeper->agent.program;
}

static int answer_signal(struct connection *c, int signo, struct err *err)
{
	struct keeper *k = c->keeper;
	struct err ignored = ERR_INIT;

	if (signo < 1 || signo >= NSIG)
		return fail(err, ERR_INPUT, "signal %d does not exist", signo);
	if (c->role == ROLE_LAUNCHER && !k->agent.running) {
		/* There is nobody to hear it yet: the launch itself turns round. */
		struct err why = ERR_INIT;
		fail(&why, ERR_DENIED, "interrupted by signal %d", signo);
		launch_interrupt(&k->launch, &why);
		if (k->launch.is_up)
			keeper_end(k, &why);
		return 0;
	}
	guest_signal(&k->launch.guest, program_of(c), signo, &ignored);
	return 0;
}

int request_obey(struct connection *c, struct keeper_message *m, struct err *err)
{
	struct keeper *k = c->keeper;
	struct err ignored = ERR_INIT;

	if (!may(c->role, m->say))
		return fail(err, ERR_DENIED, "message %d is not for this moment", (int)m->say);
	switch (m->say) {
	case KEEPER_INFO:
		return answer_info(c, err);
	case KEEPER_EXEC:
		return answer_exec(c, m, err);
	case KEEPER_ATTACH:
		return answer_attach(c, m, err);
	case KEEPER_INPUT:
		/* Who looks on and says no more does not speak for the others. */
		if (m->bytes.len == 0 && c->role != ROLE_LAUNCHER)
			return 0;
		c->owed += (uint32_t)m->bytes.len;
		agent_input(k, &m->bytes);
		return 0;
	case KEEPER_RESIZE:
		guest_resize(&k->launch.guest, program_of(c), (uint16_t)m->rows, (uint16_t)m->columns,
		             &ignored);
		return 0;
	case KEEPER_SIGNAL:
		return answer_signal(c, (int)m->number, err);
	case KEEPER_STOP:
		if (c->role == ROLE_NEW)
			c->role = ROLE_STOPPER;
		keeper_stop(k, SIGTERM);
		return 0;
	default:
		return fail(err, ERR_DENIED, "message %d is not for this moment", (int)m->say);
	}
}
