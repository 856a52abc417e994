#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# ls, info, rm, cleanup and logs, on records written by hand.

load state.bash
setup() { state_up; }
teardown() { state_down; }

@test "ls shows state, age and changed files" {
	make_bottle one-aaaaa
	make_bottle two-bbbbb "$(alive)"
	make_bottle three-ccccc "$dead"
	make_bottle four-ddddd '.workspace_mode = "mount"'
	echo new >"$(upper one-aaaaa)/file"
	run --separate-stderr "$bottle" ls
	[ "$status" -eq 0 ]
	[[ $output =~ one-aaaaa\ +reviewer\ +namespace\ +stopped\ +[0-9]+d\ +1 ]]
	[[ $output =~ two-bbbbb.*running.*\ 0 ]]
	[[ $output =~ three-ccccc.*dead ]]
	[[ $output =~ four-ddddd.*\ - ]]
	run --separate-stderr "$bottle" ls --json
	[ "$(jq -r '.[] | select(.slug == "one-aaaaa") | "\(.state) \(.changed) \(.created)"' <<<"$output")" = \
		"stopped 1 2023-11-14T22:13:20.000Z" ]
}

@test "ls begins with the newest, and ends with what can't be read" {
	make_bottle aaa-aaaaa '.created_ms = 1'
	make_bottle bbb-bbbbb '.created_ms = 3'
	make_bottle ccc-ccccc '.created_ms = 2'
	make_bottle aab-ddddd '.schema = 2'
	run --separate-stderr "$bottle" ls --json
	[ "$(jq -r '.[].slug' <<<"$output")" = $'bbb-bbbbb\nccc-ccccc\naaa-aaaaa\naab-ddddd' ]
}

@test "ls with nothing there makes a private state directory" {
	rm -rf "$state"
	run --separate-stderr "$bottle" ls --json
	[ "$status" -eq 0 ]
	[ "$(jq length <<<"$output")" -eq 0 ]
	[ "$(stat -c %a "$state")" = 700 ]
}

@test "a state directory that others may enter is refused" {
	make_bottle one-aaaaa
	chmod 755 "$state"
	run --separate-stderr "$bottle" ls
	[ "$status" -eq 1 ]
	[[ $stderr == *"chmod 700"* ]]
	chmod 700 "$state"
	run "$bottle" ls
	[ "$status" -eq 0 ]
}

@test "a broken record is listed, named, and neither removed nor repaired" {
	make_bottle one-aaaaa
	make_bottle bad-bbbbb '.schema = 2'
	before=$(sha256sum <"$bottles/bad-bbbbb/record.json")
	run --separate-stderr "$bottle" ls
	[ "$status" -eq 0 ]
	[[ $output =~ bad-bbbbb.*broken ]]
	[[ $stderr == *"bad-bbbbb"*"schema"* ]]
	run "$bottle" rm bad-bbbbb
	[ "$status" -eq 1 ]
	run --separate-stderr "$bottle" cleanup --yes --purge
	[ "$status" -eq 0 ]
	[[ $stderr == *"left as it is: bottle bad-bbbbb"* ]]
	# Wherever it is met: where its files are, since nothing else gets at them.
	run --separate-stderr "$bottle" ls --json
	[[ $stderr == *"$bottles/bad-bbbbb"* ]]
	for verb in info rm export resume; do
		run --separate-stderr "$bottle" $verb bad-bbbbb
		[ "$status" -ne 0 ]
		[[ $stderr == *workspace/upper*"$bottles/bad-bbbbb"* ]]
	done
	[ "$before" = "$(sha256sum <"$bottles/bad-bbbbb/record.json")" ]
}

@test "info shows the record and what is not limited" {
	make_bottle one-aaaaa '.resources = [{kind: "socket", name: "x\u001b[2J.sock"}]'
	run --separate-stderr "$bottle" info one-aaaaa
	[ "$status" -eq 0 ]
	[[ $output == *"memory: not limited"* ]]
	[[ $output == *"namespace"* ]]
	[[ $output != *$'\e'* ]]
	run --separate-stderr "$bottle" info one-aaaaa --json
	[ "$(jq -r '.exit_status' <<<"$output")" -eq 3 ]
	[ "$(jq -r '.bottles | join(" ")' <<<"$output")" = "base dev" ]
	[ "$(jq -c '[.changed, .changed_more]' <<<"$output")" = "[0,false]" ]
}

