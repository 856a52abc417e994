# The forms of a machine's image, around a double of smolvm (tests/fakes/smolvm) and a double of
# docker (tests/fakes/docker): what reaches smolvm is what its contract takes, under the hash that
# info and the audit log say; what it would not take is refused before anything runs.

setup() {
	top=$(mktemp -d /tmp/bot-bottle-images.XXXXXX)
	chmod 755 "$top"
	smolvm=$top/smolvm home=$top/home state=$top/state work=$top/work images=$top/images cache=$top/cache
	mkdir -p "$home/.bot-bottle/bottles" "$state" "$work" "$images" "$top/docker"
	"$BATS_TEST_DIRNAME/../fakes/lay-out" "$smolvm"
	"$BATS_TEST_DIRNAME/make-image" "$images"
	mkdir -p "$top/prefix/bin"
	cp "$BUILD/tests/fakes/doubled/bottle" "$top/prefix/bin/bottle"
	ln -s "$BUILD/libexec" "$BUILD/share" "$top/prefix/"
}

teardown() { rm -rf "$top"; }

bottle() {
	env -i HOME="$home" PATH="$top/docker:$smolvm:/usr/bin:/bin" XDG_STATE_HOME="$state" XDG_CACHE_HOME="$cache" \
		XDG_RUNTIME_DIR="$state" SECRET_OF_THE_HOST=secret-4711-secret LANG=C.UTF-8 \
		timeout 120 "$top/prefix/bin/bottle" "$@"
}

# IMAGE: the bottle's manifest with it.
manifest() {
	printf -- '---\nimage: "%s"\nresources: %s\nenv: {HIDDEN: "${SECRET_OF_THE_HOST}"}\n---\n' \
		"$1" "${resources:-{cpus: 1, memory_mib: 512, disk_gib: 1\}}" >"$home/.bot-bottle/bottles/m.md"
}

start() {
	manifest "$1"
	shift
	(cd "$work" && bottle start --backend smolmachines --bottle m --headless --yes "$@" -- sh -c 'echo it r""an')
}

slug() { basename "$(ls -d "$state"/bot-bottle/bottles/*-????? | tail -1)"; }
audited() { jq -c 'select(.kind == "image") | .details' "$state/bot-bottle/bottles/$(slug)/audit.jsonl" | tail -1; }
cached() { ls "$cache/bot-bottle/images" 2>/dev/null | grep -v '^from-' || true; }
forget() { rm -rf "$state/bot-bottle"; }
sum() { sha256sum "$1" | cut -d' ' -f1; }

# Nothing is left of what a launch made on its way.
nothing_half_made() { ! ls -A "$cache/bot-bottle/images" 2>/dev/null | grep -vE '^(from-)?[0-9a-f]{64}(\.tar|\.smolmachine)?$'; }

runs() {
	run start "$@"
	[ "$status" -eq 0 ] && [[ "$output" == *"it ran"* ]] || { echo "$1: $status: $output"; return 1; }
	nothing_half_made
}

refused() {
	local image=$1 says=$2
	run start "$image"
	[ "$status" -eq 125 ] && [[ "$output" == *"$says"* ]] && [[ "$output" != *"it ran"* ]] ||
		{ echo "$image: status $status, expected \"$says\": $output" | cut -c1-600; return 1; }
	nothing_half_made || { echo "$image: half of it is left"; return 1; }
	[ -z "$(find "$state" -type d -name smolvm)" ]
}

@test "a docker save archive reaches smolvm as it is, under its own hash" {
	runs "$images/docker.tar"
	[ "$(jq -r .sha256 <<<"$(audited)")" = "$(sum "$images/docker.tar")" ]
	[ "$(jq -r '.form + " " + (.from_cache | tostring)' <<<"$(audited)")" = "archive false" ]
	[ "$(bottle info --json "$(slug)" | jq -r .image_sha256)" = "$(sum "$images/docker.tar")" ]
	[ "$(bottle info --json "$(slug)" | jq -r .plan.image_hash)" = "$(sum "$images/docker.tar")" ]
	cmp "$images/docker.tar" "$cache/bot-bottle/images/$(sum "$images/docker.tar").tar"
	[ "$(stat -c %a "$cache/bot-bottle/images" "$cache/bot-bottle/images/$(sum "$images/docker.tar").tar" | xargs)" = "700 600" ]
}

