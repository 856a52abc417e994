#!/usr/bin/env bats
load helper

# Refused requests with long paths: each leaves a line of some six thousand bytes.
flood() {
	cat >flood.py <<-'PY'
		import socket, sys
		path = "/" + "a" * 6000
		for n in range(int(sys.argv[1])):
		    s = socket.create_connection(("127.0.0.1", 9099))
		    s.sendall(("GET http://x.test%s HTTP/1.1\r\nHost: x.test\r\n\r\n" % path).encode())
		    assert b"403" in s.recv(65536)
		    s.close()
		print("through")
	PY
	start "${@:2}" -- python3 flood.py "$1"
}
limit() {
	mkdir -p "$HOME/.config/bot-bottle"
	printf '{"limits":{"audit_mib":%s}}' "$1" >"$HOME/.config/bot-bottle/config.json"
}
log_bytes() { stat -c %s "$BOTTLES/$slug/audit.jsonl"; }

@test "a guest that fills the audit log ends its bottle, and a full log is not gone on with" {
	limit 1
	flood 100000
	expect_status 125
	[[ $err == *"the audit log is full"* ]]
	[ "$out" = "" ]
	slug=$(ls "$BOTTLES")
	state_is stopped
	[ "$(log_bytes)" -gt 1000000 ]
	[ "$(log_bytes)" -le $((1048576 + 262144)) ]
	# Its end stands in it, and the chain is whole.
	[[ $(grep '"kind":"end"' "$BOTTLES/$slug/audit.jsonl" | jq -r .details.why) == *"the audit log is full"* ]]
	run_split bottle audit --verify "$slug"
	expect_status 0
	run_split bottle resume --detach "$slug"
	expect_status 125
	[[ $err == *"limits.audit_mib"*"bottle export"* ]]
	state_is stopped
	# What it says works.
	limit 2
	run_split bottle resume --detach "$slug"
	expect_status 0
	run_split bottle stop "$slug"
	run_split bottle audit --verify "$slug"
	expect_status 0
}

@test "the same guest within the limit runs to its end (control)" {
	limit 1
	flood 50 --rm
	expect_status 0
	[ "$out" = through ]
}

@test "a line that a killed keeper did not end is mended, and the bottle goes on" {
	detached sleep 1000
	kill -9 "$keeper"
	wait_for listed_as dead
	printf '{"seq":' >>"$BOTTLES/$slug/audit.jsonl"
	run_split bottle resume --detach "$slug"
	expect_status 125
	[[ $err == *"bottle cleanup $slug"* ]]
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	run_split bottle resume --detach "$slug"
	expect_status 0
	run_split bottle stop "$slug"
	run_split bottle audit --verify "$slug"
	expect_status 0
	grep -q '"kind":"mended"' "$BOTTLES/$slug/audit.jsonl"
}

@test "a log that was changed after the end is not gone on with; one that was not is (control)" {
	start -- true
	expect_status 0
	slug=$(ls "$BOTTLES")
	cp "$BOTTLES/$slug/audit.jsonl" "$PLACE/whole"
	printf '{"seq":' >>"$BOTTLES/$slug/audit.jsonl"
	run_split bottle resume "$slug"
	expect_status 125
	[[ $err == *"is cut short"*"bottle export"* ]]
	state_is stopped
	run_split bottle export --dry-run "$slug"
	expect_status 0
	cp "$PLACE/whole" "$BOTTLES/$slug/audit.jsonl"
	run_split bottle resume "$slug"
	expect_status 0
}

# The keeper's calls that bring the audit log to the disk, and those that put a record in its place. The program
# ends once the log was brought there while it ran, so that its end is another time.
traced() {
	command -v strace >/dev/null || skip "needs strace"
	[ "$(id -u)" = 0 ] || skip "nobody of the same user reads a keeper's memory, strace neither"
	{
		wait_for grep -qs 'fdatasync(.*audit.jsonl>) *= 0' "$PLACE/trace" || true
		bottle exec "$(ls "$BOTTLES")" -- touch /workspace/end
	} >/dev/null 2>&1 </dev/null 3>&- &
	# Who is traced can't trace itself, which is how leaks are looked for.
	run_split env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" strace -f -y -o "$PLACE/trace" -e trace=fdatasync,fsync,renameat "${traced_with[@]}" \
		bottle start --yes -- sh -c 'until [ -e end ]; do sleep 0.1; done'
	wait $!
	expect_status 0
}

