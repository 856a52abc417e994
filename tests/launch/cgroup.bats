#!/usr/bin/env bats
# A delegated control group of the suite's own: a mount namespace in which the unified tree stands
# at its usual place, and a group below it that belongs to whoever starts the bottle.
load helper

group_setup() {
	[ "$(id -u)" -eq 0 ] || skip "an ordinary user can't delegate a control group to itself"
	local tree
	tree=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$tree" ] && [ -w "$tree/cgroup.procs" ] || skip "no unified (v2) control group tree can be written to here"
	GROUP=$(mktemp -d "$tree/bottle-test.XXXXXX") || skip "no control group can be made here"
	[ -z "${1-}" ] || chown "$1" "$GROUP" "$GROUP"/cgroup.{procs,subtree_control}
	PATH_OF_GROUP=${GROUP#"$tree"}
}

group_removed() {
	find "$GROUP" -depth -type d -exec rmdir {} + 2>/dev/null
	[ ! -d "$GROUP" ]
}

teardown() {
	local slug
	for slug in "$BOTTLES"/*; do "${WHO[@]}" bottle stop "${slug##*/}" 2>/dev/null || true; done
	# Its keepers are about to be gone.
	[ -z "${GROUP-}" ] || wait_for group_removed
	cd /
	rm -rf "$PLACE"
}

# delegated CMD...: run there, in the group; for what is freed later in another group, outside.
delegated() {
	run_split unshare --mount bash -c '
		mount -t cgroup2 none /sys/fs/cgroup && echo $$ >"$0/cgroup.procs" && exec "$@"' "/sys/fs/cgroup$PATH_OF_GROUP" "$@"
}
elsewhere() { run_split unshare --mount bash -c 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"' sh "$@"; }
groups_left() { find "$GROUP" -mindepth 1 -type d -name 'bot-bottle-*'; }

begin() {
	delegated "${WHO[@]}" bottle start --yes --detach -- sleep 1000
	expect_status 0
	slug=$out
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
	[ "$(jq -r '.resources[] | select(.kind == "cgroup").name' "$BOTTLES/$slug/record.json")" = "$PATH_OF_GROUP/bot-bottle-$slug" ]
	[ -n "$(cat "$GROUP/bot-bottle-$slug/cgroup.procs")" ]
}

@test "a bottle's control group goes with it, and its line in the record" {
	WHO=()
	group_setup
	begin
	elsewhere bottle stop "$slug"
	expect_status 0
	wait_for gone "$keeper"
	[ -z "$(groups_left)" ]
	[ "$(jq '.resources | length' "$BOTTLES/$slug/record.json")" -eq 0 ]
}

@test "cleanup frees the control group that a killed keeper leaves, from another group" {
	WHO=()
	group_setup
	begin
	kill -9 "$keeper"
	wait_for gone "$keeper"
	# The control: nobody else removes it.
	[ "$(groups_left)" = "$GROUP/bot-bottle-$slug" ]
	elsewhere bottle cleanup --yes
	expect_status 0
	[[ $out$err == *"cgroup $PATH_OF_GROUP/bot-bottle-$slug"* ]]
	[ -z "$(find "$GROUP" -mindepth 1 -type d)" ]
	[ "$(jq '.resources | length' "$BOTTLES/$slug/record.json")" -eq 0 ]
}

@test "the same as somebody who is not root" {
	group_setup 65000
	chown -R 65000:65000 "$PLACE"
	WHO=(setpriv --reuid 65000 --regid 65000 --clear-groups)
	begin
	kill -9 "$keeper"
	wait_for gone "$keeper"
	[ "$(groups_left)" = "$GROUP/bot-bottle-$slug" ]
	elsewhere "${WHO[@]}" bottle cleanup --yes
	expect_status 0
	[ -z "$(find "$GROUP" -mindepth 1 -type d)" ]
}

@test "what a record names and is no bottle's group is not touched" {
	WHO=()
	group_setup
	begin
	kill -9 "$keeper"
	wait_for gone "$keeper"
	mkdir "$GROUP/other"
	for name in "$PATH_OF_GROUP/other" "$PATH_OF_GROUP/bot-bottle-x/../other" "bot-bottle-x" "/../../../tmp/bot-bottle-x"; do
		jq --arg name "$name" '.resources = [{kind: "cgroup", name: $name}]' "$BOTTLES/$slug/record.json" >"$PLACE/new"
		cp "$PLACE/new" "$BOTTLES/$slug/record.json"
		elsewhere bottle cleanup --yes
		expect_status 1
		[ -d "$GROUP/other" ]
	done
}