@test "what is compressed, spelled with dots, or OCI, is written anew as docker save would" {
	for name in docker.tar.gz dotted.tar oci.tar oci; do
		runs "$images/$name"
		hash=$(jq -r .sha256 <<<"$(audited)")
		[ "$hash" = "$(sum "$cache/bot-bottle/images/$hash.tar")" ]
		tar tf "$cache/bot-bottle/images/$hash.tar" >"$top/members"
		[ "$(head -1 "$top/members")" = manifest.json ]
		! grep -q '^\./' "$top/members"
		tar xOf "$cache/bot-bottle/images/$hash.tar" manifest.json | jq -r '.[0] | .Config, .Layers[]' | sort -u |
			diff - <(grep -v '^manifest.json$' "$top/members" | sort)
		forget
	done
	# The archive and the directory of one layout are one image.
	runs "$images/oci"
	first=$(jq -r .sha256 <<<"$(audited)")
	forget
	runs "$images/oci.tar"
	[ "$first" = "$(jq -r .sha256 <<<"$(audited)")" ]
}

@test "a layer that is a link to another layer's file is docker's own form" {
	runs "$images/linked.tar"
}

@test "an image's own user does not become the one who moves in" {
	runs "$images/user.tar"
	tar xOf "$cache/bot-bottle/images/$(cached)" config.json | jq -e '.config == {"WorkingDir": "/srv"}'
	# Control: one that names none is not touched.
	tar xOf "$images/user.tar" config.json | jq -e '.config.User == "node"'
}

@test "a directory is used in place; its hash is of names, modes and contents" {
	runs "$images/rootfs"
	first=$(jq -r .sha256 <<<"$(audited)")
	[ "$(jq -r .form <<<"$(audited)")" = directory ]
	[ -z "$(cached)" ]
	forget
	touch -d 2001-01-01 "$images/rootfs/etc/issue"
	runs "$images/rootfs"
	[ "$first" = "$(jq -r .sha256 <<<"$(audited)")" ]
	forget
	echo more >>"$images/rootfs/etc/issue"
	runs "$images/rootfs"
	[ "$first" != "$(jq -r .sha256 <<<"$(audited)")" ]
}

@test "a .smolmachine is verified with the environment that it brings" {
	runs "$images/t.smolmachine"
	[ "$(jq -r .sha256 <<<"$(audited)")" = "$(sum "$images/t.smolmachine")" ]
	[ "$(cached)" = "$(sum "$images/t.smolmachine").smolmachine" ]
	forget
	# An engine that adds to it is refused.
	echo 'field env [["PACKED","yes"],["HTTPS_PROXY","http://192.0.2.1"]]' >"$smolvm/behave"
	refused "$images/t.smolmachine" "env is"
}

@test "a .smolmachine's own size is not the machine's, also where the bottle's is smolvm's default" {
	# What the launch compares with the row: 4 and 8192, where the file says 2 and 256.
	resources='{disk_gib: 1}'
	runs "$images/t.smolmachine"
}

@test "a .smolmachine of any version that smolvm reads is taken" {
	runs "$images/v3.smolmachine"
}

@test "an engine that runs another image than the one that was hashed is refused" {
	echo "field image \"local:$(printf '0%.0s' {1..64})\"" >"$smolvm/behave"
	refused "$images/docker.tar" "image is"
	rm "$smolvm/behave"
	forget
	runs "$images/docker.tar"
}

@test "the second launch finds the image in the cache, and a damaged one is made again" {
	runs "$images/oci.tar"
	hash=$(jq -r .sha256 <<<"$(audited)")
	forget
	runs "$images/oci.tar"
	[ "$(jq -r .from_cache <<<"$(audited)")" = true ]
	forget
	printf x | dd of="$cache/bot-bottle/images/$hash.tar" bs=1 seek=600 conv=notrunc status=none
	runs "$images/oci.tar"
	[ "$(jq -r .from_cache <<<"$(audited)")" = false ]
	[ "$hash" = "$(sum "$cache/bot-bottle/images/$hash.tar")" ]
}

