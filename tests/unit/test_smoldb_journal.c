/* What whoever may write beside the database could make its reader do. */
#include "test.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "smoldb/smoldb.h"

struct place {
	char dir[64], path[128];
	struct smoldb_options o;
};

static void sql(const struct place *p, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static int set_up(void **state)
{
	struct place *p = xcalloc(1, sizeof *p);

	snprintf(p->dir, sizeof p->dir, "/tmp/bottle-journal-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof p->path, "%s/smolvm.db", p->dir);
	p->o = (struct smoldb_options){ .path = p->path, .busy_ms = 50 };
	sql(p,
	    "PRAGMA journal_mode=WAL; CREATE TABLE vms (name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL);"
	    "INSERT INTO vms VALUES ('m', CAST('{\"allowed_cidrs\":null}' AS BLOB))");
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;

	assert_ok(dir_remove(AT_FDCWD, p->dir, &err), &err);
	free(p);
	return 0;
}

static void put_number(unsigned char *at, size_t n)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(n >> (24 - 8 * i));
}

/* A journal as of a crash in the middle of a change to several databases (SQLite's file format, "The Rollback
 * Journal"; the name at its end is as pager.c reads it): nothing to play back, and a file to remove after that. */
static void put_hot_journal(const struct place *p, const char *names)
{
	static const unsigned char magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
	unsigned char bytes[1024] = { 0 };
	size_t n = strlen(names), sum = 0, at = 512;
	own_mem char *path = xasprintf("%s-journal", p->path);
	struct err err = ERR_INIT;

	memcpy(bytes, magic, sizeof magic);
	put_number(bytes + 16, 3); /* pages before */
	put_number(bytes + 20, 512);
	put_number(bytes + 24, 4096);
	for (size_t i = 0; i < n; i++)
		sum += (unsigned char)names[i];
	put_number(bytes + at, 262145);
	memcpy(bytes + at + 4, names, n);
	at += 4 + n;
	put_number(bytes + at, n);
	put_number(bytes + at + 4, sum);
	memcpy(bytes + at + 8, magic, sizeof magic);
	own_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_ok(file_write_all(fd, (const char *)bytes, at + 16, &err), &err);
}

static void a_journal_that_names_a_file_of_others_removes_nothing(void **state)
{
	struct place *p = *state;
	own_strv struct strv want = STRV_INIT;
	own_mem char *victim = xasprintf("%s/authorized_keys", p->dir);
	struct err err = ERR_INIT;
	bool written = false;

	strv_add(&want, "127.0.0.16/32");
	own_fd int keys = open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(keys, "key\n", 4), 4);
	put_hot_journal(p, victim);
	assert_refused(smoldb_enforce(&p->o, "m", &want, &written, &err), &err, ERR_UNCONFINED,
	               "unable to open");
	assert_int_equal(access(victim, F_OK), 0);
	put_hot_journal(p, victim);
	sql(p, "BEGIN IMMEDIATE"); /* control: any other writer */
	assert_int_equal(access(victim, F_OK), -1);
	assert_ok(smoldb_enforce(&p->o, "m", &want, &written, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_journal_that_names_a_file_of_others_removes_nothing, set_up,
		                                tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
