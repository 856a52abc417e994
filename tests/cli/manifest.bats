#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# bottle init, bottle manifest check|show.

setup() {
	bottle=$(realpath "${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin/bottle")
	dir=$(mktemp -d "$BATS_TMPDIR/manifest.XXXXXX")
	export HOME=$dir/home XDG_CONFIG_HOME= XDG_STATE_HOME= XDG_CACHE_HOME= XDG_RUNTIME_DIR=
	mkdir -p "$HOME" "$dir/work"
	cd "$dir/work" || return 1
}

teardown() { cd /; rm -rf "$dir"; }

put() { mkdir -p "$(dirname "$1")"; printf -- '---\n%s\n---\n%s\n' "$2" "${3-}" >"$1"; }

@test "init writes manifests that check and show accept, and never overwrites" {
	run --separate-stderr "$bottle" init
	[ "$status" -eq 0 ]
	run "$bottle" manifest check
	[ "$status" -eq 0 ]
	[[ $output == *bottles/dev.md*ok* ]]
	[[ $output == *agents/dev.md*ok* ]]
	run "$bottle" manifest show dev
	[ "$status" -eq 0 ]
	[[ $output == *"host: deb.debian.org"* ]]
	[ "$(stat -c %a "$HOME/.bot-bottle/bottles/dev.md")" = 600 ]
	echo mine >"$HOME/.bot-bottle/bottles/dev.md"
	run "$bottle" init --json
	[ "$status" -eq 0 ]
	[ "$(cat "$HOME/.bot-bottle/bottles/dev.md")" = mine ]
	[ "$(jq -c '[.[].written]' <<<"$output")" = '[false,false]' ] || [[ $output == *left* ]]
}

@test "init does not write through a link" {
	mkdir -p "$HOME/.bot-bottle/bottles"
	ln -s "$dir/elsewhere" "$HOME/.bot-bottle/bottles/dev.md"
	run "$bottle" init
	[ "$status" -eq 0 ]
	[ ! -e "$dir/elsewhere" ]
}

@test "check names file, line and what was meant" {
	put "$dir/x/bottles/dev.md" $'egress:\n  routes:\n    - hots: a.example'
	run --separate-stderr "$bottle" manifest check "$dir/x/bottles/dev.md"
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ $stderr == *'dev.md:4: unknown key "hots" in a route'*'did you mean "host"?'* ]]
	put "$dir/x/bottles/dev.md" $'egress:\n  routes:\n    - host: a.example'
	run "$bottle" manifest check "$dir/x/bottles/dev.md"
	[ "$status" -eq 0 ]
}

@test "check takes the kind of a file from where it stands" {
	put "$dir/x/agents/a.md" 'skills: [x]'
	put "$dir/x/bottles/a.md" 'skills: [x]'
	echo '{"backend":"namespace"}' >"$dir/x/config.json"
	run "$bottle" manifest check "$dir/x/agents/a.md" "$dir/x/config.json"
	[ "$status" -eq 0 ]
	run "$bottle" manifest check "$dir/x/agents/a.md" "$dir/x/bottles/a.md"
	[ "$status" -eq 1 ]
	run --separate-stderr "$bottle" manifest check --json "$dir/x/bottles/a.md"
	[ "$status" -eq 1 ]
	[ "$(jq -r .error.kind <<<"$output")" = input ]
}

@test "a broken file hurts only those who select it" {
	put "$HOME/.bot-bottle/bottles/good.md" 'image: /x'
	put "$HOME/.bot-bottle/bottles/bad.md" 'image: [x]'
	run "$bottle" manifest show --bottle good
	[ "$status" -eq 0 ]
	run "$bottle" manifest show --bottle bad
	[ "$status" -eq 1 ]
	run "$bottle" manifest check
	[ "$status" -eq 1 ]
	[[ $output == *good.md*ok* ]]
}

@test "show --why names the file and line of each value, left to right" {
	put "$HOME/.bot-bottle/bottles/base.md" $'image: /a\nworkspace: none'
	put "$HOME/.bot-bottle/bottles/top.md" $'extends: base\nimage: /b'
	put "$HOME/.bot-bottle/bottles/over.md" 'image: /c'
	run "$bottle" manifest show --why --json --bottle top --bottle over
	[ "$status" -eq 0 ]
	[[ $(jq -r '.[] | select(.field == "image") | .source' <<<"$output") == */bottles/over.md:2 ]]
	[[ $(jq -r '.[] | select(.field == "workspace") | .source' <<<"$output") == */bottles/base.md:3 ]]
	[ "$(jq -r '.[] | select(.field == "resources.cpus") | .source' <<<"$output")" = default ]
	run "$bottle" manifest show --json --bottle top --bottle over
	[ "$(jq -r .lineage <<<"$output")" = "base -> top -> over" ]
	[ "$(jq -r .bottle.image <<<"$output")" = /c ]
}