@test "launches of one image at a time do not disturb each other" {
	manifest "$images/oci.tar"
	for i in 1 2 3; do
		(cd "$work" && bottle start --backend smolmachines --bottle m --label "n$i" --headless --yes -- sh -c 'echo it r""an') \
			>"$top/out$i" 2>&1 3>&- &
		pids+=($!)
	done
	for i in 1 2 3; do wait "${pids[$((i - 1))]}" || { cat "$top/out$i"; false; }; grep -q "it ran" "$top/out$i"; done
	nothing_half_made
	[ "$(cached | wc -l)" -eq 1 ]
	[ "$(sum "$cache/bot-bottle/images/$(cached)").tar" = "$(cached)" ]
}

@test "resume has the image that the bottle began with, or refuses" {
	cp "$images/docker.tar" "$top/mine.tar"
	runs "$top/mine.tar"
	name=$(slug)
	# Another image stands there now: the cache still has the first.
	cp "$images/linked.tar" "$top/mine.tar"
	run bottle resume "$name"
	[ "$status" -eq 0 ] && [[ "$output" == *"it ran"* ]]
	[ "$(jq -r .sha256 <<<"$(audited)")" = "$(sum "$images/docker.tar")" ]
	# Without the cache there is none that is the same.
	bottle cleanup --images
	run bottle resume "$name"
	[ "$status" -eq 125 ] && [[ "$output" == *"has changed since this bottle began"* ]]
	cp "$images/docker.tar" "$top/mine.tar"
	run bottle resume "$name"
	[ "$status" -eq 0 ] && [[ "$output" == *"it ran"* ]]
}

@test "cleanup empties the cache but for what is in use; doctor says what is in it" {
	manifest "$images/docker.tar"
	(cd "$work" && bottle start --backend smolmachines --bottle m --detach --headless --yes -- sleep 1000) >"$top/slug"
	start "$images/linked.tar"
	[ "$(cached | wc -l)" -eq 2 ]
	run bottle doctor --backend smolmachines
	[[ "$output" == *"2, 0 of at most"*"1 in use"* ]]
	run bottle cleanup --images
	[[ "$output" == *"1 cached image removed"*"1 in use"* ]]
	[ "$(cached)" = "$(sum "$images/docker.tar").tar" ]
	bottle stop "$(cat "$top/slug")"
	bottle cleanup --images
	[ -z "$(cached)" ]
}

@test "what is no image, or leads out of its archive, is refused" {
	failed=0
	while IFS='|' read -r name says; do
		refused "$images/$name" "$says" || failed=1
		forget
	done <<-'TABLE'
		rootfs.tar|unpacked into a directory
		nonsense.tar|no archive that can be read
		empty.tar|no archive that can be read
		cut.tar|archive
		two.tar|holds 2 images
		lacks.tar|lacks gone.tar
		leads-out.tar|leads elsewhere
		absolute.tar|names no member
		loop.tar|lacks a
		outside.tar|lacks a
		device.tar|a device or a pipe
		twice.tar|two members of one name
		bad-blob.tar|not what its name says
		bad-size.tar|not what its name says
		other-processor.tar|0 images for linux
		two-images.tar|2 images for linux
		encrypted.tar|of a kind that is not taken
		v0.smolmachine|version 0
		v4.smolmachine|version 4
		disks.smolmachine|mode vm
		gpu.smolmachine|gpu
		secret.smolmachine|secret_refs
		short.smolmachine|too short
		other.smolmachine|no .smolmachine
		gone.tar|No such file
	TABLE
	[ $failed -eq 0 ]
	[ -z "$(cached)" ]
}

@test "a form that is none is refused by manifest check, with what to write" {
	for image in alpine:3 ./x.tar docker-daemon: docker-daemon:-v dockerfile:x "docker-daemon:a b"; do
		manifest "$image"
		run bottle manifest check "$home/.bot-bottle/bottles/m.md"
		[ "$status" -eq 1 ] && [[ "$output" == *image* ]] || { echo "$image: $output"; false; }
	done
	[[ "$output" == *"no name of a docker image"* ]]
	manifest alpine:3
	run bottle manifest check "$home/.bot-bottle/bottles/m.md"
	[[ "$output" == *"docker pull"* ]]
	for image in /a ~/a.tar dockerfile:/x/Dockerfile docker-daemon:host:5000/a/b:1@sha256:00 /a.smolmachine; do
		manifest "$image"
		run bottle manifest check "$home/.bot-bottle/bottles/m.md"
		[ "$status" -eq 0 ] || { echo "$image: $output"; false; }
	done
}

