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

@test "a signal ends the demo's bottle, and nothing stays behind either" {
	for signo in TERM INT; do
		env --default-signal=INT "$BUILD/bin/bottle" demo >"$PLACE/out" 2>"$PLACE/err" </dev/null 3>&- &
		demo=$!
		end=$((SECONDS + 30))
		until keeper=$(jq -e 'select(.state == "running").keeper_pid' "$HOME"/.cache/bot-bottle/demo-*/home/.local/state/bot-bottle/bottles/*/record.json 2>/dev/null); do
			[ $SECONDS -lt $end ]
		done
		kill -$signo "$demo"
		status=0
		wait "$demo" || status=$?
		[ "$status" -eq $((128 + $(kill -l $signo))) ] || { echo "$status: $(cat "$PLACE/err")"; return 1; }
		[ -z "$(ls "$HOME/.cache/bot-bottle")" ]
		# It has said that all is down, and is on its way out.
		while grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$keeper/status"; do [ $SECONDS -lt $end ]; done
	done
}
