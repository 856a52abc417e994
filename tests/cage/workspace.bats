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

@test "mount: what is obeyed can be neither changed, moved nor removed, and its neighbours can (control)" {
	run "$enter" -w "$work" -m -o a/b/.env -o hidden sh -c 'cd /workspace; echo x >>a/b/.env; rm -f a/b/.env; mv a c; mv a/b a/c
		echo x >hidden/new; mv hidden x; echo more >>a/file && mkdir a/d && echo made'
	[ "${lines[-1]}" = made ]
	[ "$(cat "$work/a/b/.env" "$work/hidden/file" "$work/a/file")" = $'secret\nsecret\nkept\nmore' ]
	[ ! -e "$work/hidden/new" ]
}

# refused_meanwhile WORDS ENTER-OPTIONS...: nothing runs, and it says why.
refused_meanwhile() {
	local words=$1
	shift
	run "$enter" -w "$work" -m "$@" echo booted
	[ "$status" -ne 0 ]
	[[ "$output" == *"$words"* && "$output" != *booted* ]] || { echo "$output"; return 1; }
}

@test "mount: a file that the host replaces loses what was mounted over it, one that is written in place does not (control)" {
	echo kept >"$work/.envrc"
	run "$enter" -w "$work" -m -x .env -x a/b/.env -o .envrc sh -c 'cd /workspace; cat .env a/b/.env; echo evil >>.envrc
		touch go; until [ -e gone-on ]; do sleep 0.05; done; cat .env a/b/.env; echo evil >>.envrc; cat .envrc' 3>&- &
	inside=$!
	for _ in $(seq 1200); do [ -e "$work/go" ] && break; read -rt 0.05 <> <(:) || true; done
	[ -e "$work/go" ]
	echo in-place >"$work/a/b/.env"
	echo replaced >"$work/.new" && mv "$work/.new" "$work/.env"
	cp "$work/.envrc" "$work/.new" && mv "$work/.new" "$work/.envrc"
	touch "$work/gone-on"
	wait "$inside"
	[ "$(tail -n 1 "$work/.envrc")" = evil ]
}

@test "mount: a name that becomes a link before it is mounted binds nothing of the host" {
	outside=$(mktemp -d /tmp/cage-test.XXXXXX)
	echo host >"$outside/.env"
	swap="cd $work/a && mv b c && ln -s $outside b"
	refused_meanwhile "something else stands there" -o a/b/.env -e "$swap"
	refused_meanwhile "something else stands there" -x a/b/.env
	rm "$work/a/b" && mv "$work/a/c" "$work/a/b"
	refused_meanwhile "something else stands there" -o a/b/.env -e "cd $work/a/b && rm .env && ln -s $outside/.env .env"
	refused_meanwhile "something else stands there" -x a/b/.env
	refused_meanwhile "something else stands there" -o a/b/.env -e "rm $work/a/b/.env"
	mkfifo "$work/a/b/.env"
	refused_meanwhile "neither a file nor a directory" -o a/b/.env
	# The control: the same with a file in its place, and what is bound by its name (as root, who may).
	rm "$work/a/b/.env" && echo secret >"$work/a/b/.env"
	run "$enter" -w "$work" -m -o a/b/.env -e true echo booted
	[ "$output" = booted ]
	if [ "$(id -u)" = 0 ]; then
		ln -sf "$outside/.env" "$work/link"
		run unshare -m sh -c "mount --bind $work/link $work/a/b/.env && cat $work/a/b/.env"
		[ "$output" = host ]
	fi
	rm -rf "$outside"
}

@test "the workspace itself is the directory that was opened, or nothing starts" {
	outside=$(mktemp -d /tmp/cage-test.XXXXXX)
	echo host >"$outside/file"
	chmod 755 "$outside"
	for mode in "" -m; do
		# Root hands in what it holds; an ordinary user's cage can only look again.
		# shellcheck disable=SC2086 # none, or a word
		run "$enter" -w "$work" $mode -e "mv $work $work.moved && ln -s $outside $work" cat /workspace/file /workspace/a/file
		rm "$work" && mv "$work.moved" "$work"
		[[ "$output" != *host* ]]
		if [ "$(id -u)" = 0 ]; then [[ "$output" == *kept* ]]; else [[ "$output" == *"symbolic link"* ]]; fi
		# shellcheck disable=SC2086
		run "$enter" -w "$work" $mode -e "mv $work $work.moved && cp -r $outside $work" cat /workspace/file /workspace/a/file
		rm -r "$work" && mv "$work.moved" "$work"
		[[ "$output" != *host* ]]
		if [ "$(id -u)" = 0 ]; then [[ "$output" == *kept* ]]; else [[ "$output" == *"was replaced"* ]]; fi
	done
	rm -rf "$outside"
}

@test "and the same for an ordinary user, when root runs this" {
	[ "$(id -u)" = 0 ] || skip "this run is an ordinary user's already"
	mine=$(mktemp -d /tmp/cage-test.XXXXXX)
	chown 65001:65001 "$mine"
	run setpriv --reuid 65001 --regid 65001 --clear-groups env BUILD="$BUILD" TMPDIR="$mine" HOME="$mine" \
		bats -f 'binds nothing|that was opened|is obeyed' "$BATS_TEST_FILENAME"
	rm -rf "$mine"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "${lines[0]}" = 1..3 ]
}

@test "a mount of the host that is shared is not shared with the cage" {
	[ "$(id -u)" = 0 ] || skip "only root hands mounts in"
	for how in "" -m; do
		run unshare -m --propagation shared "$enter" -w "$work" $how cat /proc/self/mountinfo
		[ "$status" = 0 ] && [[ "$output" == *" /workspace "* ]]
		[[ "$output" != *" shared:"* && "$output" != *" master:"* ]]
	done
	run unshare -m --propagation shared cat /proc/self/mountinfo # control
	[[ "$output" == *" shared:"* ]]
}

@test "a link out of the workspace leads nowhere" {
	ln -s /root/.ssh "$work/link"
	ln -s ../../../../etc/shadow "$work/up"
	run "$enter" -w "$work" sh -c 'cat /workspace/up; ls /workspace/link/'
	[[ "$output" == *"No such file"* ]]
	[ "$(grep -c 'No such file' <<<"$output")" = 2 ]
}
