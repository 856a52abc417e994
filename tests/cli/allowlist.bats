#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# bottle allowlist verify|enforce, on databases made by sqlite3 in the shape of smolvm's.

setup() {
	bottle=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin/bottle
	dir=$(mktemp -d "$BATS_TMPDIR/allowlist.XXXXXX")
	export HOME=$dir XDG_DATA_HOME= SMOLVM_DATA_DIR=
	db=$dir/.local/share/smolvm/server/smolvm.db
	mkdir -p "$(dirname "$db")"
	sqlite3 "$db" "PRAGMA journal_mode=WAL; CREATE TABLE vms (name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL);
		INSERT INTO vms VALUES ('m', CAST('{\"name\":\"m\",\"n\":12345678901234567890123,\"allowed_cidrs\":null}' AS BLOB))" >/dev/null
}

teardown() { rm -rf "$dir"; }

row() { sqlite3 "$db" "SELECT typeof(data) || ' ' || CAST(data AS TEXT) FROM vms WHERE name = '$1'"; }

@test "enforce sets the list and verify then agrees" {
	run --separate-stderr "$bottle" allowlist verify m 127.0.0.16/32
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ $stderr == *"allowed_cidrs is null"*'["127.0.0.16/32"]'* ]]
	run "$bottle" allowlist enforce m 127.0.0.16/32
	[ "$status" -eq 0 ]
	[ "$(row m)" = 'blob {"name":"m","n":12345678901234567890123,"allowed_cidrs":["127.0.0.16/32"]}' ]
	run "$bottle" allowlist verify m 127.0.0.16/32
	[ "$status" -eq 0 ]
}

@test "a list that is already there is not written" {
	"$bottle" allowlist enforce m 10.0.0.0/8 127.0.0.16/32
	run "$bottle" allowlist enforce --json m 10.0.0.0/8 127.0.0.16/32
	[ "$status" -eq 0 ]
	[ "$(jq -r .written <<<"$output")" = false ]
	run "$bottle" allowlist enforce --json m 127.0.0.16/32 10.0.0.0/8
	[ "$(jq -r .written <<<"$output")" = true ]
}

@test "a second writer that reverts the list is caught" {
	"$bottle" allowlist enforce m 127.0.0.16/32
	sqlite3 "$db" "UPDATE vms SET data = CAST('{\"name\":\"m\",\"allowed_cidrs\":[\"0.0.0.0/0\"]}' AS BLOB)"
	run "$bottle" allowlist verify m 127.0.0.16/32
	[ "$status" -eq 1 ]
	[[ $output == *0.0.0.0/0* ]]
}

@test "a missing database or row is refused as unconfined and nothing is made" {
	run --separate-stderr "$bottle" allowlist enforce --json other 127.0.0.16/32
	[ "$status" -eq 1 ]
	[ "$(jq -r .error.kind <<<"$output")" = unconfined ]
	rm "$db"*
	run --separate-stderr "$bottle" allowlist enforce --json m 127.0.0.16/32
	[ "$status" -eq 1 ]
	[ "$(jq -r .error.kind <<<"$output")" = unconfined ]
	[ ! -e "$db" ]
}

@test "what is no CIDR is refused and nothing is written" {
	before=$(row m)
	for cidr in 127.0.0.16 10.0.0.1/8 localhost/32 127.0.0.1/033 ''; do
		run "$bottle" allowlist enforce m "$cidr"
		[ "$status" -eq 1 ]
	done
	[ "$(row m)" = "$before" ]
	run "$bottle" allowlist enforce m
	[ "$status" -eq 2 ]
}

@test "the database is found as smolvm finds it" {
	run "$bottle" allowlist enforce m 127.0.0.16/32
	[ "$status" -eq 0 ]
	mkdir -p "$dir/data/smolvm/server" "$dir/smol/.local/share/smolvm/server"
	cp "$db"* "$dir/data/smolvm/server/"
	mv "$db"* "$dir/smol/.local/share/smolvm/server/"
	run "$bottle" allowlist verify m 127.0.0.16/32
	[ "$status" -eq 1 ]
	XDG_DATA_HOME=$dir/data run "$bottle" allowlist verify m 127.0.0.16/32
	[ "$status" -eq 0 ]
	SMOLVM_DATA_DIR=$dir/smol XDG_DATA_HOME=/nonexistent run "$bottle" allowlist verify m 127.0.0.16/32
	[ "$status" -eq 0 ]
	run "$bottle" allowlist verify --db "$dir/data/smolvm/server/smolvm.db" m 127.0.0.16/32
	[ "$status" -eq 0 ]
}

@test "verify leaves the database as it is; what SQLite makes beside it is empty, said, and goes with the next writer" {
	mkdir "$dir/clean"
	cp "$db" "$dir/clean/smolvm.db"
	[ "$(ls "$dir/clean")" = smolvm.db ]
	before=$(sha256sum "$dir/clean/smolvm.db")
	run "$bottle" allowlist verify --db "$dir/clean/smolvm.db" m 127.0.0.16/32
	[ "$status" -eq 1 ]
	[ "$before" = "$(sha256sum "$dir/clean/smolvm.db")" ]
	[ "$(echo "$dir"/clean/*)" = "$dir/clean/smolvm.db $dir/clean/smolvm.db-shm $dir/clean/smolvm.db-wal" ]
	[ ! -s "$dir/clean/smolvm.db-wal" ]
	run "$bottle" allowlist verify --help
	[[ $output == *smolvm.db-shm* && $output == *smolvm.db-wal* ]]
	sqlite3 "$dir/clean/smolvm.db" "UPDATE vms SET name = name"
	[ "$(ls "$dir/clean")" = smolvm.db ]
}

@test "a read-only database is refused by enforce and read by verify" {
	[ "$(id -u)" -ne 0 ] || skip "root writes where it likes"
	"$bottle" allowlist enforce m 127.0.0.16/32
	chmod 500 "$(dirname "$db")"; chmod 400 "$db"
	run "$bottle" allowlist enforce m 10.0.0.0/8
	[ "$status" -eq 1 ]
	chmod 700 "$(dirname "$db")"
}
