# What the kernel lacks is a refusal that names it, never a cage that confines less. The wrapper
# takes one call away; the control is the same cage without the wrapper.

setup() {
	export GUEST=$BUILD/libexec/bot-bottle/bottle-guest
	enter=$BUILD/tests/cage/enter
	without=$BUILD/tests/cage/without
}

# Nothing of the program runs, and the message holds the word.
refused() {
	local word=$1
	shift
	run "$without" "$@" -- "$enter" echo booted
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" != *booted* ]]
	[[ "$output" == *"$word"* ]]
}

@test "with everything there it boots (control)" {
	run "$enter" echo booted
	[ "$status" = 0 ] && [ "$output" = booted ]
	run "$without" reboot ENOSYS -- "$enter" echo booted
	[ "$status" = 0 ] && [ "$output" = booted ]
}

@test "no Landlock in the kernel" { refused "CONFIG_SECURITY_LANDLOCK" landlock_create_ruleset ENOSYS; }
@test "Landlock switched off" { refused "lsm=landlock" landlock_create_ruleset EOPNOTSUPP; }
@test "Landlock that can't be entered" { refused "unconfined" landlock_restrict_self EPERM; }
@test "Landlock that takes no rules" { refused "unconfined" landlock_add_rule EINVAL; }
@test "no seccomp filters" { refused "CONFIG_SECCOMP_FILTER" seccomp EINVAL; }
@test "no user namespaces" { refused "user namespace" clone EPERM when 0 0x10000000; }
@test "no network namespaces" { refused "network namespace" clone EPERM when 0 0x40000000; }
@test "user namespaces used up" { refused "user namespace" clone ENOSPC when 0 0x10000000; }
@test "no control group namespace" { refused "control group" unshare EPERM; }
@test "no pivot_root" { refused "root" pivot_root EINVAL; }
@test "no restricting of mounts" { refused "unconfined" mount_setattr ENOSYS; }
@test "no detached mounts" { refused "unconfined" open_tree ENOSYS; }
@test "no new mounts" { refused "unconfined" fsopen EPERM; }
@test "the old root can't be let go" { refused "old root" umount2 EPERM; }
@test "capabilities that can't be dropped" { refused "capabilities" capset EPERM; }
@test "no_new_privs that can't be set" { refused "new privileges" prctl EINVAL when 0 38; }
@test "ids that can't be changed" { refused "user" setresuid EPERM; }
@test "limits that can't be set" { refused "limit" setrlimit EPERM and prlimit64 EPERM; }
@test "counters of /proc/sys that can't be lowered" {
	refused "max_inotify_instances" openat EPERM when 2 "$(python3 -c 'import os; print(os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)')"
}

# Whose own checks pass, and whose cage then can't be finished.
@test "a launch says what its cage could not do, and leaves nothing" {
	export HOME=$BATS_TEST_TMPDIR XDG_RUNTIME_DIR=
	mkdir "$HOME/work"
	start=("$BUILD/bin/bottle" start --backend namespace --workspace "$HOME/work" --headless -- printf bo%s oted)
	# The gateway's cage is entered at the same time: whichever is first says so.
	for call in landlock_restrict_self landlock_add_rule; do
		run "$without" "$call" EPERM -- "${start[@]}"
		echo "$output"
		[ "$status" -eq 125 ]
		[[ $output == *"entering the cage (landlock)"* && $output != *booted* ]]
	done
	run "$without" sethostname EPERM -- "${start[@]}"
	echo "$output"
	[ "$status" -eq 125 ]
	[[ $output == *"the host name"* && $output != *booted* ]]
	[ -z "$(ls "$HOME/.local/state/bot-bottle/run")" ]
	run "$without" reboot EPERM -- "${start[@]}"
	[ "$status" -eq 0 ]
	[[ $output == *booted* ]]
}

# A unit with RestrictSUIDSGID= is such a host.
@test "no openat2: doctor and start say which setting takes it away" {
	for answer in EPERM ENOSYS; do
		run "$without" openat2 "$answer" -- "$BUILD/bin/bottle" doctor --backend namespace
		echo "$output"
		[ "$status" -eq 1 ]
		[[ $output == *"openat2: the call is not let through"*RestrictSUIDSGID=no* ]]
		run "$without" openat2 "$answer" -- env HOME="$BATS_TEST_TMPDIR" "$BUILD/bin/bottle" start --backend namespace \
			--workspace "$BUILD/tests/cage" --yes -- true
		[ "$status" -eq 125 ]
		[[ $output == *openat2*RestrictSUIDSGID=no* ]]
	done
	run "$BUILD/bin/bottle" doctor --backend namespace
	[[ $output != *RestrictSUIDSGID* ]]
}
