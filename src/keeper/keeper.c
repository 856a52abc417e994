#include "keeper/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "keeper/bottle.h"
#include "keeper/requests.h"
#include "launch/fault.h"
#include "base/banned.h"

enum { PLAN_MAX = 8 << 20, SECRETS_MAX = 8 << 20, PLAN_DEPTH = 64, LOG_MAX = 1 << 20 };

void keeper_end(struct keeper *k, const struct err *why)
{
	if (why && why->kind != ERR_NONE && k->why.kind == ERR_NONE)
		k->why = *why;
	k->stopping = true;
	loop_stop(&k->loop);
}

/* What did not end by itself is killed with everything that is in there. */
static void on_stop_time(void *arg)
{
	struct keeper *k = arg;

	if (k->agent.running)
		k->launch.exit_status = 128 + SIGKILL;
	keeper_end(k, NULL);
}

void keeper_stop(struct keeper *k, int signo)
{
	struct err why = ERR_INIT;

	if (!k->launch.is_up) {
		fail(&why, ERR_DENIED, "the bottle was stopped before its program ran");
		launch_interrupt(&k->launch, &why);
		return;
	}
	if (k->stopping)
		return;
	k->stopping = true;
	/* Also when it was asked for and has not yet said that it runs: it may have begun its work. */
	if (guest_signal(&k->launch.guest, &k->agent.program, signo, &why) != 0) {
		keeper_end(k, NULL);
		return;
	}
	timer_set(&k->loop, &k->stop, STOP_MS, on_stop_time, k);
}

/* A record may reach the disk at any time, and a log that has less than its record claims counts
 * as tampered with. So the record follows what the disk has of the log, and is behind until then. */
static int claim_log(void *arg, bool on_disk, struct err *err)
{
	struct keeper *k = arg;
	struct record *r = &k->launch.record;

	if (k->audit.fd < 0)
		return 0;
	if (on_disk && audit_sync(&k->audit, err) != 0)
		return -1;
	r->audit_count = k->audit.count;
	memcpy(r->audit_head, k->audit.head, sizeof r->audit_head);
	return 0;
}

static void save_record(void *arg)
{
	struct keeper *k = arg;
	struct err err = ERR_INIT;
	const bool known = k->audit.doubtful;

	if (claim_log(k, true, &err) != 0 && !known)
		log_error("%s", err.text);
	if (launch_place(&k->launch, &err) != 0)
		log_error("the record can't be written why=%s", err.text);
}

static int append(struct keeper *k, const json *record, struct err *err)
{
	if (k->audit.fd < 0)
		return fail(err, ERR_UNCONFINED, "the audit log is not open");
	if (audit_append(&k->audit, record, err) != 0)
		return -1;
	if (k->save.slot == 0 && k->launch.is_up)
		timer_set(&k->loop, &k->save, SAVE_MS, save_record, k);
	return 0;
}

int keeper_audit(struct keeper *k, const char *event, json *details, struct err *err)
{
	own_json json *record = json_object_of();

	json_set_string(record, "kind", event);
	if (details)
		json_set(record, "details", details);
	return append(k, record, err);
}

static void on_step(void *arg, const char *name, bool down)
{
	struct keeper *k = arg;
	own_mem char *text = xstrdup(name);
	struct keeper_message m = { .say = KEEPER_STEP, .text = text, .down = down };

	connections_tell(k, &m, false);
	log_info("%s%s", down ? "undoing: " : "", name);
}

static void on_note(void *arg, const char *note)
{
	own_mem char *text = xstrdup(note);
	struct keeper_message m = { .say = KEEPER_NOTE, .text = text };

	connections_tell(arg, &m, false);
}

/* Lines of the log go into the bottle's own file, up to a limit. */
static void log_line(void *arg, enum log_level level, const char *line)
{
	struct keeper *k = arg;
	char now[CLOCK_TEXT];

	if (k->log < 0 || lseek(k->log, 0, SEEK_END) > LOG_MAX)
		return;
	clock_text(clock_unix_ms(), now);
	own_mem char *text = xasprintf("%s %s %s\n", now, log_level_name(level), line);
	ssize_t ignored = write(k->log, text, strlen(text));
	(void)ignored;
}

