#include "test.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "smoldb/smoldb.h"

/* A database that is not as it should be is refused, and is afterwards what it was, byte for
 * byte: it is somebody's, and whoever comes to repair it needs it as it broke. */

enum { FILE_MAX = 64 << 20, NOBODY = 65000 };

struct place {
	char dir[64], path[128];
	sqlite3 *holder;
};

static void run_sql(struct place *p, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void overwrite(struct place *p, off_t at, const char *bytes, size_t n)
{
	own_fd int fd = open(p->path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
}

static void is_as_it_should_be(struct place *p)
{
	(void)p;
}

static void is_locked(struct place *p)
{
	assert_int_equal(sqlite3_open(p->path, &p->holder), SQLITE_OK);
	assert_int_equal(sqlite3_exec(p->holder, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
}

static void has_no_head(struct place *p)
{
	overwrite(p, 0, "no database at all, whatever its name says", 32);
}

static void has_broken_pages(struct place *p)
{
	static char junk[4096];

	memset(junk, 0xa5, sizeof junk);
	for (off_t at = 4096; at < 5 * 4096; at += 4096)
		overwrite(p, at, junk, sizeof junk);
}

static void is_cut_off(struct place *p)
{
	assert_int_equal(truncate(p->path, 5000), 0);
}

static void is_empty(struct place *p)
{
	assert_int_equal(truncate(p->path, 0), 0);
}

static void has_a_huge_row(struct place *p)
{
	run_sql(p, "UPDATE vms SET data = zeroblob(20000000)");
}

static void has_another_table(struct place *p)
{
	run_sql(p, "ALTER TABLE vms RENAME COLUMN data TO record");
}

static void has_a_view(struct place *p)
{
	run_sql(p, "ALTER TABLE vms RENAME TO machines; CREATE VIEW vms AS SELECT * FROM machines");
}

static void has_a_trigger(struct place *p)
{
	run_sql(p, "CREATE TRIGGER t AFTER UPDATE ON vms BEGIN DELETE FROM vms; END");
}

static void has_no_row(struct place *p)
{
	run_sql(p, "UPDATE vms SET name = 'another'");
}

static void has_text(struct place *p)
{
	run_sql(p, "UPDATE vms SET data = CAST(data AS TEXT)");
}

static void says_it_twice(struct place *p)
{
	run_sql(p, "UPDATE vms SET data = CAST('{\"allowed_cidrs\":[],\"allowed_cidrs\":null}' AS BLOB)");
}

static void is_no_json(struct place *p)
{
	run_sql(p, "UPDATE vms SET data = x'00ff7b'");
}

static const struct {
	const char *name;
	void (*damage)(struct place *p);
	const char *says; /* NULL: it is taken */
} cases[] = {
	{ "as it should be (control)", is_as_it_should_be, NULL },
	{ "locked", is_locked, "locked" },
	{ "no head", has_no_head, "not a database" },
	{ "broken pages", has_broken_pages, "malformed" },
	{ "cut off", is_cut_off, "malformed" },
	{ "empty", is_empty, "unknown shape" },
	{ "a huge row", has_a_huge_row, "too big" },
	{ "another table", has_another_table, "unknown shape" },
	{ "a view", has_a_view, "unknown shape" },
	{ "a trigger", has_a_trigger, "unknown shape" },
	{ "no row", has_no_row, "create must run before" },
	{ "text", has_text, "not BLOB" },
	{ "a key twice", says_it_twice, "allowed_cidrs" },
	{ "no JSON", is_no_json, "strict JSON" },
};

static void make(struct place *p)
{
	*p = (struct place){ 0 };
	snprintf(p->dir, sizeof p->dir, "/tmp/bottle-untouched-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof p->path, "%s/smolvm.db", p->dir);
	run_sql(p,
	        "PRAGMA page_size=4096; CREATE TABLE vms (name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL);"
	        "INSERT INTO vms VALUES ('m', CAST('{\"allowed_cidrs\":null}' AS BLOB));"
	        "CREATE TABLE config (key TEXT PRIMARY KEY, value TEXT);"
	        "INSERT INTO config VALUES ('filler', hex(zeroblob(20000)))");
}

static void unmake(struct place *p)
{
	struct err err = ERR_INIT;

	sqlite3_close(p->holder);
	assert_ok(dir_remove(AT_FDCWD, p->dir, &err), &err);
}

static void take(struct place *p, struct str *out)
{
	struct err err = ERR_INIT;

	str_reset(out);
	assert_ok(file_read(AT_FDCWD, p->path, FILE_MAX, out, &err), &err);
}

static void a_database_that_is_wrong_is_refused_and_stays_what_it_was(void **state)
{
	(void)state;
	own_strv struct strv want = STRV_INIT;

	strv_add(&want, "100.96.0.1/32");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str before = STR_INIT, after = STR_INIT;
		struct place p;
		struct err err = ERR_INIT;
		bool written = false;
		make(&p);
		const struct smoldb_options o = { .path = p.path, .busy_ms = 20 };
		cases[i].damage(&p);
		take(&p, &before);
		int rc = smoldb_enforce(&o, "m", &want, &written, &err);
		take(&p, &after);
		bool same = before.len == after.len && memcmp(str_c(&before), str_c(&after), before.len) == 0;
		if (!cases[i].says) {
			assert_ok(rc, &err);
			assert_false(same);
		} else if (rc == 0 || err.kind != ERR_UNCONFINED || !strstr(err.text, cases[i].says) ||
		           !same) {
			fail_msg("%s: %s (%s)", cases[i].name, rc == 0 ? "taken" : err.text,
			         same ? "untouched" : "CHANGED");
		}
		if (cases[i].says && smoldb_verify(&o, "m", &want, &err) == 0)
			fail_msg("%s: verify takes it", cases[i].name);
		take(&p, &before);
		assert_int_equal(before.len, after.len);
		assert_memory_equal(before.data, after.data, after.len);
		unmake(&p);
	}
}

static int enforce_as_nobody(void *arg, struct err *err)
{
	struct place *p = arg;
	own_strv struct strv want = STRV_INIT;
	const struct smoldb_options o = { .path = p->path, .busy_ms = 20 };
	struct err why = ERR_INIT;
	bool written;

	if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
		return fail_errno(err, "becoming somebody else");
	strv_add(&want, "100.96.0.1/32");
	if (smoldb_enforce(&o, "m", &want, &written, &why) == 0 || why.kind != ERR_UNCONFINED)
		_exit(1);
	_exit(strstr(why.text, "readonly") || strstr(why.text, "unable to open") ? 0 : 2);
}

static void a_database_that_may_only_be_read_is_refused_and_stays_what_it_was(void **state)
{
	(void)state;
	own_str struct str before = STR_INIT, after = STR_INIT;
	own_proc struct proc child = PROC_INIT;
	struct err err = ERR_INIT;
	struct place p;
	int status;

	make(&p);
	take(&p, &before);
	assert_int_equal(chmod(p.path, 0444), 0);
	assert_int_equal(chmod(p.dir, 0555), 0);
	const struct proc_spec spec = { .child = enforce_as_nobody, .arg = &p };
	assert_ok(proc_fork(&spec, &child, &err), &err);
	assert_ok(proc_wait(&child, &status, &err), &err);
	assert_int_equal(proc_exit_code(status), 0);
	assert_int_equal(chmod(p.dir, 0755), 0);
	take(&p, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, after.len);
	unmake(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_database_that_is_wrong_is_refused_and_stays_what_it_was),
		cmocka_unit_test(a_database_that_may_only_be_read_is_refused_and_stays_what_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
