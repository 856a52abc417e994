#!/usr/bin/env bats
load helper

# Where a value may stand on the host: any process's arguments or environment, any file of ours.
found_on_host() {
	grep -aqsF "$1" /proc/[0-9]*/cmdline && return 0
	local p
	for p in $(children "$keeper") "$keeper"; do
		tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qF "$1" && return 0
	done
	grep -rqsF "$1" "$HOME/.local"
}

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
	# The control: a literal of the manifest does stand in the record.
	found_on_host planted-literal
	inside=$(pgrep -f '^sleep 1000$' || true)
	! grep -aqsF "$value" /proc/[0-9]*/cmdline
	! tr '\0' '\n' <"/proc/$keeper/environ" | grep -qF "$value"
	! grep -rqsF "$value" "$HOME/.local"
}

@test "a variable that is not set is named, and its value is asked of nobody" {
	printf -- '---\nenv: {TOKEN: "${NOT_SET_ANYWHERE}"}\n---\n' >"$HOME/.bot-bottle/bottles/secret.md"
	start --bottle secret -- true
	expect_status 125
	[[ $err == *NOT_SET_ANYWHERE* ]]
	[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
}