@test "a clone may bring agents, and nothing that counts" {
	put "$HOME/.bot-bottle/bottles/dev.md" ''
	put "$HOME/.bot-bottle/agents/mine.md" 'bottle: dev'
	put .bot-bottle/agents/theirs.md 'bottle: dev'
	put .bot-bottle/bottles/dev.md 'image: /evil'
	run --separate-stderr "$bottle" manifest show --json theirs
	[ "$status" -eq 0 ]
	[ "$(jq -r .bottle.image <<<"$output")" = null ]
	put .bot-bottle/agents/mine.md 'bottle: dev'
	run --separate-stderr "$bottle" manifest show mine
	[ "$status" -eq 1 ]
	[[ $stderr == *never*shadows* ]]
}

@test "that a clone's bottles are ignored is said once, however many manifests are read" {
	for name in a b c; do put "$HOME/.bot-bottle/bottles/$name.md" ''; done
	put "$HOME/.bot-bottle/agents/mine.md" 'bottle: a'
	mkdir -p .bot-bottle/bottles
	for words in check "show mine" "show --bottle b"; do
		# shellcheck disable=SC2086
		run --separate-stderr "$bottle" manifest $words
		[ "$status" -eq 0 ]
		[ "$(grep -c 'bottles of the working directory are ignored' <<<"$stderr")" -eq 1 ] || { echo "$words: $stderr"; return 1; }
	done
	# Without any there is nothing to say (control).
	rmdir .bot-bottle/bottles
	run --separate-stderr "$bottle" manifest check
	[ -z "$stderr" ]
}

@test "secrets are shown as they are written" {
	put "$HOME/.bot-bottle/bottles/dev.md" 'env: {TOKEN: "${SECRET_OF_MINE}", ASKED: "?which one"}'
	SECRET_OF_MINE=hush run "$bottle" manifest show --bottle dev
	[ "$status" -eq 0 ]
	[[ $output == *'${SECRET_OF_MINE}'* ]]
	[[ $output != *hush* ]]
}

@test "a regex that does not compile is found by check" {
	put "$dir/x/bottles/dev.md" "egress: {routes: [{host: a.example, matches: [{paths: [{type: regex, value: '/(x'}]}]}]}"
	run --separate-stderr "$bottle" manifest check "$dir/x/bottles/dev.md"
	[ "$status" -eq 1 ]
	put "$dir/x/bottles/dev.md" "egress: {routes: [{host: a.example, matches: [{paths: [{type: regex, value: '/(x)'}]}]}]}"
	run "$bottle" manifest check "$dir/x/bottles/dev.md"
	[ "$status" -eq 0 ]
}

@test "a clone's .bot-bottle is a directory (control): a link is ignored, and said to be" {
	put "$HOME/.bot-bottle/bottles/dev.md" "env: {A: b}"
	put "$dir/elsewhere/agents/sneaky.md" "bottle: dev" "You are it."
	ln -s "$dir/elsewhere" .bot-bottle
	run --separate-stderr "$bottle" manifest show sneaky --bottle dev
	[ "$status" -ne 0 ]
	[[ $stderr == *"ignored"*"link"* ]]
	[[ $output != *"You are it"* ]]
	rm .bot-bottle
	cp -a "$dir/elsewhere" .bot-bottle
	run --separate-stderr "$bottle" manifest show sneaky --bottle dev
	[ "$status" -eq 0 ]
	[[ $stderr != *"ignored"* ]]
	# The person's own may be a link, as those who keep such files elsewhere have it.
	mv "$HOME/.bot-bottle" "$dir/kept" && ln -s "$dir/kept" "$HOME/.bot-bottle"
	cd "$HOME"
	run --separate-stderr "$bottle" manifest show --bottle dev
	[[ $stderr != *"ignored"* ]]
}

@test "what is no regular file is not waited for" {
	mkfifo "$BATS_TEST_TMPDIR/pipe.md"
	run timeout 60 "$BUILD/bin/bottle" manifest check "$BATS_TEST_TMPDIR/pipe.md"
	[ "$status" -eq 1 ]
	[[ $output == *"pipe.md is not a regular file"* ]]
}
