#include "registry_home.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"

static void only_plain_names_are_names(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
		{ "reviewer", true },
		{ "a", true },
		{ "a1-b2-3", true },
		{ "", false },
		{ "1a", false },
		{ "-a", false },
		{ "a-", false },
		{ "a--b", false },
		{ "A", false },
		{ "a_b", false },
		{ "a/b", false },
		{ "..", false },
		{ "a\nb", false },
		{ "a b", false },
		{ "a;b", false },
		{ "a%n", false },
		{ "\xc3\xa9t\xc3\xa9", false },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (name_is_valid(cases[i].name) != cases[i].valid)
			fail_msg("\"%s\" is judged wrongly", cases[i].name);
}

static void only_slugs_are_slugs(void **state)
{
	static const char *const bad[] = { "reviewer", "reviewer-abcd",  "reviewer-ABCDE",
		                           "-abcde",   "../a-abcde",     "a-abcde/",
		                           "a--abcde", "reviewer-abcd-", "1-abcde",
		                           "" };
	(void)state;
	assert_true(slug_is_valid("reviewer-ab12z"));
	assert_true(slug_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-00000"));
	assert_false(slug_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-00000"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (slug_is_valid(bad[i]))
			fail_msg("\"%s\" passes as a slug", bad[i]);
}

static void labels_become_names(void **state)
{
	static const struct {
		const char *label, *name;
	} cases[] = {
		{ "Fix Bug 12!", "fix-bug-12" },
		{ "  42 is the answer", "is-the-answer" },
		{ "../../etc", "etc" },
		{ "a---b__c", "a-b-c" },
		{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmn opq",
		  "abcdefghijklmnopqrstuvwxyzabcdefghijklmn" },
		{ "abcdefghijklmnopqrstuvwxyzabcdefghijklm opq", "abcdefghijklmnopqrstuvwxyzabcdefghijklm" },
	};
	char out[NAME_LIMIT + 1];
	struct err err = ERR_INIT;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ok(name_normalise(cases[i].label, out, &err), &err);
		assert_string_equal(out, cases[i].name);
		assert_true(name_is_valid(out));
	}
	assert_refused(name_normalise("12 34", out, &err), &err, ERR_INPUT, "letter");
}

static void fill(struct record *r)
{
	r->label = xstrdup("Fix \"it\"");
	r->agent = xstrdup("reviewer");
	strv_add(&r->bottles, "base");
	strv_add(&r->bottles, "claude-dev");
	r->runtime = xstrdup("/run/user/7/bot-bottle");
	r->backend = xstrdup("namespace");
	r->bundle = xstrdup("embedded");
	r->workspace = xstrdup("/home/a/src");
	r->workspace_mode = xstrdup("copy");
	strv_add(&r->workspace_exclude, ".env");
	r->plan = json_object_of();
	json_set_string(r->plan, "image", "x");
	r->state = RECORD_RUNNING;
	r->keeper_pid = getpid();
	r->keeper_start = proc_start_time(getpid());
	r->created_ms = 1700000000123;
	r->audit_count = 7;
	snprintf(r->audit_head, sizeof r->audit_head, "%064d", 9);
	record_add_resource(r, "container", "c1");
	record_add_resource(r, "network", "n1");
	strv_add(&r->limits_not_enforced, "memory");
	r->remove_at_end = true;
}

static void a_record_survives_the_road_to_disk_and_back(void **state)
{
	struct home *h = *state;
	own_record struct record r = RECORD_INIT, back = RECORD_INIT;
	own_str struct str a = STR_INIT, b = STR_INIT;
	struct err err = ERR_INIT;
	struct stat st;

	fill(&r);
	own_fd int dir = registry_create(h->fd, "reviewer", &r, &err);
	assert_ok(dir, &err);
	assert_true(slug_is_valid(r.slug));
	assert_int_equal(fstat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_ok(registry_load(dir, &back, &err), &err);
	own_json json *one = record_to_json(&r), *two = record_to_json(&back);
	json_print(one, &a);
	json_print(two, &b);
	assert_string_equal(a.data, b.data);
	assert_string_equal(back.slug, r.slug);
	assert_string_equal(back.runtime, r.runtime);
	assert_int_equal(back.nresources, 2);
	assert_string_equal(json_get_string(back.plan, "image", ""), "x");
}

static void freed_resources_leave_the_list(void **state)
{
	own_record struct record r = RECORD_INIT;
	(void)state;
	fill(&r);
	assert_true(record_drop_resource(&r, "container", "c1"));
	assert_false(record_drop_resource(&r, "container", "c1"));
	assert_int_equal(r.nresources, 1);
	assert_string_equal(r.resources[0].name, "n1");
}

static void a_keeper_is_known_by_pid_and_start_time(void **state)
{
	own_record struct record r = RECORD_INIT;
	(void)state;
	fill(&r);
	assert_true(record_keeper_lives(&r));
	assert_int_equal(record_shown_state(&r), RECORD_RUNNING);
	r.keeper_start++; /* the pid is in use by another process */
	assert_false(record_keeper_lives(&r));
	assert_int_equal(record_shown_state(&r), RECORD_DEAD);
	r.state = RECORD_STOPPED;
	assert_int_equal(record_shown_state(&r), RECORD_STOPPED);
	r.state = RECORD_STARTING;
	r.keeper_pid = 0;
	assert_int_equal(record_shown_state(&r), RECORD_DEAD);
}

static int write_record(int home, const char *slug, const char *text)
{
	struct err err = ERR_INIT;
	if (mkdirat(home, slug, 0700) != 0)
		return -1;
	own_fd int dir = openat(home, slug, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return text ? file_write(dir, RECORD_FILE, text, strlen(text), 0600, &err) : 0;
}

static void broken_records_are_listed_and_left_alone(void **state)
{
	static const struct {
		const char *slug, *text, *says;
	} cases[] = {
		{ "future-00001", "{\"schema\": 2}", "schema" },
		{ "broken-00002", "{\"schema\": 1", "record.json" },
		{ "extra-00003", "{\"schema\": 1, \"colour\": 3}", "colour" },
		{ "twice-00004", "{\"schema\": 1, \"schema\": 1}", "twice" },
		{ "empty-00005", "", "record.json" },
		{ "little-00006", "{\"schema\": 1, \"slug\": \"little-00006\"}", "\"label\" is missing" },
		{ "array-00007", "[]", "object" },
		{ "none-00008", NULL, "record.json" },
	};
	struct home *h = *state;
	own_listing struct listing l = LISTING_INIT;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(write_record(h->fd, cases[i].slug, cases[i].text), 0);
	assert_int_equal(mkdirat(h->fd, "no slug", 0700), 0);
	assert_ok(registry_list(h->fd, &l, &err), &err);
	assert_int_equal(l.n, ARRAY_LEN(cases));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t at = 0;
		while (!str_is(l.v[at].slug, cases[i].slug))
			at++;
		assert_int_not_equal(l.v[at].error.kind, ERR_NONE);
		if (!strstr(l.v[at].error.text, cases[i].says))
			fail_msg("%s: \"%s\"", cases[i].slug, l.v[at].error.text);
		own_str struct str now = STR_INIT;
		own_mem char *path = xasprintf("%s/" RECORD_FILE, cases[i].slug);
		if (!cases[i].text)
			continue;
		assert_ok(file_read(h->fd, path, 4096, &now, &err), &err);
		assert_string_equal(str_c(&now), cases[i].text);
	}
}

static void a_record_in_a_foreign_directory_is_not_believed(void **state)
{
	struct home *h = *state;
	own_record struct record r = RECORD_INIT;
	own_listing struct listing l = LISTING_INIT;
	struct err err = ERR_INIT;
	own_fd int dir = registry_create(h->fd, "one", &r, &err);

	assert_ok(dir, &err);
	assert_int_equal(renameat(h->fd, r.slug, h->fd, "two-abcde"), 0);
	assert_ok(registry_list(h->fd, &l, &err), &err);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v[0].error.kind, ERR_INPUT);
}

static void a_record_that_is_a_link_is_not_followed(void **state)
{
	struct home *h = *state;
	own_record struct record r = RECORD_INIT, out = RECORD_INIT;
	struct err err = ERR_INIT;
	own_fd int dir = registry_create(h->fd, "one", &r, &err);

	assert_ok(dir, &err);
	assert_ok(registry_load(dir, &out, &err), &err); /* control */
	assert_int_equal(renameat(dir, RECORD_FILE, dir, "moved"), 0);
	assert_int_equal(symlinkat("moved", dir, RECORD_FILE), 0);
	assert_true(registry_load(dir, &out, &err) < 0);
}

static int add_one(struct record *r, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	r->refused++;
	return 0;
}

static int count_up(void *arg)
{
	struct err err = ERR_INIT;
	for (int i = 0; i < 10; i++)
		if (registry_change(*(int *)arg, add_one, NULL, &err) != 0)
			return -1;
	return 0;
}

static int count_up_child(void *arg, struct err *err)
{
	(void)err;
	return count_up(arg);
}

static void changes_by_many_processes_are_all_kept(void **state)
{
	enum { PROCESSES = 4 };
	struct home *h = *state;
	own_record struct record r = RECORD_INIT, back = RECORD_INIT;
	struct err err = ERR_INIT;
	struct proc children[PROCESSES];
	own_fd int dir = registry_create(h->fd, "busy", &r, &err);

	assert_ok(dir, &err);
	for (int i = 0; i < PROCESSES; i++) {
		const struct proc_spec spec = { .child = count_up_child,
			                        .arg = &dir,
			                        .die_with_parent = true };
		children[i] = (struct proc)PROC_INIT;
		assert_ok(proc_fork(&spec, &children[i], &err), &err);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = -1;
		assert_ok(proc_wait(&children[i], &status, &err), &err);
		assert_int_equal(proc_exit_code(status), 0);
	}
	assert_ok(registry_load(dir, &back, &err), &err);
	assert_int_equal(back.refused, PROCESSES * 10);
}

static void a_held_lock_is_busy(void **state)
{
	struct home *h = *state;
	own_record struct record r = RECORD_INIT;
	struct err err = ERR_INIT;
	own_fd int dir = registry_create(h->fd, "busy", &r, &err);

	assert_ok(dir, &err);
	own_fd int held = registry_lock(dir, 0, &err);
	assert_ok(held, &err);
	assert_refused(registry_lock(dir, 0, &err), &err, ERR_BUSY, "another process");
	fd_drop(&held);
	own_fd int again = registry_lock(dir, 0, &err);
	assert_ok(again, &err);
}

static void removal_takes_everything_and_follows_nothing(void **state)
{
	struct home *h = *state;
	own_record struct record r = RECORD_INIT;
	own_listing struct listing l = LISTING_INIT;
	struct err err = ERR_INIT;
	own_fd int dir = registry_create(h->fd, "gone", &r, &err);

	assert_ok(dir, &err);
	assert_int_equal(mkdirat(h->fd, "outside", 0700), 0);
	assert_ok(file_write(h->fd, "kept", "x", 1, 0600, &err), &err);
	assert_int_equal(symlinkat("../outside", dir, "link"), 0);
	assert_int_equal(mkdirat(dir, "home", 0700), 0);
	assert_int_equal(mkdirat(dir, "home/locked", 0), 0);
	assert_ok(registry_remove(h->fd, r.slug, &err), &err);
	assert_ok(registry_list(h->fd, &l, &err), &err);
	assert_int_equal(l.n, 0);
	assert_int_equal(faccessat(h->fd, "outside", F_OK, 0), 0);
	assert_int_equal(faccessat(h->fd, "kept", F_OK, 0), 0);
	assert_refused(registry_remove(h->fd, r.slug, &err), &err, ERR_MISSING, "no bottle");
	assert_refused(registry_remove(h->fd, "../kept", &err), &err, ERR_USAGE, "slug");
}

static void what_a_killed_maker_or_remover_leaves_is_swept(void **state)
{
	static const struct {
		const char *name;
		time_t age;
		bool stays;
	} cases[] = {
		{ ".new-0123456789abcdef", 0, true }, /* in the making */
		{ ".new-fedcba9876543210", 3600, false },
		{ ".gone-0123456789abcdef", 0, false },
		{ "other", 3600, true },
	};
	struct home *h = *state;
	own_record struct record r = RECORD_INIT;
	struct err err = ERR_INIT;
	own_fd int dir = registry_create(h->fd, "kept", &r, &err);

	assert_ok(dir, &err);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct timespec when = { time(NULL) - cases[i].age, 0 };
		const struct timespec times[2] = { when, when };
		assert_int_equal(mkdirat(h->fd, cases[i].name, 0700), 0);
		assert_int_equal(utimensat(h->fd, cases[i].name, times, 0), 0);
	}
	assert_ok(registry_sweep(h->fd, &err), &err);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(faccessat(h->fd, cases[i].name, F_OK, 0) == 0, cases[i].stays);
	assert_int_equal(faccessat(h->fd, r.slug, F_OK, 0), 0);
}

