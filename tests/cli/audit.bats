#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# audit and policy suggest, on logs with a chain made by sha256sum.

load state.bash
setup() {
	state_up
	make_bottle one-aaaaa
	log=$bottles/one-aaaaa/audit.jsonl
	prev=$(printf '' | sha256sum | cut -d' ' -f1)
	seq=0
}
teardown() { state_down; }

# line JSON: appends it with its place in the chain
line() {
	local text
	seq=$((seq + 1))
	text=$(jq -c --argjson seq "$seq" --arg prev "$prev" '. + {seq: $seq, prev: $prev}' <<<"$1")
	printf '%s\n' "$text" >>"$log"
	prev=$(printf '%s' "$text" | sha256sum | cut -d' ' -f1)
}

claim() {
	jq --argjson n "$seq" --arg head "$prev" '.audit_count = $n | .audit_head = $head' \
		"$bottles/one-aaaaa/record.json" >"$dir/new"
	mv "$dir/new" "$bottles/one-aaaaa/record.json"
}

deny() { line "{\"time\":\"2026-01-01T00:00:00.000Z\",\"kind\":\"egress\",\"verdict\":\"deny\",$1}"; }

@test "audit prints each line, escaped" {
	deny '"reason":"host-not-routed","host":"evil.test","port":443,"method":"CONNECT"'
	line '{"kind":"note","text":"\u001b[2Jhello"}'
	run --separate-stderr "$bottle" audit one-aaaaa
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "2026-01-01T00:00:00.000Z egress deny CONNECT evil.test 443 reason=host-not-routed" ]
	[ "${lines[1]}" = 'note text=\x1b[2Jhello' ]
	run --separate-stderr "$bottle" audit --json one-aaaaa
	[ "$(jq -r '.[1].seq' <<<"$output")" -eq 2 ]
}

@test "a log that has become empty is not shown as one that never had a line" {
	run --separate-stderr "$bottle" audit one-aaaaa
	[ "$status" -eq 0 ]
	[[ $stderr != *"is empty"* ]]
	deny '"host":"a.test"'
	claim
	: >"$log"
	for json in "" --json; do
		# shellcheck disable=SC2086
		run --separate-stderr "$bottle" audit $json one-aaaaa
		[[ $stderr == *"the log is empty"*"1 line"*"--verify"* ]]
	done
}

@test "audit --verify takes a whole chain and refuses every change" {
	deny '"host":"a.test"'
	deny '"host":"b.test"'
	deny '"host":"c.test"'
	claim
	run --separate-stderr "$bottle" audit --verify one-aaaaa
	[ "$status" -eq 0 ]
	cp "$log" "$dir/whole"
	for change in 's/b.test/x.test/' '2d' '$d' '1d' '2p'; do
		sed "$change" "$dir/whole" >"$log"
		run --separate-stderr "$bottle" audit --verify one-aaaaa
		[ "$status" -eq 1 ]
		[[ $stderr == *one-aaaaa* ]]
	done
}

@test "cleanup takes over the lines that a killed keeper did not record" {
	deny '"host":"a.test"'
	claim
	deny '"host":"b.test"'
	jq "$dead" "$bottles/one-aaaaa/record.json" >"$dir/new"
	mv "$dir/new" "$bottles/one-aaaaa/record.json"
	run "$bottle" cleanup --yes
	[ "$status" -eq 0 ]
	run --separate-stderr "$bottle" audit --verify --json one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(jq .lines <<<"$output")" -eq 2 ]
}

set_record() {
	jq "$1" "$bottles/one-aaaaa/record.json" >"$dir/new"
	mv "$dir/new" "$bottles/one-aaaaa/record.json"
}

@test "a log with a line that is none is a whole list up to there, and an error beside it" {
	deny '"host":"a.test"'
	deny '"host":"b.test"'
	run --separate-stderr "$bottle" audit --json one-aaaaa # control
	[ "$status" -eq 0 ]
	[ "$(jq length <<<"$output")" -eq 2 ] && [ -z "$stderr" ]
	printf 'none\n' >>"$log"
	run --separate-stderr "$bottle" audit --json one-aaaaa
	[ "$status" -eq 1 ]
	[ "$(jq -r '.[1].host' <<<"$output")" = b.test ]
	[[ $stderr == *"line 3"* ]]
}

