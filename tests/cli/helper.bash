# Each case has a home and places of its own; nothing of the person's own is seen or touched.
setup() {
	PLACE=$(mktemp -d "${BATS_TEST_TMPDIR}/p.XXXXXX")
	mkdir -p "$PLACE/home" "$PLACE/bin" "$PLACE/work"
	export HOME=$PLACE/home
	export PATH=$PLACE/bin:$BUILD/bin:/usr/local/bin:/usr/bin:/bin
	unset XDG_STATE_HOME XDG_CACHE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR RUNTIME_DIRECTORY BOT_BOTTLE_BACKEND
	unset DOCKER_HOST NO_COLOR
	cd "$PLACE/work" || return 1
}

# run_split CMD...: $status, $out, $err
run_split() {
	status=0
	"$@" >"$PLACE/out" 2>"$PLACE/err" </dev/null || status=$?
	out=$(cat "$PLACE/out")
	err=$(cat "$PLACE/err")
}

expect_status() {
	[ "$status" -eq "$1" ] || { echo "status $status, not $1: $out $err"; return 1; }
}
