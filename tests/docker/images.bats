#!/usr/bin/env bats
# A machine's image out of a real dockerd: built from nothing, since no registry is reachable here,
# and saved. The machine behind it is the double of smolvm.
load helper
setup_file() { docker_up; }
teardown_file() { docker_down; }

setup() {
	[ ! -e "$BATS_FILE_TMPDIR/why" ] || skip "$(cat "$BATS_FILE_TMPDIR/why")"
	DK=$(cat "$BATS_FILE_TMPDIR/dk")
	export DOCKER_HOST=unix://$DK/d.sock
	top=$(mktemp -d /tmp/bot-bottle-built.XXXXXX)
	chmod 755 "$top"
	mkdir -p "$top"/{home/.bot-bottle/bottles,state,work,cache,context,prefix/bin}
	"$BATS_TEST_DIRNAME/../fakes/lay-out" "$top/smolvm"
	cp "$BUILD/tests/fakes/doubled/bottle" "$top/prefix/bin/bottle"
	ln -s "$BUILD/libexec" "$BUILD/share" "$top/prefix/"
	echo "made of $RANDOM" >"$top/context/content"
	printf 'FROM scratch\nCOPY content /etc/made-of\nUSER 1000\n' >"$top/context/Dockerfile"
}

teardown() {
	[ -n "${top:-}" ] || return 0
	docker image ls -q --filter reference=bot-bottle-image | xargs -r docker image rm -f >/dev/null
	rm -rf "$top"
}

# IMAGE
start() {
	printf -- '---\nimage: "%s"\nresources: {cpus: 1, memory_mib: 512, disk_gib: 1}\nenv: {HIDDEN: "${SECRET_OF_THE_HOST}"}\n---\n' "$1" \
		>"$top/home/.bot-bottle/bottles/m.md"
	rm -rf "$top/state/bot-bottle"
	run env -i -C "$top/work" HOME="$top/home" PATH="$top/smolvm:$PATH" XDG_STATE_HOME="$top/state" XDG_RUNTIME_DIR="$top/state" \
		XDG_CACHE_HOME="$top/cache" DOCKER_HOST="$DOCKER_HOST" SECRET_OF_THE_HOST=secret-4711-secret \
		timeout 120 "$top/prefix/bin/bottle" start --backend smolmachines --bottle m --headless --yes -- sh -c 'echo it r""an'
}

ran() { [ "$status" -eq 0 ] && [[ "$output" == *"it ran"* ]] || { echo "$status: $output"; return 1; }; }
audited() { jq -r 'select(.kind == "image") | .details | .'"$1" "$top"/state/bot-bottle/bottles/*/audit.jsonl; }
content() { tar xOf "$top/cache/bot-bottle/images/$(audited sha256).tar" "$@"; }

@test "an image that docker has is saved once, and found by its id afterwards" {
	docker build -q -t agent:1 "$top/context" >/dev/null
	start docker-daemon:agent:1
	ran
	[ "$(audited from_cache)" = false ]
	# smolvm would run our own first command as the image's user.
	content config.json | jq -e '.config.User == null'
	layer=$(content manifest.json | jq -r '.[0].Layers[-1]')
	content "$layer" | tar xO etc/made-of | diff - "$top/context/content"
	start "docker-daemon:$(docker image inspect -f '{{.Id}}' agent:1)"
	ran
	[ "$(audited from_cache)" = true ]
	docker image rm -f agent:1 >/dev/null
}

@test "a Dockerfile is built; a second launch without a change builds nothing new" {
	start "dockerfile:$top/context/Dockerfile"
	ran
	[[ "$output" == *"docker: "*COPY* ]]
	first=$(audited sha256)
	start "dockerfile:$top/context/Dockerfile"
	ran
	[ "$(audited sha256)" = "$first" ] && [ "$(audited from_cache)" = true ]
	echo other >"$top/context/content"
	start "dockerfile:$top/context/Dockerfile"
	ran
	[ "$(audited sha256)" != "$first" ]
	# Nothing of ours is in what was built, or in how.
	docker image ls -q --filter reference=bot-bottle-image | xargs docker image inspect >"$top/inspected"
	docker history --no-trunc "$(docker image ls -q --filter reference=bot-bottle-image | head -1)" >>"$top/inspected"
	[ "$(grep -c 'secret-4711\|SECRET_OF_THE_HOST' "$top/inspected")" -eq 0 ]
}

@test "a build that fails, an image that is not there and a daemon that is not there are told apart" {
	printf 'FROM scratch\nCOPY gone /\n' >"$top/context/Dockerfile"
	start "dockerfile:$top/context/Dockerfile"
	[ "$status" -eq 125 ] && [[ "$output" == *"docker build"*"status 1"*gone* ]]
	start docker-daemon:no-such-image:1
	[ "$status" -eq 125 ] && [[ "$output" == *"docker has no image no-such-image:1"*"docker pull it"* ]]
	DOCKER_HOST=unix://$top/nobody.sock start docker-daemon:agent:1
	[ "$status" -eq 125 ] && [[ "$output" == *"no docker answers on unix://$top/nobody.sock"* ]]
	DOCKER_HOST=tcp://127.0.0.1:1 start docker-daemon:agent:1
	[ "$status" -eq 125 ] && [[ "$output" == *"only a local socket is used"* ]]
	[ -z "$(ls "$top/cache/bot-bottle/images")" ]
}
