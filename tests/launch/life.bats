#!/usr/bin/env bats
load helper

@test "detach, exec, info and stop" {
	detached sleep 1000
	run_split bottle exec "$slug" -- sh -c 'echo inside; exit 5'
	expect_status 5
	[ "$out" = inside ]
	run_split bottle exec "$slug" -- no-such-program
	expect_status 127
	run_split bottle exec --user root "$slug" -- id
	expect_status 125
	printf 'through\n' | bottle exec -i "$slug" -- cat | grep -q through
	run_split bottle stop "$slug"
	expect_status 0
	wait_for gone "$keeper"
	state_is stopped
	run_split bottle exec "$slug" -- true
	expect_status 125
}

@test "attach sees the program's output and ends with its status" {
	detached sh -c 'until [ -e go ]; do sleep 0.1; done; echo done; exit 9'
	bottle attach "$slug" >"$PLACE/seen" 2>/dev/null </dev/null &
	attached=$!
	bottle exec "$slug" -- touch /workspace/go
	status=0
	wait "$attached" || status=$?
	[ "$status" -eq 9 ]
	wait_for state_is stopped
}

@test "a killed gateway takes the bottle down, and leaves nothing reachable" {
	detached sleep 1000
	gateway=$(for p in $(children "$keeper"); do grep -qs egress "/proc/$p/cmdline" && echo "$p"; done)
	[ -n "$gateway" ]
	others=$(children "$keeper")
	kill -9 "$gateway"
	wait_for gone "$keeper"
	for p in $others; do gone "$p"; done
	state_is stopped
	grep -q '"kind":"sidecar-died"' "$BOTTLES/$slug/audit.jsonl"
}

@test "a killed keeper takes everything with it, and leaves a record that can be cleared" {
	detached sleep 1000
	others=$(children "$keeper")
	[ -n "$others" ]
	kill -9 "$keeper"
	for p in $others; do wait_for gone "$p"; done
	run_split bottle ls
	[[ $out == *"$slug"*dead* ]]
	run_split bottle cleanup --yes "$slug"
	run_split bottle rm "$slug"
	[ ! -e "$BOTTLES/$slug" ]
	[ ! -e "$HOME/.local/state/bot-bottle/run/$slug.sock" ]
}

@test "the caller's death ends a bottle that was not detached" {
	bottle start --yes -- sleep 1000 >/dev/null 2>&1 </dev/null &
	caller=$!
	running() { slug=$(ls "$BOTTLES" 2>/dev/null) && [ -n "$slug" ] && [ -e "$BOTTLES/$slug/record.json" ] && state_is running; }
	wait_for running
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
	kill -9 "$caller"
	wait_for gone "$keeper"
	state_is stopped
}

@test "a signal to the caller reaches the program" {
	bottle start --yes --rm -- sh -c 'trap "exit 42" TERM; echo ready; while :; do sleep 0.1; done' >"$PLACE/out" 2>/dev/null </dev/null &
	caller=$!
	wait_for grep -q ready "$PLACE/out"
	kill -TERM "$caller"
	status=0
	wait "$caller" || status=$?
	[ "$status" -eq 42 ]
}
