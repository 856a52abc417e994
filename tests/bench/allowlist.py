"""The steps of `bottle allowlist enforce|verify` with Python's own sqlite3 and json: what a launcher
in Python would do. allowlist.py enforce|verify DATABASE MACHINE CIDR..."""
import json
import sqlite3
import sys


def unique(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise SystemExit("a duplicate key")
    return dict(pairs)


def read(db, machine):
    row = db.execute("SELECT data, typeof(data) FROM vms WHERE name = ?", (machine,)).fetchone()
    if not row or row[1] != "blob":
        raise SystemExit("no row, or no BLOB")
    return json.loads(row[0], object_pairs_hook=unique)


def look(path, machine, cidrs):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=15)
    found = read(db, machine)["allowed_cidrs"]
    db.close()
    if found != cidrs:
        raise SystemExit("%s, expected %s" % (found, cidrs))


def enforce(path, machine, cidrs):
    db = sqlite3.connect("file:%s?mode=rw" % path, uri=True, timeout=15, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    fields = read(db, machine)
    if fields["allowed_cidrs"] != cidrs:
        fields["allowed_cidrs"] = cidrs
        db.execute("UPDATE vms SET data = ? WHERE name = ?", (json.dumps(fields, separators=(",", ":")).encode(), machine))
    db.execute("COMMIT")
    db.close()
    look(path, machine, cidrs)


if __name__ == "__main__":
    {"enforce": enforce, "verify": look}[sys.argv[1]](sys.argv[2], sys.argv[3], sys.argv[4:])
