#include "cmd/bottles.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/file.h"
#include "bundle/docker.h"
#include "cage/cage.h"
#include "image/cache.h"
#include "keeper/audit.h"
#include "preflight/preflight.h"
#include "registry/paths.h"
#include "base/banned.h"

enum { LOCK_MS = 2000 };

/* One whose keeper is gone. */
struct dead {
	int dir;
	const struct record *record;
};

/* Names in a record are ours, but a name that leaves its directory is not freed. */
static int free_socket(struct command *c, const struct dead *b, const char *name, struct err *err)
{
	own_fd int runtime = bottle_runtime(c, b->record, err);

	if (strchr(name, '/'))
		return fail(err, ERR_INPUT, "\"%.80s\" is not a socket's name", name);
	/* It may have gone with its user's session. */
	if (runtime < 0)
		return err->sys == ENOENT ? 0 : -1;
	if (unlinkat(runtime, name, 0) != 0 && errno != ENOENT)
		return fail_errno(err, "remove %s", name);
	return 0;
}

/* Its processes ended with the keeper; what is left are its disks and its database. */
static int free_machine(struct command *c, const struct dead *b, const char *name, struct err *err)
{
	(void)c, (void)name;
	return dir_remove(b->dir, GUEST_MACHINE_DIR, err);
}

/* A record names its own bottle's; what is still in it has no keeper any more. */
static int free_group(struct command *c, const struct dead *b, const char *name, struct err *err)
{
	(void)c, (void)b;
	return cage_cgroup_free(name, err);
}

/* The daemon that the bottle was started with, whatever the environment names now: another one
 * has nothing of that name, which would pass for freed. */
static int find_docker(const struct dead *b, struct docker *d, char **program, struct err *err)
{
	*program = preflight_find_program(command_env("PATH"), "docker", err);
	*d = (struct docker){ *program, json_get_string(b->record->plan, "docker_host", NULL) };
	return *program ? 0 : -1;
}

/* A record names what was made for its own bottle; anything else is not ours to remove. */
static int free_of_docker(const struct dead *b, enum docker_thing kind, const char *name, bool asked,
                          struct err *err)
{
	static const char *const ours[] = {
		[DOCKER_CONTAINER] = POOL_CONTAINER_PREFIX,
		[DOCKER_NETWORK] = "bot-bottle-bundle-",
	};
	own_mem char *program = NULL;
	struct docker d;

	if (!str_starts(name, ours[kind]))
		return fail(err, ERR_INPUT, "\"%.80s\" is not a bottle's %s", name,
		            kind == DOCKER_NETWORK ? "network" : "container");
	if (find_docker(b, &d, &program, err) != 0)
		return -1;
	return asked ? docker_remove_asked_for(&d, kind, name, err) : docker_remove(&d, kind, name, err);
}

static int free_container(struct command *c, const struct dead *b, const char *name, struct err *err)
{
	(void)c;
	return free_of_docker(b, DOCKER_CONTAINER, name, false, err);
}

static int free_network(struct command *c, const struct dead *b, const char *name, struct err *err)
{
	(void)c;
	return free_of_docker(b, DOCKER_NETWORK, name, false, err);
}

static int free_asked_container(struct command *c, const struct dead *b, const char *name, struct err *err)
{
	(void)c;
	return free_of_docker(b, DOCKER_CONTAINER, name, true, err);
}

static int free_asked_network(struct command *c, const struct dead *b, const char *name, struct err *err)
{
	(void)c;
	return free_of_docker(b, DOCKER_NETWORK, name, true, err);
}

static int open_images(struct command *c, struct image_cache *out, struct err *err)
{
	const struct paths *paths = command_paths(c, err);
	own_fd int parent = paths ? paths_open_private(paths->cache, PATHS_CACHE_FIX, err) : -1;

	return parent < 0 ? -1 : image_cache_open(parent, paths->cache, out, err);
}

/* What a launch made on the way to its image. */
static int free_image(struct command *c, const struct dead *b, const char *name, struct err *err)
{
	own_image_cache struct image_cache cache = IMAGE_CACHE_INIT;

	(void)b;
	if (!image_work_is_name(name))
		return fail(err, ERR_INPUT, "\"%.80s\" is not a launch's scratch directory", name);
	return open_images(c, &cache, err) == 0 ? dir_remove(cache.dir, name, err) : -1;
}

/* How each kind of resource is freed when its keeper is gone. What the kernel takes back by
 * itself (processes, namespaces, mounts, locks) needs no row. */
static const struct {
	const char *kind;
	int (*free)(struct command *c, const struct dead *b, const char *name, struct err *err);
} kinds[] = {
	{ "socket", free_socket },
	{ "machine", free_machine },
	{ "cgroup", free_group },
	{ "container", free_container },
	{ "network", free_network },
	{ "image", free_image },
	{ "asked-container", free_asked_container },
	{ "asked-network", free_asked_network },
};

static int free_resource(struct command *c, const struct dead *b, const struct resource *r, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_is(kinds[i].kind, r->kind))
			return kinds[i].free(c, b, r->name, err);
	return fail(err, ERR_INPUT, "this build can't free a %.40s; free it by hand", r->kind);
}

