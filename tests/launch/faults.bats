#!/usr/bin/env bats
load helper

steps=("recording the bottle" "building the cage" "starting the gateway" "placing certificates"
	"starting the guest" "proving the walls" "preparing the home")

faulty_up() {
	mkdir -p "$PLACE/faulty/bin"
	cp "$BUILD/tests/launch/faulty" "$PLACE/faulty/bin/bottle"
	ln -s "$BUILD/libexec" "$PLACE/faulty/libexec"
	export PATH=$PLACE/faulty/bin:$PATH
}

# Processes that were started from our copy: the keeper, and by inheritance what it made.
keepers() { for e in /proc/[0-9]*/exe; do [ "$(readlink "$e")" = "$PLACE/faulty/bin/bottle" ] && echo "$e"; done; true; }
nobody_left() { [ -z "$(keepers)" ]; }

@test "without a fault the test's program starts bottles (control)" {
	faulty_up
	start --rm -- sh -c 'echo ran'
	expect_status 0
	[ "$out" = ran ]
}

@test "a failure before, during or after any step leaves nothing, and nothing runs" {
	faulty_up
	for step in "${steps[@]}"; do
		for when in 0 1 2; do
			echo "$when fail $step" >"$PLACE/faulty/fault"
			start -- sh -c 'echo ran'
			# Not every step has a middle; those run through.
			if [ "$when" -eq 1 ] && [ "$status" -eq 0 ]; then
				rm -rf "${BOTTLES:?}"/*
				continue
			fi
			expect_status 125
			[ -z "$out" ]
			[[ $err == *"the test made \"$step\" fail"* ]]
			[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
			wait_for nobody_left
			[ -z "$(ls "$HOME/.local/state/bot-bottle/run" 2>/dev/null)" ]
		done
	done
}

@test "a keeper that is killed at any step leaves nothing running, and a record that can be cleared" {
	faulty_up
	for step in "${steps[@]}"; do
		echo "2 kill $step" >"$PLACE/faulty/fault"
		start -- sh -c 'echo ran'
		expect_status 125
		[ -z "$out" ]
		wait_for nobody_left
		slug=$(ls "$BOTTLES")
		run_split bottle ls
		[[ $out == *"$slug"*dead* ]] || { echo "$step: $out $err"; return 1; }
		run_split bottle cleanup --yes "$slug"
		expect_status 0
		run_split bottle rm "$slug"
		expect_status 0
		[ -z "$(ls "$BOTTLES")" ]
	done
}
