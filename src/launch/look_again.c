#include "launch/look.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "launch/steps.h"
#include "workspace/workspace.h"
#include "base/banned.h"

enum {
	FRESH_MAX = 2000,
	LOOK_MS = 10000, /* stop waits for it */
	NAMED_MAX = 50,  /* lines of each kind; the audit log has all of them */
	/* Bytes of a path, which a guest makes of any length; each may take several to be shown. */
	IN_A_RECORD = 1000,
	IN_A_NOTE = 300,
	IN_A_LIST = 100,
	RECORD_MAX = 8000, /* shown bytes in a line of the audit log */
};

void look_again_clear(struct look_again *a)
{
	strv_clear(&a->fresh);
	strv_clear(&a->changed);
	strv_clear(&a->replaced);
	strv_clear(&a->closed);
	mem_drop(&a->cut);
}

struct again {
	const struct look *k;
	struct look_again *out;
	size_t seen;
	uint64_t begun, ms;
};

/* What was found is kept; the first reason counts. The walk ends where this is returned. */
static int cut(struct again *a, const char *why)
{
	if (!a->out->cut)
		a->out->cut = xstrdup(why);
	return -1;
}

static bool was_hidden_all_along(const struct look *k, const struct met *m)
{
	const struct sight *then = sight_find(k, m->path);
	struct sight now;

	return then && then->hidden && sight_take(m->dir, m->name, true, &now) == 0 &&
	       sight_is_same(then, &now);
}

/* By no glob: the guest may have given its directory an excluded name. */
static int meet_again(void *arg, const struct met *m, struct err *err)
{
	struct again *a = arg;

	(void)err;
	if (a->seen++ == WORKSPACE_ENTRIES)
		return cut(a, "it holds too many files");
	if (clock_ms() - a->begun >= a->ms)
		return cut(a, "it took too long");
	bool obeyed = met_is_obeyed(m);
	if ((obeyed || m->type == DT_DIR) && was_hidden_all_along(a->k, m))
		return 0;
	if (!obeyed)
		return m->type == DT_DIR;
	/* Whole: what is in it needs no look of its own. */
	if (!sight_find(a->k, m->path))
		strv_add(&a->out->fresh, m->path);
	return a->out->fresh.n < FRESH_MAX ? 0 : cut(a, "it holds too many new files of that kind");
}

static int closed_again(void *arg, const struct met *m, int sys, struct err *err)
{
	struct again *a = arg;

	(void)err;
	if (!m)
		return cut(a, strerror(sys));
	if (sys == 0) {
		cut(a, "it is too many directories deep");
		return 0;
	}
	if (sys == ENOENT || sys == ENOTDIR || sys == ELOOP)
		return 0; /* somebody else's, by now */
	strv_add(&a->out->closed, m->path);
	return a->out->closed.n < FRESH_MAX ? 0 : cut(a, "it holds too many closed directories");
}

static void compare(const struct look *k, struct look_again *out)
{
	for (size_t i = 0; i < k->nsights; i++) {
		const struct sight *then = &k->sights[i];
		struct sight now;
		bool there = sight_take(k->dir, then->path, then->hidden, &now) == 0;
		if (then->hidden && there && !sight_is_same(then, &now))
			strv_add(&out->replaced, then->path);
		if (!then->hidden && !(there && sight_is_unchanged(then, &now)))
			strv_add(&out->changed, then->path);
	}
}

void look_end(const struct look *k, uint64_t ms, struct look_again *out)
{
	struct again a = { .k = k, .out = out, .begun = clock_ms(), .ms = ms };
	const struct look_walk how = {
		.met = meet_again, .closed = closed_again, .arg = &a, .deepest = WORKSPACE_DEPTH
	};
	struct err err = ERR_INIT;

	if (!k->shared)
		return;
	/* At the start it was none, else there would have been no guest. */
	if (workspace_is_repository(k->dir, NULL))
		strv_add(&out->fresh, ".");
	if (look_walk(k, &how, &err) != 0)
		cut(&a, err.text);
	compare(k, out);
}

/* ---- what is said of it ---- */

static void show(struct str *out, const char *path, size_t limit)
{
	size_t n = strlen(path);

	str_addn_name(out, path, n < limit ? n : limit);
	if (n > limit)
		str_add(out, "...");
}

static void tell_audit(struct launch *l, json *record)
{
	struct err err = ERR_INIT;

	if (l->events->audit(l->arg, record, &err) != 0)
		l->events->log(l->arg, LOG_ERROR, err.text);
}

static json *record_of(const char *what)
{
	json *record = json_object_of();

	json_set_string(record, "kind", "obeyed");
	json_set_string(record, "what", what);
	return record;
}

