#include "launch/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/random.h"
#include "launch/fault.h"
#include "launch/targets.h"
#include "base/banned.h"

struct probing {
	bool done; /* the probe has ended, and so has its report */
	bool ended;
	int status;
	struct err err;
	int from; /* of the report */
	struct str report;
	struct watch watch;
	struct loop *loop;
};

static void check_done(struct probing *b)
{
	b->done = b->err.kind != ERR_NONE || (b->ended && b->from < 0);
}

static void probe_failed(void *arg, int status, const char *why)
{
	struct probing *b = arg;

	fail(&b->err, ERR_UNCONFINED, "the probe could not be started (%d): %s", status, why);
	check_done(b);
}

static void probe_exited(void *arg, int status)
{
	struct probing *b = arg;

	b->ended = true;
	b->status = status;
	check_done(b);
}

static void read_report(void *arg, uint32_t events)
{
	struct probing *b = arg;
	char bytes[16 * 1024];

	(void)events;
	ssize_t n = read(b->from, bytes, sizeof bytes);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && b->report.len + (size_t)n <= PROBE_PACK_MAX) {
		str_addn(&b->report, bytes, (size_t)n);
		return;
	}
	if (n > 0)
		fail(&b->err, ERR_UNCONFINED, "the probe's report is over the limit of %d bytes",
		     PROBE_PACK_MAX);
	loop_unwatch(b->loop, &b->watch);
	fd_drop(&b->from);
	check_done(b);
}

/* As a program of the cage, beside whatever else runs there. */
static int ask_cage(struct launch *l, const int fds[2], struct program *program, struct err *err)
{
	own_strv struct strv argv = STRV_INIT;

	strv_add(&argv, "bottle-guest");
	strv_add(&argv, "probe");
	struct init_run run = { .self = true,
		                .argv = argv,
		                .cwd = (char *)"/",
		                .uid = CAGE_UID,
		                .gid = CAGE_UID,
		                .targets = { 0, 1 },
		                .ntargets = 2 };
	return guest_run(&l->guest, &run, fds, program, err);
}

/* As the agent would run it. */
static int ask_machine(struct launch *l, const int fds[2], struct program *program, struct err *err)
{
	own_strv struct strv argv = STRV_INIT, nothing = STRV_INIT;

	strv_add(&argv, l->backend->guest_program);
	strv_add(&argv, "probe");
	const struct guest_command command = { .argv = &argv,
		                               .env = &nothing,
		                               .secrets = &nothing,
		                               .directory = "/",
		                               .in = fds[0],
		                               .out = fds[1],
		                               .err = -1 };
	return l->backend->run(&l->guest, &command, program, err);
}

static int ask(struct launch *l, bool machine, const struct str *task, struct probing *b,
               struct program *program, struct err *err)
{
	int pipe_fds[2];

	own_fd int in = file_sealed("task", task->data, task->len, err);
	if (in < 0)
		return -1;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	b->from = pipe_fds[0];
	own_fd int to = pipe_fds[1];
	if (fcntl(b->from, F_SETFL, O_NONBLOCK) != 0)
		return fail_errno(err, "the report's pipe");
	if (loop_watch(l->loop, &b->watch, b->from, EPOLLIN, read_report, b, err) != 0)
		return -1;
	const int fds[] = { in, to };
	return machine ? ask_machine(l, fds, program, err) : ask_cage(l, fds, program, err);
}

static void clear_probing(struct probing *b)
{
	if (b->loop)
		loop_unwatch(b->loop, &b->watch);
	fd_drop(&b->from);
	str_clear(&b->report);
}

static void clear_report(struct probe_report **r)
{
	if (*r)
		probe_report_clear(*r);
	mem_drop(r);
}

static void clear_task(struct probe_task **t)
{
	if (*t)
		probe_task_clear(*t);
	mem_drop(t);
}

