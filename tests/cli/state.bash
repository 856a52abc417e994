# A private state directory with bottles in it, whose records are written by hand.

state_up() {
	bottle=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin/bottle
	dir=$(mktemp -d "$BATS_TMPDIR/state.XXXXXX")
	export HOME=$dir XDG_STATE_HOME= XDG_CACHE_HOME= XDG_CONFIG_HOME= XDG_RUNTIME_DIR= RUNTIME_DIRECTORY=
	state=$dir/.local/state/bot-bottle
	bottles=$state/bottles
	(umask 077 && mkdir -p "$bottles" "$state/run")
	work=$dir/work
	mkdir "$work"
}

state_down() { rm -rf "$dir"; }

# make_bottle SLUG [jq program that changes its record]
make_bottle() {
	mkdir -m 700 "$bottles/$1"
	mkdir -p "$bottles/$1/workspace/upper" "$bottles/$1/workspace/work" "$bottles/$1/home"
	jq -n --arg slug "$1" --arg work "$work" '{
		schema: 1, slug: $slug, label: null, agent: "reviewer", bottles: ["base", "dev"],
		backend: "namespace", bundle: "embedded", workspace: $work, workspace_mode: "copy",
		workspace_exclude: [], plan: {}, state: "stopped", keeper_pid: 0, keeper_start: 0,
		created_ms: 1700000000000, ended_ms: 1700000001000, exit_status: 3, resources: [],
		audit_count: 0, audit_head: "", refused: 2, proof: null, limits_not_enforced: ["memory"],
		remove_at_end: false } | '"${2:-.}" >"$bottles/$1/record.json"
}

# A record whose keeper is this test, or one that is gone.
alive() {
	local stat
	stat=$(cat /proc/$$/stat)
	read -ra stat <<<"${stat##*)}"
	echo ".state = \"running\" | .ended_ms = 0 | .exit_status = -1 | .keeper_pid = $$ | .keeper_start = ${stat[19]}"
}
dead='.state = "running" | .ended_ms = 0 | .exit_status = -1 | .keeper_pid = 999999999 | .keeper_start = 1'

upper() { echo "$bottles/$1/workspace/upper"; }
field() { jq -r "$2" "$bottles/$1/record.json"; }
