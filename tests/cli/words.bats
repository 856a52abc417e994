#!/usr/bin/env bats
# The command line itself: words, options, errors, help, completion.
load helper

@test "no verb is a usage error that points to help" {
	run_split bottle
	expect_status 2
	[ -z "$out" ]
	[[ $err == *"bottle help"* ]]
}

@test "help lists every verb, and each verb explains itself" {
	run_split bottle help
	expect_status 0
	[ -z "$err" ]
	listed=$out
	while read -r verb; do
		[[ $listed == *"  $verb "* ]] || { echo "$verb is not listed"; return 1; }
		# shellcheck disable=SC2086
		run_split bottle help $verb
		expect_status 0
		[[ $out == "usage: bottle $verb"* ]]
		by_verb=$out
		# shellcheck disable=SC2086
		run_split bottle $verb --help
		expect_status 0
		[ "$out" = "$by_verb" ]
	done < <(bottle complete verbs)
}

@test "help of a word that needs a second one lists those that there are" {
	for group in policy manifest allowlist; do
		for words in "$group --help" "$group -h" "help $group" "$group --help --json"; do
			# shellcheck disable=SC2086
			run_split bottle $words
			expect_status 0 || { echo "$words"; return 1; }
			[ -z "$err" ]
			[[ $out == "usage: bottle $group WORD"* ]]
			[ "$(grep -c "^  $group [a-z]*  *[a-z]" <<<"$out")" -eq 2 ] || { echo "$out"; return 1; }
		done
		# Without that wish it is none (control), nor is another word's.
		run_split bottle "$group"
		expect_status 2
		[[ $err == *"needs a second word"* ]]
		run_split bottle "$group" nosuch --help
		expect_status 2
	done
	run_split bottle poli --help
	expect_status 2
	run_split bottle help poli
	expect_status 2
}