static void creation_refuses_names_and_leaves_nothing(void **state)
{
	struct home *h = *state;
	own_record struct record r = RECORD_INIT;
	struct err err = ERR_INIT;

	assert_refused(registry_create(h->fd, "../x", &r, &err), &err, ERR_INPUT, "name");
	assert_refused(registry_create(h->fd, "", &r, &err), &err, ERR_INPUT, "name");
	assert_int_equal(rmdir(h->path), 0); /* nothing stands in it */
	assert_int_equal(mkdir(h->path, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_plain_names_are_names),
		cmocka_unit_test(only_slugs_are_slugs),
		cmocka_unit_test(labels_become_names),
		IN_HOME(a_record_survives_the_road_to_disk_and_back),
		cmocka_unit_test(freed_resources_leave_the_list),
		cmocka_unit_test(a_keeper_is_known_by_pid_and_start_time),
		IN_HOME(broken_records_are_listed_and_left_alone),
		IN_HOME(a_record_in_a_foreign_directory_is_not_believed),
		IN_HOME(a_record_that_is_a_link_is_not_followed),
		IN_HOME(changes_by_many_processes_are_all_kept),
		IN_HOME(a_held_lock_is_busy),
		IN_HOME(removal_takes_everything_and_follows_nothing),
		IN_HOME(what_a_killed_maker_or_remover_leaves_is_swept),
		IN_HOME(creation_refuses_names_and_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
