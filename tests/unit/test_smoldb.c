#include "test.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "smoldb/scan.h"
#include "smoldb/smoldb.h"

struct fixture {
	char dir[64];
	char path[128];
	struct smoldb_options o;
};

static void sql(const struct fixture *f, const char *text)
{
	sqlite3 *db = NULL;
	char *message = NULL;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", text, message);
	sqlite3_close(db);
}

static void put(const struct fixture *f, const char *name, const char *json)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO vms VALUES (?, ?)", -1, &stmt, NULL),
	                 SQLITE_OK);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 2, json, (int)strlen(json), SQLITE_STATIC);
	assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

/* typeof(data) '|' data */
static void get(const struct fixture *f, const char *name, struct str *out)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;

	str_reset(out);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	sqlite3_prepare_v2(db, "SELECT typeof(data) || '|' || CAST(data AS TEXT) FROM vms WHERE name = ?", -1,
	                   &stmt, NULL);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	str_add(out, (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/bottle-smoldb-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/smolvm.db", f->dir);
	f->o = (struct smoldb_options){ .path = f->path, .busy_ms = 50 };
	sql(f,
	    "PRAGMA journal_mode=WAL; CREATE TABLE vms (name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL)");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	assert_ok(dir_remove(AT_FDCWD, f->dir, &err), &err);
	free(f);
	return 0;
}

static struct strv one(const char *cidr)
{
	struct strv sv = STRV_INIT;

	strv_add(&sv, cidr);
	return sv;
}

static void enforce_patches_that_value_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ "{\"name\":\"m\",\"allowed_cidrs\":null,\"big\":90071992547409931234,\"x\":1.50}",
		  "{\"name\":\"m\",\"allowed_cidrs\":[\"127.0.0.16/32\"],\"big\":90071992547409931234,\"x\":1.50}" },
		{ "{ \"z\" : 1 , \"allowed_cidrs\" : [ \"0.0.0.0/0\" ] , \"a\" : { \"allowed_cidrs\" : 1 } }",
		  "{ \"z\" : 1 , \"allowed_cidrs\" : [\"127.0.0.16/32\"] , \"a\" : { \"allowed_cidrs\" : 1 } }" },
		{ "{\"name\":\"m\"}", "{\"name\":\"m\",\"allowed_cidrs\":[\"127.0.0.16/32\"]}" },
		{ "{ }", "{ \"allowed_cidrs\":[\"127.0.0.16/32\"]}" },
		{ "{\"allowed\\u005fcidrs\":[]}", "{\"allowed\\u005fcidrs\":[\"127.0.0.16/32\"]}" },
	};
	own_strv struct strv want = one("127.0.0.16/32");
	own_str struct str now = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		bool written = false;
		put(f, "m", cases[i].before);
		assert_refused(smoldb_verify(&f->o, "m", &want, &err), &err, ERR_UNCONFINED, "127.0.0.16/32");
		assert_ok(smoldb_enforce(&f->o, "m", &want, &written, &err), &err);
		assert_true(written);
		get(f, "m", &now);
		assert_true(str_starts(now.data, "blob|"));
		assert_string_equal(now.data + 5, cases[i].after);
		assert_ok(smoldb_verify(&f->o, "m", &want, &err), &err);
	}
}

static void an_equal_list_is_not_written(void **state)
{
	struct fixture *f = *state;
	const char *row = "{\"allowed_cidrs\" : [\"10.0.0.0/8\",\n\"127.0.0.16\\u002f32\"]}";
	own_strv struct strv want = STRV_INIT, other = STRV_INIT;
	own_str struct str now = STR_INIT;
	struct err err = ERR_INIT;
	bool written = true;

	strv_add(&want, "10.0.0.0/8");
	strv_add(&want, "127.0.0.16/32");
	strv_add(&other, "127.0.0.16/32");
	strv_add(&other, "10.0.0.0/8");
	put(f, "m", row);
	assert_ok(smoldb_enforce(&f->o, "m", &want, &written, &err), &err);
	assert_false(written);
	get(f, "m", &now);
	assert_string_equal(now.data + 5, row);
	/* The control: the same addresses in another order are another list. */
	assert_refused(smoldb_verify(&f->o, "m", &other, &err), &err, ERR_UNCONFINED, "wanted");
	assert_ok(smoldb_enforce(&f->o, "m", &other, &written, &err), &err);
	assert_true(written);
}

