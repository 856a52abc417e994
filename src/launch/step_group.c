#include "launch/steps.h"

#include "base/own.h"
#include "base/banned.h"

/* Asked again on the way down, when the record says it. */
bool group_wanted(void *arg)
{
	const struct launch *l = arg;
	struct err ignored = ERR_INIT;

	return l->group || cage_probe_cgroup(&ignored) >= 0;
}

int group_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	own_mem char *name = xasprintf(GUEST_GROUP "%s", l->record.slug);
	int found = cage_cgroup_path(name, &l->group, err);

	if (found <= 0)
		return found;
	/* Before it exists: nobody but `cleanup` removes the group of a keeper that was killed. */
	record_drop_resource(&l->record, "cgroup", l->group);
	record_add_resource(&l->record, "cgroup", l->group);
	return launch_place(l, err);
}

void group_down(void *arg)
{
	struct launch *l = arg;
	struct err err = ERR_INIT;

	if (l->group && cage_cgroup_free(l->group, &err) == 0)
		record_drop_resource(&l->record, "cgroup", l->group);
	else if (l->group)
		l->events->log(l->arg, LOG_WARN, err.text);
	mem_drop(&l->group);
}
