# A real dockerd in a network and mount namespace of its own: the host's firewall, bridges and
# containers, if it has any, are not touched. One for all cases of a file.
load ../launch/helper
# The cases here have more to set up; what the helper does is kept under names of its own.
eval "launch_$(declare -f setup)"
eval "launch_$(declare -f teardown)"

docker_up() {
	[ "$(id -u)" -eq 0 ] || { echo "takes root, to start a dockerd" >"$BATS_FILE_TMPDIR/why"; return 0; }
	local program
	for program in docker dockerd iptables python3; do
		PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null && continue
		echo "no $program here; as root, make deps brings it" >"$BATS_FILE_TMPDIR/why"
		return 0
	done
	# A short name: socket paths are short.
	DK=$(mktemp -d /tmp/dk.XXXXXX)
	chmod 755 "$DK"
	echo "$DK" >"$BATS_FILE_TMPDIR/dk"
	PATH=$PATH:/usr/sbin:/sbin setsid unshare -n -m sh -c '
		ip link set lo up
		mount --make-rprivate /
		umount /sys/fs/cgroup/unified 2>/dev/null
		ip link add origin0 type bridge && ip address add 10.99.0.1/24 dev origin0 && ip link set origin0 up
		exec dockerd --data-root "$0/lib" --exec-root "$0/exec" --pidfile "$0/docker.pid" -H "unix://$0/d.sock"
	' "$DK" >"$DK/log" 2>&1 3>&- </dev/null &
	echo $! >"$DK/pid"
	# A busy machine takes its time; one that can't is told by dockerd's end.
	local end=$((SECONDS + 90))
	until docker -H "unix://$DK/d.sock" version >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { echo "dockerd does not answer: $(tail -n 3 "$DK/log")"; return 1; }
		if ! kill -0 "$(cat "$DK/pid")" 2>/dev/null; then
			echo "dockerd does not run here: $(tail -n 1 "$DK/log")" >"$BATS_FILE_TMPDIR/why"
			return 0
		fi
		read -rt 0.1 <> <(:) || true
	done
	# Not by inside(): that would be a shell's process, and the origin would outlive it.
	nsenter -t "$(cat "$DK/docker.pid")" -n python3 "$BATS_TEST_DIRNAME/origin.py" 10.99.0.1 8000 "$DK/origin" \
		>/dev/null 2>&1 3>&- 4>&- </dev/null &
	echo $! >"$DK/origin.pid"
	wait_for [ -e "$DK/origin" ]
}

docker_down() {
	[ -e "$BATS_FILE_TMPDIR/dk" ] || return 0
	DK=$(cat "$BATS_FILE_TMPDIR/dk")
	kill "$(cat "$DK/origin.pid")" 2>/dev/null || true
	kill "$(cat "$DK/docker.pid")" 2>/dev/null || true
	# Its last act; the process itself is waited for by whoever started it.
	# shellcheck disable=SC2317 # wait_for calls it
	ended() { [ ! -e "$DK/docker.pid" ]; }
	wait_for ended || kill -9 "$(cat "$DK/pid")"
	rm -rf "$DK"
}

firewall() { PATH=$PATH:/usr/sbin:/sbin inside iptables "$@"; }
inside() { nsenter -t "$(cat "$DK/docker.pid")" -n "$@"; }

docker_setup() {
	[ ! -e "$BATS_FILE_TMPDIR/why" ] || skip "$(cat "$BATS_FILE_TMPDIR/why")"
	launch_setup
	dropped=()
	DK=$(cat "$BATS_FILE_TMPDIR/dk")
	AS=(nsenter -t "$(cat "$DK/docker.pid")" -n)
	export DOCKER_HOST=unix://$DK/d.sock
	TOKEN_VALUE=sesame-$RANDOM$RANDOM$RANDOM
	export ORIGIN_TOKEN=$TOKEN_VALUE
	: >"$DK/origin"
	mkdir -p "$HOME/.config/bot-bottle"
	config '{}'
	cat >"$HOME/.bot-bottle/bottles/web.md" <<-END
		---
		egress:
		  routes:
		    - host: origin.test
		      port: 8000
		      plain: true
		      allow_private: true
		      auth: {scheme: bearer, token_ref: ORIGIN_TOKEN}
		---
	END
}

docker_teardown() {
	[ -n "${PLACE:-}" ] || return 0
	[ ${#dropped[@]} -eq 0 ] || firewall -D "${dropped[@]}"
	[ -z "${thief:-}" ] || kill "$thief" 2>/dev/null || true
	launch_teardown
	docker ps -aq --filter name=bot-bottle-sidecars | xargs -r docker rm -f >/dev/null
	docker network ls -q --filter name=bot-bottle-bundle | xargs -r docker network rm >/dev/null
}

# The host's configuration, with a name for the origin.
config() { jq '. + {hosts: {"origin.test": "10.99.0.1"}}' <<<"$1" >"$HOME/.config/bot-bottle/config.json"; }
up() { start --bundle docker "$@"; }
up_detached() {
	up --detach --bottle web -- sleep 1000
	expect_status 0
	slug=$out
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
	container=bot-bottle-sidecars-$slug
}
published() { docker inspect -f '{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}}{{end}}{{end}}' "$1"; }
nothing_left() {
	[ -z "$(docker ps -aq --filter name=bot-bottle-sidecars)" ] && [ -z "$(docker network ls -q --filter name=bot-bottle-bundle)" ]
}
