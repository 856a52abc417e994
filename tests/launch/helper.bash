# Real bottles, each case with places of its own.
setup() {
	PLACE=$(mktemp -d /tmp/launch.XXXXXX)
	AS=()
	BUILD=${BUILD:-$BATS_TEST_DIRNAME/../../build}
	mkdir -p "$PLACE/home/.bot-bottle/bottles" "$PLACE/work"
	export HOME=$PLACE/home PATH=$BUILD/bin:/usr/local/bin:/usr/bin:/bin BOT_BOTTLE_BACKEND=namespace
	unset XDG_STATE_HOME XDG_CACHE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR RUNTIME_DIRECTORY
	BOTTLES=$HOME/.local/state/bot-bottle/bottles
	cd "$PLACE/work" || return 1
	echo first >a.txt
}

teardown() {
	local bottle left=0
	for bottle in "$BOTTLES"/*; do
		"${AS[@]}" bottle stop "${bottle##*/}" 2>/dev/null || end_keeper "$bottle/record.json" || left=1
	done
	cd /
	# An overlay leaves directories that are closed to their own owner.
	chmod -R u+rwx "$PLACE" 2>/dev/null || true
	rm -rf "$PLACE"
	return $left
}

# A keeper that stop could not reach, and that runs: it is ended, and its case has failed.
end_keeper() {
	local pid start
	read -r pid start < <(jq -r '"\(.keeper_pid) \(.keeper_start)"' "$1" 2>/dev/null) || return 0
	gone "$pid" && return 0
	[ "$(cut -d " " -f 22 "/proc/$pid/stat" 2>/dev/null)" = "$start" ] || return 0
	kill -9 "$pid"
	echo "left running: the keeper of $1"
	return 1
}

# The same case as somebody who is not root. Called first in a test; skips where it is so already.
as_ordinary_user() {
	[ "$(id -u)" -eq 0 ] || skip "is an ordinary user already"
	chown -R 65000:65000 "$PLACE"
	AS=(setpriv --reuid 65000 --regid 65000 --clear-groups)
}

# run_split CMD...: $status, $out, $err
run_split() {
	status=0
	"${AS[@]}" "$@" >"$PLACE/out" 2>"$PLACE/err" </dev/null || status=$?
	out=$(cat "$PLACE/out")
	err=$(cat "$PLACE/err")
}

start() { run_split bottle start --yes "$@"; }
expect_status() { [ "$status" -eq "$1" ] || { echo "status $status, not $1: $out $err"; return 1; }; }

# wait_for CMD...: until it succeeds, at most a minute, for a busy machine
wait_for() {
	local end=$((SECONDS + 60))
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "waited in vain: $*"; return 1; }
		read -rt 0.05 <> <(:) || true
	done
}

detached() {
	start --detach -- "$@"
	expect_status 0
	slug=$out
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
}
children() { cat "/proc/$1/task/$1/children"; }
# A process that nobody has waited for is gone too: not every container's first process does that.
gone() { ! grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"; }
listed_as() { [ "$(bottle ls --json | jq -r '.[0].state')" = "$1" ]; }
state_is() { [ "$(jq -r .state "$BOTTLES/$slug/record.json")" = "$1" ]; }
