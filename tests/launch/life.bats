#!/usr/bin/env bats
load helper

@test "detach, exec, info and stop" {
	detached sleep 1000
	run_split bottle exec "$slug" -- sh -c 'echo inside; exit 5'
	expect_status 5
	[ "$out" = inside ]
	run_split bottle exec "$slug" -- no-such-program
	expect_status 127
	for user in "" "$(printf '%065d' 0)"; do
		run_split bottle exec --user "$user" "$slug" -- id -un
		expect_status 125
		[[ $err == *"--user needs a name"* ]] || { echo "$err"; return 1; }
	done
	run_split bottle exec --user agent "$slug" -- echo as agent
	expect_status 0
	[ "$out" = "as agent" ]
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
	bottle attach "$slug" >"$PLACE/seen" 2>/dev/null </dev/null 3>&- &
	attached=$!
	# Before that there would be nothing to attach to any more.
	looked_on() { [ "$(bottle info --json "$slug" | jq .attached)" -eq 1 ]; }
	wait_for looked_on
	bottle exec "$slug" -- touch /workspace/go
	status=0
	wait "$attached" || status=$?
	[ "$status" -eq 9 ]
	wait_for state_is stopped
}

@test "who looks on without a terminal leaves by a signal, and the bottle runs on" {
	detached sh -c 'trap "touch hit; exit 7" INT TERM HUP QUIT; while :; do echo ready; sleep 0.1; done'
	for signal in INT TERM HUP QUIT; do
		rm -f "$PLACE/seen" # the last one's
		# A shell makes what it puts into the background deaf to INT and QUIT.
		env --default-signal bottle attach "$slug" >"$PLACE/seen" 2>"$PLACE/said" </dev/null 3>&- &
		attached=$!
		wait_for grep -q ready "$PLACE/seen"
		kill "-$signal" "$attached"
		status=0
		wait "$attached" || status=$?
		[ "$status" -eq 0 ] || { echo "$signal: $status $(cat "$PLACE/said")"; return 1; }
	done
	run_split bottle exec "$slug" -- test ! -e hit
	expect_status 0
	state_is running
	run_split bottle stop "$slug" # control
	expect_status 0
	[ -e "$BOTTLES/$slug/workspace/upper/hit" ]
	state_is stopped
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
	for p in $others "$keeper"; do wait_for gone "$p"; done
	run_split bottle ls
	[[ $out == *"$slug"*dead* ]]
	run_split bottle cleanup --yes "$slug"
	run_split bottle rm "$slug"
	[ ! -e "$BOTTLES/$slug" ]
	[ ! -e "$HOME/.local/state/bot-bottle/run/$slug.sock" ]
}

@test "the caller's death ends a bottle that was not detached" {
	bottle start --yes -- sleep 1000 >/dev/null 2>&1 </dev/null 3>&- &
	caller=$!
	running() { slug=$(ls "$BOTTLES" 2>/dev/null) && [ -n "$slug" ] && [ -e "$BOTTLES/$slug/record.json" ] && state_is running; }
	wait_for running
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
	kill -9 "$caller"
	wait_for gone "$keeper"
	state_is stopped
}

@test "a signal to the caller reaches the program" {
	bottle start --yes --rm -- sh -c 'trap "exit 42" TERM; echo ready; while :; do sleep 0.1; done' >"$PLACE/out" 2>/dev/null </dev/null 3>&- &
	caller=$!
	wait_for grep -q ready "$PLACE/out"
	kill -TERM "$caller"
	status=0
	wait "$caller" || status=$?
	[ "$status" -eq 42 ]
}

@test "a terminal is had at once, whatever the agent has made of /dev/ptmx" {
	on_terminal() { python3 -c 'import pty, sys; pty.spawn(sys.argv[1:])' env HOME="$HOME" bottle exec -t "$slug" -- tty </dev/null | tr -d '\r'; }
	detached sh -c 'rm /dev/ptmx; echo mine >/dev/ptmx; touch made; exec sleep 1000'
	# Before that it would be a terminal that nobody writes to.
	wait_for [ -e "$BOTTLES/$slug/workspace/upper/made" ]
	[ "$(bottle exec "$slug" -- cat /dev/ptmx)" = mine ]	# the control: by that name it is no terminal any more
	[ "$(on_terminal)" = /dev/pts/0 ]
	# Nor can one who opens a file be kept waiting: that takes a lease.
	run_split bottle exec "$slug" -- python3 -c 'import fcntl; fcntl.fcntl(open("/dev/ptmx", "rb"), fcntl.F_SETLEASE, fcntl.F_RDLCK)'
	[[ $err == *PermissionError* ]]
	python3 -c 'import fcntl; fcntl.fcntl(open("a.txt", "rb"), fcntl.F_SETLEASE, fcntl.F_RDLCK)'	# the control
}

