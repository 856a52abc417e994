#!/usr/bin/env bats
# A host whose package brings the guest's programs, as Nix's does: share/bot-bottle/{guest,closure}.
load helper

eval "launch_$(declare -f setup)"
eval "launch_$(declare -f teardown)"

# A prefix of its own, and a store with more in it than the list names.
setup() {
	launch_setup
	chmod 755 "$PLACE"
	PREFIX=$PLACE/prefix
	STORE=$PLACE/store
	SHARE=$PREFIX/share/bot-bottle
	mkdir -p "$PREFIX" "$STORE/tools/bin" "$STORE/library" "$STORE/unlisted"
	cp -R "$BUILD/bin" "$BUILD/libexec" "$PREFIX"
	mkdir -p "$SHARE"
	printf '#!/bin/sh\necho ours; cat %s/library/data\n' "$STORE" >"$STORE/tools/bin/only-ours"
	printf '#!/bin/sh\necho not the one of the host\n' >"$STORE/tools/bin/env"
	chmod 755 "$STORE"/tools/bin/*
	echo listed >"$STORE/library/data"
	echo unlisted >"$STORE/unlisted/data"
	ln -s "$STORE/tools" "$SHARE/guest"
	printf '%s\n' "$STORE/tools" "$STORE/library" >"$SHARE/closure"
	PATH=$PREFIX/bin:$PATH
}
teardown() {
	[ -z "${ROOT:-}" ] || { umount -R "$ROOT" 2>/dev/null || true; }
	launch_teardown
}
no_bottle() { [ -z "$(ls "$BOTTLES" 2>/dev/null)" ]; }

@test "the programs of the list are on the guest's PATH, behind the host's own" {
	start -- only-ours
	expect_status 0
	[ "$out" = $'ours\nlisted' ]
	start -- env -i /bin/echo "the host's"
	[ "$out" = "the host's" ]
	start -- sh -c 'echo "$PATH"'
	[[ $out == */usr/bin*:$STORE/tools/bin ]]
	# The control: without the list and its programs the name means nothing.
	rm "$SHARE/closure" "$SHARE/guest"
	start -- only-ours
	expect_status 127
}

@test "a guest sees exactly the paths of the list, and can't change them" {
	start -- sh -c "ls $STORE; cat $STORE/unlisted/data; touch $STORE/library/new; echo x >>$STORE/library/data"
	[ "$(sort <<<"$out")" = $'library\ntools' ]
	[[ $err == *"unlisted/data: No such file"* ]]
	[[ $err == *"library/new'"*"Read-only file system"* ]]
	[ "$(cat "$STORE/library/data")" = listed ]
	# The control: what is added to the list is seen.
	echo "$STORE/unlisted" >>"$SHARE/closure"
	start -- cat "$STORE/unlisted/data"
	[ "$out" = unlisted ]
}

@test "the same for somebody who is not root" {
	as_ordinary_user
	start -- sh -c "only-ours; ls $STORE"
	expect_status 0
	[ "$out" = $'ours\nlisted\nlibrary\ntools' ]
}

@test "a list that is wrong is refused with its line and the remedy, before anything is made" {
	for line in store/relative "$STORE/../etc" "$STORE/missing" "$SHARE/guest" /etc/shadow "$STORE/$(printf '%0500d' 0)"; do
		printf '%s\n%s\n' "$STORE/tools" "$line" >"$SHARE/closure"
		start -- true
		expect_status 125
		[[ $err == *"closure line 2: "*"install the package again"* ]] || { echo "$line: $err"; return 1; }
		no_bottle
	done
	yes "$STORE/tools" | head -n 4001 >"$SHARE/closure"
	start -- true
	expect_status 125
	[[ $err == *"closure line 4001: "*"one line too many"* ]]
	rm "$SHARE/guest"
	printf '%s\n' "$STORE/tools" >"$SHARE/closure"
	start -- true
	expect_status 125
	[[ $err == *"share/bot-bottle/guest/bin"*"is not there"* ]]
	no_bottle
	# The control.
	ln -s "$STORE/tools" "$SHARE/guest"
	start -- true
	expect_status 0
}

