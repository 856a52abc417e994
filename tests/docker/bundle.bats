#!/usr/bin/env bats
load helper
setup_file() { docker_up; }
teardown_file() { docker_down; }
setup() { docker_setup; }
teardown() { docker_teardown; }

@test "a bottle reaches its route through the container, with the credential, and nothing else" {
	up --bottle web -- sh -c 'curl -sS -m 60 http://origin.test:8000/through; curl -s -m 60 -o /dev/null -w "%{http_code}\n" http://other.test/'
	expect_status 0
	[ "$out" = $'origin /through\n403' ]
	[ "$(cat "$DK/origin")" = "Bearer $TOKEN_VALUE" ]
	nothing_left
	# What was decided in the container stands in the keeper's log, to the last line, and verifies.
	slug=$(ls "$BOTTLES")
	[ "$(grep -c '"kind":"egress"' "$BOTTLES/$slug/audit.jsonl")" -ge 2 ]
	grep '"host":"other.test"' "$BOTTLES/$slug/audit.jsonl" | grep -q '"verdict":"deny"'
	run_split bottle audit --verify "$slug"
	expect_status 0
}

@test "large bodies and many connections pass whole" {
	head -c 3000000 /dev/urandom >body
	up --bottle web -- sh -c '
		for i in 1 2 3 4 5 6 7 8; do
			curl -sS -m 60 --data-binary @body http://origin.test:8000/echo | cmp - body && echo same &
		done; wait'
	expect_status 0
	[ "$(grep -c same <<<"$out")" -eq 8 ]
}

@test "a stopped bottle is resumed with a new container" {
	up_detached
	first=$(docker inspect -f '{{.Id}}' "$container")
	run_split bottle stop "$slug"
	expect_status 0
	wait_for nothing_left
	run_split bottle resume --detach "$slug"
	expect_status 0
	[ "$(docker inspect -f '{{.Id}}' "$container")" != "$first" ]
	run_split bottle exec "$slug" -- curl -sS -m 60 http://origin.test:8000/again
	[ "$out" = "origin /again" ]
}

@test "somebody who is not root, and of docker's group, has the same" {
	chgrp 65001 "$DK/d.sock" && chmod 660 "$DK/d.sock"
	chown -R 65000:65000 "$PLACE"
	AS+=(setpriv --reuid 65000 --regid 65000 --groups 65001)
	up --bottle web -- curl -sS -m 60 http://origin.test:8000/as-a-user
	expect_status 0
	[ "$out" = "origin /as-a-user" ]
	nothing_left
}

# ---- attacks ----

@test "whoever dials the published port without the token gets no byte" {
	up_detached
	[ "$(published "$container")" = 127.0.0.16 ]
	for bytes in "" 00 "$(printf '00%.0s' {1..33})" "$(printf 'ff%.0s' {1..33})"; do
		[ "$(inside python3 "$BATS_TEST_DIRNAME/dial.py" 127.0.0.16 9099 "$bytes")" = closed ]
	done
	# Also on the container's own address, past what docker publishes.
	address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$container")
	[ "$(inside python3 "$BATS_TEST_DIRNAME/dial.py" "$address" 9099 "$(printf '00%.0s' {1..33})")" = closed ]
	# The control: with the token, by way of the bottle, the same words are answered.
	run_split bottle exec "$slug" -- curl -sS -m 60 http://127.0.0.1:9099/.well-known/bot-bottle
	[[ $out == *origin.test* ]]
	wait_for grep -q "was closed at the bundle's port" "$BOTTLES/$slug/keeper.log"
}

# strangers COUNT: they dial the published port, say nothing, and stay until descriptor 8 closes.
strangers() {
	mkfifo "$PLACE/hold"
	inside python3 -c '
import socket, sys
held = [socket.create_connection(("127.0.0.16", 9099)) for _ in range(int(sys.argv[1]))]
print("held", flush=True)
sys.stdin.read()' "$1" <"$PLACE/hold" >"$PLACE/held" 3>&- &
	exec 8>"$PLACE/hold"
	wait_for grep -q held "$PLACE/held"
}

@test "strangers that stay do not keep the bottle out" {
	up_detached
	strangers 200
	run_split bottle exec "$slug" -- curl -sS -m 60 http://origin.test:8000/still
	exec 8>&-
	expect_status 0
	[ "$out" = "origin /still" ]
}