@test "what info has no value for is a dash, and null in JSON" {
	make_bottle one-aaaaa '.bottles = [] | .limits_not_enforced = []'
	run --separate-stderr "$bottle" info one-aaaaa
	[ "$status" -eq 0 ]
	if grep -q ': *$' <<<"$output"; then echo "$output"; return 1; fi
	for name in label image "image sha256" manifests "hidden from it" "still holds" limits "audit head"; do
		grep -q "^$name: *-$" <<<"$output" || { echo "$name: $output"; return 1; }
	done
	run --separate-stderr "$bottle" info --json one-aaaaa
	[ "$(jq -c '[.label, .image, .image_sha256, .holds]' <<<"$output")" = '[null,null,null,[]]' ]
	# With values they are there (control).
	make_bottle two-bbbbb '.plan = {image: "~/i.tar", image_hash: "abc"} | .resources = [{kind: "network", name: "n"}]'
	run --separate-stderr "$bottle" info two-bbbbb
	for line in 'image: *~/i.tar' 'image sha256: *abc' 'still holds: *network n' 'manifests: *base'; do
		grep -q "^$line$" <<<"$output" || { echo "$line: $output"; return 1; }
	done
}

@test "info shows an agent's resolved manifest" {
	mkdir -p "$dir/.bot-bottle/agents" "$dir/.bot-bottle/bottles"
	printf -- '---\nbottle: dev\n---\nReview.\n' >"$dir/.bot-bottle/agents/reviewer.md"
	printf -- '---\negress:\n  routes:\n    - host: api.example.com\n---\n' >"$dir/.bot-bottle/bottles/dev.md"
	run --separate-stderr "$bottle" info reviewer
	[ "$status" -eq 0 ]
	[[ $output == *"api.example.com"* ]]
	run --separate-stderr "$bottle" info nobody
	[ "$status" -ne 0 ]
	[[ $stderr == *nobody* ]]
}

@test "info of a bottle that is not there says so" {
	run --separate-stderr "$bottle" info gone-aaaaa
	[ "$status" -eq 1 ]
	[[ $stderr == *gone-aaaaa* ]]
	run --separate-stderr "$bottle" info --json gone-aaaaa
	[ "$(jq -r .error.kind <<<"$output")" = missing ]
}

@test "rm removes a stopped bottle and refuses a running one" {
	make_bottle one-aaaaa
	make_bottle two-bbbbb "$(alive)"
	run --separate-stderr "$bottle" rm one-aaaaa two-bbbbb
	[ "$status" -eq 1 ]
	[ "$stderr" = $'bottle: bottle two-bbbbb is running\n        run bottle stop two-bbbbb first' ]
	[ ! -e "$bottles/one-aaaaa" ]
	[ -e "$bottles/two-bbbbb/record.json" ]
}

@test "rm and stop tell of each bottle in the same form, and go on to the next" {
	make_bottle one-aaaaa
	for verb in rm stop; do
		run --separate-stderr "$bottle" $verb nope-12345 ../up gone-12345
		[ "$status" -eq 1 ]
		[ "$(grep -c '^bottle: ' <<<"$stderr")" -eq 3 ] || { echo "$stderr"; return 1; }
		[ "$(grep -cv '^bottle: \|^        ' <<<"$stderr")" -eq 0 ] || { echo "$stderr"; return 1; }
	done
	run --separate-stderr "$bottle" rm nope-12345 one-aaaaa
	[ "$status" -eq 1 ]
	[ ! -e "$bottles/one-aaaaa" ]
}

@test "rm refuses names that are no slugs, and follows no link" {
	mkdir "$dir/outside"
	ln -s "$dir/outside" "$bottles/link-aaaaa"
	run "$bottle" rm ../outside
	[ "$status" -eq 2 ]
	run "$bottle" rm link-aaaaa
	[ "$status" -eq 1 ]
	[ -d "$dir/outside" ]
}