struct sweep {
	struct command *c;
	bool purge;
	json *rows; /* what was freed, and what was not */
	size_t failed;
};

static void note_item(struct sweep *s, const char *slug, const char *what, const struct err *failure)
{
	json *row = json_object_of();

	json_set_string(row, "bottle", slug);
	json_set(row, "item", text_json(what));
	json_set_string(row, "result", failure ? "failed" : "freed");
	json_set(row, "why", failure ? text_json(failure->text) : json_of_string(""));
	json_push(s->rows, row);
	s->failed += failure != NULL;
}

static bool wants_cleanup(const struct record *r, bool named, bool purge)
{
	if (r->state != RECORD_STOPPED)
		return !record_keeper_lives(r);
	return r->nresources > 0 || (named && purge);
}

static void free_all(struct sweep *s, int dir, struct record *r)
{
	own_mem char *socket = xasprintf("%s.sock", r->slug);
	struct err ignored = ERR_INIT;
	own_fd int runtime = bottle_runtime(s->c, r, &ignored);

	/* The keeper's own socket is not journalled: its name follows from the slug. */
	record_drop_resource(r, "socket", socket);
	bool there = runtime >= 0 ? faccessat(runtime, socket, F_OK, AT_SYMLINK_NOFOLLOW) == 0 :
	                            ignored.sys != ENOENT;
	if (there)
		record_add_resource(r, "socket", socket);
	for (size_t i = r->nresources; i-- > 0;) {
		struct err err = ERR_INIT;
		const struct resource one = r->resources[i];
		own_mem char *what = xasprintf("%s %s", one.kind, one.name);
		int rc = free_resource(s->c, &(struct dead){ dir, r }, &one, &err);
		note_item(s, r->slug, what, rc == 0 ? NULL : &err);
		if (rc == 0)
			record_drop_resource(r, one.kind, one.name);
	}
}

/* A keeper that was killed had no time to record the last lines of its log, or to end the last
 * of them. What follows from what it did record is taken over; a log that does not verify keeps
 * its old claim, and stays as it is. False: it could not be looked at or written now, and may be
 * another time. */
static bool settle_audit(struct sweep *s, int dir, struct record *r)
{
	const struct audit_claim claim = { r->audit_count, r->audit_count > 0 ? r->audit_head : NULL };
	struct audit_found found = { 0 };
	struct err why = ERR_INIT;

	if (audit_mend(dir, &claim, &found, &why) != 0) {
		note_item(s, r->slug, "audit log", &why);
		return why.kind != ERR_SYSTEM;
	}
	if (found.cut > 0)
		note_item(s, r->slug, "audit log, of which the last line was cut short", NULL);
	r->audit_count = found.count;
	memcpy(r->audit_head, found.head, sizeof r->audit_head);
	return true;
}

/* One dead bottle, under its lock: it may have been resumed since it was listed. */
static int sweep_one(struct sweep *s, const char *slug, bool named, struct err *err)
{
	own_record struct record r = RECORD_INIT;
	struct err unsaved = ERR_INIT;
	int bottles = command_bottles(s->c, err);
	own_fd int dir = bottles >= 0 ? registry_open(bottles, slug, err) : -1;
	own_fd int lock = dir >= 0 ? registry_lock(dir, LOCK_MS, err) : -1;

	if (lock < 0 || registry_load(dir, &r, err) != 0)
		return -1;
	if (!wants_cleanup(&r, named, s->purge))
		return fail(err, ERR_BUSY, "it is %s by now", record_state_name(record_shown_state(&r)));
	free_all(s, dir, &r);
	/* Until its log is settled it stays dead: stopped, it would have one that is too long. */
	if (r.state != RECORD_STOPPED && (settle_audit(s, dir, &r) || s->purge)) {
		r.ended_ms = clock_unix_ms();
		r.state = RECORD_STOPPED;
		r.keeper_pid = 0;
		r.keeper_start = 0;
	}
	/* What would make room is not kept for want of room. */
	if (registry_save(dir, &r, &unsaved) != 0 && (!s->purge || r.nresources > 0))
		return unsaved.sys == ENOSPC || unsaved.sys == EDQUOT ?
		               fail(err, ERR_SYSTEM,
		                    "%s; make room, or run bottle cleanup --purge %s, which removes its "
		                    "workspace too",
		                    unsaved.text, slug) :
		               fail(err, unsaved.kind, "%s", unsaved.text);
	if (!s->purge)
		return 0;
	if (r.nresources > 0)
		return fail(err, ERR_BUSY, "its record stays, since something could not be freed");
	if (registry_remove(bottles, slug, err) != 0)
		return -1;
	note_item(s, slug, "record, logs and workspace", NULL);
	return 0;
}

static void show_one(struct command *c, const struct record *r, bool purge)
{
	ui_note(&c->ui, "%s: %s", r->slug, r->state == RECORD_STOPPED ? "stopped" : "its keeper is gone");
	for (size_t i = 0; i < r->nresources; i++) {
		own_str struct str name = STR_INIT;
		str_add_visible(&name, r->resources[i].name);
		ui_note(&c->ui, "  %s %s", r->resources[i].kind, str_c(&name));
	}
	if (purge)
		ui_note(&c->ui, "  its record, logs and workspace, with changes that were not exported");
}

