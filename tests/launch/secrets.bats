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
	bottle exec "$slug" -- sh -c 'sleep 1000; : planted-argument' </dev/null >/dev/null 2>&1 &
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
