#!/usr/bin/env bats
# Descriptors on their way from one process to another count for their user, whoever it was that sent
# them, and a program that never takes them keeps them there.
load helper

# flight.py FULL END: as many as there may be, until END is there.
write_flight() {
	printf -- '---\nworkspace: mount\n---\n' >"$HOME/.bot-bottle/bottles/mounted.md"
	cat >flight.py <<-'PY'
		import array, os, socket, sys, time
		held, fds, why = [], array.array("i", [os.open("/dev/null", os.O_RDONLY)] * 253), ""
		while "references" not in why:
		    pair = socket.socketpair()
		    pair[0].setblocking(False)
		    held.append(pair)
		    try:
		        while True: pair[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
		    except OSError as e: why = str(e)
		open(sys.argv[1], "w").close()
		while not os.path.exists(sys.argv[2]): time.sleep(0.05)
		for a, b in held: a.close(), b.close()
		del pair
		open(sys.argv[2] + "ed", "w").close()
		time.sleep(1000)
	PY
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
}

fill_the_way() {
	write_flight
	start --detach --bottle mounted -- python3 flight.py full end
	expect_status 0
	slug=$out
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
	wait_for test -e full
}

soft_and_hard() { awk '/^Max open files/ { print $4, $5 }' "/proc/$1/limits"; }

@test "what a bottle never takes does not keep bottle from working for the same user, whose other programs it does (control)" {
	[ "$(ulimit -Hn)" -ge 4096 ] || skip "needs a hard limit of 4096 open files"
	ulimit -Sn 1024
	as_ordinary_user
	fill_the_way
	run_split python3 -c 'import array, socket
a, b = socket.socketpair()
a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])'
	[[ $err == *"Too many references"* ]] || { echo "$err"; return 1; }
	run_split bottle exec "$slug" -- echo here
	expect_status 0
	[ "$out" = here ]
	start --rm -- sh -c 'ulimit -Sn; ulimit -Hn'
	expect_status 0
	half=$(($(ulimit -Hn) / 2))
	[ "$out" = "$((half < 65536 ? half : 65536))"$'\n'"$((half < 65536 ? half : 65536))" ]
	# It is not done by having more: what the keeper starts has what it was given.
	[ "$(soft_and_hard "$keeper")" = "1024 $(ulimit -Hn)" ]
	touch end
	wait_for test -e ended
	run_split python3 -c 'import array, socket
a, b = socket.socketpair()
a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])'
	expect_status 0
}

# on_a_terminal CMD...: what it showed is in $out
on_a_terminal() {
	status=0
	timeout 60 "${AS[@]}" script -qec "$(printf '%q ' "$@")" "$PLACE/shown" >/dev/null </dev/null || status=$?
	out=$(cat "$PLACE/shown")
}

@test "a terminal that can't be passed out is an error, not a program that nobody sees" {
	[ "$(id -u)" -eq 0 ] || skip "would keep the user's own programs from sending theirs"
	fill_the_way
	on_a_terminal bottle exec -it "$slug" -- sh -c 'echo $((1111 * 9)); exec sleep 1000'
	expect_status 125
	[[ $out == *"too many descriptors"* && $out != *9999* ]] || { echo "$out"; return 1; }
	# Nor is one left behind.
	run_split bottle exec "$slug" -- pgrep -x sleep
	[ "$status" -eq 1 ]
	# The control: once they are taken it is there.
	touch end
	wait_for test -e ended
	on_a_terminal bottle exec -it "$slug" -- sh -c 'echo $((1111 * 9))'
	[[ $out == *9999* ]] || { echo "$out"; return 1; }
}
