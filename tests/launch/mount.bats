#!/usr/bin/env bats
# A workspace that is shared with the host (workspace: mount), against whoever else is at work in it.
load helper

bottle_file() { printf -- '---\n%s\n---\n' "$2" >"$HOME/.bot-bottle/bottles/$1.md"; }

# Mounts of the case's own directories, as the host sees them.
seen_by_host() { grep -F " $PLACE/" /proc/self/mountinfo || true; }

# In a mount namespace whose mounts are shared, as systemd makes those of a host.
as_on_a_host_of_systemd() {
	mount --make-rprivate / && mount --make-rshared /
	mkdir sub late
	echo secret >.env
	echo 'export A=1' >sub/.envrc
	bottle_file mounted 'workspace: mount
workspace_exclude: [.env]'
	bottle_file copied 'workspace_exclude: [.env]'
	for mode in mounted copied; do
		start --detach --bottle $mode -- sleep 1000
		expect_status 0
		slug=$out
		[ -z "$(seen_by_host)" ] || { seen_by_host; return 1; }
		[ "$(cat .env)" = secret ]
		# What the host mounts later stays the host's.
		mount -t tmpfs -o mode=777 none late
		echo top >late/secret
		run_split bottle exec "$slug" -- sh -c 'cat /workspace/late/secret; grep -c shared: /proc/self/mountinfo'
		[ "$out" = 0 ] || { echo "$mode: $out"; return 1; }
		umount late
		run_split bottle stop "$slug"
		expect_status 0
		[ -z "$(seen_by_host)" ]
		[ "$(cat .env)" = secret ]
	done
	# The control: a bind that is made here and not taken out of its group shows what is mounted.
	mkdir "$PLACE/other"
	mount --bind . "$PLACE/other"
	mount -t tmpfs none "$PLACE/other/late"
	mountpoint -q late
}

@test "root's mounts are no peers of the host's, and what is mounted on either side stays there" {
	[ "$(id -u)" -eq 0 ] || skip "an ordinary user's mounts are never the host's"
	export PLACE
	export -f as_on_a_host_of_systemd seen_by_host bottle_file start run_split expect_status
	unshare -m bash -euc 'AS=(); as_on_a_host_of_systemd'
}
