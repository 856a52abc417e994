#!/usr/bin/env bats
# What a host lacks is said with why and the fix.
load helper

row() {
	jq -r --arg check "$1" ".checks[] | select(.check == \$check) | $2" <<<"$out"
}

@test "without smolvm the default backend is refused, with every way to get on" {
	run_split bottle doctor --json
	expect_status 1
	[ "$(jq -r .backend <<<"$out")" = smolmachines ]
	[ "$(jq -r .able <<<"$out")" = false ]
	[ "$(row smolvm .ok)" = false ]
	fix="$(row smolvm .found) $(row smolvm .fix)"
	for word in smolvm 1.8.1 services.bot-bottle https:// "sha256sum -c" "tar -xzf" "--backend namespace"; do
		[[ $fix == *"$word"* ]] || { echo "no \"$word\" in: $fix"; return 1; }
	done
	run_split bottle doctor
	expect_status 1
	[[ $out == *"--backend namespace"* ]]
}

@test "the line that gets smolvm is one that a shell takes, and what comes is checked" {
	run_split bottle doctor --json
	fix=$(row smolvm .fix)
	line="curl${fix#*curl}"
	bash -n <<<"$line"
	# Our hashes are those that the package is built by.
	nix=$BATS_TEST_DIRNAME/../../nix/smolvm.nix
	[ "$(grep -c 'hash = "sha256-' "$nix")" -eq 2 ]
	while read -r hash; do
		hex=$(base64 -d <<<"$hash" | od -An -v -tx1 | tr -d ' \n')
		grep -q "\"$hex\"" "$BATS_TEST_DIRNAME/../../src/preflight/smolvm.c"
		[[ $line != *"$hex  "* ]] || found=$hex
	done < <(sed -n 's/.*hash = "sha256-\(.*\)";/\1/p' "$nix")
	[ -n "$found" ]
	# Another archive is not unpacked.
	printf '#!/bin/sh\necho "$2" >url\necho another >"${2##*/}"\n' >"$PLACE/bin/curl"
	chmod +x "$PLACE/bin/curl"
	mkdir "$PLACE/unpack"
	cd "$PLACE/unpack"
	run bash -c "$line"
	[ "$status" -ne 0 ] && [[ $output == *FAILED* ]]
	url=${line#curl -LO }
	[ "$(cat url)" = "${url%% *}" ]
}

@test "/dev/kvm: missing, forbidden and unable are three different failures" {
	run_split bottle doctor --json
	if [ ! -e /dev/kvm ]; then
		[ "$(row /dev/kvm .kind)" = missing ]
		[[ $(row /dev/kvm .fix) == *kvm-intel*kvm-amd* ]]
	elif [ ! -w /dev/kvm ]; then
		[ "$(row /dev/kvm .ok)" = true ]
		[ "$(row "/dev/kvm, access" .kind)" = denied ]
		[[ $(row "/dev/kvm, access" .fix) == *group*re-login* ]]
	else
		[ "$(row "/dev/kvm, access" .ok)" = true ]
		if [ "$(row "/dev/kvm, a guest" .ok)" = false ]; then
			[[ $(row "/dev/kvm, a guest" .found) == *"KVM exit"* ]]
		fi
	fi
}

@test "the namespace backend does not need what a microVM needs" {
	run_split bottle doctor --json --backend namespace
	[ "$(row smolvm .needed)" = false ]
	[ "$(row /dev/kvm .needed)" = false ]
	[ "$(row Landlock .needed)" = true ]
	[ "$(row docker .needed)" = false ]
	run_split bottle doctor --json --backend namespace --bundle docker
	[ "$(row docker .needed)" = true ]
}

@test "the backend comes from the option, then the environment, then the configuration" {
	mkdir -p "$HOME/.config/bot-bottle"
	echo '{"backend":"namespace"}' >"$HOME/.config/bot-bottle/config.json"
	run_split bottle doctor --json
	[ "$(jq -r .backend <<<"$out")" = namespace ]
	BOT_BOTTLE_BACKEND=smolmachines run_split bottle doctor --json
	[ "$(jq -r .backend <<<"$out")" = smolmachines ]
	BOT_BOTTLE_BACKEND=smolmachines run_split bottle doctor --json --backend namespace
	[ "$(jq -r .backend <<<"$out")" = namespace ]
	BOT_BOTTLE_BACKEND=chroot run_split bottle doctor
	expect_status 2
}

# Where a launch would be refused, with the name of what to change, before it says what it would do.
place_fails() {
	run_split env "$2" "$bottle" doctor --json --backend namespace
	expect_status 1
	[ "$(row "$1 directory" .ok)" = false ]
	[[ $(row "$1 directory" .fix) == *"$3"* ]] || { row "$1 directory" .fix; return 1; }
	[ "$(jq -r .able <<<"$out")" = false ]
	run_split env "$2" "$bottle" start --yes --backend namespace --workspace "$PLACE/work" -- true
	expect_status 125
	[[ $err == *"$1 directory"*"$3"* && $err != *"runs "* ]] || { echo "$err"; return 1; }
}

@test "a state or a runtime directory that can't be had is told with its variable, by doctor and by start" {
	bottle=$(command -v bottle)
	mkdir -m 700 "$PLACE/theirs" "$PLACE/open"
	mkdir -m 755 "$PLACE/open/bot-bottle"
	place_fails runtime XDG_RUNTIME_DIR=/dev/null "unset XDG_RUNTIME_DIR"
	place_fails runtime RUNTIME_DIRECTORY=/dev/null "unset RUNTIME_DIRECTORY"
	place_fails runtime XDG_RUNTIME_DIR="$PLACE/open" "chmod 700 $PLACE/open/bot-bottle"
	place_fails state XDG_STATE_HOME=/dev/null "set XDG_STATE_HOME"
	place_fails state HOME=/dev/null "set HOME"
	# What needs the directory alone says as much.
	run_split env XDG_RUNTIME_DIR=/dev/null "$bottle" ls
	expect_status 0 # control
	run_split env XDG_STATE_HOME=/dev/null "$bottle" ls
	[[ $err == *"state directory"*"set XDG_STATE_HOME"* ]]
	if [ "$(id -u)" -eq 0 ]; then
		mkdir -m 700 "$PLACE/theirs/bot-bottle"
		chown -R 65000 "$PLACE/theirs"
		place_fails runtime XDG_RUNTIME_DIR="$PLACE/theirs" "unset XDG_RUNTIME_DIR"
	fi
	run_split "$bottle" doctor --json --backend namespace
	[ "$(row "state directory" .ok) $(row "runtime directory" .ok)" = "true true" ] # control
}

@test "a bottle without the programs that belong to it is told so" {
	mkdir -p "$PLACE/prefix/bin"
	cp "$(command -v bottle)" "$PLACE/prefix/bin/"
	run_split "$PLACE/prefix/bin/bottle" doctor --json --backend namespace
	expect_status 1
	[[ $(row "own programs" .found) == *"$PLACE/prefix/libexec/bot-bottle/"* ]]
	[[ $(row "own programs" .fix) == *"make install"* ]]
	run_split "$PLACE/prefix/bin/bottle" start --yes --backend namespace -- true
	expect_status 125
	[[ $err == *"own programs"*"make install"* && $err != *"runs "* ]]
	run_split bottle doctor --json --backend namespace
	[ "$(row "own programs" .ok)" = true ] # control
}

@test "doctor leaves nothing behind" {
	run_split bottle doctor --backend namespace
	[ -z "$(ls -A "$HOME")" ]
}