static void what_is_not_exactly_the_list_is_not_the_list(void **state)
{
	struct fixture *f = *state;
	static const char *const values[] = {
		"null",
		"[]",
		"\"127.0.0.16/32\"",
		"[\"127.0.0.16/32\",\"0.0.0.0/0\"]",
		"[\"127.0.0.16/32 \"]",
		"[\"127.0.0.16\"]",
		"[[\"127.0.0.16/32\"]]",
		"{\"0\":\"127.0.0.16/32\"}",
		"true",
	};
	own_strv struct strv want = one("127.0.0.16/32");

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		char row[200];
		struct err err = ERR_INIT;
		snprintf(row, sizeof row, "{\"allowed_cidrs\":%s}", values[i]);
		put(f, "m", row);
		assert_refused(smoldb_verify(&f->o, "m", &want, &err), &err, ERR_UNCONFINED,
		               "allowed_cidrs is");
	}
}

static void rows_of_an_unknown_shape_are_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *row, *says;
	} cases[] = {
		{ "{\"allowed_cidrs\":[],\"allowed_cidrs\":null}", "twice" },
		{ "{\"allowed_cidrs\":[],\"a\":{\"b\":1,\"\\u0062\":2}}", "twice" },
		{ "{\"allowed_cidrs\":[]} {}", "follows" },
		{ "[{\"allowed_cidrs\":[]}]", "object" },
		{ "{\"allowed_cidrs\":[],}", "key" },
		{ "{\"allowed_cidrs\":[01]}", "comma" },
		{ "{\"a\":\"\xff\"}", "UTF-8" },
		{ "{\"a\":\"\\ud800\"}", "surrogate" },
		{ "\xef\xbb\xbf{}", "object" },
		{ "", "object" },
		{ "{\"a\":NaN}", "value" },
	};
	own_strv struct strv want = one("127.0.0.16/32");
	own_str struct str now = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		bool written = false;
		put(f, "m", cases[i].row);
		assert_refused(smoldb_enforce(&f->o, "m", &want, &written, &err), &err, ERR_UNCONFINED,
		               cases[i].says);
		get(f, "m", &now);
		assert_string_equal(now.data + 5, cases[i].row);
	}
}

static void text_in_place_of_a_blob_is_refused(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;
	bool written;

	sql(f, "INSERT INTO vms VALUES ('m', '{\"allowed_cidrs\":[\"127.0.0.16/32\"]}')");
	assert_refused(smoldb_verify(&f->o, "m", &want, &err), &err, ERR_UNCONFINED, "BLOB");
	assert_refused(smoldb_enforce(&f->o, "m", &want, &written, &err), &err, ERR_UNCONFINED, "BLOB");
	sql(f, "UPDATE vms SET data = CAST(data AS BLOB)");
	assert_ok(smoldb_verify(&f->o, "m", &want, &err), &err);
}

