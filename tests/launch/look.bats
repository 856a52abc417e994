#!/usr/bin/env bats
# What a person is shown of a bottle that ran, or runs.
load helper

@test "info says the proof in one line, and all of it as data" {
	start -- true
	slug=$(ls "$BOTTLES")
	run_split bottle info "$slug"
	[[ $out =~ proof:\ +confined,\ [0-9]+\ checks ]]
	[[ $out != *"{"* ]]
	run_split bottle info --json "$slug"
	[ "$(jq -r .proof.confined <<<"$out")" = true ]
	[ "$(jq '.proof.checks | length' <<<"$out")" -gt 10 ]
	run_split bottle audit "$slug"
	[[ $out == *"proof confined, "* && $out != *'"check"'* && $out == *" start slug=$slug backend=namespace"* ]]
	run_split bottle audit --json "$slug"
	[ "$(jq '[.[] | select(.kind == "proof")] | length' <<<"$out")" -eq 1 ]
}

@test "a check that came out otherwise has a line of its own" {
	start -- true
	slug=$(ls "$BOTTLES")
	record=$BOTTLES/$slug/record.json
	jq -c '.proof.confined = false | .proof.checks[0] += {as_expected: false, found: "connected", check: "a \u001b wall"}' \
		"$record" >"$PLACE/new" && cat "$PLACE/new" >"$record"
	run_split bottle info "$slug"
	[[ $out =~ not\ confined,\ [0-9]+\ checks,\ 1\ failed ]]
	[[ $out == *"wall: expected unreachable, was connected"* && $out != *$'\033'* ]]
}

@test "what was refused is counted while the bottle runs, without the proof's own" {
	detached sh -c 'curl -s http://not-routed.example/ >/dev/null; curl -s http://x.bot-bottle.invalid/ >/dev/null; touch done; exec sleep 1000'
	wait_for bottle exec "$slug" -- test -e "done"
	one_refused() { [ "$(bottle info --json "$slug" | jq .refused)" = 1 ]; }
	wait_for one_refused
	run_split bottle policy suggest "$slug"
	[[ $out == *not-routed.example* && $out != *invalid* ]]
	run_split bottle stop "$slug"
	run_split bottle info --json "$slug"
	[ "$(jq .refused <<<"$out")" = 1 ]
}

@test "the summary counts changes where there is a copy, and says what a mount or no workspace is" {
	start -- sh -c 'echo new >b.txt'
	[[ $err == *"1 file changed, 0 requests refused"*"bottle diff"*"bottle export"* ]] || { echo "$err"; return 1; }
	for mode in mount none; do
		printf -- '---\nworkspace: %s\n---\n' $mode >"$HOME/.bot-bottle/bottles/$mode.md"
		start --bottle $mode -- true
		expect_status 0
		[[ $err == *"0 requests refused"*"bottle audit"*"bottle rm"* ]] || { echo "$err"; return 1; }
		[[ $err != *" changed"* && $err != *"bottle diff"* && $err != *"bottle export"* ]] || { echo "$err"; return 1; }
		case $mode in
		mount) [[ $err == *"the agent worked on the files themselves, 0 requests"* ]] ;;
		none) [[ $err == *"no workspace, 0 requests"* ]] ;;
		esac
	done
}

@test "the summary of a copy whose directory was moved away says that nobody could look" {
	bottle start --yes -- sh -c 'echo new >b.txt; until [ -e go ]; do sleep 0.1; done' >"$PLACE/told" 2>&1 </dev/null 3>&- &
	ends=$!
	made() { slug=$(ls "$BOTTLES" 2>/dev/null) && [ -n "$slug" ] && [ -e "$BOTTLES/$slug/workspace/upper/b.txt" ]; }
	wait_for made
	mv "$PLACE/work" "$PLACE/moved" && mkdir "$PLACE/work"
	run_split bottle exec "$slug" -- touch go
	wait "$ends"
	told=$(cat "$PLACE/told")
	[[ $told == *"what changed can't be said, and stays in the bottle: "*"$PLACE/work"*"0 requests refused"* ]] || { echo "$told"; return 1; }
	[[ $told != *"files changed"* && $told != *"bottle diff"* && $told != *"bottle export"* ]] || { echo "$told"; return 1; }
	# The control: it is there when the directory is back.
	rmdir "$PLACE/work" && mv "$PLACE/moved" "$PLACE/work"
	run_split bottle diff --names "$slug"
	[[ $out == *b.txt* ]]
}