@test "one who looks on and does not read is let go, and the program runs on" {
	detached sh -c 'until [ -e go ]; do sleep 0.1; done; head -c 8000000 /dev/zero; touch finished; exec sleep 1000'
	mkfifo "$PLACE/stuck"
	# Opened for reading too, so that it never breaks, and never read.
	# shellcheck disable=SC2094 # a pipe
	bottle attach "$slug" 9<>"$PLACE/stuck" >"$PLACE/stuck" 2>"$PLACE/why" </dev/null 3>&- &
	attached=$!
	looked_on() { [ "$(bottle info --json "$slug" | jq .attached)" -eq 1 ]; }
	wait_for looked_on
	bottle exec "$slug" -- touch /workspace/go
	wait_for bottle exec "$slug" -- test -e finished
	nobody() { [ "$(bottle info --json "$slug" | jq .attached)" -eq 0 ]; }
	wait_for nobody
	kill -9 "$attached"	# it writes to a pipe that is full, and can hear nothing
	wait "$attached" || true
}

@test "a caller that reads slowly gets everything, also what came before the end" {
	bottle start --yes --rm -- sh -c 'head -c 3000000 /dev/zero; echo end' 2>/dev/null </dev/null | {
		for _ in 1 2 3 4 5; do head -c 10000; read -rt 0.1 <> <(:) || true; done
		cat
	} >"$PLACE/all"
	[ "$(tail -c 4 "$PLACE/all")" = end ]
	[ "$(stat -c %s "$PLACE/all")" -eq 3000004 ]
}

@test "what a reader that went away did not get is a failure of our own, and said" {
	bottle start --yes --rm -- sh -c 'seq 1 300000; sleep 1000' 2>"$PLACE/said" </dev/null 3>&- | head -n 1 >"$PLACE/first"
	status=${PIPESTATUS[0]}
	expect_status 125
	[ "$(cat "$PLACE/first")" = 1 ]
	grep -q '^bottle: .*Broken pipe' "$PLACE/said"
	bottle start --yes --rm -- sh -c 'seq 1 300000; exit 7' 2>/dev/null </dev/null 3>&- | tail -n 1 >"$PLACE/last"
	status=${PIPESTATUS[0]}
	expect_status 7 # control
	[ "$(cat "$PLACE/last")" = 300000 ]
}

closed_to_others() {
	detached sleep 1000
	run_split cat "/proc/$keeper/environ"
	[ "$status" -ne 0 ] || { [ "$(id -u)" -eq 0 ] && [ -z "${AS[*]}" ]; }
	[ "$(stat -c %u "/proc/$keeper/environ")" -eq 0 ]
	[ "$(stat -c %u "/proc/$$/environ")" -eq "$(id -u)" ]
}

@test "another process of the user can't look into the keeper, though into a shell (control)" {
	as_ordinary_user
	closed_to_others
	run_split cat /proc/self/environ
	expect_status 0
}

@test "another user's connection is refused" {
	[ "$(id -u)" -eq 0 ] || skip "needs a second user"
	detached sleep 1000
	socket=$HOME/.local/state/bot-bottle/run/$slug.sock
	# Even where the directories would let it.
	chmod 755 "$PLACE" "$HOME" "$HOME/.local" "$HOME/.local/state" "$HOME"/.local/state/bot-bottle{,/run}
	chmod 666 "$socket"
	cat >"$PLACE/dial.py" <<-'PY'
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.connect(sys.argv[1])
		try:
		    s.send(bytes([2]))
		    print(len(s.recv(200000)))
		except OSError:
		    print(0)
	PY
	[ "$(setpriv --reuid 65000 --regid 65000 --clear-groups python3 "$PLACE/dial.py" "$socket")" = 0 ]
	[ "$(python3 "$PLACE/dial.py" "$socket")" -gt 0 ]
	grep -q "another user was refused" "$BOTTLES/$slug/keeper.log"
	# Nothing is asked of a bottle whose directories others may enter, not even to stop.
	run_split bottle stop "$slug"
	expect_status 1
	[[ $err == *"chmod 700"* ]]
	chmod 700 "$HOME"/.local/state/bot-bottle{,/run}
	run_split bottle stop "$slug"
	expect_status 0
}

