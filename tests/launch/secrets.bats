#!/usr/bin/env bats
load helper

@test "a secret reaches the program and stands nowhere else" {
	printf -- '---\nenv: {TOKEN: "${HOST_TOKEN}", PLAIN: planted-literal}\n---\n' >"$HOME/.bot-bottle/bottles/secret.md"
	HOST_TOKEN=sesame-$RANDOM$RANDOM
	export HOST_TOKEN
	value=$HOST_TOKEN
	start --detach --bottle secret -- sh -c 'echo "$TOKEN" >/tmp/t; exec sleep 1000'
	expect_status 0
	slug=$out
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
	unset HOST_TOKEN
	run_split bottle exec "$slug" -- sh -c 'echo $TOKEN'
	[ "$out" = "$value" ]
	# The controls: a literal of the manifest does stand in the record, and what is given to
	# exec as an argument does stand in the arguments of a process.
	grep -rqsF planted-literal "$HOME/.local"
	bottle exec "$slug" -- sh -c 'sleep 1000; : planted-argument' </dev/null >/dev/null 2>&1 3>&- &
	wait_for grep -aqsF planted-argument /proc/[0-9]*/cmdline
	# Looked for by a file: an argument would be found itself.
	printf '%s' "$value" >"$PLACE/value"
	[ -z "$(grep -alsF -f "$PLACE/value" /proc/[0-9]*/cmdline)" ]
	[ -z "$(grep -asF -f "$PLACE/value" "/proc/$keeper/environ")" ]
	[ -z "$(grep -rlsF -f "$PLACE/value" "$HOME/.local")" ]
	bottle stop "$slug"
}

@test "a variable that is not set is named, and its value is asked of nobody" {
	printf -- '---\nenv: {TOKEN: "${NOT_SET_ANYWHERE}"}\n---\n' >"$HOME/.bot-bottle/bottles/secret.md"
	start --bottle secret -- true
	expect_status 125
	[[ $err == *NOT_SET_ANYWHERE* ]]
	[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
}

@test "two routes with one credential take its placeholder both, and another's neither (control)" {
	cat >"$HOME/.bot-bottle/bottles/auth.md" <<-'MD'
		---
		egress:
		  routes:
		    - {host: one.test, auth: {scheme: bearer, token_ref: SHARED}}
		    - {host: two.test, auth: {header: X-Token, token_ref: SHARED}}
		    - {host: three.test, auth: {scheme: bearer, token_ref: OTHER}}
		---
	MD
	# Nobody is there to answer: what the gateway would forward ends as a name without an address.
	# Nobody is there to answer: what the gateway would send on ends as a name without an address.
	cat >"$PLACE/work/ask" <<-'SH'
		for host in one two three; do
			for token in "$SHARED" "$OTHER"; do
				curl -s -H "Authorization: Bearer $token" "https://$host.test/" | sed 's/.*"reason":"\([^"]*\)".*/\1/'
			done
		done
	SH
	SHARED=sesame-shared OTHER=sesame-other start --rm --bottle auth -- sh ask
	expect_status 0
	other=placeholder-elsewhere
	[ "$(xargs <<<"$out")" = "unresolved $other unresolved $other $other unresolved" ]
}

# Who of these processes has the value in its memory? Read as a debugger would.
holders() {
	python3 - "$PLACE/value" "$@" <<-'PY'
		import re, sys
		PIECE = 1 << 24
		value = open(sys.argv[1], "rb").read()
		for pid in sys.argv[2:]:
		    found = False
		    with open("/proc/%s/mem" % pid, "rb", 0) as memory:
		        for line in open("/proc/%s/maps" % pid):
		            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
		            start, end = (int(x, 16) for x in m.groups()) if m else (0, 0)
		            # What is larger is a sanitizer's own, and holds no program's bytes.
		            if end - start > 1 << 30:
		                continue
		            try:
		                for at in range(start, end, PIECE):
		                    memory.seek(at)
		                    found = found or value in memory.read(min(PIECE + len(value), end - at))
		            except OSError:
		                pass
		    if found:
		        print(pid)
	PY
}

@test "a credential is in the gateway's memory (control), and neither in the keeper's nor in the caller's" {
	[ "$(id -u)" -eq 0 ] || skip "reads other processes' memory"
	printf 'credential-%s' "$RANDOM$RANDOM$RANDOM" >"$PLACE/value"
	printf -- '---\negress: {routes: [{host: a.example.com, auth: {scheme: bearer, token_ref: "file:%s"}}]}\n---\n' "$PLACE/value" \
		>"$HOME/.bot-bottle/bottles/auth.md"
	bottle start --yes --bottle auth -- sleep 1000 >/dev/null 2>&1 </dev/null 3>&- &
	caller=$!
	running() { slug=$(ls "$BOTTLES" 2>/dev/null) && [ -n "$slug" ] && [ -e "$BOTTLES/$slug/record.json" ] && state_is running; }
	wait_for running
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
	gateway=$(for p in $(children "$keeper"); do grep -qs egress "/proc/$p/cmdline" && echo "$p"; done)
	[ "$(holders "$caller" "$keeper" "$gateway")" = "$gateway" ]
	# Nor would a core of them be written, nor another process of the user read it.
	for p in "$caller" "$keeper"; do
		grep -qE '^Max core file size +0 +0 ' "/proc/$p/limits"
	done
	run_split bottle stop "$slug"
	wait "$caller" || true
}

@test "while secrets are with us, another process of the user can't look into the caller, and into others it can (control)" {
	as_ordinary_user
	printf 'credential-of-an-ordinary-user' >"$PLACE/value"
	printf -- '---\negress: {routes: [{host: a.example.com, auth: {scheme: bearer, token_ref: "file:%s"}}]}\n---\n' "$PLACE/value" \
		>"$HOME/.bot-bottle/bottles/auth.md"
	chown -R 65000:65000 "$PLACE"
	"${AS[@]}" bottle start --yes --bottle auth -- sleep 1000 >/dev/null 2>&1 </dev/null 3>&- &
	caller=$!
	running() { slug=$(ls "$BOTTLES" 2>/dev/null) && [ -n "$slug" ] && [ -e "$BOTTLES/$slug/record.json" ] && state_is running; }
	wait_for running
	if "${AS[@]}" cat "/proc/$caller/environ" >/dev/null 2>&1; then return 1; fi
	run_split bottle stop "$slug"
	wait "$caller" || true
	"${AS[@]}" sleep 1000 3>&- &
	other=$!
	wait_for grep -qs sleep "/proc/$other/comm"
	"${AS[@]}" cat "/proc/$other/environ" >/dev/null
	kill "$other"
}