/* Whole, in as many lines as it takes: a line of the log has a limit. */
static void record_paths(struct launch *l, const char *what, const struct strv *paths)
{
	for (size_t i = 0; i < paths->n;) {
		own_json json *record = record_of(what);
		json *list = json_array_of();
		for (size_t bytes = 0; i < paths->n && bytes < RECORD_MAX; i++) {
			own_str struct str shown = STR_INIT;
			show(&shown, paths->v[i], IN_A_RECORD);
			json_push(list, json_of_string(str_c(&shown)));
			bytes += shown.len;
		}
		json_set(record, "paths", list);
		tell_audit(l, record);
	}
}

static void tell_paths(struct launch *l, const char *what, const char *words, const struct strv *paths)
{
	for (size_t i = 0; i < paths->n && i < NAMED_MAX; i++) {
		own_str struct str line = STR_INIT;
		str_addf(&line, "%s: ", words);
		show(&line, paths->v[i], IN_A_NOTE);
		l->events->note(l->arg, str_c(&line));
	}
	if (paths->n > NAMED_MAX) {
		own_mem char *more = xasprintf("%s: and %zu more, which `bottle audit %s` names", words,
		                               paths->n - NAMED_MAX, l->record.slug);
		l->events->note(l->arg, more);
	}
	record_paths(l, what, paths);
}

static void list_some(struct str *out, const struct strv *paths)
{
	enum { SOME = 5 };

	for (size_t i = 0; i < paths->n && i < SOME; i++) {
		str_add(out, i ? ", " : "");
		show(out, paths->v[i], IN_A_LIST);
	}
	if (paths->n > SOME)
		str_addf(out, " and %zu more", paths->n - SOME);
}

/* What it may not see it can see now, as soon as it looks: it is not left the time. */
static void lose_hidden(struct launch *l, const struct strv *paths)
{
	const struct sight *s = sight_find(&l->look, paths->v[0]);
	own_str struct str shown = STR_INIT;
	struct err why = ERR_INIT;

	proc_signal(&l->guest.init, SIGKILL);
	str_add_escaped(&shown, paths->v[0], strlen(paths->v[0]), IN_A_LIST);
	fail(&why, ERR_UNCONFINED,
	     "%s, which %s, was removed or replaced on the host, and with it what "
	     "hid it, so the bottle was ended; `bottle resume %s` hides it again, and workspace: copy "
	     "has no such gap",
	     str_c(&shown),
	     s && s->hidden ? "the bottle may not see" : "leads to what the bottle may not see",
	     l->record.slug);
	log_warn("%s", why.text);
	record_paths(l, "no longer hidden", paths);
	launch_interrupt(l, &why);
	if (l->is_up)
		l->events->lost(l->arg, &why);
}

/* That a tool of the host obeys what the guest wrote takes a person who goes there, who has been
 * told; ending it with every checkout would be worse than that. */
static void lose_kept(struct launch *l, const struct strv *paths)
{
	own_str struct str line = STR_INIT;

	str_add(&line, "removed or replaced on the host, so the bottle can change it from now on, and a tool "
	               "of the host obeys it (look before you work there): ");
	list_some(&line, paths);
	l->events->note(l->arg, str_c(&line));
	log_warn("%s", str_c(&line));
	record_paths(l, "no longer kept", paths);
}

static void on_lost_mounts(void *arg, const struct strv *hidden, const struct strv *obeyed)
{
	if (hidden->n > 0)
		lose_hidden(arg, hidden);
	if (obeyed->n > 0)
		lose_kept(arg, obeyed);
}

int workspace_watch(struct launch *l, struct err *err)
{
	return lookout_begin(&l->look.lookout, l->loop, on_lost_mounts, l, err);
}

/* Mounts stand over names as they were at the start. What came since, and what lost its mount
 * because somebody replaced it, is named before anybody goes there. */
void workspace_tell(struct launch *l)
{
	own_look_again struct look_again a = LOOK_AGAIN_INIT;

	lookout_clear(&l->look.lookout);
	look_end(&l->look, LOOK_MS, &a);
	tell_paths(l, "new",
	           "new in the workspace, and obeyed by a tool of the host (look before you work there)",
	           &a.fresh);
	tell_paths(l, "changed",
	           "changed since the start, and obeyed by a tool of the host (look before you work there)",
	           &a.changed);
	tell_paths(l, "replaced", "replaced since the start, so that the bottle could see it", &a.replaced);
	tell_paths(l, "unreadable", "can't be read, so nobody knows what a tool of the host would obey in it",
	           &a.closed);
	if (!a.cut)
		return;
	own_mem char *line = xasprintf("the workspace was not looked through to its end (%s): there may be "
	                               "more in it that a tool of the host obeys",
	                               a.cut);
	own_json json *record = record_of("incomplete");
	l->events->note(l->arg, line);
	json_set_string(record, "why", a.cut);
	tell_audit(l, record);
}