@test "a service manager hears when the program runs, and when it ends" {
	cat >"$PLACE/manager.py" <<-'PY'
		import os, socket, subprocess, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
		s.bind(sys.argv[1] if sys.argv[1][0] == "/" else "\0" + sys.argv[1][1:])
		s.settimeout(60)
		p = subprocess.Popen(["bottle", "start", "--yes", "--headless", "--rm", "--", "sh", "-c", "env | grep -c NOTIFY; true"],
		                     env={**os.environ, "NOTIFY_SOCKET": sys.argv[1]}, stdin=subprocess.DEVNULL)
		for _ in range(2):
		    data, anc, _, _ = s.recvmsg(100, 100)
		    print(data.decode(), int.from_bytes(anc[0][2][:4], sys.byteorder) == p.pid, flush=True)
		p.wait()
	PY
	run_split python3 "$PLACE/manager.py" "$PLACE/notify"
	[ "$out" = $'READY=1 True\n0\nSTOPPING=1 True' ] || [ "$out" = $'0\nREADY=1 True\nSTOPPING=1 True' ] || { echo "$out $err"; false; }
	run_split python3 "$PLACE/manager.py" "@bottle-test-$$"
	[[ $out == *"READY=1 True"*"STOPPING=1 True"* ]]
}

@test "start --detach --json prints the slug as data, as resume does" {
	start --detach --json -- sleep 1000
	expect_status 0
	slug=$(jq -er .slug <<<"$out")
	[ -d "$BOTTLES/$slug" ]
	run_split bottle stop "$slug"
	run_split bottle resume --detach --json "$slug"
	[ "$(jq -er .slug <<<"$out")" = "$slug" ]
	# Without it, the name alone.
	run_split bottle stop "$slug"
	run_split bottle resume --detach "$slug"
	[ "$out" = "$slug" ]
}

reached_from_anywhere() {
	mkdir -m 700 "$PLACE/session"
	[ -z "${AS[*]}" ] || chown 65000:65000 "$PLACE/session"
	XDG_RUNTIME_DIR=$PLACE/session detached sleep 1000
	[ "$(jq -r .runtime "$BOTTLES/$slug/record.json")" = "$PLACE/session/bot-bottle" ]
	mkdir -m 700 "$PLACE/other"
	[ -z "${AS[*]}" ] || chown 65000:65000 "$PLACE/other"
	for setting in "" "XDG_RUNTIME_DIR=$PLACE/other" "RUNTIME_DIRECTORY=/dev/null"; do
		# shellcheck disable=SC2086 # none, or one
		run_split env $setting "$BUILD/bin/bottle" exec "$slug" -- echo inside
		expect_status 0
		[ "$out" = inside ]
	done
	[ -z "$(ls "$PLACE/other")" ]
}

@test "a bottle is reached from a shell with another runtime directory, or none" {
	reached_from_anywhere
	run_split bottle stop "$slug"
	expect_status 0
	# It is resumed where the environment says then.
	run_split bottle resume --detach "$slug"
	expect_status 0
	[ "$(jq -r .runtime "$BOTTLES/$slug/record.json")" = "$HOME/.local/state/bot-bottle/run" ]
	XDG_RUNTIME_DIR=$PLACE/session run_split bottle exec "$slug" -- true
	expect_status 0
	# One that was killed leaves its socket there, and cleanup finds it from anywhere.
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
	kill -9 "$keeper"
	wait_for gone "$keeper"
	[ -S "$HOME/.local/state/bot-bottle/run/$slug.sock" ]
	XDG_RUNTIME_DIR=$PLACE/session run_split bottle cleanup --yes
	expect_status 0
	[ -z "$(ls "$HOME/.local/state/bot-bottle/run")" ]
}

@test "the same for an ordinary user" {
	as_ordinary_user
	reached_from_anywhere
}

@test "a socket that is gone, or in a place that others may enter, is said with its place" {
	mkdir -m 700 "$PLACE/session"
	XDG_RUNTIME_DIR=$PLACE/session detached sleep 1000
	chmod 755 "$PLACE/session/bot-bottle"
	run_split bottle exec "$slug" -- true
	expect_status 125
	[[ $err == *"chmod 700 $PLACE/session/bot-bottle"* ]]
	rm -r "$PLACE/session"
	run_split bottle exec "$slug" -- true
	expect_status 125
	[[ $err == *"is running"*"$PLACE/session/bot-bottle/$slug.sock"*"bottle stop $slug"* ]] || { echo "$err"; return 1; }
	run_split bottle stop "$slug"
	expect_status 0
	state_is stopped
}