static int on_opened(void *arg, int dir, struct err *err)
{
	struct keeper *k = arg;
	struct record *r = &k->launch.record;

	k->log = openat(dir, RECORD_KEEPER_LOG, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	log_set_sink(log_line, k, LOG_INFO);
	/* A resumed bottle's log must be the one that its record knows. It is not opened before that
	 * is certain: a line more, and the record would know the other one. */
	const struct audit_claim claim = { r->audit_count, r->audit_head };
	if (audit_open(dir, &claim, (uint64_t)k->plan.audit_mib << 20, &k->audit, err) != 0)
		return -1;
	json *details = json_object_of();
	json_set_string(details, "slug", r->slug);
	json_set_string(details, "backend", k->plan.backend);
	json_set_truth(details, "resumed", k->launch.slug != NULL);
	if (keeper_audit(k, "start", details, err) != 0)
		return -1;
	return connections_listen(k, err);
}

static int on_audit(void *arg, const json *record, struct err *err)
{
	return append(arg, record, err);
}

static void on_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	log_at(level, "egress: %s", line);
}

static void on_lost(void *arg, const struct err *why)
{
	keeper_end(arg, why);
}

static const struct launch_events launch_events = {
	.step = on_step,
	.note = on_note,
	.opened = on_opened,
	.audit = on_audit,
	.claim = claim_log,
	.log = on_log,
	.lost = on_lost,
};

static void on_signal(void *arg, uint32_t events)
{
	struct keeper *k = arg;
	struct signalfd_siginfo info;
	struct err why = ERR_INIT;

	(void)events;
	if (read(k->signals, &info, sizeof info) != (ssize_t)sizeof info || info.ssi_signo == SIGPIPE)
		return;
	fail(&why, ERR_DENIED, "interrupted by signal %u", info.ssi_signo);
	launch_interrupt(&k->launch, &why);
	if (k->launch.is_up)
		keeper_stop(k, SIGTERM);
}

static int read_plan(struct keeper *k, int fd, struct err *err)
{
	own_str struct str text = STR_INIT;

	if (file_read_fd(fd, "the plan", PLAN_MAX, &text, err) != 0 ||
	    json_parse_unique(text.data, text.len, PLAN_DEPTH, &k->plan_json, err) != 0)
		return -1;
	return plan_from_json(k->plan_json, &k->plan, err);
}

static int read_secrets(struct keeper *k, int fd, struct err *err)
{
	own_str struct str bytes = STR_INIT;

	/* At once: growing would leave copies behind. */
	str_reserve(&bytes, 64 * 1024);
	if (file_read_fd(fd, "the secrets", SECRETS_MAX, &bytes, err) != 0)
		return -1;
	int rc = launch_secrets_decode(&bytes, &k->secrets, err);
	explicit_bzero(bytes.data, bytes.len);
	return rc;
}

/* The first message: what to launch, and where. */
static int take_launch(struct keeper *k, int pair, char **slug, struct err *err)
{
	own_msg struct msg raw = MSG_INIT;
	own_keeper_message struct keeper_message m = KEEPER_MESSAGE_INIT;
	int got = keeper_hear(pair, &raw, &m, err);

	if (got < 0)
		return -1;
	if (got == 0 || m.say != KEEPER_LAUNCH || raw.nfds != KEEPER_FDS)
		return fail(err, ERR_INPUT, "the keeper was not told what to launch");
	k->rows = (uint16_t)m.rows;
	k->columns = (uint16_t)m.columns;
	k->launch.bottles = msg_take_fd(&raw, KEEPER_FD_BOTTLES);
	k->runtime = msg_take_fd(&raw, KEEPER_FD_RUNTIME);
	if (*m.text)
		*slug = mem_steal(&m.text);
	return read_plan(k, raw.fds[KEEPER_FD_PLAN], err) == 0 ?
	               read_secrets(k, raw.fds[KEEPER_FD_SECRETS], err) :
	               -1;
}

static int begin(struct keeper *k, int pair, const char *libexec, struct err *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, 0 };

	if (loop_init(&k->loop, err) != 0)
		return -1;
	k->signals = loop_signals(signals, err);
	if (k->signals < 0 ||
	    loop_watch(&k->loop, &k->on_signal, k->signals, EPOLLIN, on_signal, k, err) != 0)
		return -1;
	if (!connection_add(k, pair, ROLE_LAUNCHER, err))
		return -1;
	k->launch.loop = &k->loop;
	k->launch.runtime = k->runtime;
	k->launch.plan = &k->plan;
	k->launch.plan_json = k->plan_json;
	k->launch.secrets = &k->secrets;
	k->launch.events = &launch_events;
	k->launch.arg = k;
	k->launch.libexec = libexec;
	k->began = clock_ms();
	return 0;
}