@test "the version is one line, or an object" {
	run_split bottle --version
	expect_status 0
	[[ $out =~ ^bottle\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	run_split bottle --version --json
	expect_status 0
	[ "bottle $(jq -r .version <<<"$out")" = "$(bottle version)" ]
}

@test "a mistyped verb or option names the near one" {
	run_split bottle docter
	expect_status 2
	[[ $err == *'did you mean "doctor"'* ]]
	run_split bottle doctor --jsn
	expect_status 2
	[[ $err == *"did you mean --json"* ]]
	run_split bottle doctor --bakend=x
	expect_status 2
	[[ $err == *"did you mean --backend"* ]]
	run_split bottle frobnicate
	expect_status 2
	[[ $err != *"did you mean"* ]]
}

@test "wrong words are usage errors" {
	for words in "doctor --json=yes" "doctor --backend" "doctor x" "doctor -q" "doctor --backend a --backend b" \
		"completion" "completion tcsh" "help no such" "doctor -- ls"; do
		# shellcheck disable=SC2086
		run_split bottle $words
		expect_status 2 || { echo "$words"; return 1; }
		[ -z "$out" ]
	done
}

@test "a path that is empty is a usage error which names the option" {
	run_split bottle start --dry-run -w "" -- true
	expect_status 125
	[[ $err == *"--workspace is given an empty name"*"it needs a DIR"* ]]
	for words in "start --dry-run --json --workspace" "export one-aaaaa --json --to" "allowlist verify one --json --db"; do
		# shellcheck disable=SC2086
		run_split bottle $words ""
		[ "$(jq -r .error.kind <<<"$out")" = usage ]
		[[ $(jq -r .error.message <<<"$out") == "--${words##*--} is given an empty name" ]] || { echo "$out"; return 1; }
	done
	run_split bottle start --dry-run --backend namespace -w . -- true # control
	expect_status 0
}

@test "with --json an error is one object on stdout" {
	run_split bottle doctor --json --backend chroot
	expect_status 2
	[ -z "$err" ]
	[ "$(jq -r .error.kind <<<"$out")" = usage ]
	[[ $(jq -r .error.message <<<"$out") == *chroot* ]]
	[[ $(jq -r .error.remedy <<<"$out") == *namespace* ]]
	run_split bottle doctor --bakend x --json
	expect_status 2
	[ "$(jq -r .error.remedy <<<"$out")" = "did you mean --backend?" ]
}

@test "the same mistake is of one kind, whichever verb it is made with" {
	mkdir -p "$HOME/.bot-bottle/bottles"
	printf -- '---\n{}\n---\n' >"$HOME/.bot-bottle/bottles/dev.md"
	for words in "manifest show" "policy test GET https://a.example/" \
		"info ../x" "audit ../x" "diff ../x" "export ../x" "policy suggest ../x" "cleanup ../x" \
		"manifest show ../x" "manifest show --bottle ../x" "policy test --bottle ../x GET https://a.example/"; do
		# shellcheck disable=SC2086
		run_split bottle $words --json
		expect_status 2 || { echo "$words"; return 1; }
		[ "$(jq -r .error.kind <<<"$out")" = usage ] || { echo "$words: $out"; return 1; }
		[ "$(jq -r .error.remedy <<<"$out")" != null ] || { echo "$words: $out"; return 1; }
	done
	run_split bottle start ../x --json
	expect_status 125
	[ "$(jq -r .error.kind <<<"$out")" = usage ]
	# What could be there and is not is another (control).
	for words in "info gone-aaaaa" "info gone" "manifest show gone" "manifest show --bottle gone"; do
		# shellcheck disable=SC2086
		run_split bottle $words --json
		expect_status 1
		[ "$(jq -r .error.kind <<<"$out")" = missing ] || { echo "$words: $out"; return 1; }
	done
}

@test "a name that is not there says which there are" {
	remedy() {
		run_split bottle "${@:2}" --json
		[ "$(jq -r .error.kind <<<"$out")" = missing ] || { echo "$out"; return 1; }
		[ "$(jq -r .error.remedy <<<"$out")" = "$1" ] || { echo "$out"; return 1; }
	}
	mkdir -p "$HOME/.bot-bottle/bottles" "$HOME/.bot-bottle/agents"
	remedy '`bottle init` writes the first' start devv
	for name in dev base; do printf -- '---\n{}\n---\n' >"$HOME/.bot-bottle/bottles/$name.md"; done
	printf -- '---\nbottle: dev\n---\n' >"$HOME/.bot-bottle/agents/reviewer.md"
	remedy 'did you mean "reviewer"?' start revewer
	remedy 'did you mean "reviewer"?' info revewer
	remedy 'did you mean "dev"?' manifest show --bottle devv
	remedy 'there are base, dev' manifest show --bottle nothing-like-it
	for n in 1 2 3 4 5; do cp "$HOME/.bot-bottle/bottles/dev.md" "$HOME/.bot-bottle/bottles/more$n.md"; done
	remedy '`bottle manifest check` lists those that there are' manifest show --bottle nothing-like-it
	# One that is there is found (control).
	run_split bottle manifest show reviewer
	expect_status 0
}

@test "a workspace that is a file is said to be no directory" {
	: >"$PLACE/file"
	run_split bottle start --dry-run --backend namespace --workspace "$PLACE/file" -- true
	expect_status 125
	[[ $err == *"$PLACE/file is no directory"* && $err == *"--workspace"* && $err != *"any more"* ]] || { echo "$err"; return 1; }
	run_split bottle start --dry-run --backend namespace --workspace "$PLACE/work" -- true
	expect_status 0
}

@test "what was typed is not acted on by the terminal" {
	run_split bottle $'\033[2Jx'
	expect_status 2
	[[ $err != *$'\033'* ]]
	[[ $err == *'\x1b[2Jx'* ]]
}

@test "no colour and no progress where there is no terminal" {
	run_split bottle help
	[[ $out != *$'\033'* ]]
	run_split bottle doctor --backend namespace
	[[ $out$err != *$'\033'* ]]
}

@test "a full disk is a failure" {
	status=0
	bottle help >/dev/full 2>"$PLACE/err" || status=$?
	expect_status 1
	grep -q stdout "$PLACE/err"
	# Of an error as an object, too.
	for words in "ls --json" "info nosuch --json"; do
		status=0
		# shellcheck disable=SC2086
		bottle $words >/dev/full 2>"$PLACE/err" || status=$?
		expect_status 1
		grep -q "^bottle: write to stdout" "$PLACE/err" || { echo "$words"; return 1; }
	done
}

@test "closed standard descriptors are not taken by files" {
	status=0
	bottle version >&- 2>&- <&- || status=$?
	expect_status 1
	status=0
	bottle ls >&- 2>"$PLACE/err" || status=$?
	expect_status 1
	grep -q stdout "$PLACE/err"
	# One that has nothing to print there does not miss it.
	status=0
	bottle audit --help >/dev/null 2>&- <&- || status=$?
	expect_status 0
	bottle cleanup --yes >&- 2>"$PLACE/err" <&- || { cat "$PLACE/err"; return 1; }
}

@test "completion offers verbs, second words, options and values" {
	run_split bottle complete words -- doc
	[[ $'\n'$out$'\n' == *$'\ndoctor\n'* ]]
	run_split bottle complete words -- completion ""
	[ "$out" = $'bash\nzsh\nfish' ]
	run_split bottle complete words -- doctor --
	[[ $'\n'$out$'\n' == *$'\n--backend\n'* ]]
	[[ $'\n'$out$'\n' == *$'\n--json\n'* ]]
	run_split bottle complete words -- doctor --backend ""
	[[ $'\n'$out$'\n' == *$'\nnamespace\n'* ]]
	run_split bottle complete words -- start --bundle ""
	[ "$out" = $'embedded\ndocker' ]
	mkdir -p "$HOME/.bot-bottle/agents"
	printf -- '---\n{}\n---\n' >"$HOME/.bot-bottle/agents/reviewer.md"
	run_split bottle complete words -- info ""
	[ "$out" = reviewer ]
	run_split bottle complete words -- attach ""
	[ -z "$out" ]
	run_split bottle complete words -- allowlist ""
	[ "$out" = $'verify\nenforce' ]
	run_split bottle complete words -- help policy ""
	[ "$out" = $'test\nsuggest' ]
}

@test "completion knows how many arguments there may be, and what the later ones are" {
	mkdir -p "$HOME/.bot-bottle/agents"
	printf -- '---\n{}\n---\n' >"$HOME/.bot-bottle/agents/reviewer.md"
	for words in "start" "start --label x" "start --yes"; do
		# shellcheck disable=SC2086
		run_split bottle complete words -- $words ""
		[ "$out" = reviewer ] || { echo "$words: $out"; return 1; }
	done
	for words in "start reviewer" "info reviewer" "logs some-aaaaa" "completion bash" "start reviewer --label x"; do
		# shellcheck disable=SC2086
		run_split bottle complete words -- $words ""
		[ -z "$out" ] || { echo "$words: $out"; return 1; }
	done
	run_split bottle complete words -- export some-aaaaa ""
	[ "$out" = :file ]
	run_split bottle complete words -- cp a ""
	[ "$out" = :file ]
	run_split bottle complete words -- start reviewer -- ""
	[ "$out" = :file ]
}

@test "a second word that there is not is named, with those that there are" {
	for words in "policy foo" "help policy foo"; do
		# shellcheck disable=SC2086
		run_split bottle $words
		expect_status 2
		[[ $err == *'no "bottle policy foo"'*'"bottle policy test"'* ]]
	done
	run_split bottle policy
	[[ $err == *'"policy" needs a second word'* ]]
}

@test "behind -- nothing is an option" {
	run_split bottle manifest check -- --absent
	expect_status 1
	[[ $err == *"open --absent"* ]]
	run_split bottle manifest check --absent
	expect_status 2
	[[ $err == *"has no option --absent"* ]]
}

@test "help is no wider than the terminal" {
	run_split bottle help start
	expect_status 0
	widest=$(sed '/^  -/,$d' <<<"$out" | wc -L)
	[ "$widest" -le 80 ]
	[ "$widest" -gt 60 ]
	# No word is lost on the way.
	[[ $(tr -s '\n ' ' ' <<<"$out") == *"Without AGENT, --bottle and a command it asks on the terminal which agent; of an agent"* ]]
}

@test "the bash script completes" {
	run_split bash -c 'source <(bottle completion bash)
		COMP_WORDS=(bottle completion z) COMP_CWORD=2 && _bottle && echo "${COMPREPLY[@]}"
		COMP_WORDS=(bottle doctor --js) COMP_CWORD=2 && _bottle && echo "${COMPREPLY[@]}"
		COMP_WORDS=(bottle docto) COMP_CWORD=1 && _bottle && echo "${COMPREPLY[@]}"'
	expect_status 0
	[ "$out" = $'zsh\n--json\ndoctor' ]
}

@test "completion of an unreadable state offers nothing and says nothing" {
	export HOME=$PLACE/absent
	run_split bottle complete words -- completion ""
	expect_status 0
	[ -z "$err" ]
}
