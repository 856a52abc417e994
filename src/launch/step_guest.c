#include "launch/steps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "launch/fault.h"
#include "base/banned.h"

/* In the order of launch.listeners. */
static const struct cage_listener listeners[LAUNCH_LISTENERS] = { { 9099, 511 }, { 443, 511 }, { 80, 511 } };

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* A program that knows no proxy finds the transparent listener under the name itself. */
void guest_hosts(const struct plan *p, const char *address, struct str *out)
{
	own_json json *doc = NULL;
	struct err ignored = ERR_INIT;

	str_add(out, "127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
	if (json_parse(p->routes, strlen(p->routes), 16, &doc, &ignored) != 0)
		return;
	const json *routes = json_get(doc, "routes");
	for (size_t i = 0; i < json_count(routes); i++) {
		const json *r = json_at(routes, i);
		const char *host = json_get_string(r, "host", "");
		int64_t port = json_get_int(r, "port", 443);
		bool usual = port == 443 || port == 80;
		if (*host && *host != '*' && *host != '[' && usual && !is_address(host))
			str_addf(out, "%s %s\n", address, host);
	}
}

static void guest_died(void *arg, const struct err *why)
{
	struct launch *l = arg;

	launch_interrupt(l, why);
	if (l->is_up)
		l->events->lost(l->arg, why);
}

static void fill_made(const struct image *i, struct guest_image *out)
{
	static const enum guest_image_kind kinds[] = { [IMAGE_DIRECTORY] = GUEST_IMAGE_DIRECTORY,
		                                       [IMAGE_ARCHIVE] = GUEST_IMAGE_ARCHIVE,
		                                       [IMAGE_PACKED] = GUEST_IMAGE_PACKED };

	*out = (struct guest_image){ .kind = kinds[i->kind],
		                     .path = i->path,
		                     .cached = i->kind != IMAGE_DIRECTORY,
		                     .hash = i->hash,
		                     .name = i->name,
		                     .workdir = i->workdir,
		                     .env = &i->env };
}

int cage_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	const struct plan *p = l->plan;
	own_str struct str hosts = STR_INIT;
	own_mem char *program = xasprintf("%s/bottle-guest", l->libexec);
	own_mem char *share = xasprintf("%s/" LAUNCH_SHARE, l->libexec);
	const struct manifest_resources resources = plan_wants(p);

	if (backend_find(p->backend, &l->backend, err) != 0 || look_begin(&l->look, p, err) != 0 ||
	    (!l->backend->create && closure_load(share, &l->closure, err) != 0))
		return -1;
	guest_hosts(p, l->backend->address, &hosts);
	struct guest_image made;
	fill_made(&l->image, &made);
	struct guest_request request = {
		.slug = l->record.slug,
		.program = program,
		.smolvm = p->smolvm,
		.image = p->image,
		.made = l->image.path ? &made : NULL,
		.tools = &p->tools,
		.tools_real = &p->tools_real,
		.closure = &l->closure,
		.workspace = (enum manifest_workspace)p->workspace_mode,
		.workspace_path = p->workspace,
		.workspace_dir = l->look.dir,
		.removed_at_end = p->remove_at_end,
		.hidden = &l->look.hidden,
		.placed = &l->look.placed,
		.obeyed = &l->look.obeyed,
		.resources = &resources,
		.dir = l->dir,
		.hosts = str_c(&hosts),
		.listeners = listeners,
		.nlisteners = ARRAY_LEN(listeners),
	};
	if (workspace_watch(l, err) != 0 || machine_announce(l, err) != 0)
		return -1;
	if (l->backend->up(&request, &l->guest, l->listeners, err) != 0)
		return fail_in(err, "the cage");
	if (launch_fault("building the cage", FAULT_DURING, err) != 0)
		return -1;
	return guest_listen(&l->guest, l->loop, guest_died, l, err);
}

void cage_down(void *arg)
{
	struct launch *l = arg;

	for (size_t i = 0; i < LAUNCH_LISTENERS; i++)
		fd_drop(&l->listeners[i]);
	if (!l->backend)
		return;
	l->backend->down(&l->guest);
	/* With its directory the machine is gone; else the record keeps it. */
	if (faccessat(l->dir, GUEST_MACHINE_DIR, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
		record_drop_resource(&l->record, "machine", l->record.slug);
	if (l->agent_ran && l->look.shared)
		workspace_tell(l);
}

int guest_up(void *arg, struct err *err)
{
	struct launch *l = arg;

	if (launch_fault("starting the guest", FAULT_DURING, err) != 0)
		return -1;
	return launch_wait(l, &l->guest.ready, LAUNCH_WAIT_MS, "the guest's init", err);
}
