#!/usr/bin/env bats
# What is typed or piped to a bottle's program, which may take none of it.
load helper

# Over every buffer on the way: the pipe's, the keeper's, the socket's.
big_input() { head -c 2000000 /dev/zero | tr '\0' 'x' >"$PLACE/big"; }

@test "a program that takes no input and says much holds nobody" {
	big_input
	status=0
	timeout 60 bottle start --headless --yes --rm -- sh -c 'seq 1 1000000; exit 3' <"$PLACE/big" >"$PLACE/out" 2>"$PLACE/err" || status=$?
	[ "$status" -eq 3 ]
	[ "$(tail -n 1 "$PLACE/out")" = 1000000 ]
}

@test "a program that closes its input, too" {
	big_input
	status=0
	timeout 60 bottle start --headless --yes --rm -- sh -c 'exec <&-; seq 1 1000000; exit 4' <"$PLACE/big" >"$PLACE/out" 2>"$PLACE/err" || status=$?
	[ "$status" -eq 4 ]
	[ "$(tail -n 1 "$PLACE/out")" = 1000000 ]
}

@test "all of the input comes in, and its end (control)" {
	big_input
	run timeout 60 bash -c "bottle start --headless --yes --rm -- sh -c 'sleep 0.2; md5sum' <'$PLACE/big' 2>/dev/null"
	[ "$status" -eq 0 ]
	[ "$output" = "$(md5sum <"$PLACE/big")" ]
}

@test "while nobody reads the input, a signal reaches the program all the same" {
	big_input
	bottle start --headless --yes --rm -- sh -c 'trap "exit 42" TERM; echo ready; while :; do sleep 0.1; done' <"$PLACE/big" >"$PLACE/out" 2>/dev/null 3>&- &
	caller=$!
	wait_for grep -q ready "$PLACE/out"
	kill -TERM "$caller"
	status=0
	timeout 60 tail --pid="$caller" -f /dev/null
	wait "$caller" || status=$?
	[ "$status" -eq 42 ]
}

@test "the end of an onlooker's input is not the end of the program's" {
	mkfifo "$PLACE/in"
	bottle start --headless --yes -- sh -c 'echo ready; cat; echo over' <"$PLACE/in" >"$PLACE/out" 2>/dev/null 3>&- &
	caller=$!
	exec 9>"$PLACE/in"
	wait_for grep -q ready "$PLACE/out"
	slug=$(ls "$BOTTLES")
	echo 'from the onlooker' | bottle attach "$slug" >"$PLACE/seen" 2>/dev/null 9>&- 3>&- &
	attached=$!
	wait_for grep -q onlooker "$PLACE/out"
	run_split bottle exec "$slug" -- true
	expect_status 0
	echo 'from the launcher' >&9
	wait_for grep -q launcher "$PLACE/out"
	if grep -q over "$PLACE/out"; then return 1; fi
	# The launcher's own end is one (control).
	exec 9>&-
	wait "$caller"
	grep -q over "$PLACE/out"
	wait "$attached"
}
