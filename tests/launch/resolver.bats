#!/usr/bin/env bats
# What the gateway is told of the host's resolv.conf and hosts, and of their changes.
load helper

# This case's alone: the servers of the last one end a moment after it, and those of another run are there meanwhile.
NET=127.$((64 + $$ / 250 % 64)).$(($$ % 250))
SERVERS=("$NET.61" "$NET.62" "$NET.63") WEBS=("$NET.64" "$NET.65")

# An /etc of the keeper's own, whose resolv.conf is a link; in $PLACE/etc and $PLACE/run.
own_etc() {
	[ "$(id -u)" -eq 0 ] || skip "mounts an /etc of its own"
	cp -a /etc "$PLACE/etc"
	chmod 755 "$PLACE" "$PLACE/etc"
	mkdir "$PLACE/run"
	ln -sfn "$PLACE/run/resolv.conf" "$PLACE/etc/resolv.conf" || skip "this /etc/resolv.conf is no file that can be copied"
	printf -- '---\negress: {routes: [{host: "*.wild.test", wildcard: true, plain: true, allow_private: true}, {host: named.test, plain: true, allow_private: true}]}\n---\n' \
		>"$HOME/.bot-bottle/bottles/web.md"
}
in_own_etc() { run_split unshare -m sh -c 'mount --bind "$0" /etc && exec "$@"' "$PLACE/etc" "$@"; }

# Name servers that answer nothing, and say who of them was asked in $PLACE/asked; http at WEBS.
# They end with the place.
serve() {
	python3 - "$PLACE" ${#SERVERS[@]} "${SERVERS[@]}" "${WEBS[@]}" <<'PY' 3>&- &
import os, select, socket, sys
place, count, *addresses = sys.argv[1:]
names, webs = [], []
for address in addresses[:int(count)]:
    names.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    names[-1].bind((address, 53))
for address in addresses[int(count):]:
    webs.append(socket.create_server((address, 80)))
open(place + "/serves", "w").close()
while os.path.exists(place):
    for ready in select.select(names + webs, [], [], 0.5)[0]:
        address = ready.getsockname()[0]
        if ready in names:
            ready.recvfrom(2048)
            with open(place + "/asked", "a") as f:
                f.write(address + "\n")
            continue
        with ready.accept()[0] as one:
            one.recv(65536)
            one.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(address) + address.encode())
PY
	wait_for [ -e "$PLACE/serves" ]
}
fetch() { timeout "$((${2:-1} * 5))" bottle exec "$slug" -- curl -s -m "${2:-1}" "http://$1/" </dev/null; }
replace() { cat >"$1.new" && mv "$1.new" "$1"; }

asks() {
	fetch "n$((++asked)).wild.test" >/dev/null || true
	grep -qx "$1" "$PLACE/asked"
}

@test "a resolv.conf that is a link is followed each time that what it leads to is replaced, and the link too" {
	own_etc
	serve
	asked=0
	echo "nameserver ${SERVERS[0]}" | replace "$PLACE/run/resolv.conf"
	in_own_etc bottle start --yes --detach --bottle web -- sleep 1000
	expect_status 0
	slug=$out
	wait_for asks "${SERVERS[0]}" # control
	for i in 1 2 0; do
		rm "$PLACE/asked"
		echo "nameserver ${SERVERS[i]}" | replace "$PLACE/run/resolv.conf"
		wait_for asks "${SERVERS[i]}"
	done
	mkdir "$PLACE/other"
	for i in 1 2; do
		rm "$PLACE/asked"
		echo "nameserver ${SERVERS[i]}" | replace "$PLACE/other/resolv.conf"
		ln -sfn "$PLACE/other/resolv.conf" "$PLACE/etc/link" && mv -T "$PLACE/etc/link" "$PLACE/etc/resolv.conf"
		wait_for asks "${SERVERS[i]}"
	done
	# Its directory goes and comes back, as with a service that is started anew; until then nothing is forgotten.
	rm -r "$PLACE/other" "$PLACE/asked"
	wait_for asks "${SERVERS[2]}"
	mkdir "$PLACE/other"
	echo "nameserver ${SERVERS[0]}" | replace "$PLACE/other/resolv.conf"
	wait_for asks "${SERVERS[0]}"
}

# blocklist KIB: lines that no route has to do with
blocklist() { yes '0.0.0.0 ads.example tracker.example' | head -c "$(($1 * 1024))"; echo; }
answers() { [ "$(fetch named.test 10)" = "$1" ]; }

@test "a big hosts file is obeyed at launch, and when it is replaced; so is a small one (control)" {
	own_etc
	serve
	echo "nameserver ${SERVERS[0]}" | replace "$PLACE/run/resolv.conf"
	{ blocklist 5000; echo "${WEBS[0]} other named.test"; } | replace "$PLACE/etc/hosts"
	in_own_etc bottle start --yes --detach --bottle web -- sleep 1000
	expect_status 0
	slug=$out
	answers "${WEBS[0]}"
	{ blocklist 100; echo "${WEBS[1]} named.test"; } | replace "$PLACE/etc/hosts"
	wait_for answers "${WEBS[1]}"
	echo "${WEBS[0]} named.test" | replace "$PLACE/etc/hosts"
	wait_for answers "${WEBS[0]}"
	rm "$PLACE/etc/hosts" # nothing is known by it then
	echo "nameserver ${SERVERS[1]}" | replace "$PLACE/run/resolv.conf"
	asks_named() { fetch named.test >/dev/null; grep -qx "${SERVERS[1]}" "$PLACE/asked"; }
	wait_for asks_named
}

@test "a hosts file of which too much is for routes stops a launch by name, and holds up no change of resolv.conf" {
	own_etc
	serve
	asked=0
	echo "nameserver ${SERVERS[0]}" | replace "$PLACE/run/resolv.conf"
	for i in $(seq 4000); do echo "${WEBS[0]} name-$i.wild.test"; done | replace "$PLACE/etc/hosts"
	in_own_etc bottle start --yes --rm --bottle web -- true
	expect_status 125
	[[ $err == *"/etc/hosts"*"limit is 61440"* ]]
	echo "${WEBS[0]} named.test" >"$PLACE/etc/hosts"
	in_own_etc bottle start --yes --detach --bottle web -- sleep 1000
	expect_status 0
	slug=$out
	for i in $(seq 4000); do echo "${WEBS[0]} name-$i.wild.test"; done | replace "$PLACE/etc/hosts"
	echo "nameserver ${SERVERS[1]}" | replace "$PLACE/run/resolv.conf"
	wait_for asks "${SERVERS[1]}"
	answers "${WEBS[0]}" # as it was before
	grep -q "/etc/hosts is not passed on.*limit is 61440" "$BOTTLES/$slug/keeper.log"
}