@test "a record of before the socket's place was kept leads to where the environment says" {
	detached sleep 1000
	jq 'del(.runtime)' "$BOTTLES/$slug/record.json" >"$PLACE/record" && cat "$PLACE/record" >"$BOTTLES/$slug/record.json"
	run_split bottle exec "$slug" -- echo inside
	expect_status 0
	[ "$out" = inside ]
}

@test "a slug that stdout does not take is told on stderr, of start and of resume" {
	local verb="start --yes --detach -- sleep 1000"
	for as in "" --json ""; do
		status=0
		# shellcheck disable=SC2086 # words
		bottle ${verb/--detach/--detach $as} >/dev/full 2>"$PLACE/err" </dev/null || status=$?
		out='' err=$(cat "$PLACE/err")
		expect_status 125
		slug=$(bottle ls --json | jq -r '.[] | select(.state == "running") | .slug')
		[[ $err == *"No space left"*"bottle $slug runs"*"\`bottle stop $slug\`"* ]] || { echo "$err"; return 1; }
		run_split bottle stop "$slug"
		expect_status 0
		[ -z "$as" ] || verb="resume --detach $slug"
	done
	# Nobody reads it.
	bottle resume --detach "$slug" 2>"$PLACE/err" </dev/null | :
	status=${PIPESTATUS[0]}
	expect_status 125
	grep -qF "bottle $slug runs" "$PLACE/err"
	# Where it is taken, nothing more is said (control).
	run_split bottle stop "$slug"
	run_split bottle resume --detach "$slug"
	expect_status 0
	[[ $out == "$slug" && $err != *"runs"* ]]
}

@test "stop is done when the bottle is, though somebody still reads its last words" {
	# A reader that takes nothing, as a pager on its first page does: its pipe is full already, so that what the
	# program says is left to the keeper however the two ends of its socket come along.
	mkfifo "$PLACE/pager"
	exec 8<>"$PLACE/pager"
	head -c 65536 /dev/zero >&8
	bottle start --yes -- sh -c 'trap "seq 1 2000000; exit 0" TERM; touch ready; while :; do sleep 0.1; done' >"$PLACE/pager" 2>/dev/null </dev/null 3>&- 8>&- &
	caller=$!
	exec 9<"$PLACE/pager" 8>&-
	is_ready() { slug=$(ls "$BOTTLES") && [ -e "$BOTTLES/$slug/workspace/upper/ready" ]; }
	wait_for is_ready
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
	run_split bottle stop "$slug"
	expect_status 0
	state_is stopped
	if gone "$keeper"; then return 1; fi # control
	# It ends when it was read to the end, or told to.
	cat <&9 >"$PLACE/all"
	exec 9<&-
	wait "$caller" || true
	wait_for gone "$keeper"
}

@test "who is attached hears that the program was killed" {
	detached sh -c 'trap "" TERM; touch ready; while :; do sleep 0.1; done'
	wait_for [ -e "$BOTTLES/$slug/workspace/upper/ready" ]
	bottle attach "$slug" >/dev/null 2>&1 </dev/null 3>&- &
	attached=$!
	looked_on() { [ "$(bottle info --json "$slug" | jq .attached)" -eq 1 ]; }
	wait_for looked_on
	run_split bottle stop "$slug"
	expect_status 0
	status=0
	wait "$attached" || status=$?
	[ "$status" -eq 137 ]
	[ "$(jq .exit_status "$BOTTLES/$slug/record.json")" -eq 137 ]
}

@test "who is attached to what leaves no status hears that, too" {
	detached sleep 1000
	bottle attach "$slug" >/dev/null 2>"$PLACE/said" </dev/null 3>&- &
	attached=$!
	looked_on() { [ "$(bottle info --json "$slug" | jq .attached)" -eq 1 ]; }
	wait_for looked_on
	for p in $(children "$keeper"); do
		if grep -qs egress "/proc/$p/cmdline"; then kill -9 "$p"; fi
	done
	status=0
	wait "$attached" || status=$?
	[ "$status" -eq 125 ]
	[ -s "$PLACE/said" ]
}

@test "exec ends with its program, though something else in there goes on writing" {
	detached sleep 1000
	run_split timeout 60 bottle exec "$slug" -- sh -c 'while :; do echo .; sleep 0.1; done & exit 3'
	expect_status 3
	status=0
	timeout 60 bottle exec "$slug" -- sh -c 'yes & exit 4' >/dev/null </dev/null || status=$?
	[ "$status" -eq 4 ]
	# What it said itself comes whole (control).
	run_split bottle exec "$slug" -- sh -c 'seq 1 300000; (sleep 1000) & exit 5'
	expect_status 5
	[ "$(tail -n 1 "$PLACE/out")" = 300000 ]
}