/* The slugs that are to be swept; what was named and runs is an error. */
static int choose(struct command *c, bool purge, struct strv *out, struct err *err)
{
	own_listing struct listing listing = LISTING_INIT;
	int bottles = command_bottles(c, err);

	if (bottles < 0 || (c->args.n == 0 && registry_sweep(bottles, err) != 0) ||
	    registry_list(bottles, &listing, err) != 0)
		return -1;
	for (size_t i = 0; i < c->args.n; i++) {
		own_bottle struct bottle b = BOTTLE_INIT;
		if (bottle_open(c, c->args.v[i], &b, err) != 0)
			return -1;
		if (b.record.state != RECORD_STOPPED && record_keeper_lives(&b.record))
			return fail(err, ERR_BUSY, "bottle %s is %s; run bottle stop %s first", b.record.slug,
			            record_state_name(b.record.state), b.record.slug);
	}
	for (size_t i = 0; i < listing.n; i++) {
		const struct listed *l = &listing.v[i];
		bool named = false;
		for (size_t j = 0; j < c->args.n; j++)
			named = named || str_is(c->args.v[j], l->slug);
		struct err why = l->error;
		if (why.kind != ERR_NONE && c->args.n == 0 && bottle_unreadable(c, l->slug, &why) != 0)
			ui_note(&c->ui, "left as it is: %s", why.text);
		if (l->error.kind != ERR_NONE || (c->args.n > 0 && !named) ||
		    !wants_cleanup(&l->record, named, purge))
			continue;
		show_one(c, &l->record, purge);
		strv_add(out, l->slug);
	}
	return 0;
}

/* The cached images that no bottle uses; they can all be made again. */
static int empty_images(struct command *c, struct err *err)
{
	own_image_cache struct image_cache cache = IMAGE_CACHE_INIT;
	struct image_usage freed;

	if (open_images(c, &cache, err) != 0 || image_cache_empty(&cache, &freed, err) != 0)
		return -1;
	ui_note(&c->ui, "%zu cached image%s removed (%llu MiB), %zu in use", freed.images,
	        str_plural(freed.images), (unsigned long long)freed.bytes >> 20, freed.held);
	return 0;
}

static int cleanup_run(struct command *c, struct err *err)
{
	static const struct ui_column columns[] = {
		{ "bottle", "BOTTLE", false },
		{ "item", "ITEM", false },
		{ "result", "RESULT", false },
		{ "why", "WHY", false },
	};
	own_strv struct strv slugs = STRV_INIT;
	own_json json *rows = json_array_of();
	struct sweep sweep = { .c = c, .purge = command_has(c, "purge"), .rows = rows };
	bool yes = command_has(c, "yes");

	if (choose(c, sweep.purge, &slugs, err) != 0)
		return -1;
	if (slugs.n == 0)
		ui_note(&c->ui, "nothing to clean up");
	else if (!yes && ui_ask(sweep.purge ? "free all this, and delete the workspaces?" : "free all this?",
	                        &yes, err) != 0)
		return err->kind == ERR_MISSING ?
		               fail(err, ERR_USAGE,
		                    "there is no terminal to ask on whether to free this; say it with --yes") :
		               -1;
	if (slugs.n > 0 && !yes)
		return fail(err, ERR_DENIED, "nothing was freed");
	for (size_t i = 0; i < slugs.n; i++) {
		struct err one = ERR_INIT;
		if (sweep_one(&sweep, slugs.v[i], c->args.n > 0, &one) != 0)
			note_item(&sweep, slugs.v[i], "bottle", &one);
	}
	if (c->ui.json || slugs.n > 0)
		ui_rows(&c->ui, rows, columns, ARRAY_LEN(columns));
	if (command_has(c, "images") && empty_images(c, err) != 0)
		return -1;
	return sweep.failed > 0 ? 1 : 0;
}

static const struct option options[] = {
	{ .name = "purge", .help = "also remove records, logs and workspaces" },
	{ .name = "images", .help = "also empty the cache of images, but for those in use" },
	{ .name = "yes", .letter = 'y', .help = "do not ask" },
	{ 0 },
};

const struct verb verb_cleanup = {
	.name = "cleanup",
	.args = "[--purge] [--images] [--yes] [SLUG...]",
	.summary = "free what dead bottles still hold",
	.details =
		"A bottle is dead when its keeper is gone, known by process id and start time. Everything is shown and asked "
		"once; each item is tried, and what fails is listed and stays in the record. Afterwards the bottle is "
		"stopped. Its workspace stays unless --purge is given; a named stopped bottle can be purged too. "
		"--images removes the cached images that no bottle uses: they are made again when they are wanted.",
	.group = GROUP_HOST,
	.flags = VERB_JSON,
	.max_args = ARGS_ANY,
	.complete = COMPLETE_SLUG,
	.complete_next = COMPLETE_SLUG,
	.options = options,
	.run = cleanup_run,
};
