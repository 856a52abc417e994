#include "smoldb/smoldb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "smoldb/scan.h"
#include "base/banned.h"

static const char cidrs_key[] = "allowed_cidrs";

struct connection {
	int dir; /* that the database stands in; its files are named through it */
	sqlite3 *db;
};
/* clang-format off */
#define CONNECTION_INIT { .dir = -1 }
/* clang-format on */

static void connection_drop(struct connection *c)
{
	sqlite3_close(c->db);
	c->db = NULL;
	fd_drop(&c->dir);
}

static void stmt_drop(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
	*stmt = NULL;
}

#define own_connection OWN(connection_drop)
#define own_stmt       OWN(stmt_drop)

static int refuse(struct err *err, sqlite3 *db, const char *what)
{
	return fail(err, ERR_UNCONFINED, "smolvm's database: %s: %s", what, sqlite3_errmsg(db));
}

static int fail_missing(const char *path, struct err *err)
{
	int sys = errno;

	fail(err, ERR_UNCONFINED, "no smolvm database at %s: %s; create must run before", path,
	     strerror(sys));
	err->sys = sys;
	return -1;
}

/* The directory, and that its entry is a database's and no link to one. A home directory behind a
 * link is nobody's attack; below a directory that was given to begin at, every link is. */
static int open_directory(const struct smoldb_options *o, const char **name, struct err *err)
{
	const char *slash = strrchr(o->path, '/');
	own_mem char *path =
		slash ? xstrndup(o->path, slash > o->path ? (size_t)(slash - o->path) : 1) : xstrdup(".");
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	own_fd int dir = o->beneath > 0 ? file_open_beneath(o->beneath, path, flags, 0) : open(path, flags);
	struct stat st;

	*name = slash ? slash + 1 : o->path;
	if (dir < 0 || fstatat(dir, *name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail_missing(o->path, err);
	if (S_ISLNK(st.st_mode))
		return fail(err, ERR_UNCONFINED, "%s is a symbolic link; name the database itself", o->path);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERR_UNCONFINED, "%s is not a regular file", o->path);
	return fd_steal(&dir);
}

static int take_as_it_is(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	size_t n = strlen(name);

	(void)vfs;
	if (n >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(out, name, n + 1);
	return SQLITE_OK;
}

/* A journal may name a super-journal of several databases, anywhere, and whoever plays it back
 * removes that file at the end. Here is one database, and such a name is somebody's wish. */
static int open_no_super(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	sqlite3_vfs *own = sqlite3_vfs_find(NULL);

	(void)vfs;
	file->pMethods = NULL;
	return flags & SQLITE_OPEN_SUPER_JOURNAL ? SQLITE_CANTOPEN : own->xOpen(own, name, file, flags, out);
}

/* SQLite's own file system, but that a name stays the one that it was given. Of a descriptor's
 * name it would make the path that it leads to, and follow what stands there by then. No file of
 * a database is opened through a link as its last component. */
static const char *files(void)
{
	static sqlite3_vfs held; /* SQLite keeps the pointer */

	if (!held.zName) {
		held = *sqlite3_vfs_find(NULL);
		held.zName = "held";
		held.xFullPathname = take_as_it_is;
		held.xOpen = open_no_super;
		if (sqlite3_vfs_register(&held, 0) != SQLITE_OK)
			bug("SQLite takes no file system");
	}
	return held.zName;
}

/* The schema is data too: views and triggers could answer and act in the table's place. */
static int harden(sqlite3 *db, struct err *err)
{
	static const struct {
		int option, value;
	} options[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },   { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		int now = -1;
		int rc = sqlite3_db_config(db, options[i].option, options[i].value, &now);
		if (rc != SQLITE_OK || now != options[i].value)
			return refuse(err, db, "setting a connection's limits");
	}
	if (sqlite3_wal_autocheckpoint(db, 0) != SQLITE_OK)
		return refuse(err, db, "turning checkpoints off");
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, SMOLDB_ROW_MAX + 4096);
	return 0;
}

static int open_database(const struct smoldb_options *o, int flags, struct connection *out, struct err *err)
{
	own_connection struct connection c = CONNECTION_INIT;
	const char *name;

	c.dir = open_directory(o, &name, err);
	if (c.dir < 0)
		return -1;
	own_mem char *path = xasprintf("/proc/self/fd/%d/%s", c.dir, name);
	int rc = sqlite3_open_v2(path, &c.db, flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE,
	                         files());
	if (rc != SQLITE_OK)
		return c.db ? refuse(err, c.db, "open") :
		              fail(err, ERR_UNCONFINED, "smolvm's database: %s", sqlite3_errstr(rc));
	sqlite3_extended_result_codes(c.db, 1);
	if (sqlite3_busy_timeout(c.db, o->busy_ms) != SQLITE_OK)
		return refuse(err, c.db, "setting the busy timeout");
	if (harden(c.db, err) != 0)
		return -1;
	*out = c;
	c = (struct connection)CONNECTION_INIT;
	return 0;
}

static int run(sqlite3 *db, const char *sql, struct err *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : refuse(err, db, sql);
}

/* `vms` must be an ordinary table whose columns `name` and `data` are columns, not something
 * computed, and nothing may hang on it. */
static int check_shape(sqlite3 *db, struct err *err)
{
	static const char query[] =
		"SELECT (SELECT count(*) FROM sqlite_schema WHERE name = 'vms' AND type = 'table'"
		"        AND sql NOT LIKE 'CREATE VIRTUAL%'),"
		"       (SELECT count(*) FROM sqlite_schema WHERE tbl_name = 'vms' COLLATE NOCASE AND type = 'trigger'),"
		"       (SELECT count(*) FROM pragma_table_xinfo('vms') WHERE name IN ('name', 'data') AND hidden = 0)";
	own_stmt sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(db, query, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW)
		return refuse(err, db, "reading its schema");
	if (sqlite3_column_int(stmt, 0) != 1 || sqlite3_column_int(stmt, 1) != 0 ||
	    sqlite3_column_int(stmt, 2) != 2)
		return fail(err, ERR_UNCONFINED,
		            "smolvm's database has an unknown shape; "
		            "expected a table vms(name, data) without triggers");
	return 0;
}

/* 1: found; 0: no such row. A name that matches by collation only is another name. */
static int select_row(sqlite3 *db, const char *machine, struct str *out, struct err *err)
{
	own_stmt sqlite3_stmt *stmt = NULL;
	static const char query[] = "SELECT typeof(data), data FROM vms WHERE name = ?1 COLLATE BINARY";

	if (check_shape(db, err) != 0)
		return -1;
	if (sqlite3_prepare_v2(db, query, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_bind_text(stmt, 1, machine, -1, SQLITE_STATIC) != SQLITE_OK)
		return refuse(err, db, "looking for the machine");
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		return 0;
	if (rc != SQLITE_ROW)
		return refuse(err, db, "reading the machine's row");
	const char *type = (const char *)sqlite3_column_text(stmt, 0);
	if (!str_is(type, "blob"))
		return fail(err, ERR_UNCONFINED,
		            "machine %s: its data is of type %s, not BLOB; smolvm would not read it", machine,
		            type ? type : "unknown");
	const void *bytes = sqlite3_column_blob(stmt, 1);
	int n = sqlite3_column_bytes(stmt, 1);
	if (n > SMOLDB_ROW_MAX)
		return fail(err, ERR_UNCONFINED, "machine %s: its row has %d bytes, the limit is %d", machine,
		            n, SMOLDB_ROW_MAX);
	str_addn(out, bytes, (size_t)n);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		return fail(err, ERR_UNCONFINED, "machine %s has more than one row", machine);
	return rc == SQLITE_DONE ? 1 : refuse(err, db, "reading the machine's row");
}

/* The row, scanned. The scanner's ERR_INPUT is a refusal here. */
static int find_value(sqlite3 *db, const char *machine, const char *key, struct str *row, struct scan *where,
                      struct err *err)
{
	int found = select_row(db, machine, row, err);

	if (found < 0)
		return -1;
	if (found == 0)
		return fail(err, ERR_UNCONFINED, "no machine %s in smolvm's database; create must run before",
		            machine);
	if (scan_object(str_c(row), row->len, key, where, err) != 0) {
		err->kind = ERR_UNCONFINED;
		return fail_in(err, "machine %s", machine);
	}
	return 0;
}

/* Equal as JSON values: blanks and escapes of the stored text don't matter. */
static bool value_is(const struct str *row, const struct scan *where, const char *wanted)
{
	struct err ignored = ERR_INIT;
	own_json json *a = NULL;
	own_json json *b = NULL;

	if (where->value.len == 0 ||
	    json_parse(row->data + where->value.at, where->value.len, SCAN_DEPTH, &a, &ignored) != 0 ||
	    json_parse(wanted, strlen(wanted), SCAN_DEPTH, &b, &ignored) != 0)
		return false;
	return json_kind(a) == json_kind(b) && json_equal(a, b);
}

static void show_value(const struct str *row, const struct scan *where, struct str *out)
{
	if (where->value.len == 0)
		str_add(out, "nothing");
	else
		str_add_escaped(out, row->data + where->value.at, where->value.len, 120);
}

/* @when is "" or what the reader should know about the moment. */
static int require_value(const struct smoldb_options *o, const char *machine, const char *key,
                         const char *value, const char *when, struct err *err)
{
	own_connection struct connection c = CONNECTION_INIT;
	own_str struct str row = STR_INIT;
	own_str struct str shown = STR_INIT;
	struct scan where;

	if (open_database(o, SQLITE_OPEN_READONLY, &c, err) != 0 ||
	    find_value(c.db, machine, key, &row, &where, err) != 0)
		return -1;
	if (value_is(&row, &where, value))
		return 0;
	show_value(&row, &where, &shown);
	return fail(err, ERR_UNCONFINED, "machine %s: %s is %s%s, wanted %.160s", machine, key, str_c(&shown),
	            when, value);
}

static int update_row(sqlite3 *db, const char *machine, const struct str *row, struct err *err)
{
	own_stmt sqlite3_stmt *stmt = NULL;
	static const char query[] = "UPDATE vms SET data = ?1 WHERE name = ?2 COLLATE BINARY";

	if (sqlite3_prepare_v2(db, query, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_bind_blob64(stmt, 1, row->data, row->len, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_text(stmt, 2, machine, -1, SQLITE_STATIC) != SQLITE_OK)
		return refuse(err, db, "preparing the change");
	if (sqlite3_step(stmt) != SQLITE_DONE)
		return refuse(err, db, "changing the machine's row");
	if (sqlite3_changes(db) != 1)
		return fail(err, ERR_UNCONFINED, "machine %s: the change reached %d rows", machine,
		            sqlite3_changes(db));
	return 0;
}

/* Read, compare and write under one write lock, so that no other writer comes between. Any
 * failure leaves with the connection, which rolls back. */
static int set_value(const struct smoldb_options *o, const char *machine, const char *key, const char *value,
                     bool *written, struct err *err)
{
	own_connection struct connection c = CONNECTION_INIT;
	own_str struct str row = STR_INIT;
	own_str struct str changed = STR_INIT;
	struct scan where;

	if (open_database(o, SQLITE_OPEN_READWRITE, &c, err) != 0)
		return -1;
	if (run(c.db, "BEGIN IMMEDIATE", err) != 0 || find_value(c.db, machine, key, &row, &where, err) != 0)
		return -1;
	*written = !value_is(&row, &where, value);
	if (!*written)
		return run(c.db, "ROLLBACK", err);
	scan_splice(row.data, row.len, &where, key, value, &changed);
	if (changed.len > SMOLDB_ROW_MAX)
		return fail(err, ERR_UNCONFINED, "machine %s: its row would have %zu bytes, the limit is %d",
		            machine, changed.len, SMOLDB_ROW_MAX);
	if (update_row(c.db, machine, &changed, err) != 0)
		return -1;
	return run(c.db, "COMMIT", err);
}

int smoldb_set(const struct smoldb_options *o, const char *machine, const char *key, const char *value,
               bool *written, struct err *err)
{
	bool wrote = false;

	if (set_value(o, machine, key, value, &wrote, err) != 0 ||
	    require_value(o, machine, key, value, " after the write", err) != 0)
		return -1;
	*written = wrote;
	return 0;
}

static int cidrs_text(const struct strv *cidrs, struct str *out, struct err *err)
{
	own_json json *list = json_array_of();

	if (cidrs->n == 0 || cidrs->n > SMOLDB_CIDRS_MAX)
		return fail(err, ERR_UNCONFINED, "an allowlist of %zu CIDRs; 1 to %d are possible", cidrs->n,
		            SMOLDB_CIDRS_MAX);
	for (size_t i = 0; i < cidrs->n; i++) {
		if (smoldb_check_cidr(cidrs->v[i], err) != 0)
			return -1;
		json_push(list, json_of_string(cidrs->v[i]));
	}
	json_print(list, out);
	return 0;
}

int smoldb_verify(const struct smoldb_options *o, const char *machine, const struct strv *cidrs,
                  struct err *err)
{
	own_str struct str value = STR_INIT;

	if (cidrs_text(cidrs, &value, err) != 0)
		return -1;
	return require_value(o, machine, cidrs_key, value.data, "", err);
}

int smoldb_enforce(const struct smoldb_options *o, const char *machine, const struct strv *cidrs,
                   bool *written, struct err *err)
{
	own_str struct str value = STR_INIT;

	if (cidrs_text(cidrs, &value, err) != 0)
		return -1;
	return smoldb_set(o, machine, cidrs_key, value.data, written, err);
}

int smoldb_read(const struct smoldb_options *o, const char *machine, struct str *out, struct err *err)
{
	own_connection struct connection c = CONNECTION_INIT;
	own_str struct str row = STR_INIT;
	struct scan where;

	if (open_database(o, SQLITE_OPEN_READONLY, &c, err) != 0 ||
	    find_value(c.db, machine, "name", &row, &where, err) != 0)
		return -1;
	str_addn(out, row.data, row.len);
	return 0;
}

int smoldb_has(const struct smoldb_options *o, const char *machine, struct err *err)
{
	own_connection struct connection c = CONNECTION_INIT;
	own_str struct str row = STR_INIT;

	if (open_database(o, SQLITE_OPEN_READONLY, &c, err) != 0)
		return err->sys == ENOENT ? 0 : -1;
	return select_row(c.db, machine, &row, err);
}
