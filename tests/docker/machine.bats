#!/usr/bin/env bats
# The docker bundle around a machine: the sidecars in a container, the guest behind the double of
# smolvm (tests/fakes/smolvm), which runs its guest as processes in the cage.
load helper
setup_file() { docker_up; }
teardown_file() { docker_down; }
setup() {
	docker_setup
	chmod 755 "$PLACE"
	smolvm=$PLACE/smolvm
	mkdir -p "$smolvm"/{guest,lib,agent-rootfs} "$PLACE/prefix/bin"
	cp "$BUILD/tests/fakes/smolvm" "$smolvm/smolvm"
	cp "$BUILD/libexec/bot-bottle/bottle-guest" "$(command -v busybox)" "$smolvm/guest/"
	for name in sh id cat env ls wget sleep true; do ln -s busybox "$smolvm/guest/$name"; done
	cp "$BUILD/tests/fakes/doubled/bottle" "$PLACE/prefix/bin/bottle"
	ln -s "$BUILD/libexec" "$BUILD/share" "$PLACE/prefix/"
	PATH=$PLACE/prefix/bin:$smolvm:$PATH
	export BOT_BOTTLE_BACKEND=smolmachines
	sed -i 's/^---$/&\nresources: {cpus: 1, memory_mib: 512, disk_gib: 1}/;:a;n;ba' "$HOME/.bot-bottle/bottles/web.md"
}
teardown() { docker_teardown; }

@test "a machine reaches its route through the container, with the credential, and nothing else" {
	up --bottle web -- sh -c 'wget -qO- http://origin.test:8000/through; wget -qO- http://other.test/ && echo reached'
	[ "$out" = "origin /through" ] || { echo "$out $err"; return 1; }
	[ "$(cat "$DK/origin")" = "Bearer $TOKEN_VALUE" ]
	nothing_left
	slug=$(ls "$BOTTLES")
	grep -q '"place":"in the machine"' "$BOTTLES/$slug/audit.jsonl"
	grep '"host":"other.test"' "$BOTTLES/$slug/audit.jsonl" | grep -q '"verdict":"deny"'
}

@test "no secret is in docker's, the machine's or our own records" {
	up_detached
	run_split bottle exec "$slug" -- wget -qO- http://origin.test:8000/
	expect_status 0
	grep -qF "$TOKEN_VALUE" "$DK/origin"
	if docker inspect "$container" | grep -qF "$TOKEN_VALUE"; then return 1; fi
	if docker logs "$container" 2>&1 | grep -qF "$TOKEN_VALUE"; then return 1; fi
	unset ORIGIN_TOKEN
	if grep -aqsF "$TOKEN_VALUE" /proc/[0-9]*/cmdline; then return 1; fi
	if grep -raqsF "$TOKEN_VALUE" "$DK/lib/containers" "$DK/lib/image" "$DK/exec" "$HOME/.local"; then return 1; fi
}

@test "a container that is killed takes the machine down" {
	up_detached
	docker kill "$container" >/dev/null
	wait_for gone "$keeper"
	state_is stopped
	wait_for nothing_left
	[ ! -e "$BOTTLES/$slug/smolvm" ]
}