@test "a last line that a killed keeper did not end is named, the rest is shown, and cleanup mends it" {
	deny '"host":"a.test"'
	claim
	deny '"host":"b.test"'
	printf '{"seq":3,"prev":"%s","time":"2026' "$prev" >>"$log"
	set_record "$dead"
	run --separate-stderr "$bottle" audit --verify one-aaaaa
	[ "$status" -eq 1 ]
	[[ $stderr == *"line 3 of the audit log is cut short"*"95 bytes"*"bottle cleanup"* ]]
	run --separate-stderr "$bottle" audit --verify --json one-aaaaa
	[ "$(jq -r .error.kind <<<"$output")" = unconfined ]
	run --separate-stderr "$bottle" audit one-aaaaa
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == *b.test* ]]
	[[ $stderr == *"line 3 is cut short"* ]]
	run --separate-stderr "$bottle" audit --json one-aaaaa
	[ "$(jq length <<<"$output")" -eq 2 ]
	[[ $stderr == *"line 3 is cut short"* ]] # beside the data, not instead of it
	run --separate-stderr "$bottle" resume one-aaaaa
	[ "$status" -eq 125 ]
	[[ $stderr == *"bottle cleanup one-aaaaa"* ]]
	# What it says works, and says what it did.
	run --separate-stderr "$bottle" cleanup --yes one-aaaaa
	[ "$status" -eq 0 ]
	[[ $output == *"audit log"*"cut short"*freed* ]]
	run --separate-stderr "$bottle" audit --verify --json one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(jq .lines <<<"$output")" -eq 3 ]
	[ "$(jq -r 'select(.kind == "mended") | "\(.seq) \(.details.bytes)"' "$log")" = "3 95" ]
	[ "$(jq -r 'select(.kind == "mended") | .details.began' "$log")" = "{\"seq\":3,\"prev\":\"$prev\",\"time\":\"2026" ]
}

@test "the same log without the part of a line is whole (control), and one that is being written is" {
	deny '"host":"a.test"'
	claim
	deny '"host":"b.test"'
	set_record "$dead"
	run --separate-stderr "$bottle" audit --verify one-aaaaa
	[ "$status" -eq 0 ]
	printf '{"seq":3,' >>"$log"
	set_record "$(alive)"
	run --separate-stderr "$bottle" audit --verify --json one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(jq .lines <<<"$output")" -eq 2 ]
	run --separate-stderr "$bottle" audit one-aaaaa
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
}

@test "what was cut from a log that had ended is tampering, and cleanup mends no such thing" {
	deny '"host":"a.test"'
	deny '"host":"b.test"'
	claim
	cp "$log" "$dir/whole"
	truncate -s -5 "$log"
	run --separate-stderr "$bottle" audit --verify one-aaaaa
	[ "$status" -eq 1 ]
	[[ $stderr == *"1 line and a part of one, and the record says 2"* ]]
	set_record "$dead"
	before=$(sha256sum <"$log")
	run --separate-stderr "$bottle" cleanup --yes one-aaaaa
	[ "$status" -eq 1 ]
	[[ $output == *"audit log"*failed*"the record says 2"* ]]
	[ "$before" = "$(sha256sum <"$log")" ]
	cp "$dir/whole" "$log"
	printf '{"seq":3' >>"$log"
	run --separate-stderr "$bottle" audit --verify one-aaaaa
	[ "$status" -eq 1 ]
	[[ $stderr == *"line 3 of the audit log is cut short"*"was whole when the bottle ended"* ]]
}

@test "a log of no line and one of many are shown as JSON" {
	run --separate-stderr "$bottle" audit --json one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(jq length <<<"$output")" -eq 0 ]
	for n in 1 2 3; do deny "\"host\":\"a$n.test\""; done
	run --separate-stderr "$bottle" audit --json one-aaaaa
	[ "$(jq -r '.[2].host' <<<"$output")" = a3.test ]
}

@test "policy suggest offers what was asked for, and no more" {
	deny '"reason":"host-not-routed","host":"api.example.com","port":443,"method":"CONNECT"'
	deny '"reason":"no-match","host":"git.example.com","port":8443,"method":"GET","path":"/a"'
	deny '"reason":"no-match","host":"git.example.com","port":8443,"method":"GET","path":"/a"'
	deny '"reason":"foreign-credential","host":"other.example.com","port":443,"method":"GET","path":"/"'
	deny '"reason":"no-match","host":"evil: {x","port":443,"method":"GET","path":"/"'
	run --separate-stderr "$bottle" policy suggest --json one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(jq -c . <<<"$output")" = '{"routes":[{"host":"api.example.com"},{"host":"git.example.com","port":8443,"matches":[{"methods":["GET"],"paths":[{"type":"exact","value":"/a"}]}]}]}' ]
}

