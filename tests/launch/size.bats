#!/usr/bin/env bats
# How much a command, a prompt and an environment may be: what is over a limit is refused by its name
# before anything starts, what is just within it arrives.
load helper

long() { head -c "$1" /dev/zero | tr '\0' x; }
refused() {
	[[ $err == *"$1"* ]] || { echo "$err"; return 1; }
	[[ $err == *file* ]]
	[[ $err != *socket* && $err != *decode* ]]
}
nothing_began() { [ -z "$(ls "$BOTTLES" 2>/dev/null)" ]; }

@test "a command over a limit is a usage error, and one within it runs (control)" {
	start --headless -- echo "$(long 65537)"
	expect_status 125
	refused "word 2 of the command has 65537 bytes, over the limit of 65536"
	# shellcheck disable=SC2046
	start --headless -- true $(seq 4096)
	expect_status 125
	refused "4097 words, over the limit of 4096"
	start --headless -- echo "$(long 60000)" "$(long 60000)"
	expect_status 125
	refused "together, over the limit of 114688"
	start --headless --json -- echo "$(long 65537)"
	expect_status 125
	[ "$(jq -r .error.kind <<<"$out")" = usage ]
	nothing_began
	start --headless --rm -- sh -c 'echo ${#1} ${#2}' x "$(long 65536)" "$(long 40000)"
	expect_status 0
	[ "$out" = "65536 40000" ]
	# shellcheck disable=SC2046
	start --headless --rm -- sh -c 'echo $#' x $(seq 4092)
	expect_status 0
	[ "$out" = 4092 ]
}

@test "a prompt and an agent's text over the limit are refused by name, and a long prompt arrives (control)" {
	printf -- '---\nworkspace: copy\n---\n' >"$HOME/.bot-bottle/bottles/plain.md"
	start --bottle plain --headless --prompt "$(long 65537)"
	expect_status 125
	refused "--prompt has 65537 bytes, over the limit of 65536"
	[[ $err == *workspace* ]]
	mkdir -p "$HOME/.bot-bottle/agents" "$HOME/.bot-bottle/providers" "$PLACE/tool"
	printf -- '---\nagent_provider: {template: mine}\ntools: ["%s"]\n---\n' "$PLACE/tool" \
		>"$HOME/.bot-bottle/bottles/mine.md"
	printf 'description: x\ncommand: [sh]\nprompt: {system: ["{system_prompt}"]}\n' \
		>"$HOME/.bot-bottle/providers/mine.yaml"
	printf -- '---\nbottle: mine\n---\n%s\n' "$(long 65537)" >"$HOME/.bot-bottle/agents/wordy.md"
	start wordy --headless
	expect_status 125
	refused_agent="the text of the agent wordy has 65537 bytes"
	[[ $err == *"$refused_agent"* ]] || { echo "$err"; return 1; }
	nothing_began
	text=$(long 65000)
	start --bottle plain --rm --headless --prompt "x=$text; echo \${#x}"
	expect_status 0
	[ "$out" = 65000 ]
}

@test "exec refuses what is over a limit, and the bottle runs on" {
	detached sleep 100
	run_split bottle exec "$slug" -- echo "$(long 65537)"
	expect_status 125
	refused "word 2 of the command has 65537 bytes"
	# shellcheck disable=SC2046
	run_split bottle exec "$slug" -- true $(seq 4096)
	expect_status 125
	refused "4097 words, over the limit of 4096"
	run_split bottle exec "$slug" -- echo "$(long 60000)" "$(long 60000)"
	expect_status 125
	refused "together, over the limit of 114688"
	# Within its own limit, and over it with the bottle's environment.
	run_split bottle exec "$slug" -- echo "$(long 60000)" "$(long 54600)"
	expect_status 125
	refused "the command and its environment"
	run_split bottle cp "$slug:/$(long 70000)" .
	expect_status 2
	[[ $err == *"a path has under 4096"* ]]
	# What fits does run (control).
	# shellcheck disable=SC2046
	run_split bottle exec "$slug" -- sh -c 'echo $#' x $(seq 4092)
	expect_status 0
	[ "$out" = 4092 ]
	run_split bottle exec "$slug" -- sh -c 'echo ${#1}' x "$(long 65536)"
	expect_status 0
	[ "$out" = 65536 ]
}

@test "variables and credentials over a limit are refused by name, and those within it arrive (control)" {
	export BIG
	put() { printf -- '---\n%s\n---\n' "$2" >"$HOME/.bot-bottle/bottles/$1.md"; }
	put one 'env: {FROM: "${BIG}"}'
	put many "env: {$(for i in {1..12}; do printf 'V%d: "${BIG}", ' "$i"; done)}"
	put literal "env: {A: $(long 61441)}"
	put three "env: {A: $(long 40000), B: $(long 40000), C: $(long 40000)}"
	put route 'egress: {routes: [{host: a.example.com, auth: {scheme: bearer, token_ref: BIG}}]}'
	BIG=$(long 100000)
	start --headless -b many -- true
	expect_status 125
	refused "env.V11: with its value the secret variables have over 1048576 bytes together"
	start --headless -b route -- true
	expect_status 125
	[[ $err == *"the credential has over 16384 characters"* ]]
	start --headless -b literal -- true
	expect_status 125
	[[ $err == *"the limit is 61440"* ]] || { echo "$err"; return 1; }
	start --headless -b three -- true
	expect_status 125
	refused "together, over the limit of 114688"
	nothing_began
	start --headless --rm -b one -- sh -c 'echo ${#FROM}'
	expect_status 0
	[ "$out" = 100000 ]
	put literal "env: {A: $(long 61440)}"
	start --headless --rm -b literal -- sh -c 'echo ${#A}'
	expect_status 0
	[ "$out" = 61440 ]
}