@test "a record never claims lines that the disk may not have yet" {
	traced
	slug=$(ls "$BOTTLES")
	# Each record of this life that names lines comes right behind the log; the last one, too.
	grep -oE 'fdatasync\([0-9]+<[^>]*audit.jsonl>|renameat\(.*, "record.json"(\)| <unfinished)' "$PLACE/trace" | sed 's/(.*//' >"$PLACE/order"
	[ "$(tail -n 2 "$PLACE/order" | tr '\n' ' ')" = "fdatasync renameat " ]
	[ "$(grep -c fdatasync "$PLACE/order")" -ge 2 ]
	[ "$(jq .audit_count "$BOTTLES/$slug/record.json")" -eq "$(wc -l <"$BOTTLES/$slug/audit.jsonl")" ]
	run_split bottle audit --verify "$slug"
	expect_status 0
}

@test "a record does not claim lines that could not be brought to the disk, and cleanup sees to the rest" {
	traced_with=(-e inject=fdatasync:error=EIO:when=2)
	traced
	[[ $err == *"can't be written"*"audit log"*"bottle cleanup"* ]]
	slug=$(ls "$BOTTLES")
	grep -q 'fdatasync(.*audit.jsonl>) *= 0' "$PLACE/trace"
	grep -q 'fdatasync(.*audit.jsonl>).*INJECTED' "$PLACE/trace"
	written=$(wc -l <"$BOTTLES/$slug/audit.jsonl")
	claimed=$(jq .audit_count "$BOTTLES/$slug/record.json")
	[ "$claimed" -gt 0 ] && [ "$claimed" -lt "$written" ]
	listed_as dead
	run_split bottle audit --verify "$slug"
	expect_status 0
	# Nor does cleanup claim them, where it can't either.
	run_split env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" strace -f -o "$PLACE/trace" -e trace=fdatasync \
		-e inject=fdatasync:error=EIO:when=1 bottle cleanup --yes "$slug"
	expect_status 1
	[[ $out == *"audit log"*failed*"to the disk"* ]]
	[ "$(jq .audit_count "$BOTTLES/$slug/record.json")" -eq "$claimed" ]
	listed_as dead
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	[ "$(jq .audit_count "$BOTTLES/$slug/record.json")" -eq "$written" ]
	run_split bottle audit --verify "$slug"
	expect_status 0
	run_split bottle resume "$slug"
	expect_status 0
}

@test "the record of a bottle that runs follows its log (control)" {
	detached sleep 1000
	claims() { [ "$(jq .audit_count "$BOTTLES/$slug/record.json")" -eq "$(wc -l <"$BOTTLES/$slug/audit.jsonl")" ]; }
	wait_for claims
	run_split bottle audit --verify "$slug"
	expect_status 0
}

@test "what a real gateway refused, a bottle of what policy suggest prints allows, and no more" {
	printf -- '---\negress: {routes: [{host: both.example.com, matches: [{methods: [POST]}]}]}\n---\n' \
		>"$HOME/.bot-bottle/bottles/old.md"
	start --detach --bottle old -- sh -c '
		curl -s http://both.example.com/a; curl -s https://both.example.com/b
		curl -s http://w.example.com/a; curl -s http://origin.example.com:18080/a
		curl -s https://tls.example.com/a; touch over; exec sleep 1000'
	expect_status 0
	slug=$out
	wait_for bottle exec "$slug" -- test -e over
	refused() { [ "$(bottle info --json "$slug" | jq .refused)" -ge 5 ]; }
	wait_for refused
	bottle audit --json "$slug" | jq -r '.[] | select(.verdict == "deny") | "\(.scheme) \(.host) \(.port) \(.path)"' >"$PLACE/refused"
	printf '%s\n' 'http both.example.com 80 /a' 'https both.example.com 443 /b' 'http w.example.com 80 /a' \
		'http origin.example.com 18080 /a' 'null tls.example.com 443 null' >"$PLACE/expected"
	diff <(grep -v invalid "$PLACE/refused") "$PLACE/expected"
	{ echo ---; bottle policy suggest "$slug"; echo ---; } >"$HOME/.bot-bottle/bottles/new.md"
	bottle manifest check "$HOME/.bot-bottle/bottles/new.md"
	for url in http://both.example.com/a https://both.example.com/b http://w.example.com/a \
		http://origin.example.com:18080/a https://tls.example.com/a; do
		bottle policy test --bottle new GET "$url" || { echo "$url"; return 1; }
	done
	for url in http://both.example.com/b https://both.example.com/a https://w.example.com/a \
		http://origin.example.com/a http://tls.example.com/a; do
		run_split bottle policy test --bottle new GET "$url"
		expect_status 1 || { echo "$url"; return 1; }
	done
}
