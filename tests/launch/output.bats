#!/usr/bin/env bats
# Where what a bottle's program says goes: who reads it may be late, or share the description of our stdout.
load helper

# late_reader FLAG WHEN CMD...: its stdout a pipe, with O_NONBLOCK on it where FLAG says so. The pipe is read
# once it is full and the shell command WHEN, which is told its pid, succeeds. What came is in $PLACE/out.
late_reader() {
	status=0
	timeout 120 python3 - "$PLACE" "$@" <<'PY' || status=$?
import os, select, subprocess, sys, time
place, flag, when, *command = sys.argv[1:]
read, write = os.pipe()
os.set_blocking(write, flag != "nonblocking")
with open(place + "/err", "wb") as err:
    caller = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=write, stderr=err)
full = select.poll()
full.register(write, select.POLLOUT)
until = time.monotonic() + 60
while caller.poll() is None and full.poll(0):
    assert time.monotonic() < until, "the pipe never was full"
    time.sleep(0.05)
# Whoever meets a full pipe has met it by now.
while caller.poll() is None and subprocess.run(["sh", "-c", when, "sh", str(caller.pid)]).returncode != 0:
    assert time.monotonic() < until, "waited in vain: " + when
    time.sleep(0.05)
os.close(write)
with open(place + "/out", "wb") as out:
    while piece := os.read(read, 65536):
        out.write(piece)
sys.exit(caller.wait())
PY
}

all_of_it_came() {
	expect_status 0 || { cat "$PLACE/err"; return 1; }
	[ "$(md5sum <"$PLACE/out")" = "$(seq 1 300000 | md5sum)" ]
}

@test "a stdout that may not block takes all that a bottle says, as one that may does (control)" {
	for flag in blocking nonblocking; do
		late_reader $flag true bottle start --headless --yes --rm -- seq 1 300000
		all_of_it_came
	done
}

@test "the same for exec" {
	detached sleep 1000
	for flag in blocking nonblocking; do
		late_reader $flag true bottle exec "$slug" -- seq 1 300000
		all_of_it_came
	done
}

@test "what can't be written is said to be stdout, or stderr, of start and of exec" {
	detached sleep 1000
	run_split sh -c "exec bottle exec $slug -- echo x >/dev/full"
	expect_status 125
	[ "$err" = "bottle: write to stdout: No space left on device" ]
	run_split sh -c 'exec bottle start --rm --yes -- echo x >/dev/full'
	expect_status 125
	[[ $err == *"bottle: write to stdout: No space left on device"* ]]
}

@test "while nobody reads the output, a signal reaches the program all the same" {
	local speak='trap "echo > caught; exit 42" TERM; seq 1 300000 & while :; do sleep 0.1; done'
	# Once only: the second signal would be another's.
	local tell='[ -e "$HOME/told" ] || kill -TERM $1 && touch "$HOME/told"; ls "$HOME"/.local/state/bot-bottle/bottles/*/workspace/upper/caught'
	late_reader nonblocking "$tell" bottle start --headless --yes -- sh -c "$speak"
	expect_status 42
	rm "$HOME/told"
	slug=$(ls "$BOTTLES")
	rm "$BOTTLES/$slug/workspace/upper/caught"
	detached sleep 1000
	late_reader nonblocking "$tell" bottle exec "$slug" -- sh -c "$speak"
	expect_status 42
}

@test "while nobody reads the output, a second signal ends the wait" {
	late_reader nonblocking 'kill -TERM $1; false' bottle start --headless --yes -- sh -c 'trap "" TERM; seq 1 300000'
	expect_status 125
	grep -q "a second signal came" "$PLACE/err"
	slug=$(ls "$BOTTLES")
	wait_for state_is stopped
}
