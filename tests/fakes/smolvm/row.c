#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "double.h"

static sqlite3 *db;

static void sql(const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		die("database: %s", why);
}

void open_database(void)
{
	char path[PATH_MAX];
	const char *data = getenv("SMOLVM_DATA_DIR");

	if (!data)
		die("SMOLVM_DATA_DIR is not set");
	snprintf(path, sizeof path, "%s/.local/share/smolvm/server/smolvm.db", data);
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(path, 0755);
			*p = '/';
		}
	if (sqlite3_open(path, &db) != SQLITE_OK)
		die("database %s: %s", path, sqlite3_errmsg(db));
	sqlite3_busy_timeout(db, 15000);
	sql("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
	    "CREATE TABLE IF NOT EXISTS vms (name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL);"
	    "CREATE TABLE IF NOT EXISTS config (key TEXT PRIMARY KEY, value TEXT);"
	    "CREATE TABLE IF NOT EXISTS vm_create_reservations (name TEXT PRIMARY KEY NOT NULL,"
	    " owner_token TEXT NOT NULL, owner_pid INTEGER NOT NULL, created_at INTEGER NOT NULL);"
	    "INSERT OR IGNORE INTO config VALUES('version','1');");
}

void close_database(void)
{
	sqlite3_close(db);
	db = NULL;
}

char *read_row(const char *name)
{
	sqlite3_stmt *s;
	char *row = NULL;

	sqlite3_prepare_v2(db, "SELECT data FROM vms WHERE name=?", -1, &s, NULL);
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(s) == SQLITE_ROW) {
		if (sqlite3_column_type(s, 0) != SQLITE_BLOB)
			die("InvalidColumnType");
		row = strndup(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
	}
	sqlite3_finalize(s);
	return row;
}

void write_row(const char *name, const char *row)
{
	sqlite3_stmt *s;

	sqlite3_prepare_v2(db,
	                   is("text-row") ? "INSERT OR REPLACE INTO vms VALUES(?,CAST(? AS TEXT))" :
	                                    "INSERT OR REPLACE INTO vms VALUES(?,?)",
	                   -1, &s, NULL);
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 2, row, (int)strlen(row), SQLITE_STATIC);
	if (sqlite3_step(s) != SQLITE_DONE)
		die("database: %s", sqlite3_errmsg(db));
	sqlite3_finalize(s);
}

void remove_row(const char *name)
{
	char *text = sqlite3_mprintf("DELETE FROM vms WHERE name=%Q", name);

	sql(text);
	sqlite3_free(text);
}

char *replaced(const char *row, const char *from, const char *to)
{
	size_t n = strlen(from), size;
	char *out;
	FILE *f = open_memstream(&out, &size);

	while (*row)
		if (strncmp(row, from, n) == 0) {
			fputs(to, f);
			row += n;
		} else {
			fputc(*row++, f);
		}
	fclose(f);
	return out;
}

/* Where the value that begins at @at ends. Strings of a row hold no escapes. */
static const char *end_of_value(const char *at)
{
	int depth = 0;
	bool quoted = false;

	for (;; at++) {
		if (*at == '"')
			quoted = !quoted;
		if (quoted)
			continue;
		if (depth == 0 && (*at == ',' || *at == '}' || *at == ']'))
			return at;
		depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
	}
}

char *with_field(const char *row, const char *key, const char *value)
{
	char name[128], *out;

	snprintf(name, sizeof name, "\"%s\":", key);
	const char *at = strstr(row, name);
	if (!at)
		die("no field %s", key);
	const char *end = end_of_value(at + strlen(name));
	if (*value == '\0') {
		const char *before = *end == ',' ? at : at - 1;
		if (asprintf(&out, "%.*s%s", (int)(before - row), row, end + (*end == ',')) < 0)
			abort();
	} else if (asprintf(&out, "%.*s%s%s", (int)(at + strlen(name) - row), row, value, end) < 0) {
		abort();
	}
	return out;
}

const char *between(const char *row, const char *key, char stop, char *out, size_t size)
{
	const char *at = strstr(row, key);

	*out = 0;
	if (at)
		snprintf(out, size, "%.*s", (int)strcspn(at + strlen(key), (char[]){ stop, 0 }),
		         at + strlen(key));
	return out;
}
