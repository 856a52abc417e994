/* What smolvm wrote down, in its database and beside the disks. From create on another hand may
 * write there: it can hold the database's locks, cut the file that a reader of it maps, and put a
 * link into a path; and all that it writes is parsed by SQLite. So each look is an errand with a
 * deadline that begins at the bottle's own directory, and reaches nothing else: what hangs or dies there
 * is a refusal, and the keeper goes on and takes it down. */
#include "backend/smolmachines.h"

#include <string.h>
#include <sys/resource.h>

#include "base/errand.h"
#include "base/file.h"
#include "base/sha256.h"
#include "cage/cage.h"
#include "smoldb/posture.h"
#include "smoldb/smoldb.h"
#include "base/banned.h"

enum { VM_NAME_HEX = 16, LAUNCHED_MAX = 64 * 1024, LOG_MAX = 64 << 20 };

static struct smoldb_options database(const struct machine *m)
{
	return (struct smoldb_options){ .path = m->database, .beneath = m->dir, .busy_ms = SMOLDB_BUSY_MS };
}

/* The whole row, read on a connection of its own. */
static int check_row(const struct machine *m, enum posture_phase phase, struct str *row, struct err *err)
{
	const struct smoldb_options o = database(m);

	if (smoldb_read(&o, m->name, row, err) != 0)
		return -1;
	return posture_check(row->data, row->len, m->given, phase, err);
}

/* The flag gives the list. That no name is answered can only be said in the database; and so can
 * a size that happens to be smolvm's default, in whose place it takes a .smolmachine's own. */
