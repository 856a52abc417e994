#!/usr/bin/env bats
load helper

# What each verb says of a bottle, by what became of it: all of them name the next thing to do.
died() {
	kill -9 "$keeper"
	wait_for gone "$keeper"
}
each_verb() {
	echo "attach $slug"
	echo "exec $slug -- true"
	echo "cp $slug:a.txt $PLACE/out-file"
	echo "cp a.txt $slug:b.txt"
	echo "stop $slug"
}
# says STATUS WORDS...: of every verb
says() {
	local verb words want=$1
	shift
	while read -r verb; do
		words=$verb
		# shellcheck disable=SC2086 # several words
		run_split bottle $words
		case $verb in
		attach* | exec*) expect_status 125 ;;
		*) expect_status "$want" ;;
		esac
		for word in "$@"; do [[ $err == *"$word"* ]] || { echo "$verb: $err"; return 1; }; done
		[ -z "$out" ]
	done < <(each_verb)
}

@test "a dead bottle is said to be dead, with what clears it" {
	detached sleep 1000
	died
	says 1 "bottle $slug is dead" "\`bottle cleanup $slug\`"
	run_split bottle resume "$slug"
	expect_status 125
	[[ $err == *"is dead"*"bottle cleanup $slug"* ]]
	# Those that need no keeper go on.
	for verb in "info $slug" "logs --keeper $slug" "audit $slug" "diff $slug" "policy suggest $slug"; do
		# shellcheck disable=SC2086 # several words
		run_split bottle $verb
		expect_status 0
	done
	run_split bottle info "$slug"
	[[ $out == *dead* ]]
	# What it said works.
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	run_split bottle resume --detach "$slug"
	expect_status 0
}

@test "a stopped bottle is said to be stopped, with what starts it again (control)" {
	detached sleep 1000
	run_split bottle stop "$slug"
	expect_status 0
	says 1 "bottle $slug is not running" "\`bottle resume $slug\`"
}

@test "a bottle that is not there is none (control)" {
	slug=none-aaaaa
	says 1 "there is no bottle none-aaaaa" "bottle ls"
}

@test "one that runs does all of it (control)" {
	detached sleep 1000
	run_split bottle exec "$slug" -- true
	expect_status 0
	run_split bottle cp "$slug:a.txt" "$PLACE/out-file"
	expect_status 0
	run_split bottle cp a.txt "$slug:b.txt"
	expect_status 0
	run_split bottle stop "$slug"
	expect_status 0
}

@test "who is connected when the keeper dies hears the same" {
	detached sh -c 'echo ready; exec sleep 1000'
	bottle exec "$slug" -- sh -c 'echo ready; exec sleep 1000' >"$PLACE/exec.out" 2>"$PLACE/exec.err" </dev/null 3>&- &
	exec=$!
	bottle attach "$slug" >/dev/null 2>"$PLACE/attach.err" </dev/null 3>&- &
	attach=$!
	wait_for grep -q ready "$PLACE/exec.out"
	looked_on() { [ "$(bottle info --json "$slug" | jq .attached)" -eq 1 ]; }
	wait_for looked_on
	died
	for one in exec attach; do
		status=0
		wait "${!one}" || status=$?
		[ "$status" -eq 125 ]
		grep -q "bottle $slug is dead" "$PLACE/$one.err"
		grep -qF "\`bottle cleanup $slug\`" "$PLACE/$one.err"
	done
}

@test "attach to a program that ends at once hears its end, or that it ended" {
	for _ in 1 2 3 4 5; do
		detached cat
		run_split bottle attach "$slug"
		[ "$status" -eq 0 ] || [[ $status -eq 125 && $err == *"not running"* ]] || { echo "$status $err"; return 1; }
		wait_for state_is stopped
		run_split bottle rm "$slug"
	done
}

@test "who finds no socket while the bottle ends waits for its end" {
	for _ in 1 2 3 4 5; do
		detached sleep 1000
		rm "$HOME/.local/state/bot-bottle/run/$slug.sock"
		bottle attach "$slug" 2>"$PLACE/said" </dev/null 3>&- &
		caller=$!
		kill -TERM "$keeper"
		status=0
		wait "$caller" || status=$?
		[ "$status" -eq 125 ]
		# A busy host may take longer to end it than anybody waits.
		if grep -q "bottle $slug is not running" "$PLACE/said"; then return 0; fi
		wait_for state_is stopped
	done
	cat "$PLACE/said"
	return 1
}

@test "stop ends those that it can, and names each that it can't" {
	detached sleep 1000
	first=$slug
	detached sleep 1000
	run_split bottle stop none-aaaaa "$first" none-bbbbb "$slug"
	expect_status 1
	[[ $err == *none-aaaaa*none-bbbbb* ]]
	[ "$(jq -r .state "$BOTTLES/$first/record.json")" = stopped ]
	state_is stopped
}