@test "rm refuses a dead bottle until it is cleaned up" {
	make_bottle one-aaaaa "$dead"
	run --separate-stderr "$bottle" rm one-aaaaa
	[ "$status" -eq 1 ]
	[[ $stderr == *"is dead"*"bottle cleanup one-aaaaa"* ]]
	[ -e "$bottles/one-aaaaa" ]
	"$bottle" cleanup --yes one-aaaaa
	"$bottle" rm one-aaaaa
	[ ! -e "$bottles/one-aaaaa" ]
}

@test "rm refuses a bottle that still holds something" {
	make_bottle one-aaaaa '.resources = [{kind: "network", name: "n"}]'
	run --separate-stderr "$bottle" rm one-aaaaa
	[ "$status" -eq 1 ]
	[[ $stderr == *"still holds network n"*"bottle cleanup one-aaaaa"* ]]
	[ -e "$bottles/one-aaaaa" ]
}

@test "cleanup frees what a dead bottle holds and keeps its workspace" {
	make_bottle one-aaaaa "$dead"
	make_bottle two-bbbbb "$(alive)"
	touch "$state/run/one-aaaaa.sock" "$state/run/two-bbbbb.sock"
	echo new >"$(upper one-aaaaa)/file"
	run --separate-stderr "$bottle" cleanup --yes
	[ "$status" -eq 0 ]
	[ ! -e "$state/run/one-aaaaa.sock" ]
	[ -e "$state/run/two-bbbbb.sock" ]
	[ "$(field one-aaaaa .state)" = stopped ]
	[ "$(field two-bbbbb .state)" = running ]
	[ -e "$(upper one-aaaaa)/file" ]
	run --separate-stderr "$bottle" cleanup --yes
	[[ $stderr == *"nothing to clean up"* ]]
}

@test "cleanup asks the docker that the bottle was started with" {
	cp "$BATS_TEST_DIRNAME/../fakes/docker" "$dir/docker"
	sed -i '1a echo "$*" >>"${0%/*}/asked"' "$dir/docker"
	: >"$dir/behave"
	: >"$dir/image.tar"
	for host in unix:///run/its-own.sock null; do
		make_bottle one-aaaaa "$dead"' | .plan = {docker_host: ('"$(jq -Rc 'if . == "null" then null else . end' <<<"$host")"')}
			| .resources = [{kind: "network", name: "bot-bottle-bundle-one-aaaaa"}, {kind: "container", name: "bot-bottle-sidecars-one-aaaaa"}]'
		: >"$dir/asked"
		PATH=$dir:$PATH DOCKER_HOST=unix:///run/another.sock run --separate-stderr "$bottle" cleanup --yes --purge
		grep -q -- "--host ${host/null/unix:///var/run/docker.sock} network ls" "$dir/asked"
		grep -q -- "--host ${host/null/unix:///var/run/docker.sock} ps --all" "$dir/asked"
		[ -z "$(grep another "$dir/asked")" ]
		rm -r "$bottles/one-aaaaa"
	done
}

@test "cleanup asks, and without a terminal it frees nothing" {
	make_bottle one-aaaaa "$dead"
	run --separate-stderr setsid -w "$bottle" cleanup </dev/null
	[ "$status" -eq 2 ]
	[[ $stderr == *"--yes"* ]]
	run --separate-stderr setsid -w "$bottle" cleanup --json </dev/null
	[ "$status" -eq 2 ]
	[ "$(jq -r .error.kind <<<"$output")" = usage ]
	[ "$(field one-aaaaa .state)" = running ]
}

@test "cleanup frees what is there, and names nothing else" {
	make_bottle one-aaaaa "$dead"
	make_bottle two-bbbbb "$dead"
	touch "$state/run/two-bbbbb.sock"
	run --separate-stderr "$bottle" cleanup --yes --json
	[ "$status" -eq 0 ]
	[ "$(jq -r '.[] | select(.item | startswith("socket")) | .bottle' <<<"$output")" = two-bbbbb ]
}

