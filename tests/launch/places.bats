#!/usr/bin/env bats
# Which directories a bottle may be given, and that they are still those when it is come back to.
# shellcheck disable=SC2153 # PLACE is the helper's
load helper

bottle_file() { printf -- '---\n%s\n---\n' "$2" >"$HOME/.bot-bottle/bottles/$1.md"; }

a_swapped_workspace_is_refused() {
	mkdir "$PLACE/secret" && echo host-only >"$PLACE/secret/a.txt"
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	start -- sh -c 'echo mine >a.txt'
	expect_status 0
	slug=$(ls "$BOTTLES")
	cd "$PLACE" || return 1
	mv work away
	for swap in "ln -s secret work" "cp -a secret work"; do
		$swap
		for verb in "diff" "export --to $PLACE/out" "export --delete"; do
			# shellcheck disable=SC2086 # words
			run_split bottle $verb "$slug"
			[ "$status" -ne 0 ] && [[ $out$err != *host-only* && $err == *"$PLACE/work"* ]] || { echo "$swap $verb: $out $err"; return 1; }
		done
		run_split bottle resume "$slug"
		expect_status 125
		[[ $err == *workspace* ]]
		rm -rf work
		[ "$(cat secret/a.txt)" = host-only ]
	done
	# A link further up is no better.
	mv away work
	mkdir up && mv work up/ && ln -s up/work work
	run_split bottle diff "$slug"
	[ "$status" -ne 0 ]
	# The same directory in its place again: all is well (control).
	rm work && mv up/work work
	run_split bottle diff "$slug"
	expect_status 0
	[[ $out == *first*mine* ]]
	run_split bottle resume "$slug"
	expect_status 0
}

@test "a workspace that was swapped is neither shown, nor exported to, nor resumed in" {
	a_swapped_workspace_is_refused
}

@test "a swapped workspace: the same for an ordinary user" {
	as_ordinary_user
	a_swapped_workspace_is_refused
}

@test "a record of before inodes were remembered is read, through no link" {
	start -- sh -c 'echo mine >a.txt'
	slug=$(ls "$BOTTLES")
	jq 'del(.plan.workspace_inode)' "$BOTTLES/$slug/record.json" >"$PLACE/record" && cat "$PLACE/record" >"$BOTTLES/$slug/record.json"
	run_split bottle diff "$slug"
	expect_status 0
	[[ $out == *mine* ]]
	cd "$PLACE" && mv work away && ln -s away work
	run_split bottle diff "$slug"
	[ "$status" -eq 1 ]
}

@test "tools that lead to another place, or to credentials, are not resumed with" {
	mkdir -p "$HOME/.ssh" "$PLACE/tool/bin" "$PLACE/other/bin"
	printf '#!/bin/sh\necho tool\n' >"$PLACE/tool/bin/mytool"
	printf '#!/bin/sh\necho other\n' >"$PLACE/other/bin/mytool"
	chmod +x "$PLACE"/*/bin/mytool
	ln -s tool "$PLACE/link"
	bottle_file tooled "tools: [$PLACE/link]"
	start --bottle tooled -- "mytool"
	expect_status 0
	[ "$out" = tool ]
	slug=$(ls "$BOTTLES")
	for to in other "$HOME/.ssh"; do
		ln -sfn "$to" "$PLACE/link"
		run_split bottle resume "$slug"
		expect_status 125
		[[ $err == *tools*"$PLACE/link"* && $out != *other* ]]
	done
	ln -sfn tool "$PLACE/link"
	run_split bottle resume "$slug"
	expect_status 0
	[ "$out" = tool ]
}

@test "a bottle that is resumed says what is limited on the host of today" {
	start -- true
	slug=$(ls "$BOTTLES")
	jq '.plan.unlimited = ["nonsense"]' "$BOTTLES/$slug/record.json" >"$PLACE/record" && cat "$PLACE/record" >"$BOTTLES/$slug/record.json"
	run_split bottle resume "$slug"
	expect_status 0
	[ "$(jq -r '.limits_not_enforced[]' "$BOTTLES/$slug/record.json" | grep -c nonsense)" = 0 ]
}

@test "what says what agents may do, and what holds keys or our own state, is no workspace" {
	mkdir -p "$HOME/.bot-bottle/bottles" "$HOME/.config/bot-bottle" "$HOME/.cache/bot-bottle/x" "$HOME/.local/state/bot-bottle/bottles" \
		"$HOME/.ssh/deep" "$HOME/.config/gh" "$HOME/project" "$PLACE/dotfiles/ssh"
	chmod 700 "$HOME/.local/state/bot-bottle" "$HOME/.cache/bot-bottle"
	rmdir "$HOME/.ssh/deep" "$HOME/.ssh" && ln -s "$PLACE/dotfiles/ssh" "$HOME/.ssh"
	ln -s "$HOME/.bot-bottle" "$PLACE/innocent"
	for place in "$HOME" "$PLACE" "$HOME/.bot-bottle" "$HOME/.bot-bottle/bottles" "$HOME/.config" "$HOME/.config/bot-bottle" \
		"$HOME/.cache" "$HOME/.cache/bot-bottle/x" "$HOME/.local" "$HOME/.local/state/bot-bottle/bottles" "$HOME/.config/gh" \
		"$HOME/.ssh" "$PLACE/dotfiles" "$PLACE/innocent" /etc /; do
		start --dry-run --workspace "$place" -- true
		expect_status 125 || { echo "$place"; return 1; }
		[[ $err == *workspace*"must not be given"* && $err == *--workspace* ]] || { echo "$place: $err"; return 1; }
	done
	start --dry-run --workspace "$HOME/project" -- true
	expect_status 0
}

@test "a socket of the host whose path nobody can dial is no proof, and not told as one" {
	local deep row
	row='.proof.checks[] | select(.check == "a socket file of the host") | has("not_applicable"), .as_expected'
	start -- true
	expect_status 0
	[ "$(jq -r "$row" "$BOTTLES"/*/record.json | xargs)" = "false true" ] # control
	deep=$PLACE/$(printf 'd%.0s' {1..90})
	export XDG_STATE_HOME=$deep
	start -- true
	expect_status 0
	[ "$(jq -r "$row" "$deep"/bot-bottle/bottles/*/record.json | xargs)" = "true null" ]
}
