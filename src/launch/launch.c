#include "launch/launch.h"

#include "base/clock.h"
#include "base/own.h"
#include "launch/steps.h"
#include "base/banned.h"

/* First in, last out. A row is a step of the life of a bottle; what another backend or
 * bundle needs (an image, a lease, a machine) is one more row here. */
/* clang-format off */
static const struct step steps[] = {
	{ "recording the bottle",	record_up,	record_down,	NULL },	/* first in, last out: a crash is findable */
	{ "preparing the image",	image_up,	image_down,	image_wanted },
	{ "naming the control group",	group_up,	group_down,	group_wanted },
	{ "building the cage",		cage_up,	cage_down,	NULL },
	{ "leasing an address",	lease_up,	lease_down,	docker_wanted },
	{ "making the bridge",		bridge_up,	bridge_down,	docker_wanted },
	{ "starting the gateway",	sidecars_up,	sidecars_down,	NULL },
	{ "placing certificates",	ca_up,		NULL,		NULL },
	{ "starting the guest",		guest_up,	NULL,		NULL },	/* goes down with the cage */
	{ "creating the machine",	machine_up,	machine_down,	has_machine },
	{ "booting the machine",	boot_up,	NULL,		has_machine },
	{ "moving in",			prepare_up,	NULL,		has_machine },
	{ "proving the walls",		proof_up,	NULL,		NULL },
	{ "preparing the home",		provision_up,	NULL,		NULL },
};
/* clang-format on */

static void tell_step(void *arg, const char *name, bool down)
{
	struct launch *l = arg;

	l->events->step(l->arg, name, down);
}

int launch_up(struct launch *l, struct err *err)
{
	l->walk = (struct walk){ .steps = steps, .nsteps = ARRAY_LEN(steps), .told = tell_step };
	/* A last look round: what ended the launch during a step that waits for nothing counts too. */
	if (walk_up(&l->walk, l, err) != 0 || loop_step(l->loop, 0, err) != 0)
		return -1;
	if (l->interrupted.kind != ERR_NONE) {
		*err = l->interrupted;
		return -1;
	}
	/* Whatever the agent does, its bottle will be found. */
	if (record_settled(l, err) != 0)
		return -1;
	l->is_up = true;
	l->record.state = RECORD_RUNNING;
	return launch_place(l, err);
}

void launch_interrupt(struct launch *l, const struct err *why)
{
	if (l->interrupted.kind == ERR_NONE)
		l->interrupted = *why;
}

int launch_wait(struct launch *l, const bool *done, int ms, const char *what, struct err *err)
{
	uint64_t deadline = clock_ms() + (uint64_t)ms;

	for (;;) {
		/* First: what was waited for may have come in the same batch as the end of everything. */
		if (l->interrupted.kind != ERR_NONE) {
			*err = l->interrupted;
			return -1;
		}
		if (*done)
			return 0;
		uint64_t now = clock_ms();
		if (now >= deadline)
			return fail(err, ERR_UNCONFINED, "%s did not come within %d ms", what, ms);
		if (loop_step(l->loop, (int)(deadline - now), err) != 0)
			return -1;
	}
}

static int store(struct launch *l, int (*how)(int dir, const struct record *r, struct err *err),
                 struct err *err)
{
	l->record.refused = l->refused;
	own_fd int lock = registry_lock(l->dir, LAUNCH_WAIT_MS, err);
	return lock < 0 ? -1 : how(l->dir, &l->record, err);
}

int launch_save(struct launch *l, struct err *err)
{
	return record_settled(l, err) == 0 ? store(l, registry_save, err) : -1;
}

int launch_place(struct launch *l, struct err *err)
{
	return store(l, registry_place, err);
}

void launch_down(struct launch *l, const struct err *why)
{
	if (why && why->kind != ERR_NONE)
		launch_interrupt(l, why);
	l->is_up = false;
	walk_down(&l->walk, l);
	fd_drop(&l->dir);
	record_clear(&l->record);
	look_clear(&l->look);
	closure_clear(&l->closure);
	mem_drop(&l->ca);
	mem_drop(&l->canary);
	str_clear(&l->bundle);
	str_clear(&l->resolv_conf);
	str_clear(&l->hosts);
	strv_clear(&l->placeholders);
}
