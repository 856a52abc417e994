#!/usr/bin/env bats
# The tour runs for real, and says so when something is not as it must be.
load helper

@test "every attempt of the demo ends as it must, and nothing stays behind" {
	run_split bottle demo --json
	expect_status 0
	[ "$(jq 'length' <<<"$out")" -ge 12 ]
	[ "$(jq 'all(.as_it_must)' <<<"$out")" = true ]
	[ -z "$(ls -A "$HOME/.cache/bot-bottle")" ]
}

@test "without curl the demo says what it lacks" {
	run_split /usr/bin/env PATH="$BUILD/bin" "$BUILD/bin/bottle" demo
	expect_status 1
	[[ $err == *"apt-get install curl"* ]]
}