@test "export makes the directory that it is told, and no more than that" {
	start -- sh -c 'echo new >b.txt'
	slug=$(ls "$BOTTLES")
	run_split bottle export --dry-run --to "$PLACE/out-dir" "$slug"
	expect_status 1
	[ ! -e "$PLACE/out-dir" ]
	run_split bottle export --to "$PLACE/out-dir" "$slug"
	expect_status 0
	[ "$(cat "$PLACE/out-dir/b.txt")" = new ]
	run_split bottle export --to "$PLACE/no/such" "$slug"
	expect_status 1
	[ ! -e "$PLACE/no" ]
}

# Some six MiB of numbered lines: more than one part of the log, less than both.
@test "logs shows both parts of a long log, and -f goes on from one to the next" {
	detached sh -c 'echo begun; until [ -e go ]; do sleep 0.1; done; seq -f "line %.0f of a long log of many" 1 200000; touch done; sleep 1000'
	wait_for [ -s "$BOTTLES/$slug/agent.log" ]
	bottle logs -f "$slug" >"$PLACE/followed" 2>"$PLACE/said" 3>&- &
	following=$!
	bottle exec "$slug" -- touch /workspace/go </dev/null
	wait_for [ -e "$BOTTLES/$slug/agent.log.1" ]
	wait_for grep -q 'line 200000 ' "$PLACE/followed"
	run_split bottle stop "$slug"
	wait "$following"
	(echo begun && seq -f "line %.0f of a long log of many" 1 200000) | cmp - "$PLACE/followed"
	[ ! -s "$PLACE/said" ]
	run_split bottle logs "$slug"
	expect_status 0
	cmp "$PLACE/out" "$PLACE/followed"
	[ -z "$err" ]
}

@test "logs of a silent bottle are empty, and -f waits for its first word" {
	detached sh -c 'until [ -e go ]; do sleep 0.1; done; echo spoken; sleep 1000'
	run_split bottle logs "$slug"
	expect_status 0
	[ -z "$out" ]
	[[ $err == *"nothing was written"* ]]
	bottle logs -f "$slug" >"$PLACE/followed" 2>"$PLACE/said" 3>&- &
	following=$!
	has_opened() { readlink "/proc/$following/fd/"* 2>/dev/null | grep -qx "$BOTTLES/$slug"; }
	wait_for has_opened
	bottle exec "$slug" -- touch /workspace/go </dev/null
	wait_for grep -qx spoken "$PLACE/followed"
	run_split bottle stop "$slug"
	wait "$following"
	[ "$(cat "$PLACE/followed")" = spoken ]
	[ ! -s "$PLACE/said" ]
	# One that ends without a word.
	detached true
	wait_for state_is stopped
	run_split bottle logs -f "$slug"
	expect_status 0
	[ -z "$out" ]
	[[ $err == *"nothing was written"* ]]
}

@test "logs says that something was dropped, where it was" {
	start -- sh -c 'seq -f "line %.0f of a very long log of many, many" 1 300000'
	expect_status 0
	slug=$(ls "$BOTTLES")
	run_split bottle logs "$slug"
	expect_status 0
	[[ $err == *dropped* ]]
	[ "$(tail -n 1 "$PLACE/out")" = "line 300000 of a very long log of many, many" ]
	[ "$(stat -c %s "$PLACE/out")" -gt 4194304 ]
}
