#include "backend/limits.h"

#include <sys/resource.h>

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

uint64_t limits_open_files(void)
{
	enum { MOST = 65536 };
	struct rlimit ours;

	return getrlimit(RLIMIT_NOFILE, &ours) == 0 && ours.rlim_max / 2 < MOST ? ours.rlim_max / 2 : MOST;
}

int limits_make(const struct guest_request *r, const struct cage_resources *want, unsigned must,
                struct guest *g, int *out, struct err *err)
{
	own_str struct str why = STR_INIT;
	unsigned enforced = 0;

	/* Named first: what was half made is removed by the same name. */
	g->cgroup = xasprintf(GUEST_GROUP "%s", r->slug);
	int group = cage_cgroup_make(g->cgroup, want, &enforced, &why, err);
	if (group < 0)
		return fail_in(err, "resources");
	own_fd int made = group > 0 ? group : -1;
	if ((must & enforced) != must)
		return fail(err, ERR_UNCONFINED, "resources: a written limit can't be enforced; %s",
		            str_c(&why));
	*out = fd_steal(&made);
	return 0;
}

void limits_remove(struct guest *g)
{
	if (g->cgroup)
		cage_cgroup_remove(g->cgroup);
	mem_drop(&g->cgroup);
}