@test "a runtime directory whose place was taken is as good as gone" {
	touch "$dir/file"
	mkdir -m 700 "$dir/theirs"
	places=("$dir/file" "$dir/absent")
	if [ "$(id -u)" -eq 0 ]; then chown 65000 "$dir/theirs" && places+=("$dir/theirs"); fi
	for place in "${places[@]}"; do
		make_bottle one-aaaaa "$dead | .runtime = \"$place\""
		run --separate-stderr "$bottle" cleanup --yes --purge
		[ "$status" -eq 0 ] || { echo "$place: $output $stderr"; return 1; }
		[ ! -e "$bottles/one-aaaaa" ]
	done
	# One's own that others may enter is to be looked at (control), and a relative one no record's.
	mkdir -m 755 "$dir/open"
	make_bottle one-aaaaa "$dead | .runtime = \"$dir/open\""
	run --separate-stderr "$bottle" cleanup --yes
	[ "$status" -eq 1 ]
	[[ $output == *"chmod 700"* ]]
	make_bottle two-bbbbb "$dead | .runtime = \"run\""
	run --separate-stderr "$bottle" info two-bbbbb
	[[ $stderr == *runtime* ]]
}

@test "a full disk does not keep what would make room" {
	make_bottle one-aaaaa "$dead"
	unshare -r true 2>/dev/null || skip "needs user namespaces"
	cat >"$dir/full" <<-'END'
		mount -t tmpfs -o size=256k,mode=700 full "$1/there" && cp -a "$1/bottles/." "$1/there" || exit 99
		mount --bind "$1/there" "$1/bottles" || exit 99
		cat /dev/zero >"$1/bottles/one-aaaaa/workspace/upper/big" 2>/dev/null
		"$2" cleanup --yes one-aaaaa; echo "kept $?"
		ls "$1/bottles"
		"$2" cleanup --yes --purge one-aaaaa; echo "purged $?"
		ls "$1/bottles"
	END
	mkdir "$state/there"
	run --separate-stderr unshare -r -m sh "$dir/full" "$state" "$bottle"
	[[ $output == *"No space left"*"bottle cleanup --purge one-aaaaa"*$'kept 1\none-aaaaa\n'*"purged 0" ]]
}

@test "a recycled pid is not the keeper" {
	make_bottle one-aaaaa "$(alive) | .keeper_start += 1"
	run --separate-stderr "$bottle" cleanup --yes one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(field one-aaaaa .state)" = stopped ]
}

@test "cleanup refuses a named bottle that runs" {
	make_bottle two-bbbbb "$(alive)"
	run --separate-stderr "$bottle" cleanup --yes --purge two-bbbbb
	[ "$status" -eq 1 ]
	[[ $stderr == *"bottle stop two-bbbbb"* ]]
	[ -e "$bottles/two-bbbbb" ]
}

@test "what cleanup can't free is listed and stays in the record, and so does the bottle" {
	make_bottle one-aaaaa "$dead"' | .resources = [{kind: "spaceship", name: "s"}, {kind: "socket", name: "../x"}]'
	touch "$state/x"
	run --separate-stderr "$bottle" cleanup --yes --purge --json
	[ "$status" -eq 1 ]
	[ "$(jq -r '[.[] | select(.result == "failed")] | length' <<<"$output")" -eq 3 ]
	[ "$(field one-aaaaa '.resources | length')" -eq 2 ]
	[ -e "$state/x" ]
}

@test "cleanup --purge takes the workspace of a dead bottle, and a stopped one only by name" {
	make_bottle one-aaaaa "$dead"
	make_bottle two-bbbbb
	run "$bottle" cleanup --yes --purge
	[ "$status" -eq 0 ]
	[ ! -e "$bottles/one-aaaaa" ]
	[ -e "$bottles/two-bbbbb" ]
	run "$bottle" cleanup --yes --purge two-bbbbb
	[ "$status" -eq 0 ]
	[ ! -e "$bottles/two-bbbbb" ]
}

@test "logs shows the agent's output without its escapes" {
	make_bottle one-aaaaa
	run --separate-stderr "$bottle" logs one-aaaaa
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[[ "$stderr" == *"nothing was written"* ]]
	printf 'caf\xc3\xa9\r\n\x1b]52;c;eHg=\x07\nlast' >"$bottles/one-aaaaa/agent.log"
	echo keeper-line >"$bottles/one-aaaaa/keeper.log"
	run --separate-stderr "$bottle" logs one-aaaaa
	[ "$status" -eq 0 ]
	[ "$output" = $'café\n\\x1b]52;c;eHg=\\x07\nlast' ]
	run --separate-stderr "$bottle" logs --keeper one-aaaaa
	[ "$output" = keeper-line ]
}

