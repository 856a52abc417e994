# The smolmachines backend around a double of smolvm (tests/fakes/smolvm): the launch with its
# proofs is real, the machine is not. How it misbehaves: misbehave.py.

setup() {
	top=$(mktemp -d /tmp/bot-bottle-machine.XXXXXX)
	chmod 755 "$top"
	smolvm=$top/smolvm home=$top/home state=$top/state work=$top/work
	mkdir -p "$home/.bot-bottle/bottles" "$state" "$work"
	"$BATS_TEST_DIRNAME/../fakes/lay-out" "$smolvm"
	cat >"$home/.bot-bottle/bottles/m.md" <<-'END'
		---
		resources:
		  cpus: 1
		  memory_mib: 512
		  disk_gib: 1
		env:
		  PLAIN: in-the-open
		  HIDDEN: ${SECRET_OF_THE_HOST}
		---
	END
	echo first >"$work/file"
	mkdir -p "$top/prefix/bin"
	cp "$BUILD/tests/fakes/doubled/bottle" "$top/prefix/bin/bottle"
	ln -s "$BUILD/libexec" "$BUILD/share" "$top/prefix/"
}

teardown() {
	rm -rf "$top"
}

bottle() {
	env -i SECRET_OF_THE_HOST=secret-4711-secret HOME="$home" PATH="$smolvm:/usr/bin:/bin" XDG_STATE_HOME="$state" \
		XDG_RUNTIME_DIR="$state" LANG=C.UTF-8 timeout 60 "$top/prefix/bin/bottle" "$@"
}

start() { (cd "$work" && bottle start --backend smolmachines --bottle m --headless --yes "$@"); }

# Of the machine; that no process is left is asked by misbehave.py, which starts nothing else.
nothing_is_left() {
	! find "$state" -type d -name smolvm | grep .
}

@test "a bottle runs in the double, proved beside the machine and in it" {
	run start -- sh -c 'cat file; echo second >file; exit 7'
	[ "$status" -eq 7 ]
	[[ "$output" == *first* && "$output" == *"1 file changed"* ]]
	[ "$(cat "$work/file")" = first ]
	log=$(cat "$state"/bot-bottle/bottles/*/audit.jsonl)
	[[ "$log" == *'"place":"beside the machine"'* && "$log" == *'"place":"in the machine"'* ]]
	[[ "$log" != *'"confined":false'* ]]
	nothing_is_left
}

@test "the secret part of the environment is in no argument, database, log or state" {
	# The agent has it and does not show it: what an agent prints stands in its own log.
	run start -- sh -c 'case $HIDDEN in secret-*-secret) echo "there: ${#HIDDEN}, $PLAIN" ;; esac; cat /proc/*/cmdline'
	[ "$status" -eq 0 ]
	[[ "$output" == *"there: 18, in-the-open"* ]]
	[[ "$output" != *secret-4711-secret* ]]
	grep -rqs in-the-open "$state"
	[ -z "$(grep -ral secret-4711-secret "$state")" ]
	nothing_is_left
}

@test "a machine that was left by a killed keeper is gone with the next start of the bottle" {
	run start -- sh -c 'exit 0'
	slug=$(basename "$state"/bot-bottle/bottles/*)
	mkdir -p "$state/bot-bottle/bottles/$slug/smolvm/.local"
	touch "$state/bot-bottle/bottles/$slug/smolvm/.local/left"
	(cd "$work" && bottle resume "$slug") </dev/null
	nothing_is_left
}

@test "signals reach the program in the machine, by a command of their own" {
	start --detach -- sh -c 'trap "exit 42" TERM; echo ready; while :; do sleep 0.1; done'
	slug=$(basename "$state"/bot-bottle/bottles/*)
	bottle exec "$slug" -- sh -c 'trap "echo heard; exit 43" INT; echo ready; while :; do sleep 0.1; done' >"$top/said" 3>&- &
	caller=$!
	timeout 60 bash -c 'until grep -q ready "$0"; do read -rt 0.05 <> <(:) || :; done' "$top/said"
	kill -INT "$(pgrep -P "$caller" || echo "$caller")"
	status=0
	wait "$caller" || status=$?
	[ "$status" -eq 43 ]
	grep -q heard "$top/said"
	bottle stop "$slug"
	grep -q "\"status\":42" "$state"/bot-bottle/bottles/"$slug"/audit.jsonl
	nothing_is_left
}

@test "without smolvm, or without its parts, it says what is missing" {
	rmdir "$smolvm/agent-rootfs"
	run start -- sh
	[ "$status" -eq 125 ]
	[[ "$output" == *agent-rootfs* ]]
	rm "$smolvm/smolvm"
	run start -- sh
	[ "$status" -eq 125 ]
	[[ "$output" == *"is not on PATH"* ]]
}
