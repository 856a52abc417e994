#!/usr/bin/env bats
# What is said of a bottle whose keeper hangs up, by its record then. The keepers are doubles.

load state.bash
setup() { state_up; }
teardown() { state_down; }

# keeper SLUG READS CMD...: whoever comes to its socket is hung up on, once READS messages were read
# and CMD was run.
keeper() {
	cat >"$dir/keeper.py" <<-'PY'
		import socket, subprocess, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.bind(sys.argv[1])
		s.listen()
		print("ready", flush=True)
		c, _ = s.accept()
		for _ in range(int(sys.argv[2])): c.recv(65536)
		subprocess.run(sys.argv[3:], check=True)
		c.close()
	PY
	coproc KEEPER { exec python3 "$dir/keeper.py" "$state/run/$1.sock" "${@:2}" 3>&-; }
	read -r _ <&"${KEEPER[0]}"
}

# says VERB... STATUS WORDS
says() {
	run timeout 20 "$bottle" "${@:1:$#-2}" </dev/null
	echo "$output"
	[ "$status" -eq "${*: -2:1}" ]
	[[ $output == *"${*: -1}"* ]]
	[[ $output != *"let go"* && $output != *"can't be reached"* && $output != *"Broken pipe"* && $output != *"receiving"* ]]
	wait
}

@test "who asked a keeper that ends hears that the bottle is not running" {
	make_bottle one-aaaaa "$(alive)"
	make_bottle two-bbbbb '.slug = "one-aaaaa"'
	cp "$bottles/one-aaaaa/record.json" "$dir/running"
	# Having read what was asked, or none of it.
	for reads in 1 0; do
		cp "$dir/running" "$bottles/one-aaaaa/record.json"
		rm -f "$state/run/one-aaaaa.sock"
		keeper one-aaaaa $reads cp "$bottles/two-bbbbb/record.json" "$bottles/one-aaaaa/record.json"
		says attach one-aaaaa 125 "one-aaaaa is not running"
		cp "$dir/running" "$bottles/one-aaaaa/record.json"
		rm -f "$state/run/one-aaaaa.sock"
		keeper one-aaaaa $reads cp "$bottles/two-bbbbb/record.json" "$bottles/one-aaaaa/record.json"
		says exec one-aaaaa -- true 125 "one-aaaaa is not running"
	done
}

@test "where it takes longer, the bottle is said to be ending" {
	make_bottle one-aaaaa "$(alive)"
	for reads in 1 0; do
		rm -f "$state/run/one-aaaaa.sock"
		keeper one-aaaaa $reads true
		says attach one-aaaaa 125 "one-aaaaa is ending"
	done
}