@test "logs shows the old part where no new one was begun" {
	make_bottle one-aaaaa
	echo before >"$bottles/one-aaaaa/agent.log.1"
	for follow in "" -f; do
		run --separate-stderr "$bottle" logs $follow one-aaaaa
		[ "$status" -eq 0 ]
		[ "$output" = before ]
		[ -z "$stderr" ]
	done
	# The keeper's log has no old part.
	run --separate-stderr "$bottle" logs --keeper one-aaaaa
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[[ "$stderr" == *"nothing was written"* ]]
}

@test "logs is not held up by what stands in a log's place" {
	make_bottle one-aaaaa
	for name in agent.log agent.log.1; do
		mkfifo "$bottles/one-aaaaa/$name"
		run timeout 20 "$bottle" logs one-aaaaa
		[ "$status" -eq 1 ]
		[[ "$output" == *"$name is not a regular file"* ]]
		rm "$bottles/one-aaaaa/$name"
		# Control: the same name as a file.
		echo said >"$bottles/one-aaaaa/$name"
		run "$bottle" logs one-aaaaa
		[ "$output" = said ]
		rm "$bottles/one-aaaaa/$name"
	done
}

@test "logs -f ends with the bottle" {
	make_bottle one-aaaaa "$(alive)"
	echo first >"$bottles/one-aaaaa/agent.log"
	"$bottle" logs -f one-aaaaa >"$dir/out" 3>&- &
	follower=$!
	for _ in $(seq 500); do grep -q first "$dir/out" && break; sleep 0.02; done
	echo second >>"$bottles/one-aaaaa/agent.log"
	jq '.state = "stopped"' "$bottles/one-aaaaa/record.json" >"$bottles/one-aaaaa/new"
	mv "$bottles/one-aaaaa/new" "$bottles/one-aaaaa/record.json"
	wait $follower
	[ "$(cat "$dir/out")" = $'first\nsecond' ]
}

@test "cp needs one side in a bottle, and one that runs" {
	make_bottle one-aaaaa
	run --separate-stderr "$bottle" cp a b
	[ "$status" -eq 2 ]
	run --separate-stderr "$bottle" cp one-aaaaa:a one-aaaaa:b
	[ "$status" -eq 2 ]
	run --separate-stderr "$bottle" cp one-aaaaa:a "$dir/a"
	[ "$status" -eq 1 ]
	[[ $stderr == *"is not running"* ]]
}

@test "completion offers the bottles that a verb can take" {
	make_bottle done-aaaaa
	make_bottle runs-bbbbb "$(alive)"
	make_bottle begins-ccccc "$(alive) | .state = \"starting\""
	make_bottle ends-ddddd "$(alive) | .state = \"stopping\""
	make_bottle dead-eeeee "$dead"
	make_bottle broken-fffff '.schema = 2'
	offered() {
		run "$bottle" complete words -- "$1" ""
		[ "$(tr '\n' ' ' <<<"$output")" = "$2" ] || { echo "$1: $output"; return 1; }
	}
	for verb in exec attach; do
		offered $verb "runs-bbbbb "
	done
	offered cp ":file runs-bbbbb: "
	offered stop "begins-ccccc ends-ddddd runs-bbbbb "
	for verb in resume rm; do
		offered $verb "done-aaaaa "
	done
	# What looks at any bottle is offered all of them (control).
	for verb in info logs audit diff export cleanup; do
		offered $verb "begins-ccccc broken-fffff dead-eeeee done-aaaaa ends-ddddd runs-bbbbb "
	done
}

@test "completion of cp offers files, and bottles with a colon" {
	make_bottle one-aaaaa "$(alive)"
	run --separate-stderr "$bottle" complete words -- cp ""
	[ "$output" = $':file\none-aaaaa:' ]
	: >"$dir/other"
	run --separate-stderr bash -c 'cd "$1" && PATH=$2:$PATH && source <(bottle completion bash)
		compopt() { :; }
		COMP_WORDS=(bottle cp o) COMP_CWORD=2; _bottle; echo "${COMPREPLY[@]}"
		COMP_WORDS=(bottle cp other) COMP_CWORD=2; _bottle; echo "${COMPREPLY[@]}"' - "$dir" "${bottle%/*}"
	[ "$output" = $'other one-aaaaa:\nother' ]
}