@test "a stopped bottle is resumed with the list as it is then" {
	start --detach -- sleep 1000
	expect_status 0
	slug=$out
	run_split bottle stop "$slug"
	expect_status 0
	echo "$STORE/unlisted" >>"$SHARE/closure"
	run_split bottle resume --detach "$slug"
	expect_status 0
	run_split bottle exec "$slug" -- cat "$STORE/unlisted/data"
	[ "$out" = unlisted ]
	run_split bottle stop "$slug"
	echo "$STORE/gone" >>"$SHARE/closure"
	run_split bottle resume --detach "$slug"
	expect_status 125
	[[ $err == *"closure line 4: "* ]]
}

@test "a provider's command is taken from the list where the host has none that a guest sees" {
	mkdir -p "$HOME/.config/bot-bottle" "$PLACE/providers"
	printf 'command: [only-ours]\n' >"$PLACE/providers/listed.yaml"
	echo '{"providers": ["'"$PLACE/providers"'"]}' >"$HOME/.config/bot-bottle/config.json"
	printf -- '---\nagent_provider: {template: listed}\n---\n' >"$HOME/.bot-bottle/bottles/dev.md"
	mkdir -p "$HOME/.bot-bottle/agents"
	printf -- '---\nbottle: dev\n---\n' >"$HOME/.bot-bottle/agents/reader.md"
	start reader
	expect_status 0
	[ "$out" = $'ours\nlisted' ]
	rm "$SHARE/closure" "$SHARE/guest"
	start reader
	expect_status 125
	[[ $err == *"only-ours is not on this host"* ]]
}

# A root like that of NixOS: /bin and /usr hold a link into the store each, and nothing else.
nixos_like() {
	ROOT=$PLACE/root
	system=$ROOT/nix/store/0-system
	mkdir -p "$ROOT"/{etc,proc,sys,dev,run,tmp,var,bin,usr/bin,old} "$system" "$ROOT/nix/store/1-guest/bin" "$ROOT/nix/store/2-secret"
	ln -s /nix/store/0-system/bin/sh "$ROOT/bin/sh"
	ln -s /nix/store/0-system/bin/env "$ROOT/usr/bin/env"
	for name in lib lib64; do ln -s "/nix/store/0-system/$name" "$ROOT/$name"; done
	cp "$BUILD/tests/attacks/inside_attempt" "$ROOT/nix/store/1-guest/bin/attempt"
	echo no >"$ROOT/nix/store/2-secret/data"
	ln -sfn /nix/store/1-guest "$SHARE/guest"
	echo /nix/store/1-guest >"$SHARE/closure"
	cat >"$PLACE/enter" <<-'END'
		set -e
		mount --make-rprivate /
		mount --bind "$1" "$1"
		mount --rbind /usr "$1/nix/store/0-system"
		for place in etc proc sys dev run tmp var; do mount --rbind "/$place" "$1/$place"; done
		cd "$1"
		shift
		PATH=$PATH:/usr/sbin:/nix/store/0-system/bin
		pivot_root . old
		umount -l /old
		exec "$@"
	END
}

@test "on a system that stands in the store, a guest's /bin is that of the list and the rest of the store is not there" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to make such a system"
	nixos_like
	printf 'read %s\n' /bin/attempt /usr/bin/attempt /nix/store/1-guest/bin/attempt /bin/sh \
		/nix/store/0-system/bin/sh /nix/store/2-secret/data /lib64/ld-linux-x86-64.so.2 /run/current-system >"$PLACE/questions"
	status=0
	out=$(unshare -m bash "$PLACE/enter" "$ROOT" sh -c 'cd "$1" && exec bottle start --yes -- attempt' sh "$PLACE/work" \
		<"$PLACE/questions" 2>"$PLACE/err") || status=$?
	err=$(cat "$PLACE/err")
	expect_status 0
	[ "$out" = "read /bin/attempt ok
read /usr/bin/attempt ok
read /nix/store/1-guest/bin/attempt ok
read /bin/sh ENOENT
read /nix/store/0-system/bin/sh ENOENT
read /nix/store/2-secret/data ENOENT
read /lib64/ld-linux-x86-64.so.2 ENOENT
read /run/current-system ENOENT" ] || { echo "$out"; return 1; }
}
