#!/usr/bin/env bats
load helper
setup_file() { docker_up; }
teardown_file() { docker_down; }
setup() { docker_setup; }
teardown() { docker_teardown; }

# A docker whose one command is another's: everything else is the real one.
docker_that() {
	mkdir "$PLACE/bin"
	real=$(command -v docker)
	printf '#!/bin/bash\nargs=()\nfor a in "$@"; do\n%s\ndone\nexec %s "${args[@]}"\n' "$1" "$real" >"$PLACE/bin/docker"
	chmod +x "$PLACE/bin/docker"
	PATH=$PLACE/bin:$PATH
}

no_bottle() { [ -z "$(ls "$BOTTLES" 2>/dev/null)" ]; }

@test "no docker program: it says so, and what to do" {
	mkdir "$PLACE/empty"
	for p in sh env jq; do ln -s "$(command -v $p)" "$PLACE/empty/$p"; done
	bottle=$(command -v bottle)
	status=0
	err=$(PATH=$PLACE/empty "$bottle" start --yes --bundle docker -- true 2>&1 </dev/null) || status=$?
	[ "$status" -eq 125 ]
	[[ $err == *docker* ]] || { echo "$err"; return 1; }
	no_bottle
}

@test "no socket, and one that nobody listens on" {
	DOCKER_HOST=unix://$PLACE/none.sock up --bottle web -- true
	expect_status 125
	[[ $err == *"$PLACE/none.sock"* && $err == *docker* ]] || { echo "$err"; return 1; }
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$PLACE/dead.sock"
	DOCKER_HOST=unix://$PLACE/dead.sock up --bottle web -- true
	expect_status 125
	[[ $err == *"$PLACE/dead.sock"* ]] || { echo "$err"; return 1; }
	no_bottle
	# The control.
	up --bottle web -- true
	expect_status 0
}

@test "a socket that is closed to the user names it, and the group docker" {
	chmod 600 "$DK/d.sock"
	chown -R 65000:65000 "$PLACE"
	AS+=(setpriv --reuid 65000 --regid 65000 --clear-groups)
	up --bottle web -- true
	expect_status 125
	[[ $err == *"$DK/d.sock"* && $err == *"group docker"* ]] || { echo "$err"; return 1; }
	no_bottle
}

@test "a daemon that never answers is given up, and named" {
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
print("listens", flush=True)
held = []
while True: held.append(s.accept())' "$PLACE/mute.sock" >"$PLACE/listens" 3>&- &
	mute=$!
	wait_for grep -q listens "$PLACE/listens"
	DOCKER_HOST=unix://$PLACE/mute.sock up --bottle web -- true
	kill "$mute"
	expect_status 125
	[[ $err == *"$PLACE/mute.sock"* && $err == *"in time"* && $err == *"group docker"* ]] || { echo "$err"; return 1; }
	no_bottle
}

@test "a remote docker is refused" {
	DOCKER_HOST=tcp://127.0.0.1:2375 up --bottle web -- true
	expect_status 125
	[[ $err == *tcp://127.0.0.1:2375* ]] || { echo "$err"; return 1; }
}

@test "docker says that it started and publishes nothing: refused, and nothing is left" {
	docker_that '[[ $a == --publish=* ]] || args+=("$a")'
	up --bottle web -- true
	expect_status 125
	[[ $err == *"publishes nothing"* ]] || { echo "$err"; return 1; }
	nothing_left
	no_bottle
}

@test "docker publishes somewhere else, or more than it was to: refused, and nothing is left" {
	docker_that '[[ $a == --publish=* ]] && a=--publish=127.0.0.99:9099:9099/tcp; args+=("$a")'
	up --bottle web -- true
	expect_status 125
	[[ $err == *"somewhere else"* ]] || { echo "$err"; return 1; }
	nothing_left
	rm -r "${PLACE:?}/bin"
	docker_that '[[ $a == --publish=* ]] && args+=(--publish=127.0.0.99:9099:9099/tcp); args+=("$a")'
	up --bottle web -- true
	expect_status 125
	[[ $err == *"publishes 2 ports"* ]] || { echo "$err"; return 1; }
	nothing_left
}

@test "a container that docker did not remove, whatever it says, stays in the record until it is gone" {
	docker_that '[ "$a" = --rm ] || args+=("$a"); if [ "$a" = rm ] && [ -e '"$PLACE"'/lies ]; then echo "Error: cannot kill it: not found" >&2; exit 1; fi'
	up_detached
	touch "$PLACE/lies"
	run_split bottle stop "$slug"
	[ "$(docker ps -aq --filter "name=$container" | wc -l)" -eq 1 ] # control: it is there
	jq -e 'any(.resources[]; .kind == "container")' "$BOTTLES/$slug/record.json"
	rm "$PLACE/lies"
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	nothing_left
	jq -e '.resources == []' "$BOTTLES/$slug/record.json"
}

@test "a network that is internal, so that its bindings are only written down, is refused" {
	docker_that 'args+=("$a"); [ "$a" != --driver=bridge ] || args+=(--internal)'
	up --bottle web -- true
	expect_status 125
	[[ $err == *"publishes nothing"* ]] || { echo "$err"; return 1; }
	nothing_left
}

@test "a container that is left a capability, root, or a root to write to does not become ready" {
	docker_that '[[ $a == --cap-drop=* ]] || args+=("$a")'
	up --bottle web -- true
	expect_status 125
	[[ $err == *capabilit* ]] || { echo "$err"; return 1; }
	nothing_left
	rm -r "${PLACE:?}/bin"
	docker_that '[[ $a == --read-only ]] || args+=("$a")'
	up --bottle web -- true
	expect_status 125
	[[ $err == *"can be written to"* ]] || { echo "$err"; return 1; }
	nothing_left
	rm -r "${PLACE:?}/bin"
	docker_that '[[ $a == --user=* ]] && a=--user=0:0; args+=("$a")'
	up --bottle web -- true
	expect_status 125
	[[ $err == *"as root"* ]] || { echo "$err"; return 1; }
	nothing_left
}

@test "a resolver on the host's loopback is refused, since the container has another" {
	config '{"resolver": ["127.0.0.1:5353"]}'
	up --bottle web -- true
	expect_status 125
	[[ $err == *"127.0.0.1:5353"* && $err == *embedded* ]] || { echo "$err"; return 1; }
	nothing_left
}
