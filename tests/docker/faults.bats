#!/usr/bin/env bats
# Each step that is docker's fails, or its keeper is killed, before, during and after it and while
# it is undone: no container, network or lease stays, or the record has it and cleanup frees it.
load helper
setup_file() { docker_up; }
teardown_file() { docker_down; }
setup() {
	docker_setup
	FAULTY=$PLACE/faulty/bin
	mkdir -p "$FAULTY"
	cp "$BUILD/tests/faults/bottle" "$FAULTY/bottle"
	ln -s "$BUILD/libexec" "$BUILD/share" "$PLACE/faulty/"
	PATH=$FAULTY:$PATH
}
teardown() { docker_teardown; }

STEPS=("leasing an address" "making the bridge" "starting the gateway")
# plant WHEN ACTION STEP; see tests/faults/fault.c
plant() { printf '%s %s %s\n' "$1" "$2" "$3" >"$FAULTY/fault"; }
no_bottle() { [ -z "$(ls "$BOTTLES" 2>/dev/null)" ]; }

# Nothing is held: the next bottle has the first address.
all_free() {
	rm -f "$FAULTY/fault"
	up_detached
	[ "$(published "$container")" = 127.0.0.16 ]
	run_split bottle stop "$slug"
	wait_for nothing_left
	run_split bottle rm "$slug"
	expect_status 0
}

# A launch that waits at that point: $caller, $keeper
held_at() {
	plant "$1" stop "$2"
	"${AS[@]}" bottle start --yes --headless --bundle docker --bottle web -- true >"$PLACE/out" 2>"$PLACE/err" </dev/null 3>&- &
	caller=$!
	stands() {
		keeper=$(children "$caller" 2>/dev/null) && keeper=${keeper% } && [ -n "$keeper" ] &&
			grep -q ') T' "/proc/$keeper/stat" 2>/dev/null
	}
	wait_for stands
}

@test "a step that fails leaves nothing, and says what it was" {
	for step in "${STEPS[@]}"; do
		for when in before during after; do
			plant "$when" fail "$step"
			up --bottle web -- true
			expect_status 125
			[[ $err == *"planted $when $step"* ]] || { echo "$err"; return 1; }
			nothing_left || { echo "left: $when $step"; return 1; }
			no_bottle || { echo "a record: $when $step"; return 1; }
		done
	done
	all_free
}

@test "what can't be confirmed leaves nothing but the record of it" {
	for step in "${STEPS[@]}"; do
		plant after unconfined "$step"
		up --bottle web -- true
		expect_status 125
		nothing_left || { echo "left: $step"; return 1; }
		slug=$(ls "$BOTTLES")
		state_is stopped
		[ "$(jq '.resources | length' "$BOTTLES/$slug/record.json")" -eq 0 ]
		run_split bottle rm "$slug"
		expect_status 0
	done
	all_free
}

# killed_at WHEN STEP: the keeper, there; then what cleanup is for.
killed_at() {
	held_at "$1" "$2"
	kill -9 "$keeper"
	wait_for gone "$keeper"
	wait "$caller" || true
	slug=$(ls "$BOTTLES")
	# While it is undone the program has ended, and its status is told.
	[ "$1" = undoing ] || grep -q cleanup "$PLACE/err" || { echo "$1 $2: $(cat "$PLACE/err")"; return 1; }
	rm "$FAULTY/fault"
	# Whatever is there has its name in the record.
	for thing in $(docker ps -a --filter name=bot-bottle-sidecars --format '{{.Names}}') \
		$(docker network ls --filter name=bot-bottle-bundle --format '{{.Name}}'); do
		jq -e --arg name "$thing" 'any(.resources[]; .name == $name)' "$BOTTLES/$slug/record.json" >/dev/null ||
			{ echo "$1 $2: $thing is not in the record"; return 1; }
	done
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	nothing_left || { echo "left: $1 $2"; return 1; }
	state_is stopped
	run_split bottle rm "$slug"
	expect_status 0
}

@test "a keeper that is killed at any point leaves what its record names, and cleanup frees it" {
	for step in "${STEPS[@]}"; do
		for when in before during after; do killed_at "$when" "$step"; done
	done
	all_free
}

@test "the same while everything is undone" {
	for step in "${STEPS[@]}"; do killed_at undoing "$step"; done
	all_free
}

@test "a caller that is killed takes its half-made container with it" {
	for step in "making the bridge" "starting the gateway"; do
		held_at after "$step"
		kill -9 "$caller"
		wait "$caller" || true
		kill -CONT "$keeper"
		wait_for gone "$keeper"
		nothing_left || { echo "left: $step"; return 1; }
		rm "$FAULTY/fault"
	done
	all_free
}

# hanging WORDS: a docker which does not come back from this command, and does nothing for it.
hanging() {
	mkdir -p "$PLACE/hang"
	cat >"$PLACE/hang/docker" <<-END
		#!/bin/sh
		case " \$* " in *" $1 "*) echo "\$*" >"$PLACE/hung"; exec sleep 1000 ;; esac
		exec $(command -v docker) "\$@"
	END
	chmod 755 "$PLACE/hang/docker"
	PATH=$PLACE/hang:$PATH
}

# killed_in WORDS: the keeper of a launch in which docker hangs there.
killed_in() {
	hanging "$1"
	bottle start --yes --headless --bundle docker --bottle web -- true >"$PLACE/out" 2>"$PLACE/err" </dev/null 3>&- &
	caller=$!
	wait_for [ -s "$PLACE/hung" ]
	slug=$(ls "$BOTTLES")
	kill -9 "$(jq .keeper_pid "$BOTTLES/$slug/record.json")"
	wait "$caller" || true
}

@test "what docker makes after its keeper is gone is freed too, by a later cleanup" {
	killed_in "network create"
	# Nothing is there yet: that proves nothing.
	run_split bottle cleanup --yes "$slug"
	expect_status 1
	[[ $out == *"may still make it"*"again in 10 minutes"* ]]
	run_split bottle rm "$slug"
	[[ $err == *"still holds asked-network"* ]]
	# Docker comes to it, a little late.
	PATH=${PATH#"$PLACE/hang:"}
	docker network create "bot-bottle-bundle-$slug" >/dev/null
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	nothing_left
	run_split bottle rm "$slug"
	expect_status 0
}

@test "the same of a container" {
	killed_in "create --interactive"
	run_split bottle cleanup --yes "$slug"
	expect_status 1
	[[ $out == *"asked-container"*"may still make it"*"again in 10 minutes"* ]]
	PATH=${PATH#"$PLACE/hang:"}
	docker create --name "bot-bottle-sidecars-$slug" "$(docker images -q bot-bottle-sidecars | head -n 1)" x >/dev/null
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	nothing_left
}

@test "after a while docker makes nothing any more" {
	killed_in "network create"
	jq '.resources |= map(if .kind == "asked-network" then .name |= (split(" ") | "\(.[0]) \((.[1] | tonumber) - 601)") else . end)' \
		"$BOTTLES/$slug/record.json" >"$PLACE/record" && cat "$PLACE/record" >"$BOTTLES/$slug/record.json"
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	[[ $out == *"asked-network bot-bottle-bundle-$slug"*freed* ]]
}
