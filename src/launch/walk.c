#include "launch/walk.h"

#include "launch/fault.h"
#include "base/banned.h"

static bool is_wanted(const struct step *s, void *arg)
{
	return !s->wanted || s->wanted(arg);
}

static int run_up(const struct step *s, void *arg, struct err *err)
{
	if (launch_fault(s->name, FAULT_BEFORE, err) != 0)
		return -1;
	if (s->up(arg, err) != 0)
		return -1;
	return launch_fault(s->name, FAULT_AFTER, err);
}

int walk_up(struct walk *w, void *arg, struct err *err)
{
	while (w->begun < w->nsteps) {
		const struct step *s = &w->steps[w->begun++];
		if (!is_wanted(s, arg))
			continue;
		if (w->told)
			w->told(arg, s->name, false);
		if (run_up(s, arg, err) != 0)
			return -1;
	}
	return 0;
}

void walk_down(struct walk *w, void *arg)
{
	struct err ignored = ERR_INIT;

	while (w->begun > 0) {
		const struct step *s = &w->steps[--w->begun];
		if (!s->down || !is_wanted(s, arg))
			continue;
		if (w->told)
			w->told(arg, s->name, true);
		launch_fault(s->name, FAULT_UNDOING, &ignored);
		s->down(arg);
	}
}
