#include "launch/steps.h"

#include "base/clock.h"
#include "base/own.h"
#include "launch/fault.h"
#include "base/banned.h"

bool has_machine(void *arg)
{
	const struct launch *l = arg;

	return l->backend && l->backend->create;
}

static int wait_for(void *arg, const bool *done, int ms, const char *what, struct err *err)
{
	return launch_wait(arg, done, ms, what, err);
}

/* On the way down nothing interrupts any more; the deadline stays. */
static int wait_to_the_end(void *arg, const bool *done, int ms, const char *what, struct err *err)
{
	struct launch *l = arg;
	uint64_t deadline = clock_ms() + (uint64_t)ms;

	while (!*done && !l->guest.dead) {
		uint64_t now = clock_ms();
		if (now >= deadline)
			return fail(err, ERR_BUSY, "%s did not come within %d ms", what, ms);
		if (loop_step(l->loop, (int)(deadline - now), err) != 0)
			return -1;
	}
	return *done ? 0 : fail(err, ERR_MISSING, "the cage ended before %s", what);
}

/* Before its directory exists: whatever dies from here on, `cleanup` knows of it. */
int machine_announce(struct launch *l, struct err *err)
{
	if (!has_machine(l))
		return 0;
	record_add_resource(&l->record, "machine", l->record.slug);
	return launch_save(l, err);
}

int machine_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	const struct guest_waiting w = { l->loop, wait_for, l };

	if (l->backend->create(&l->guest, &w, err) != 0)
		return fail_in(err, "the machine");
	return launch_fault("creating the machine", FAULT_DURING, err);
}

void machine_down(void *arg)
{
	struct launch *l = arg;
	const struct guest_waiting w = { l->loop, wait_to_the_end, l };
	own_str struct str trouble = STR_INIT;

	if (l->backend && l->backend->remove)
		l->backend->remove(&l->guest, &w, &trouble);
	if (trouble.len > 0)
		l->events->log(l->arg, LOG_WARN, str_c(&trouble));
}

int boot_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	const struct guest_waiting w = { l->loop, wait_for, l };

	if (l->backend->start(&l->guest, &w, err) != 0)
		return fail_in(err, "the machine");
	return launch_fault("booting the machine", FAULT_DURING, err);
}

int prepare_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	const struct guest_waiting w = { l->loop, wait_for, l };

	return launch_prepare(l, &w, err) == 0 ? 0 : fail_in(err, "preparing the machine");
}
