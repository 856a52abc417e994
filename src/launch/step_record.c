#include "launch/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/utf8.h"
#include "launch/fault.h"
#include "base/banned.h"

static const char *mode_name(const struct plan *p)
{
	static const char *const names[] = { [MANIFEST_WORKSPACE_COPY] = "copy",
		                             [MANIFEST_WORKSPACE_MOUNT] = "mount",
		                             [MANIFEST_WORKSPACE_NONE] = "none" };

	return p->workspace_mode < ARRAY_LEN(names) ? names[p->workspace_mode] : "none";
}

static void fill_record(struct launch *l)
{
	const struct plan *p = l->plan;
	struct record *r = &l->record;

	r->label = p->label ? xstrdup(p->label) : NULL;
	r->agent = p->agent ? xstrdup(p->agent) : NULL;
	strv_copy(&r->bottles, &p->bottles);
	r->backend = xstrdup(p->backend);
	r->bundle = xstrdup(p->bundle);
	r->workspace = p->workspace ? xstrdup(p->workspace) : NULL;
	r->workspace_mode = xstrdup(mode_name(p));
	strv_copy(&r->workspace_exclude, &p->workspace_exclude);
	r->plan = json_ref((json *)l->plan_json);
	r->created_ms = clock_unix_ms();
}

/* Whoever dials has an environment of its own, which may say another place than ours did. */
static void fill_runtime(struct launch *l)
{
	struct err ignored = ERR_INIT;
	own_mem char *path = dir_path(l->runtime, &ignored);

	mem_drop(&l->record.runtime);
	/* A record is JSON, which has no other bytes. */
	if (path && utf8_is_valid(path, strlen(path)))
		l->record.runtime = mem_steal(&path);
}

static void fill_run(struct launch *l)
{
	struct record *r = &l->record;

	r->state = RECORD_STARTING;
	r->keeper_pid = getpid();
	r->keeper_start = proc_start_time(r->keeper_pid);
	fill_runtime(l);
	r->ended_ms = 0;
	r->exit_status = -1;
	r->refused = 0;
	r->remove_at_end = l->plan->remove_at_end;
	json_drop(&r->proof);
	strv_clear(&r->limits_not_enforced);
	strv_copy(&r->limits_not_enforced, &l->plan->unlimited);
}

/* A bottle that was stopped, by its slug; one that runs is somebody else's. */
static int open_stopped(struct launch *l, struct err *err)
{
	l->dir = registry_open(l->bottles, l->slug, err);
	if (l->dir < 0)
		return -1;
	own_fd int lock = registry_lock(l->dir, LAUNCH_WAIT_MS, err);
	if (lock < 0 || registry_load(l->dir, &l->record, err) != 0)
		return -1;
	if (record_shown_state(&l->record) != RECORD_STOPPED)
		return fail(err, ERR_BUSY, "bottle %s is %s; only a stopped one is resumed", l->slug,
		            record_state_name(record_shown_state(&l->record)));
	fill_run(l);
	return registry_save(l->dir, &l->record, err);
}

static int make_directories(int dir, struct err *err)
{
	/* The guest's own go by 0700; what it only reads must be passable for its id. */
	static const struct {
		const char *path;
		mode_t mode;
	} rows[] = {
		{ RECORD_HOME, 0700 }, { RECORD_WORKSPACE, 0755 }, { RECORD_UPPER, 0755 },
		{ RECORD_WORK, 0755 }, { GUEST_ETC_DIR, 0755 },
	};

	/* Of the mount before, and good for that one alone. */
	if (dir_remove(dir, RECORD_WORK, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (mkdirat(dir, rows[i].path, rows[i].mode) != 0 && errno != EEXIST)
			return fail_errno(err, "making %s", rows[i].path);
		own_fd int fd = openat(dir, rows[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		/* The caller's umask has had its say; these modes are ours. */
		if (fd < 0 || (i > 0 && fchmod(fd, rows[i].mode) != 0))
			return fail_errno(err, "opening %s", rows[i].path);
	}
	return 0;
}

static int settle(void *arg, struct err *err)
{
	const struct launch *l = arg;

	return registry_settle(l->bottles, l->dir, err);
}

/* A disk takes longer than most steps do. What they acquire ends with the host, so they need
 * the record only where every process sees it, which it is; the disk has it before the rest. */
static int begin_settling(struct launch *l, struct err *err)
{
	const struct proc_spec spec = { .child = settle, .arg = l, .die_with_parent = true };

	return proc_fork(&spec, &l->settling, err);
}

int record_settled(struct launch *l, struct err *err)
{
	int status;

	if (l->settling.pidfd < 0)
		return 0;
	if (proc_wait(&l->settling, &status, err) != 0)
		return -1;
	return status == 0 ? 0 : fail(err, ERR_SYSTEM, "the bottle's record did not get to the disk");
}

int record_up(void *arg, struct err *err)
{
	struct launch *l = arg;

	if (l->slug) {
		if (open_stopped(l, err) != 0)
			return -1;
	} else {
		fill_record(l);
		fill_run(l);
		l->dir = registry_create(l->bottles, l->plan->name, &l->record, err);
		if (l->dir < 0 || begin_settling(l, err) != 0)
			return -1;
	}
	if (launch_fault("recording the bottle", FAULT_DURING, err) != 0)
		return -1;
	if (make_directories(l->dir, err) != 0)
		return fail_in(err, "bottle %s", l->record.slug);
	return l->events->opened(l->arg, l->dir, err);
}

/* A launch that never got as far as its agent leaves nothing, unless what stopped it is
 * worth looking at: then the record and its audit log stay until `bottle rm`. */
static bool is_worthless(const struct launch *l)
{
	/* What could not be freed must stay findable. */
	if (l->record.nresources > 0)
		return false;
	if (l->record.remove_at_end)
		return true;
	return !l->agent_ran && !l->slug && l->interrupted.kind != ERR_UNCONFINED;
}

void record_down(void *arg)
{
	struct launch *l = arg;
	struct err err = ERR_INIT;

	proc_clear(&l->settling);
	/* Not ours: a resume that was refused. */
	if (l->dir < 0 || l->record.keeper_pid != getpid())
		return;
	l->record.state = RECORD_STOPPED;
	l->record.keeper_pid = 0;
	l->record.keeper_start = 0;
	l->record.exit_status = l->exit_status;
	l->record.ended_ms = clock_unix_ms();
	bool worthless = is_worthless(l);
	if (l->events->claim(l->arg, !worthless, &err) != 0 ||
	    (worthless ? launch_place(l, &err) : launch_save(l, &err)) != 0) {
		own_mem char *note =
			xasprintf("the record of %s can't be written: %s; when it can, run bottle cleanup %s",
		                  l->record.slug, err.text, l->record.slug);
		l->events->log(l->arg, LOG_ERROR, note);
		l->events->note(l->arg, note);
	}
	if (worthless && registry_remove(l->bottles, l->record.slug, &err) != 0)
		l->events->log(l->arg, LOG_ERROR, err.text);
}
