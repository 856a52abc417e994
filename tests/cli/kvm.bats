#!/usr/bin/env bats
# What doctor says of /dev/kvm, in a /dev of the test's own: each failure has its own words.
load helper

# KIND COMMAND...: with nothing, a file, another device, or one that is closed to us at /dev/kvm.
with_kvm() {
	local userns=()
	[ "$(id -u)" = 0 ] || userns=(--user --map-current-user --keep-caps)
	unshare "${userns[@]}" --mount bash -c '
		set -e
		kind=$1 dev=$2; shift 2
		mkdir -p "$dev" && mount -t tmpfs dev "$dev"
		for name in null zero random urandom; do touch "$dev/$name"; mount --bind "/dev/$name" "$dev/$name"; done
		become=()
		case $kind in
		file) echo text >"$dev/kvm" ;;
		other) touch "$dev/kvm"; mount --bind /dev/null "$dev/kvm" ;;
		closed)
			mknod "$dev/kvm" c 10 232; chmod 600 "$dev/kvm"
			become=(setpriv --reuid 65000 --regid 65000 --clear-groups env HOME=/nonexistent XDG_STATE_HOME=/nonexistent) ;;
		esac
		mount --rbind "$dev" /dev
		exec "${become[@]}" "$@"' - "$1" "$PLACE/dev" "${@:2}"
}

row() {
	jq -r --arg check "$1" ".checks[] | select(.check == \$check) | $2" <<<"$out"
}

# KIND ROW KIND-OF-ERROR WORD...
says() {
	local kind=$1 check=$2 error=$3 text word
	run_split with_kvm "$kind" "$BUILD/bin/bottle" doctor --json --backend smolmachines
	expect_status 1
	[ "$(row "$check" .ok)" = false ]
	[ "$(row "$check" .kind)" = "$error" ]
	text="$(row "$check" .found) $(row "$check" .fix)"
	for word in "${@:4}"; do
		[[ $text == *"$word"* ]] || { echo "no \"$word\" in: $text"; return 1; }
	done
}

@test "no /dev/kvm: the firmware, both modules, the NixOS line, the other tier" {
	says none /dev/kvm missing "there is no /dev/kvm" firmware kvm-intel kvm-amd boot.kernelModules "--backend namespace"
}

@test "a file in its place is no device" {
	says file /dev/kvm input "/dev/kvm is no device" kvm-intel kvm-amd
}

@test "one that is closed to the user: the group, a re-login, the NixOS line" {
	[ "$(id -u)" = 0 ] || skip "only root makes a device that is closed to somebody"
	says closed "/dev/kvm, access" denied "may not be opened by you" "group kvm" usermod re-login extraGroups "--backend namespace"
	[ "$(row /dev/kvm .ok)" = true ] # control: it is there
}

@test "another device in its place runs no guest" {
	says other "/dev/kvm, a guest" system /dev/kvm
	[ "$(row /dev/kvm .ok)" = true ]
	[ "$(row "/dev/kvm, access" .ok)" = true ]
}
