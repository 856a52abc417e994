# What doctor says of smolvm, around a double of it (tests/fakes/smolvm): it is asked for its
# version in a cage that is made for that.

setup() {
	top=$(mktemp -d /tmp/bot-bottle-doctor.XXXXXX)
	chmod 755 "$top"
	"$BATS_TEST_DIRNAME/../fakes/lay-out" "$top/smolvm"
}

teardown() { rm -rf "$top"; }

# FIELD of the row, with the double told to do the rest.
row() {
	printf '%s\n' "${@:2}" >"$top/smolvm/behave"
	env -i HOME="$top" PATH="$top/smolvm:/usr/bin:/bin" "$BUILD/bin/bottle" doctor --json |
		jq -r ".checks[] | select(.check == \"smolvm\") | .$1"
}

@test "smolvm at the pin is taken; at any other version it is refused by name" {
	[ "$(row ok)" = true ]
	[ "$(row found)" = "smolvm 1.8.1 at $top/smolvm/smolvm" ]
	[ "$(row ok lie-version)" = false ]
	[[ "$(row found lie-version)" == *1.9.3* ]]
	[[ "$(row fix lie-version)" == *"sha256sum -c"* ]]
}

@test "it is asked in a cage, where it leaves nothing" {
	before=$(cd "$top" && find . | sort)
	# The double tells that it stands in one that is no bottle's.
	[[ "$(row found die-version)" == *"exited 1"* ]]
	rm "$top/smolvm/behave"
	[ "$before" = "$(cd "$top" && find . | sort)" ]
}

@test "one that is no installation is not run" {
	mkdir "$top/alone"
	printf '#!/bin/sh\ntouch %s/ran; echo smolvm 1.8.1\n' "$top" >"$top/alone/smolvm"
	chmod +x "$top/alone/smolvm"
	mv "$top/smolvm" "$top/elsewhere"
	mv "$top/alone" "$top/smolvm"
	[[ "$(row found)" == *"agent-rootfs"* ]]
	[[ "$(row fix)" == *"sha256sum -c"* ]]
	[ ! -e "$top/ran" ]
}
