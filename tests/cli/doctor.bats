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

@test "doctor leaves nothing behind" {
	run_split bottle doctor --backend namespace
	[ -z "$(ls -A "$HOME")" ]
}
