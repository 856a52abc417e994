#!/usr/bin/env bats
# A workspace that is shared with the host (workspace: mount), against whoever else is at work in it.
load helper

bottle_file() { printf -- '---\n%s\n---\n' "$2" >"$HOME/.bot-bottle/bottles/$1.md"; }

# Mounts of the case's own directories, as the host sees them.
seen_by_host() { grep -F " $PLACE/" /proc/self/mountinfo || true; }

# In a mount namespace whose mounts are shared, as systemd makes those of a host.
as_on_a_host_of_systemd() {
	mount --make-rprivate / && mount --make-rshared /
	mkdir sub late
	echo secret >.env
	echo 'export A=1' >sub/.envrc
	bottle_file mounted 'workspace: mount
workspace_exclude: [.env]'
	bottle_file copied 'workspace_exclude: [.env]'
	for mode in mounted copied; do
		start --detach --bottle $mode -- sleep 1000
		expect_status 0
		slug=$out
		[ -z "$(seen_by_host)" ] || { seen_by_host; return 1; }
		[ "$(cat .env)" = secret ]
		# What the host mounts later stays the host's.
		mount -t tmpfs -o mode=777 none late
		echo top >late/secret
		run_split bottle exec "$slug" -- sh -c 'cat /workspace/late/secret; grep -c shared: /proc/self/mountinfo'
		[ "$out" = 0 ] || { echo "$mode: $out"; return 1; }
		umount late
		run_split bottle stop "$slug"
		expect_status 0
		[ -z "$(seen_by_host)" ]
		[ "$(cat .env)" = secret ]
	done
	# The control: a bind that is made here and not taken out of its group shows what is mounted.
	mkdir "$PLACE/other"
	mount --bind . "$PLACE/other"
	mount -t tmpfs none "$PLACE/other/late"
	mountpoint -q late
}

@test "root's mounts are no peers of the host's, and what is mounted on either side stays there" {
	[ "$(id -u)" -eq 0 ] || skip "an ordinary user's mounts are never the host's"
	export PLACE
	export -f as_on_a_host_of_systemd seen_by_host bottle_file start run_split expect_status
	unshare -m bash -euc 'AS=(); as_on_a_host_of_systemd'
}

# refused_link NAME: by that name, and says what to do. What it made is in the way of nothing else.
refused_link() {
	start --rm --bottle mounted -- true
	expect_status 125
	[[ $err == *"workspace: $1 is a symbolic link"*"workspace: copy"* ]] || { echo "$err"; return 1; }
	[ -z "$(ls "$BOTTLES")" ]
}

links_are_refused() {
	bottle_file mounted 'workspace: mount
workspace_exclude: ["*.secret"]'
	bottle_file copied 'workspace_exclude: ["*.secret"]'
	mkdir -p sub/deep "$PLACE/outside"
	echo host >"$PLACE/outside/key"
	for link in "$PLACE/outside .config" "$PLACE/outside sub/deep/.ssh" "a.txt .envrc" "nowhere sub/.profile" \
		"../a.txt sub/a.secret" "$PLACE/outside/key b.secret"; do
		ln -s "${link% *}" "${link#* }"
		[ -z "${AS[*]}" ] || chown -hR 65000:65000 "$PLACE"
		refused_link "${link#* }"
		# The control: a copy starts with it, and it leads nowhere.
		start --rm --bottle copied -- cat "${link#* }/key" "$PLACE/outside/key"
		[[ $err == *"No such file"* && $out != *host* ]]
		rm "${link#* }"
	done
	# The control: the same names, and no links.
	mkdir .config && echo mine >.config/key
	echo other >sub/plain && ln -s plain sub/link
	[ -z "${AS[*]}" ] || chown -hR 65000:65000 "$PLACE"
	start --rm --bottle mounted -- cat .config/key sub/link
	expect_status 0
	[ "$out" = $'mine\nother' ]
}

@test "a link by a name that a tool obeys, or that is excluded, is refused by that name" {
	links_are_refused
}

@test "links: the same for an ordinary user" {
	as_ordinary_user
	links_are_refused
}

@test "a way to the workspace that has become a link is not taken" {
	mkdir -p "$PLACE/one/project" "$PLACE/other/project"
	echo theirs >"$PLACE/other/project/b.txt"
	start --detach --workspace "$PLACE/one/project" -- sleep 1000
	expect_status 0
	slug=$out
	run_split bottle stop "$slug"
	mv "$PLACE/one" "$PLACE/moved"
	ln -s "$PLACE/other" "$PLACE/one"
	run_split bottle resume "$slug"
	expect_status 125
	[[ $err == *"$PLACE/one/project"*"a link was put in its way"* ]]
	# The control: with the directory in its place it goes on.
	rm "$PLACE/one" && mv "$PLACE/moved" "$PLACE/one"
	run_split bottle resume --detach "$slug"
	expect_status 0
}

@test "mount: a directory of another owner is not the agent's because something obeyed lies in it" {
	[ "$(id -u)" -eq 0 ] || skip "needs a second user"
	mkdir sub plain
	for dir in sub plain; do echo theirs >$dir/run.sh && chmod 600 $dir/run.sh; done
	echo : >sub/.envrc
	chown 65000:65000 . a.txt
	bottle_file mounted 'workspace: mount'
	start --rm --bottle mounted -- sh -c 'for d in sub plain; do cat $d/run.sh; echo x >>$d/run.sh; touch $d/new; done 2>/dev/null; cat sub/.envrc; echo own >>a.txt && echo written'
	[ "$out" = $':\nwritten' ]
	[ "$(cat sub/run.sh plain/run.sh)" = $'theirs\ntheirs' ]
	# The control: where the directory is the owner's, so are they.
	chown -R 65000:65000 sub
	start --rm --bottle mounted -- cat sub/run.sh
	[ "$out" = theirs ]
}