# suggested: what is suggested becomes the bottle new, which is a good one
suggested() {
	mkdir -p "$HOME/.bot-bottle/bottles"
	{ echo ---; "$bottle" policy suggest one-aaaaa; echo ---; } >"$HOME/.bot-bottle/bottles/new.md"
	"$bottle" manifest check "$HOME/.bot-bottle/bottles/new.md" || { cat "$HOME/.bot-bottle/bottles/new.md"; return 1; }
	"$bottle" policy suggest --json one-aaaaa | jq '{egress: .}' >"$HOME/as.json"
	"$bottle" manifest check "$HOME/as.json"
}
# judges VERDICT METHOD URL: what the bottle new says of it
judges() {
	run --separate-stderr "$bottle" policy test --bottle new --json "$2" "$3"
	[ "$(jq -r .verdict <<<"$output")" = "$1" ] || { echo "$2 $3: $output"; return 1; }
}

@test "what policy suggest prints is a bottle's manifest, and allows what was refused and no more" {
	deny '"reason":"host-not-routed","scheme":"http","host":"both.example.com","port":80,"method":"GET","path":"/a"'
	deny '"reason":"no-match","scheme":"https","host":"both.example.com","port":443,"method":"GET","path":"/b"'
	deny '"reason":"host-not-routed","scheme":"http","host":"w.example.com","port":80,"method":"GET","path":"/a"'
	deny '"reason":"host-not-routed","scheme":"http","host":"origin.example.com","port":18080,"method":"POST","path":"/a"'
	deny '"reason":"no-match","scheme":"https","host":"tls.example.com","port":8443,"method":"GET","path":"/a"'
	deny '"reason":"host-not-routed","scheme":"http","host":"odd.example.com","port":443,"method":"GET","path":"/a"'
	deny '"reason":"name-not-qualified","scheme":"http","host":"null","port":80,"method":"GET","path":"/a%2Fb"'
	deny '"reason":"host-not-routed","host":"tunnel.example.com","port":443,"method":"CONNECT"'
	suggested
	judges allowed GET http://both.example.com/a
	judges allowed GET https://both.example.com/b
	judges refused GET http://both.example.com/b
	judges refused GET https://both.example.com/a
	judges allowed GET http://w.example.com/a
	judges refused GET https://w.example.com/a
	judges refused POST http://w.example.com/a
	judges allowed POST http://origin.example.com:18080/a
	judges refused POST http://origin.example.com/a
	judges refused GET http://origin.example.com:18080/a
	judges allowed GET https://tls.example.com:8443/a
	judges refused GET http://tls.example.com:8443/a
	judges refused GET https://tls.example.com/a
	judges allowed GET http://odd.example.com:443/a
	judges refused GET http://odd.example.com/a
	judges allowed GET http://null/a%2Fb
	judges allowed GET https://tunnel.example.com/any
	judges refused GET http://tunnel.example.com/any
}

@test "of a log without schemes the port and the reason tell" {
	deny '"reason":"host-not-routed","host":"w.example.com","port":80,"method":"GET","path":"/a"'
	deny '"reason":"host-not-routed","host":"origin.example.com","port":18080,"method":"GET","path":"/a"'
	deny '"reason":"plain-http","host":"p.example.com","port":8080,"method":"GET","path":"/a"'
	deny '"reason":"no-match","host":"m.example.com","port":8443,"method":"GET","path":"/a"'
	suggested
	judges allowed GET http://w.example.com/a
	judges allowed GET http://origin.example.com:18080/a
	judges allowed GET http://p.example.com:8080/a
	judges allowed GET https://m.example.com:8443/a
	judges refused GET http://m.example.com:8443/a
}

@test "what no match can name opens nothing" {
	long=/$(head -c 1023 /dev/zero | tr '\0' a)
	deny '"reason":"host-not-routed","scheme":"http","host":"a.example.com","port":80,"method":"GET","path":"/x?\"y"'
	deny '"reason":"host-not-routed","scheme":"http","host":"b.example.com","port":80,"method":"get","path":"/b"'
	deny '"reason":"host-not-routed","scheme":"http","host":"c.example.com","port":80,"method":"TRACE","path":"/c"'
	deny '"reason":"host-not-routed","scheme":"http","host":"d.example.com","port":80,"method":"GET","path":"'"$long"'..."'
	run --separate-stderr "$bottle" policy suggest one-aaaaa
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	for host in a b c d; do
		[[ $stderr == *"$host.example.com:80: refused 1 time, for"* ]]
	done
	# Beside one that can be named, that one is (control); and the longest path that is whole.
	deny '"reason":"host-not-routed","scheme":"http","host":"a.example.com","port":80,"method":"GET","path":"/y"'
	deny '"reason":"host-not-routed","scheme":"http","host":"e.example.com","port":80,"method":"GET","path":"'"$long"'"'
	suggested
	[[ $("$bottle" policy suggest one-aaaaa) == *"# refused 1 time"$'\n'* ]]
	judges allowed GET http://a.example.com/y
	judges refused GET http://a.example.com/x
	judges refused GET http://d.example.com/
	judges allowed GET "http://e.example.com$long"
}