@test "a keeper that is killed while it makes an image leaves what cleanup frees" {
	with_docker
	echo hang-build >"$top/docker/behave"
	manifest "dockerfile:$top/context/Dockerfile"
	(cd "$work" && exec env -i HOME="$home" PATH="$top/docker:$smolvm:/usr/bin:/bin" XDG_STATE_HOME="$state" XDG_CACHE_HOME="$cache" \
		XDG_RUNTIME_DIR="$state" SECRET_OF_THE_HOST=x "$top/prefix/bin/bottle" start --backend smolmachines --bottle m --headless --yes -- true) \
		>"$top/out" 2>&1 3>&- &
	launcher=$!
	timeout 60 bash -c 'until [ -e "$0/pid" ]; do read -rt 0.05 <> <(:) || :; done' "$top/docker"
	name=$(slug)
	kill -9 "$(jq .keeper_pid "$state/bot-bottle/bottles/$name/record.json")"
	wait $launcher || true
	[ "$(ls -d "$cache/bot-bottle/images"/work-* | wc -l)" -eq 1 ]
	# It died with its keeper, whether or not anybody has waited for it.
	timeout 60 bash -c 'while grep -qs "^State:[[:space:]]*[^Z[:space:]]" "/proc/$0/status"; do read -rt 0.05 <> <(:) || :; done' "$(cat "$top/docker/pid")"
	run bottle cleanup --yes "$name"
	[ "$status" -eq 0 ] && [[ "$output" == *"image work-$name"*freed* ]]
	nothing_half_made
}

with_docker() {
	cp "$BATS_TEST_DIRNAME/../fakes/docker" "$top/docker/docker"
	cp "$images/docker.tar" "$top/docker/image.tar"
	: >"$top/docker/behave"
	mkdir -p "$top/context"
	echo FROM scratch >"$top/context/Dockerfile"
}

@test "docker-daemon: and dockerfile: are saved by docker, once per image; no secret goes there" {
	with_docker
	runs docker-daemon:agent:1
	[ "$(jq -r .sha256 <<<"$(audited)")" = "$(sum "$images/docker.tar")" ]
	forget
	runs docker-daemon:agent:1
	[ "$(jq -r .from_cache <<<"$(audited)")" = true ]
	[ "$(grep -c '^save' "$top/docker/log")" -eq 1 ]
	forget
	runs "dockerfile:$top/context/Dockerfile"
	[[ "$output" == *"docker: Step 1/1"* ]]
	[ -z "$(grep secret-4711 "$top/docker/log" "$top/docker/environment")" ]
	[ -z "$(grep SECRET_OF_THE_HOST "$top/docker/environment")" ]
	[ -z "$(grep -e --build-arg "$top/docker/log")" ]
}

@test "a docker that lacks the image, refuses, fails, hangs or says nonsense is told apart" {
	with_docker
	failed=0
	while IFS='|' read -r word image says; do
		echo "$word" >"$top/docker/behave"
		refused "$image" "$says" || { echo "  ($word)"; failed=1; }
		forget
	done <<-TABLE
		no-image|docker-daemon:gone|docker pull it, or build it
		no-daemon|docker-daemon:agent:1|no docker answers
		denied|docker-daemon:agent:1|group docker
		nonsense-id|docker-daemon:agent:1|no sha256 id
		hang-inspect|docker-daemon:agent:1|did not end in time
		die-save|docker-daemon:agent:1|docker save
		nonsense-save|docker-daemon:agent:1|no archive that can be read
		silent-save|docker-daemon:agent:1|no archive that can be read
		die-build|dockerfile:$top/context/Dockerfile|returned a non-zero code: 3
		silent-build|dockerfile:$top/context/Dockerfile|what docker built
		none|dockerfile:$top/context|name the Dockerfile itself
		none|dockerfile:$top/context/gone|No such file
	TABLE
	[ $failed -eq 0 ]
	rm "$top/docker/docker"
	manifest docker-daemon:agent:1
	run env -i HOME="$home" PATH="$smolvm" XDG_STATE_HOME="$state" XDG_CACHE_HOME="$cache" SECRET_OF_THE_HOST=x \
		/bin/sh -c "cd $work && $top/prefix/bin/bottle start --backend smolmachines --bottle m --headless --yes -- true"
	[ "$status" -eq 125 ] && [[ "$output" == *"needs docker, which is not on PATH"* ]]
}