static int enforce(const struct machine *m, struct err *err)
{
	const struct smoldb_options o = database(m);
	own_mem char *cpus = xasprintf("%lu", m->resources.cpus);
	own_mem char *mem = xasprintf("%lu", m->resources.memory_mib);
	const struct {
		const char *key, *value;
	} fields[] = { { "dns_filter_hosts", "[]" }, { "cpus", cpus }, { "mem", mem } };
	own_strv struct strv cidrs = STRV_INIT;
	bool written;

	strv_add(&cidrs, MACHINE_CIDR);
	if (smoldb_enforce(&o, m->name, &cidrs, &written, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (smoldb_set(&o, m->name, fields[i].key, fields[i].value, &written, err) != 0)
			return -1;
	return 0;
}

static int look_created(const struct machine *m, void *answer, struct err *err)
{
	own_str struct str row = STR_INIT;

	(void)answer;
	return check_row(m, POSTURE_CREATED, &row, err);
}

static int declare(const struct machine *m, void *answer, struct err *err)
{
	return enforce(m, err) == 0 ? look_created(m, answer, err) : -1;
}

/* The file beside the disks that says what was really launched. */
static int check_launched(const struct machine *m, struct err *err)
{
	own_str struct str text = STR_INIT;
	char hash[SHA256_TEXT];

	sha256_text(m->name, strlen(m->name), hash);
	own_mem char *path =
		xasprintf(MACHINE_DIR "/.cache/smolvm/vms/%.*s/agent.config.json", VM_NAME_HEX, hash);
	if (file_read_beneath(m->dir, path, LAUNCHED_MAX, &text, err) != 0)
		return fail_in(err, "what smolvm launched");
	return posture_check_launched(text.data, text.len, m->given, err);
}

static int look_started(const struct machine *m, void *answer, struct err *err)
{
	struct machine_vmm *vmm = answer;
	own_str struct str row = STR_INIT;
	own_json json *fields = NULL;

	if (check_row(m, POSTURE_STARTED, &row, err) != 0 || check_launched(m, err) != 0 ||
	    json_parse_unique(row.data, row.len, 16, &fields, err) != 0)
		return -1;
	int64_t pid = json_get_int(fields, "pid", 0), start = json_get_int(fields, "pid_start_time", 0);
	if (pid <= 0 || pid > INT32_MAX || start <= 0)
		return fail(err, ERR_UNCONFINED, "smolvm wrote down no VMM");
	*vmm = (struct machine_vmm){ (pid_t)pid, (unsigned long long)start };
	return 0;
}

static int look_for_row(const struct machine *m, void *answer, struct err *err)
{
	const struct smoldb_options o = database(m);
	int has = smoldb_has(&o, m->name, err);

	*(bool *)answer = has > 0;
	return has < 0 ? -1 : 0;
}

/* What SQLite's unix files and our own reading need. */
static const struct cage_call looking_rows[] = {
	CALL(open, "the database and what belongs to it"),
	CALL(openat, "the database and what belongs to it"),
	CALL(openat2, "files below the bottle's directory"),
	CALL(stat, "files"),
	CALL(lstat, "files"),
	CALL(access, "files"),
	CALL(faccessat, "files, where there is no access"),
	CALL(faccessat2, "files, where there is no access"),
	CALL(readlink, "SQLite asks whether a name is a link"),
	CALL(readlinkat, "where there is no readlink"),
	CALL(unlink, "the log of a database that nobody has open"),
	CALL(unlinkat, "where there is no unlink"),
	CALL(pread64, "pages"),
	CALL(pwrite64, "pages"),
	CALL(ftruncate, "the shared index of a log"),
	CALL(fsync, "a change is on the disk"),
	CALL(fdatasync, "a change is on the disk"),
	CALL(fchmod, "a log has the database's mode"),
	CALL(fchown, "a log has the database's owner"),
};

static int confine(const struct machine *m, struct err *err)
{
	static const struct cage_limit limits[] = {
		LIMIT(NPROC, 1, 1, "it starts nothing"),
		LIMIT(CORE, 0, 0, "nobody wants it"),
		LIMIT(FSIZE, LOG_MAX, LOG_MAX, "the change is one row"),
	};
	own_mem char *dir = xasprintf("/proc/self/fd/%d", m->dir);
	const struct cage_path paths[] = { PATH(dir, CAGE_PATH_READ | CAGE_PATH_WRITE, "the bottle's own") };
	const struct cage_calls calls[] = { cage_calls_common, CAGE_CALLS(looking_rows) };
	const struct cage_profile profile = {
		.name = "look",
		.calls = calls,
		.ncalls = ARRAY_LEN(calls),
		.paths = paths,
		.npaths = ARRAY_LEN(paths),
		.no_tcp_bind = true,
		.no_tcp_connect = true,
		.limits = limits,
		.nlimits = ARRAY_LEN(limits),
	};

	return cage_narrow(&profile, err);
}

struct task {
	const struct machine *machine;
	int (*fn)(const struct machine *m, void *answer, struct err *err);
};

static int confined(void *arg, void *answer, struct err *err)
{
	const struct task *t = arg;

	return confine(t->machine, err) == 0 ? t->fn(t->machine, answer, err) : -1;
}

static void ended(void *arg, uint32_t events)
{
	(void)events;
	*(bool *)arg = true;
}

static int wait_for_end(const struct errand *e, const struct guest_waiting *w, struct err *err)
{
	struct watch watch = WATCH_INIT;
	bool done = false;

	if (loop_watch(w->loop, &watch, e->proc.pidfd, EPOLLIN, ended, &done, err) != 0)
		return -1;
	int rc = w->wait(w->arg, &done, machine_deadlines.look, "an answer from smolvm's database", err);
	loop_unwatch(w->loop, &watch);
	return rc;
}

static int look(const struct machine *m, const struct guest_waiting *w,
                int (*fn)(const struct machine *m, void *answer, struct err *err), void *answer, size_t size,
                struct err *err)
{
	own_errand struct errand errand = ERRAND_INIT;
	struct task task = { m, fn };

	if (errand_start(confined, &task, size, m->dir, &errand, err) != 0 ||
	    wait_for_end(&errand, w, err) != 0)
		return -1;
	if (errand_wait(&errand, 0, answer, err) > 0)
		return 0;
	/* A file that can't be read, a death: whatever it was, nothing was confirmed. */
	if (err->kind != ERR_UNCONFINED)
		fail_in(err, "what smolvm wrote");
	err->kind = ERR_UNCONFINED;
	return -1;
}

int machine_declare(const struct machine *m, const struct guest_waiting *w, struct err *err)
{
	return look(m, w, declare, NULL, 0, err);
}

int machine_look_created(const struct machine *m, const struct guest_waiting *w, struct err *err)
{
	return look(m, w, look_created, NULL, 0, err);
}

int machine_look_started(const struct machine *m, const struct guest_waiting *w, struct machine_vmm *out,
                         struct err *err)
{
	return look(m, w, look_started, out, sizeof *out, err);
}

int machine_has_row(const struct machine *m, const struct guest_waiting *w, struct err *err)
{
	bool has = false;

	return look(m, w, look_for_row, &has, sizeof has, err) == 0 ? has : -1;
}