static int run_probe(struct launch *l, const struct proof *p, struct probe_report *report, struct err *err)
{
	OWN(clear_task) struct probe_task *task = xcalloc(1, sizeof *task);
	OWN(clear_probing) struct probing b = { .from = -1, .watch = WATCH_INIT, .loop = l->loop };
	own_str struct str bytes = STR_INIT;
	struct program program = { .failed = probe_failed, .exited = probe_exited, .arg = &b };

	proof_task(p, task);
	probe_task_encode(task, &bytes);
	int rc = ask(l, p->machine, &bytes, &b, &program, err);
	if (rc == 0)
		rc = launch_wait(l, &b.done, p->machine ? PROOF_MACHINE_WAIT_MS : PROOF_WAIT_MS,
		                 "the proof's report", err);
	guest_forget(&l->guest, &program);
	if (rc != 0)
		return -1;
	if (b.err.kind != ERR_NONE) {
		*err = b.err;
		return -1;
	}
	if (b.status != 0 || probe_report_decode(b.report.data, b.report.len, report, err) != 0)
		return fail(err, ERR_UNCONFINED, "the probe ended with status %d and no report of use",
		            proc_exit_code(b.status));
	return 0;
}

/* The guest must not get to the host's name server. False: there is none to try. */
static bool host_resolver(char out[PROOF_ADDRESS])
{
	own_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	own_fd int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && file_read_fd(fd, "resolv.conf", 64 * 1024, &text, &ignored) == 0 &&
	       proof_find_resolver(str_c(&text), out);
}

static int write_down(struct launch *l, const struct proof *p, json *result, uint64_t took_ms,
                      struct err *err)
{
	own_json json *entry = json_object_of();

	json_set_int(result, "ms", (int64_t)took_ms);
	if (has_machine(l))
		json_set_string(result, "place", p->machine ? "in the machine" : "beside the machine");
	json_set_string(entry, "kind", "proof");
	json_set(entry, "proof", json_ref(result));
	/* The record keeps both of a machine's: the one in it, and below that the one beside it. */
	if (p->machine && l->record.proof)
		json_set(result, "beside", json_ref(l->record.proof));
	json_drop(&l->record.proof);
	l->record.proof = json_ref(result);
	return l->events->audit(l->arg, entry, err);
}

static int prove(struct launch *l, const struct proof *p, struct err *err)
{
	OWN(clear_report) struct probe_report *report = xcalloc(1, sizeof *report);
	own_json json *result = NULL;
	uint64_t began = clock_ms();
	struct err audit = ERR_INIT;

	if (run_probe(l, p, report, err) != 0)
		return -1;
	int verdict = proof_judge(p, report, &result, err);
	if (write_down(l, p, result, clock_ms() - began, &audit) != 0 && verdict == 0) {
		*err = audit;
		return -1;
	}
	return verdict;
}

int proof_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	own_targets struct targets targets = TARGETS_INIT;
	own_mem struct proof *p = xcalloc(1, sizeof *p);
	char resolver[PROOF_ADDRESS];
	bool has_resolver = host_resolver(resolver);

	random_bytes(p->launch, sizeof p->launch);
	if (targets_open(&targets, l->loop, l->dir, p, err) != 0)
		return -1;
	size_t controlled = p->n;
	proof_add_literals(p, has_resolver ? resolver : NULL);
	proof_add_gateway(p, "127.0.0.1", l->nonce);
	if (launch_fault("proving the walls", FAULT_DURING, err) != 0)
		return -1;
	if (prove(l, p, err) != 0)
		return has_machine(l) ? fail_in(err, "beside the machine") : -1;
	if (!has_machine(l))
		return 0;
	/* Once more from where the agent will be. */
	p->n = controlled;
	p->machine = true;
	random_bytes(p->launch, sizeof p->launch);
	proof_add_relayed(p, l->backend->address);
	proof_add_literals(p, has_resolver ? resolver : NULL);
	proof_add_gateway(p, l->backend->address, l->nonce);
	return prove(l, p, err) == 0 ? 0 : fail_in(err, "in the machine");
}
