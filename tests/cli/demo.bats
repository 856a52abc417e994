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

# demo_where CONFIG: on a host that has it as /etc/bot-bottle/config.json
demo_where() {
	[ "$(id -u)" -eq 0 ] || skip "mounts an /etc of its own"
	mkdir -p "$PLACE/etc/bot-bottle"
	printf '%s' "$1" >"$PLACE/etc/bot-bottle/config.json"
	run_split unshare -m sh -c \
		'mount -t overlay -o "lowerdir=$0:/etc" none /etc && exec bottle demo --json' "$PLACE/etc"
}

@test "the demo has its own backend and bundle, whatever the host's configuration prefers" {
	demo_where '{"backend":"smolmachines","bundle":"docker"}'
	expect_status 0
	[ "$(jq 'all(.as_it_must)' <<<"$out")" = true ]
}

@test "where everything goes through a proxy the demo says what it lacks, before it begins" {
	demo_where '{"upstream_proxy":"http://192.0.2.1:3128"}'
	expect_status 1
	[[ $out == *"the demo's origin"*upstream_proxy*/etc/bot-bottle/config.json* ]]
	[ ! -e "$HOME/.cache/bot-bottle" ]
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
		end=$((SECONDS + 60))
		until keeper=$(jq -e 'select(.state == "running").keeper_pid' "$HOME"/.cache/bot-bottle/demo-*/home/.local/state/bot-bottle/bottles/*/record.json 2>/dev/null); do
			[ $SECONDS -lt $end ]
		done
		kill -$signo "$demo"
		status=0
		wait "$demo" || status=$?
		[ "$status" -eq $((128 + $(kill -l $signo))) ] || { echo "$status: $(cat "$PLACE/err")"; return 1; }
		[ -z "$(ls "$HOME/.cache/bot-bottle")" ]
		# It has said that all is down, and is on its way out.
		end=$((SECONDS + 60))
		while grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$keeper/status"; do [ $SECONDS -lt $end ]; done
	done
}