# drop RULE...: a rule of the firewall of dockerd's own namespace resets these packets to the container.
drop() {
	address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$container")
	dropped=(OUTPUT -p tcp -d "$address" --dport 9099 "$@" -j REJECT --reject-with tcp-reset)
	firewall -I "${dropped[@]}"
}

@test "a dial that is dropped on its way is made again, and nothing of the bottle's is lost" {
	# The first ones at once; then the first ones with the token under way.
	for packets in "--syn -m quota --quota 250" "-m length --length 85 -m quota --quota 300"; do
		up_detached
		# shellcheck disable=SC2086
		drop $packets
		run_split bottle exec "$slug" -- curl -sS -m 60 -d once http://origin.test:8000/echo
		expect_status 0
		[ "$out" = once ]
		# The rule was in the way.
		[ "$(firewall -nvxL OUTPUT | awk '/reject-with tcp-reset/ {print $1}')" -ge 3 ]
		firewall -D "${dropped[@]}"
		dropped=()
		run_split bottle stop "$slug"
	done
}

@test "a dial that is dropped each time is told, and its bottle gets an end" {
	up_detached
	drop --syn
	run_split bottle exec "$slug" -- curl -sS -m 60 http://origin.test:8000/
	[ "$status" -ne 0 ]
	[[ $err == curl:* ]]
	wait_for grep -q "did not get into the sidecars' container" "$BOTTLES/$slug/keeper.log"
}

