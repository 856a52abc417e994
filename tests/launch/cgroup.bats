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
UNIFIED='{ [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || mount -t cgroup2 none /sys/fs/cgroup; }'
below() { run_split unshare --mount bash -c "$UNIFIED"' && echo $$ >"$0/cgroup.procs" && exec "$@"' "/sys/fs/cgroup$PATH_OF_GROUP$1" "${@:2}"; }
delegated() { below "" "$@"; }
elsewhere() { run_split unshare --mount bash -c "$UNIFIED"' && exec "$@"' sh "$@"; }
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

limited() {
	printf -- '---\nresources: {memory_mib: 512, cpus: 2}\n---\n' >"$HOME/.bot-bottle/bottles/limited.md"
}
is_up() { compgen -G "$GROUP/bot-bottle-*/cgroup.procs" >/dev/null && [ -n "$(cat "$GROUP"/bot-bottle-*/cgroup.procs)" ]; }

# The kernel takes a limit below a group only while the group itself holds no process.
@test "a launcher that stays does not stand where the limits are" {
	WHO=()
	group_setup
	(delegated bottle start --yes -- sleep 1000) &
	wait_for is_up
	[ -z "$(cat "$GROUP/cgroup.procs")" ]
	[ "$(wc -l <"$GROUP/keeper/cgroup.procs")" -ge 2 ]
	slug=$(basename "$GROUP"/bot-bottle-*)
	elsewhere bottle stop "${slug#bot-bottle-}"
	expect_status 0
	wait
}

@test "a written limit in a group that holds another program is refused, with the reason" {
	WHO=()
	group_setup
	limited
	delegated bash -c 'bottle start --yes --bottle limited -- true; exit $?'
	expect_status 125
	[[ $err == *"resources.cpus can't be enforced here"*"holds other programs (process "*"DelegateSubgroup=keeper"* ]]
	# What is not written is reported.
	delegated bash -c 'bottle start --rm --yes -- true; exit $?'
	expect_status 0
	[[ $err == *"not limited"* ]]
	[ -z "$(groups_left)" ]
}

@test "a written limit is set where the controllers are" {
	WHO=()
	group_setup
	grep -qw memory "$GROUP/../cgroup.controllers" || skip "memory is no controller of the unified tree here"
	local one
	for one in memory cpu; do grep -qw $one "$GROUP/cgroup.controllers" || echo "+$one" >"$GROUP/../cgroup.subtree_control"; done
	limited
	# A launcher that stays, by itself in the group.
	(delegated bottle start --yes --bottle limited --label one -- sleep 1000) &
	wait_for is_up
	[ "$(cat "$GROUP"/bot-bottle-one-*/memory.max)" -eq $((512 << 20)) ]
	[ "$(cat "$GROUP"/bot-bottle-one-*/cpu.max)" = "200000 100000" ]
	# A unit with DelegateSubgroup=: all that it is begins in the leaf.
	below /keeper bottle start --yes --detach --bottle limited --label two -- sleep 1000
	expect_status 0
	[ "$(cat "$GROUP/bot-bottle-$out/memory.max")" -eq $((512 << 20)) ]
	elsewhere bottle stop "$(basename "$GROUP"/bot-bottle-one-* | sed s/bot-bottle-//)"
	expect_status 0
	wait
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
