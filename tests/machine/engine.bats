# Our reading of smolvm's database, on rows that the real smolvm of the pinned version writes: its
# `machine create` needs no KVM. Skipped, saying why, where the engine can't be had.

setup_file() {
	export ENGINE_TOP=
	if [ "$(uname -m)" != x86_64 ]; then
		export ENGINE_LACKS="the engine's package is for x86_64"
		return
	fi
	if ! cache=$("$BATS_TEST_DIRNAME/../vm/fetch" smolvm 2>&1); then
		ENGINE_LACKS="the real engine can't be fetched: $(tail -n 1 <<<"$cache")"
		export ENGINE_LACKS
		return
	fi
	cache=$(tail -n 1 <<<"$cache")
	# The engine gives up root only with the help of /dev/kvm: an ordinary user runs it, who can't
	# look into root's cache.
	ENGINE_TOP=$(mktemp -d "${TMPDIR:-/tmp}/engine.XXXXXX")
	chmod 755 "$ENGINE_TOP"
	cp -rl "$cache/smolvm" "$ENGINE_TOP/smolvm" 2>/dev/null || { rm -rf "$ENGINE_TOP/smolvm"; cp -r "$cache/smolvm" "$ENGINE_TOP/smolvm"; }
}

teardown_file() { [ -z "$ENGINE_TOP" ] || rm -rf "$ENGINE_TOP"; }

setup() {
	[ -n "$ENGINE_TOP" ] || skip "$ENGINE_LACKS"
	home=$(mktemp -d "$ENGINE_TOP/home.XXXXXX")
	chmod 755 "$home"
	[ "$(id -u)" != 0 ] || chown 65004:65004 "$home"
	db=$home/.local/share/smolvm/server/smolvm.db
	bottle=$BUILD/bin/bottle
}

teardown() { [ -z "${home:-}" ] || rm -rf "$home"; }

user() {
	if [ "$(id -u)" = 0 ]; then setpriv --reuid 65004 --regid 65004 --clear-groups "$@"; else "$@"; fi
}

smolvm() {
	local at=$ENGINE_TOP/smolvm
	user env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" SMOLVM_DATA_DIR="$home" SMOLVM_LIB_DIR="$at/lib" \
		LD_LIBRARY_PATH="$at/lib" SMOLVM_AGENT_ROOTFS="$at/agent-rootfs" "$at/smolvm-bin" "$@"
}

# The flags of the launch, for a bottle without an image.
create() {
	local backend=virtio-net
	[[ " $* " != *" --net-backend "* ]] || backend=
	smolvm machine create --name bot-bottle-m --net ${backend:+--net-backend $backend} -v /tmp:/bottle --cpus 1 --mem 512 \
		--storage 1 --overlay 1 "$@"
}

# [CHANGE]: asks the posture of the row, with what depends on the bottle changed by a jq program.
posture() {
	user "$BUILD/tests/machine/posture" "$db" bot-bottle-m "$(jq -c "${1:-.}" <<-'END'
		{"name":"bot-bottle-m","cpus":1,"mem":512,"storage_gb":1,"overlay_gb":1,"mounts":[["/tmp","/bottle",false]],
		 "env":[],"image":null,"entrypoint":[],"cmd":[],"workdir":null}
	END
	)"
}

row() { user sqlite3 "$db" "SELECT CAST(data AS TEXT) FROM vms WHERE name = 'bot-bottle-m'"; }

@test "the engine says the version that is supported" {
	[ "$(smolvm --version 2>/dev/null)" = "smolvm 1.8.1" ]
}

@test "the row of a machine that was created as the launch does it has the right posture" {
	create --allow-cidr 100.96.0.1/32
	[ "$(user sqlite3 "$db" "SELECT typeof(data) FROM vms")" = blob ]
	posture
	# Every field that the bottle decides is compared: each, changed, is a refusal.
	for change in '.name = "other"' '.cpus = 2' '.mem = 1024' '.storage_gb = 2' '.overlay_gb = 2' '.mounts = []' \
		'.env = [["A", "1"]]' '.image = "x"' '.entrypoint = ["x"]' '.cmd = ["x"]' '.workdir = "/x"'; do
		run posture "$change"
		echo "$change: $output"
		[ "$status" -eq 1 ]
	done
}

# What a flag of the engine opens, and the field that says so.
@test "every flag of the engine that opens something is seen in its row" {
	while IFS='|' read -r flags field; do
		rm -rf "$home/.local" "$home/.cache"
		# shellcheck disable=SC2086 # several words
		create $flags
		run posture
		echo "$flags: $output"
		[ "$status" -eq 1 ]
		[[ "$output" == *"$field"* ]]
	done <<-'TABLE'
		|allowed_cidrs
		--allow-cidr 0.0.0.0/0|allowed_cidrs
		--allow-cidr 100.96.0.1/32 --allow-cidr 10.0.0.0/8|allowed_cidrs
		--allow-cidr 100.96.0.1/32 -p 8080:80|ports
		--allow-cidr 100.96.0.1/32 -v /var/tmp:/more|mounts
		--allow-cidr 100.96.0.1/32 -e A=1|env
		--allow-cidr 100.96.0.1/32 --dns 1.1.1.1|dns
		--outbound-localhost-only|allowed_cidrs
		--allow-cidr 100.96.0.1/32 --ssh-agent|ssh_agent
		--allow-cidr 100.96.0.1/32 --docker-socket|docker_socket
		--allow-cidr 100.96.0.1/32 --gpu|gpu
		--allow-cidr 100.96.0.1/32 --cuda|cuda
		--allow-cidr 100.96.0.1/32 --init true|init
		--allow-cidr 100.96.0.1/32 -w /tmp|workdir
		--allow-cidr 100.96.0.1/32 --expose-socket /run/x|published_sockets
		--allow-cidr 100.96.0.1/32 --mount-socket /run/x:/run/x|published_sockets
		--allow-cidr 100.96.0.1/32 --secret-file A=/etc/hostname|secret
	TABLE
}

@test "enforce and verify agree with the engine's own row, and change nothing else in it" {
	create
	run user "$bottle" allowlist verify bot-bottle-m 100.96.0.1/32 --db "$db"
	[ "$status" -eq 1 ]
	[[ "$output" == *allowed_cidrs* ]]
	before=$(row)
	user "$bottle" allowlist enforce bot-bottle-m 100.96.0.1/32 --db "$db"
	user "$bottle" allowlist verify bot-bottle-m 100.96.0.1/32 --db "$db"
	[ "$(row | jq -c 'del(.allowed_cidrs)')" = "$(jq -c 'del(.allowed_cidrs)' <<<"$before")" ]
	[ "$(row | jq -c .allowed_cidrs)" = '["100.96.0.1/32"]' ]
	# The engine still takes the row for its own.
	smolvm machine ls --json | grep -q bot-bottle-m
	posture
}

@test "a list that the engine wrote is not written again" {
	create --allow-cidr 100.96.0.1/32
	before=$(row)
	[ "$(user "$bottle" allowlist enforce --json bot-bottle-m 100.96.0.1/32 --db "$db" | jq -r .written)" = false ]
	[ "$(row)" = "$before" ]
}

@test "a machine that the engine deleted is refused by name" {
	create --allow-cidr 100.96.0.1/32
	user "$bottle" allowlist verify bot-bottle-m 100.96.0.1/32 --db "$db"
	smolvm machine delete -f --name bot-bottle-m
	run user "$bottle" allowlist verify bot-bottle-m 100.96.0.1/32 --db "$db"
	[ "$status" -eq 1 ]
	[[ "$output" == *bot-bottle-m* ]]
}