static int run_bottle(struct keeper *k, struct err *err)
{
	if (launch_up(&k->launch, err) != 0)
		return -1;
	resolver_watch(k);
	timer_set(&k->loop, &k->save, SAVE_MS, save_record, k);
	if (launch_fault(FAULT_PROGRAM, FAULT_BEFORE, err) != 0 || agent_start(k, err) != 0 ||
	    launch_fault(FAULT_PROGRAM, FAULT_AFTER, err) != 0 ||
	    (!k->stopping && loop_run(&k->loop, err) != 0))
		return -1;
	agent_drain(k);
	if (k->why.kind == ERR_NONE)
		return 0;
	*err = k->why;
	return -1;
}

static void tell_outcome(struct keeper *k, const struct err *err)
{
	struct keeper_message m = { .say = KEEPER_EXITED };

	if (k->agent.why.kind != ERR_NONE || err->kind != ERR_NONE) {
		struct keeper_message failed = { .say = KEEPER_FAILED,
			                         .why = err->kind != ERR_NONE ? *err : k->agent.why };
		connections_tell(k, &failed, false);
	}
	if (k->launch.exit_status >= 0 || k->agent.why_status) {
		m.number = (uint32_t)(k->agent.why_status ? k->agent.why_status : k->launch.exit_status);
		connections_tell(k, &m, false);
	}
}

static void end(struct keeper *k, const struct err *why)
{
	struct keeper_message ended = { .say = KEEPER_ENDED };
	struct err ignored = ERR_INIT;

	k->down = true;
	tell_outcome(k, why);
	audit_close_up(&k->audit);
	if (k->audit.fd >= 0) {
		json *details = json_object_of();
		json_set_int(details, "status", k->launch.exit_status);
		json_set_string(details, "why", why->kind != ERR_NONE ? why->text : NULL);
		keeper_audit(k, "end", details, &ignored);
	}
	resolver_unwatch(k);
	agent_clear(k);
	timer_cancel(&k->loop, &k->save);
	timer_cancel(&k->loop, &k->starved);
	timer_cancel(&k->loop, &k->stop);
	connections_close(k);
	launch_down(&k->launch, why);
	connections_tell(k, &ended, false);
	connections_linger(k);
}

static void clear(struct keeper *k)
{
	log_set_sink(NULL, NULL, LOG_ERROR);
	audit_close(&k->audit);
	fd_drop(&k->log);
	fd_drop(&k->launch.bottles);
	fd_drop(&k->runtime);
	fd_drop(&k->signals);
	launch_secrets_clear(&k->secrets);
	json_drop(&k->plan_json);
	plan_clear(&k->plan);
	loop_clear(&k->loop);
}

int keeper_run(int pair, const char *libexec, struct err *err)
{
	OWN(clear)
	struct keeper k = {
		.loop = LOOP_INIT,
		.launch = LAUNCH_INIT,
		.plan = PLAN_INIT,
		.secrets = LAUNCH_SECRETS_INIT,
		.audit = AUDIT_INIT,
		.runtime = -1,
		.listener = -1,
		.signals = -1,
		.log = -1,
		.watcher = -1,
		.in_etc = -1,
		.beside = -1,
		.on_listener = WATCH_INIT,
		.on_signal = WATCH_INIT,
		.on_watcher = WATCH_INIT,
		.agent = { .in = -1,
		           .out = -1,
		           .err = -1,
		           .log = -1,
		           .on_in = WATCH_INIT,
		           .on_out = WATCH_INIT,
		           .on_err = WATCH_INIT },
	};
	own_mem char *slug = NULL;

	/* Before it holds a secret: no core, and no other process of the user looks into it. Only for
	 * the moments in which a cage's id maps are written does the cage room lift this. */
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		return fail_errno(err, "PR_SET_DUMPABLE");
	if (take_launch(&k, pair, &slug, err) != 0 || begin(&k, pair, libexec, err) != 0) {
		struct keeper_message failed = { .say = KEEPER_FAILED, .why = *err };
		keeper_say(pair, &failed, NULL, 0, &(struct err)ERR_INIT);
		return -1;
	}
	k.launch.slug = slug;
	/* The directory that we were started in must stay removable. */
	if (chdir("/") != 0)
		return fail_errno(err, "chdir /");
	int rc = run_bottle(&k, err);
	if (rc == 0)
		*err = (struct err)ERR_INIT;
	end(&k, err);
	return rc;
}