static void a_missing_database_is_refused_and_not_made(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;
	char path[160];
	bool written;

	snprintf(path, sizeof path, "%s/none/smolvm.db", f->dir);
	struct smoldb_options o = { .path = path, .busy_ms = 50 };
	assert_refused(smoldb_enforce(&o, "m", &want, &written, &err), &err, ERR_UNCONFINED,
	               "create must run before");
	assert_refused(smoldb_verify(&o, "m", &want, &err), &err, ERR_UNCONFINED, "create must run before");
	snprintf(path, sizeof path, "%s/other.db", f->dir);
	assert_refused(smoldb_enforce(&o, "m", &want, &written, &err), &err, ERR_UNCONFINED,
	               "create must run before");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(smoldb_has(&o, "m", &err), 0);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_missing_row_is_refused(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;
	bool written;

	put(f, "M", "{\"allowed_cidrs\":[\"127.0.0.16/32\"]}");
	assert_refused(smoldb_enforce(&f->o, "m", &want, &written, &err), &err, ERR_UNCONFINED,
	               "no machine m");
	assert_int_equal(smoldb_has(&f->o, "m", &err), 0);
	assert_int_equal(smoldb_has(&f->o, "M", &err), 1);
}

static void a_symbolic_link_at_its_name_is_refused(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;
	char path[160], behind[200];

	put(f, "m", "{\"allowed_cidrs\":[\"127.0.0.16/32\"]}");
	snprintf(path, sizeof path, "%s/link.db", f->dir);
	assert_int_equal(symlink(f->path, path), 0);
	struct smoldb_options o = { .path = path, .busy_ms = 50 };
	assert_refused(smoldb_verify(&o, "m", &want, &err), &err, ERR_UNCONFINED, "symbolic link");
	/* The control: a link on the way there (a home directory, say) is nobody's attack. */
	snprintf(path, sizeof path, "%s/home", f->dir);
	assert_int_equal(symlink(f->dir, path), 0);
	snprintf(behind, sizeof behind, "%s/smolvm.db", path);
	o.path = behind;
	assert_ok(smoldb_verify(&o, "m", &want, &err), &err);
}

static void below_a_directory_that_is_given_no_link_leads_anywhere(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;

	put(f, "m", "{\"allowed_cidrs\":[\"127.0.0.16/32\"]}");
	own_fd int dir = dir_open(AT_FDCWD, f->dir, &err);
	own_fd int sub = dir_make(dir, "a/b", 0700, &err);
	struct smoldb_options o = { .path = "smolvm.db", .beneath = dir, .busy_ms = 50 };
	assert_ok(smoldb_verify(&o, "m", &want, &err), &err);
	assert_int_equal(symlinkat(".", dir, "here"), 0);
	assert_int_equal(symlinkat(f->path, sub, "smolvm.db"), 0);
	static const char *const paths[] = { "here/smolvm.db", "a/../here/smolvm.db", "a/b/smolvm.db" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		o.path = paths[i];
		assert_refused(smoldb_verify(&o, "m", &want, &err), &err, ERR_UNCONFINED, paths[i]);
		assert_int_equal(smoldb_has(&o, "m", &err), -1);
	}
	o = (struct smoldb_options){ .path = "../smolvm.db", .beneath = sub, .busy_ms = 50 };
	assert_refused(smoldb_verify(&o, "m", &want, &err), &err, ERR_UNCONFINED, "../smolvm.db");
	assert_int_equal(smoldb_has(&o, "m", &err), -1);
}

/* SQLite makes the log for a reader too: a link in its place would be made a file of. */
static void a_link_in_the_place_of_the_log_is_not_followed(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;
	bool written;

	put(f, "m", "{\"allowed_cidrs\":[]}");
	own_fd int dir = dir_open(AT_FDCWD, f->dir, &err);
	unlinkat(dir, "smolvm.db-wal", 0);
	assert_int_equal(symlinkat("made", dir, "smolvm.db-wal"), 0);
	assert_refused(smoldb_verify(&f->o, "m", &want, &err), &err, ERR_UNCONFINED, "database");
	assert_refused(smoldb_enforce(&f->o, "m", &want, &written, &err), &err, ERR_UNCONFINED, "database");
	assert_int_equal(faccessat(dir, "made", F_OK, 0), -1);
}

static void schemas_that_act_by_themselves_are_refused(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;
	bool written;

	put(f, "m", "{\"allowed_cidrs\":[\"127.0.0.16/32\"]}");
	assert_ok(smoldb_verify(&f->o, "m", &want, &err), &err);
	sql(f, "CREATE TRIGGER t AFTER UPDATE ON vms BEGIN UPDATE vms SET data = x'7b7d'; END");
	assert_refused(smoldb_enforce(&f->o, "m", &want, &written, &err), &err, ERR_UNCONFINED, "shape");
	sql(f, "DROP TRIGGER t; ALTER TABLE vms RENAME TO real; CREATE VIEW vms AS SELECT * FROM real");
	assert_refused(smoldb_verify(&f->o, "m", &want, &err), &err, ERR_UNCONFINED, "shape");
	sql(f, "DROP VIEW vms");
	assert_refused(smoldb_verify(&f->o, "m", &want, &err), &err, ERR_UNCONFINED, "shape");
}

static void a_locked_database_is_refused_after_the_wait(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;
	sqlite3 *other = NULL;
	bool written = false;

	put(f, "m", "{}");
	assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_refused(smoldb_enforce(&f->o, "m", &want, &written, &err), &err, ERR_UNCONFINED, "locked");
	sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(other);
	assert_ok(smoldb_enforce(&f->o, "m", &want, &written, &err), &err);
}

/* Runs at every new connection of the process: reverts the row just before it is read back. */
static struct {
	struct fixture *f;
	int connections, when;
} reverter;

static int revert(void *db, char **message, const void *api)
{
	(void)db, (void)message, (void)api;
	if (!reverter.f || ++reverter.connections != reverter.when)
		return SQLITE_OK;
	struct fixture *f = reverter.f;
	reverter.f = NULL;
	put(f, "m", "{\"allowed_cidrs\":null}");
	return SQLITE_OK;
}

static void a_patch_that_does_not_take_is_refused_with_both_values(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;
	bool written = false;

	put(f, "m", "{}");
	sqlite3_auto_extension((void (*)(void))(uintptr_t)revert);
	reverter.connections = 0;
	reverter.when = 2;
	reverter.f = f;
	assert_refused(smoldb_enforce(&f->o, "m", &want, &written, &err), &err, ERR_UNCONFINED,
	               "allowed_cidrs is null after the write");
	assert_non_null(strstr(err.text, "[\"127.0.0.16/32\"]"));
	/* The control: nobody reverts, and it takes. */
	assert_ok(smoldb_enforce(&f->o, "m", &want, &written, &err), &err);
	sqlite3_reset_auto_extension();
}

static void corrupt_and_foreign_files_are_refused_untouched(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	own_str struct str before = STR_INIT, after = STR_INIT;
	struct err err = ERR_INIT;
	bool written;

	own_fd int d = dir_open(AT_FDCWD, f->dir, &err);
	for (size_t i = 0; i < 400; i++)
		str_add(&before, "no database ");
	assert_ok(file_write(d, "junk.db", before.data, before.len, 0600, &err), &err);
	char path[160];
	snprintf(path, sizeof path, "%s/junk.db", f->dir);
	struct smoldb_options o = { .path = path, .busy_ms = 50 };
	assert_refused(smoldb_enforce(&o, "m", &want, &written, &err), &err, ERR_UNCONFINED,
	               "not a database");
	assert_ok(file_read(d, "junk.db", 65536, &after, &err), &err);
	assert_string_equal(before.data, after.data);
	o.path = f->dir;
	assert_refused(smoldb_verify(&o, "m", &want, &err), &err, ERR_UNCONFINED, "regular file");
}

static void a_huge_row_is_refused(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;

	sql(f, "INSERT INTO vms VALUES ('m', zeroblob(20000000))");
	assert_refused(smoldb_verify(&f->o, "m", &want, &err), &err, ERR_UNCONFINED, "smolvm's database");
}

static void the_journal_is_neither_changed_nor_checkpointed(void **state)
{
	struct fixture *f = *state;
	own_strv struct strv want = one("127.0.0.16/32");
	struct err err = ERR_INIT;
	sqlite3 *holder = NULL;
	struct stat db, db_after, wal, wal_after;
	bool written;
	char path[160];

	/* A connection that stays open, as smolvm's may, keeps the log in its file. */
	put(f, "m", "{}");
	assert_int_equal(sqlite3_open(f->path, &holder), SQLITE_OK);
	assert_int_equal(sqlite3_exec(holder, "UPDATE vms SET name = name", NULL, NULL, NULL), SQLITE_OK);
	snprintf(path, sizeof path, "%s-wal", f->path);
	assert_int_equal(stat(f->path, &db), 0);
	assert_int_equal(stat(path, &wal), 0);
	assert_ok(smoldb_verify(&f->o, "m", &want, &err) == -1 ? 0 : -1, &err);
	assert_int_equal(stat(path, &wal_after), 0);
	assert_int_equal(wal.st_size, wal_after.st_size);
	sqlite3_close(holder);
	assert_ok(smoldb_enforce(&f->o, "m", &want, &written, &err), &err);
	assert_int_equal(stat(path, &wal_after), 0);
	assert_true(wal_after.st_size > 0);
	assert_int_equal(stat(f->path, &db_after), 0);
	assert_ok(smoldb_verify(&f->o, "m", &want, &err), &err);
}

int main(void)
{
#define WITH_DB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_DB(enforce_patches_that_value_and_nothing_else),
		WITH_DB(an_equal_list_is_not_written),
		WITH_DB(what_is_not_exactly_the_list_is_not_the_list),
		WITH_DB(rows_of_an_unknown_shape_are_refused_and_left_alone),
		WITH_DB(text_in_place_of_a_blob_is_refused),
		WITH_DB(a_missing_database_is_refused_and_not_made),
		WITH_DB(a_missing_row_is_refused),
		WITH_DB(a_symbolic_link_at_its_name_is_refused),
		WITH_DB(below_a_directory_that_is_given_no_link_leads_anywhere),
		WITH_DB(a_link_in_the_place_of_the_log_is_not_followed),
		WITH_DB(schemas_that_act_by_themselves_are_refused),
		WITH_DB(a_locked_database_is_refused_after_the_wait),
		WITH_DB(a_patch_that_does_not_take_is_refused_with_both_values),
		WITH_DB(corrupt_and_foreign_files_are_refused_untouched),
		WITH_DB(a_huge_row_is_refused),
		WITH_DB(the_journal_is_neither_changed_nor_checkpointed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