@test "whoever takes the place of docker's own proxy gets no token, and the bottle does without it" {
	up_detached
	read -rd '' -a children < <(cat "/proc/$(cat "$DK/docker.pid")"/task/*/children) || true
	for pid in "${children[@]}"; do
		grep -qz '^127\.0\.0\.16$' "/proc/$pid/cmdline" || continue
		kill -9 "$pid"
		wait_for gone "$pid"
	done
	nsenter -t "$(cat "$DK/docker.pid")" -n python3 -c '
import socket
with socket.create_server(("127.0.0.16", 9099)) as listener:
    print("ready", flush=True)
    visitor, _ = listener.accept()
    print("got", visitor.recv(100).hex(), flush=True)' >"$PLACE/thief" 3>&- &
	thief=$!
	wait_for grep -q ready "$PLACE/thief"
	run_split bottle exec "$slug" -- curl -sS -m 60 http://origin.test:8000/direct
	[ "$out" = "origin /direct" ]
	[ "$(cat "$PLACE/thief")" = ready ]
	# The control: what is dialled there, the thief has.
	inside python3 "$BATS_TEST_DIRNAME/dial.py" 127.0.0.16 9099 0102
	grep -q "got 0102" "$PLACE/thief"
	wait "$thief"
}

@test "a bridge that is not on this host is refused, with what to do" {
	[ -z "$(docker network ls -q --filter name=bot-bottle-bundle)" ]
	# As with a docker in a virtual machine: its bridges are elsewhere.
	AS=(unshare -n)
	up --bottle web -- true
	expect_status 125
	[[ $err == *"bridge with the address 192.168."*"not on this host"*"--bundle embedded"* ]]
	nothing_left
}

@test "a body that its origin cuts is cut here too" {
	up --bottle web -- sh -c 'curl -0 -sS -m 60 -o /dev/null http://origin.test:8000/cut; echo "cut $?"
		curl -0 -sS -m 60 -o /dev/null http://origin.test:8000/whole; echo "whole $?"'
	expect_status 0
	[ "$out" = $'cut 56\nwhole 0' ] || { echo "$out $err"; return 1; }
}

# In the bottle: COUNT requests one after another, until one is not answered for 10 seconds. Prints
# how many were answered.
many='
import http.client, sys
proxy, answered = http.client.HTTPConnection("127.0.0.1", 9099, timeout=10), 0
try:
    for i in range(int(sys.argv[1])):
        proxy.request("GET", "http://origin.test:8000/" + "x" * 4000)
        proxy.getresponse().read()
        answered += 1
except OSError:
    pass
print(answered)'

@test "a keeper that is not told of requests any more has them stop" {
	config '{"limits": {"audit_queue": 16}}'
	up_detached
	for child in $(children "$keeper"); do
		if grep -qz '^attach$' "/proc/$child/cmdline"; then carrier=$child; fi
	done
	kill -STOP "$carrier"
	run_split bottle exec "$slug" -- python3 -c "$many" 4000
	kill -CONT "$carrier"
	expect_status 0
	echo "answered: $out"
	[ "$out" -lt 4000 ]
	# The control: heard of, they go on, and none is lost of those that were waiting.
	before=$out
	run_split bottle exec "$slug" -- python3 -c "$many" 4000
	[ "$out" -eq 4000 ]
	run_split bottle stop "$slug"
	[ "$(grep -c '"verdict":"allow"' "$BOTTLES/$slug/audit.jsonl")" -ge $((before + 4000)) ]
	run_split bottle audit --verify "$slug"
	expect_status 0
}

@test "no secret is in inspect, environment, arguments, logs or files" {
	up_detached
	bottle_pids=$(docker top "$container" -o pid | tail -n +2)
	[ -n "$bottle_pids" ]
	[ -z "$(docker inspect "$container" | grep -F "$TOKEN_VALUE")" ]
	[ -z "$(docker logs "$container" 2>&1 | grep -F "$TOKEN_VALUE")" ]
	docker inspect "$container" | jq -e '.[0].Config.Env | length <= 1' >/dev/null
	unset ORIGIN_TOKEN
	for pid in $bottle_pids "$keeper" $(children "$keeper"); do
		[ -z "$(grep -asF "$TOKEN_VALUE" "/proc/$pid/environ" "/proc/$pid/cmdline")" ]
	done
	[ -z "$(grep -rlsF "$TOKEN_VALUE" "$DK/lib/containers" "$DK/lib/image" "$DK/exec" "$HOME/.local")" ]
	# The control: the value is in use.
	run_split bottle exec "$slug" -- curl -sS -m 60 http://origin.test:8000/
	grep -qF "$TOKEN_VALUE" "$DK/origin"
}

@test "the container is left nothing that it does not need" {
	up_detached
	docker inspect "$container" | jq -e '.[0].HostConfig | .ReadonlyRootfs and .CapDrop == ["ALL"] and
		.SecurityOpt == ["no-new-privileges"] and .PidsLimit == 16 and .Memory > 0 and (.Privileged | not) and
		.Binds == null and .LogConfig.Type == "none"' >/dev/null
	for pid in $(docker top "$container" -o pid | tail -n +2); do
		grep -qE $'^Uid:\t65532\t65532' "/proc/$pid/status"
		grep -q $'^CapBnd:\t0000000000000000' "/proc/$pid/status"
		grep -q $'^NoNewPrivs:\t1' "/proc/$pid/status"
		# Docker's filter, and our two on top.
		[ "$(sed -n 's/^Seccomp_filters:\t//p' "/proc/$pid/status")" -ge 3 ]
	done
	[ -z "$(docker diff "$container" | grep -v '^[AC] /\(etc\|dev\|proc\|sys\|\.dockerenv\)')" ]
}

@test "two bottles have two addresses and two networks" {
	up_detached
	one=$container
	up_detached
	[ "$(published "$one")" = 127.0.0.16 ]
	[ "$(published "$container")" = 127.0.0.17 ]
	networks=$(docker inspect -f '{{.HostConfig.NetworkMode}}' "$one" "$container" | sort -u | wc -l)
	[ "$networks" -eq 2 ]
	# No container reaches the other: nothing on the way, and no token.
	run docker exec "$one" /bin/sh -c true
	[ "$status" -ne 0 ]
}

# ---- ends ----

@test "a killed container takes the bottle down" {
	up_detached
	docker kill "$container" >/dev/null
	wait_for gone "$keeper"
	state_is stopped
	grep -q '"kind":"sidecar-died"' "$BOTTLES/$slug/audit.jsonl"
	wait_for nothing_left
}

@test "a stop of docker's is passed on: the gateway ends by itself, with all that it had to say" {
	up_detached
	run_split bottle exec "$slug" -- curl -s -m 60 -o /dev/null -w "%{http_code}" http://other.test/last
	[ "$out" = 403 ]
	# Where it is not passed on, docker waits for longer than we do. That the container is removed meanwhile is as good.
	timeout 60 docker stop -t 600 "$container" >/dev/null 2>&1 || [ $? -ne 124 ]
	wait_for gone "$keeper"
	grep -q '"path":"/last"' "$BOTTLES/$slug/audit.jsonl"
	run_split bottle audit --verify "$slug"
	expect_status 0
	wait_for nothing_left
}

@test "the container's first process takes in what ends in it" {
	up_detached
	first=$(docker inspect -f '{{.State.Pid}}' "$container")
	nsenter -t "$first" -p sh -c '(sleep 1000 >/dev/null 2>&1 3>&- 4>&- &)'
	orphan=$(for p in $(children "$first"); do grep -qsa sleep "/proc/$p/cmdline" && echo "$p"; done; true)
	[ -n "$orphan" ]
	kill -9 "$orphan"
	wait_for [ ! -e "/proc/$orphan" ]
	run_split bottle exec "$slug" -- curl -sS -m 60 http://origin.test:8000/still
	[ "$out" = "origin /still" ]
}

@test "a killed docker client takes the bottle down" {
	up_detached
	client=$(for p in $(children "$keeper"); do grep -qsa attach "/proc/$p/cmdline" && echo "$p"; done; true)
	kill -9 "$client"
	wait_for gone "$keeper"
	wait_for nothing_left
}

@test "a killed keeper leaves a container that ends by itself, and cleanup frees the rest" {
	up_detached
	kill -9 "$keeper"
	wait_for gone "$keeper"
	no_container() { [ -z "$(docker ps -aq --filter "name=$container")" ]; }
	wait_for no_container
	[ -n "$(docker network ls -q --filter name=bot-bottle-bundle)" ]
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	nothing_left
}

@test "a container that was left behind is removed by cleanup" {
	up_detached
	image=$(docker inspect -f '{{.Config.Image}}' "$container")
	kill -9 "$keeper"
	wait_for gone "$keeper"
	gone_from_docker() { ! docker inspect "$container" >/dev/null 2>&1; }
	wait_for gone_from_docker
	docker create --name "$container" "$image" /bin/bottle-relay >/dev/null
	run_split bottle cleanup --yes "$slug"
	expect_status 0
	nothing_left
	run_split bottle rm "$slug"
	expect_status 0
}

# ---- addresses ----

@test "an address that a container publishes is not leased, whoever's bottle it is" {
	up --bottle web -- true	# makes the image
	expect_status 0
	image=$(docker images -q bot-bottle-sidecars | head -n 1)
	docker run -di --name bot-bottle-sidecars-elsewhere-11111 -p 127.0.0.16:9099:9099 "$image" /bin/bottle-relay inside >/dev/null
	docker run -di --name not-bot-bottle-sidecars-x -p 127.0.0.17:9098:9098 "$image" /bin/bottle-relay inside >/dev/null
	up_detached
	[ "$(published "$container")" = 127.0.0.17 ]
	docker rm -f not-bot-bottle-sidecars-x >/dev/null
}

@test "an address where somebody else listens is passed over, and no container is left of the attempt" {
	mkfifo "$PLACE/hold"
	inside python3 -c '
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.16", 9099)); s.listen()
print("listens", flush=True)
sys.stdin.read()' <"$PLACE/hold" >"$PLACE/listens" 3>&- &
	exec 8>"$PLACE/hold"
	wait_for grep -q listens "$PLACE/listens"
	up_detached
	exec 8>&-
	[ "$(published "$container")" = 127.0.0.17 ]
	[ "$(docker ps -aq --filter name=bot-bottle-sidecars | wc -l)" -eq 1 ]
}

@test "no address left: the count, the holder and the remedy" {
	config '{"leases": {"last": "127.0.0.16"}}'
	up_detached
	up --bottle web -- true
	expect_status 125
	[[ $err == *"all 1 loopback"*"leases.last"*"127.0.0.16 $slug"* ]] || { echo "$err"; return 1; }
	[ "$(docker ps -aq --filter name=bot-bottle-sidecars | wc -l)" -eq 1 ]
	bottle stop "$slug"
	wait_for nothing_left
	up --bottle web -- true
	expect_status 0
}

@test "a network that overlaps is passed over" {
	up_detached
	network=$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "bot-bottle-bundle-$slug")
	[[ $network == 192.168.*.0/24 ]]
	bottle stop "$slug"
	wait_for nothing_left
	docker network create --subnet "$network" in-the-way >/dev/null
	run_split bottle resume --detach "$slug"
	other=$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "bot-bottle-bundle-$slug")
	bottle stop "$slug"
	wait_for nothing_left
	docker network rm in-the-way >/dev/null
	expect_status 0
	[ "$other" != "$network" ]
}
