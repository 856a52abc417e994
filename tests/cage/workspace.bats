# The workspace in the guest's cage: a copy by overlay, the directory itself by mount, and
# what must not be visible in either. As root these go through idmapped mounts.

setup() {
	export GUEST=$BUILD/libexec/bot-bottle/bottle-guest
	enter=$BUILD/tests/cage/enter
	work=$(mktemp -d /tmp/cage-test.XXXXXX)
	mkdir -p "$work/a/b" "$work/hidden"
	echo secret >"$work/.env"
	echo secret >"$work/a/b/.env"
	echo secret >"$work/hidden/file"
	echo kept >"$work/a/file"
	chmod 750 "$work/a"
}

teardown() { rm -rf "$work"; }

hide=(-x .env -x a/b/.env -x hidden -x not/there)

@test "copy: what the agent writes leaves the directory as it was" {
	run "$enter" -w "$work" sh -ec 'cd /workspace; echo changed >a/file; echo new >new; mkdir d; mv a moved; rm .env
		cat moved/file; stat -c %a moved'
	[ "$status" = 0 ]
	[ "${lines[0]}" = changed ] && [ "${lines[1]}" = 750 ]
	[ "$(cat "$work/a/file")" = kept ] && [ "$(cat "$work/.env")" = secret ]
	[ ! -e "$work/new" ] && [ ! -e "$work/d" ] && [ ! -e "$work/moved" ]
}

@test "copy: what is hidden does not exist, by any name" {
	run "$enter" -w "$work" "${hide[@]}" sh -c 'cd /workspace; ls -A . a/b; find . | grep -c env; cat a/b/../../.env hidden/file'
	[[ "$output" != *secret* ]]
	[[ "$output" != *hidden$'\n'* ]]
	[[ "$output" == *"No such file"* ]]
	# control: without -x it is there
	run "$enter" -w "$work" cat /workspace/.env
	[ "$output" = secret ]
}

@test "copy: a hidden name can be used by the agent for its own" {
	run "$enter" -w "$work" "${hide[@]}" sh -c 'echo mine >/workspace/.env && cat /workspace/.env'
	[ "$output" = mine ]
	[ "$(cat "$work/.env")" = secret ]
}

@test "copy: a directory on the way to a hidden file keeps its mode" {
	run "$enter" -w "$work" "${hide[@]}" stat -c %a /workspace/a
	[ "$output" = 750 ]
}

@test "mount: files are the owner's on disk, and the hidden ones can't be opened" {
	run "$enter" -w "$work" -m "${hide[@]}" sh -c 'cd /workspace; echo new >new; cat .env a/b/.env hidden/file; ls hidden
		chmod 600 .env; rm -f .env; mv .env x; cat .env'
	[[ "$output" != *secret* ]]
	[ "$(stat -c %u "$work/new")" = "$(id -u)" ]
	[ "$(cat "$work/.env")" = secret ]
}

@test "a link out of the workspace leads nowhere" {
	ln -s /root/.ssh "$work/link"
	ln -s ../../../../etc/shadow "$work/up"
	run "$enter" -w "$work" sh -c 'cat /workspace/up; ls /workspace/link/'
	[[ "$output" == *"No such file"* ]]
	[ "$(grep -c 'No such file' <<<"$output")" = 2 ]
}
