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

what_is_new_is_named() {
	bottle_file mounted 'workspace: mount
workspace_exclude: ["*.local", .env]'
	mkdir -p kept.local theirs && echo 'export A=1' >kept.local/.envrc && echo one >theirs/.envrc && echo s >.env
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	start --bottle mounted -- sh -c 'mkdir open new.local closed && for d in open new.local closed; do echo evil >$d/.envrc; done; chmod 0111 closed'
	expect_status 0
	slug=$(ls "$BOTTLES")
	for name in open/.envrc new.local/.envrc; do
		[[ $err == *"obeyed by a tool of the host (look before you work there): $name"* ]] || { echo "$err"; return 1; }
		grep -q "\"what\":\"new\".*$name" "$BOTTLES/$slug/audit.jsonl"
	done
	# Who may read it reads it; who may not is told so.
	if [ "$(id -u)" -eq 0 ] && [ -z "${AS[*]}" ]; then
		[[ $err == *"look before you work there): closed/.envrc"* ]]
	else
		[[ $err == *"can't be read"*": closed"* ]]
		grep -q '"what":"unreadable","paths":\["closed"\]' "$BOTTLES/$slug/audit.jsonl"
	fi
	# What was there, hidden or kept, is not new.
	[[ $err != *kept.local* && $err != *theirs/.envrc* ]]
	run_split bottle audit --verify "$slug"
	expect_status 0
	chmod 755 closed
}

@test "what is new and obeyed is named also in excluded and in closed directories" {
	what_is_new_is_named
}

@test "new and obeyed: the same for an ordinary user" {
	as_ordinary_user
	what_is_new_is_named
}

repositories_of_any_name() {
	bottle_file mounted 'workspace: mount'
	git init -q --bare sub/thing.git
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	start --bottle mounted -- sh -c '
		for f in config hooks/post-update commondir; do (echo evil >>sub/thing.git/$f) 2>/dev/null && echo "$f written"; done
		mv sub moved 2>/dev/null && echo moved
		mkdir plain && echo x >plain/HEAD && echo x >plain/config && mkdir plain/refs
		git init -q --bare docs && echo made'
	expect_status 0
	[ "$out" = made ]
	[[ $err == *"new in the workspace, and obeyed by a tool of the host (look before you work there): docs"* ]] || { echo "$err"; return 1; }
	[ "$(jq -c 'select(.kind == "obeyed") | [.what, .paths]' "$BOTTLES/"*/audit.jsonl)" = '["new",["docs"]]' ]
}

@test "a repository by another name than .git is kept, and a new one is named" {
	repositories_of_any_name
}

@test "repositories: the same for an ordinary user" {
	as_ordinary_user
	repositories_of_any_name
}

@test "a closing look that does not get through says so; one that does says nothing (control)" {
	bottle_file mounted 'workspace: mount'
	start --bottle mounted -- python3 -c '
import os
os.mkdir("deep"); os.chdir("deep")
for n in range(230): os.mkdir("d"); os.chdir("d")
open(".envrc", "w").close()'
	expect_status 0
	slug=$(ls "$BOTTLES")
	[[ $err == *"not looked through to its end (it is too many directories deep)"* ]] || { echo "$err"; return 1; }
	grep -q '"what":"incomplete"' "$BOTTLES/$slug/audit.jsonl"
	rm -rf deep
	run_split bottle rm "$slug"
	start --bottle mounted -- python3 -c '
import os
for n in range(2100): os.mkdir("d%d" % n); open("d%d/.envrc" % n, "w").close()'
	slug=$(ls "$BOTTLES")
	[[ $err == *"and 1950 more, which \`bottle audit $slug\` names"*"too many new files"* ]] || { echo "$err"; return 1; }
	[ "$(jq -r 'select(.what == "new").paths[]' "$BOTTLES/$slug/audit.jsonl" | sort -u | wc -l)" -eq 2000 ]
	run_split bottle audit --verify "$slug"
	expect_status 0
	rm -rf d[0-9]*
	run_split bottle rm "$slug"
	start --bottle mounted -- sh -c 'mkdir -p d/e && echo fine >d/e/f'
	[[ $err != *"to its end"* && $err != *"obeyed by a tool"* ]]
	slug=$(ls "$BOTTLES")
	[ "$(grep -c '"kind":"obeyed"' "$BOTTLES/$slug/audit.jsonl")" = 0 ]
}

what_changed_is_named() {
	bottle_file mounted 'workspace: mount
workspace_exclude: [.env]'
	mkdir -p .vscode sub .idea
	echo 'export A=1' | tee .envrc >sub/.envrc
	echo '{}' >.vscode/tasks.json && ln .vscode/tasks.json other-name
	echo '{}' >.idea/workspace.xml && ln .idea/workspace.xml untouched
	echo secret >.env && echo same >.npmrc
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	start --detach --bottle mounted -- sh -c 'until [ -e go ]; do sleep 0.1; done; echo evil >>other-name; (echo evil >>sub/.envrc) 2>/dev/null; true'
	expect_status 0
	slug=$out
	# Written in place by the host, as an editor does, and replaced by its like.
	echo 'export A=2' >.envrc
	cp -p .npmrc .npmrc.new && mv .npmrc.new .npmrc
	touch go
	wait_for state_is stopped
	[ "$(jq -c 'select(.what == "changed").paths' "$BOTTLES/$slug/audit.jsonl")" = '[".envrc",".vscode/tasks.json"]' ] ||
		{ grep obeyed "$BOTTLES/$slug/audit.jsonl"; return 1; }
	! grep -q '"what":"replaced"' "$BOTTLES/$slug/audit.jsonl"
}

@test "what is obeyed and was changed is named, also by another name of it" {
	what_changed_is_named
}

@test "changed: the same for an ordinary user" {
	as_ordinary_user
	what_changed_is_named
}

replaced_is_noticed() {
	bottle_file mounted 'workspace: mount
workspace_exclude: [.env, "*.key"]'
	mkdir -p sub
	echo secret >.env && echo key >sub/a.key && echo 'export A=1' | tee .envrc >sub/.envrc
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	# The control: written in place it stays as it is inside, and the bottle runs on.
	detached_of mounted sh -c 'until [ -e go ]; do sleep 0.05; done; cat .env sub/a.key; (echo evil >>.envrc) 2>/dev/null; touch been; exec sleep 1000'
	echo other >.env && echo other >sub/a.key && echo 'export A=2' >.envrc
	touch go
	wait_for test -e been
	[ "$(cat .envrc)" = 'export A=2' ]
	# What is kept and is replaced is said, and no more than that.
	"${AS[@]}" bottle attach "$slug" >/dev/null 2>"$PLACE/told" </dev/null 3>&- &
	attached=$!
	looked_on() { [ "$("${AS[@]}" bottle info --json "$slug" | jq .attached)" -eq 1 ]; }
	wait_for looked_on
	cp .envrc .new && mv .new .envrc
	mv sub moved
	wait_for grep -q 'the bottle can change it' "$PLACE/told"
	said() { [ "$(jq -c 'select(.what == "no longer kept").paths[]' "$BOTTLES/$slug/audit.jsonl" | sort | paste -sd,)" = '".envrc","sub"' ]; }
	wait_for said
	state_is running
	# What is hidden and is replaced ends it.
	echo new-secret >.new && mv .new .env
	wait_for gone "$keeper"
	state_is stopped
	grep -q '"what":"no longer hidden","paths":\[".env"\]' "$BOTTLES/$slug/audit.jsonl"
	[[ $(jq -r 'select(.kind == "end").details.why' "$BOTTLES/$slug/audit.jsonl") == *".env, which the bottle may not see, was removed or replaced"*"bottle resume $slug"* ]]
	wait "$attached" || true
	run_split bottle audit --verify "$slug"
	expect_status 0
	run_split bottle resume --detach "$slug"
	expect_status 0
	run_split bottle exec "$slug" -- cat .env
	[[ $err == *"Permission denied"* && $out != *secret* ]]
}
detached_of() {
	start --detach --bottle "$1" -- "${@:2}"
	expect_status 0
	slug=$out
	keeper=$(jq .keeper_pid "$BOTTLES/$slug/record.json")
}

@test "a file that the host replaces has lost its mount: said where it was kept, the end where it was hidden" {
	replaced_is_noticed
}

@test "replaced: the same for an ordinary user" {
	as_ordinary_user
	replaced_is_noticed
}

# What a pattern names by its path is hidden there and nowhere else, so it must stay there.
hidden_by_path_stays() {
	bottle_file mounted 'workspace: mount
workspace_exclude: [.env, sub/secret, "a/*/key"]'
	bottle_file open 'workspace: mount'
	mkdir -p sub/secret a/b free
	echo secret | tee sub/secret/x a/b/key free/.env >/dev/null
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	moves='mkdir z; mv sub s2; mv a z/a; mv a/b z/b; mv sub/secret sub/other; rm -rf a sub; mv free z/free; cat z/free/.env'
	start --bottle mounted -- sh -c "$moves"
	[ "$(grep -c 'Device or resource busy' <<<"$err")" -ge 5 ] || { echo "$err"; return 1; }
	# Nor can they change places with another one.
	start --rm --bottle mounted -- python3 -c 'import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(*[libc.renameat2(-100, way, -100, b"z", 2) == 0 or ctypes.get_errno() for way in (b"sub", b"a")])'
	[ "$out" = "16 16" ] || { echo "$out $err"; return 1; }
	slug=$(ls "$BOTTLES")
	for again in "resume $slug" "start --yes --rm --bottle mounted -- sh -c :"; do
		# shellcheck disable=SC2086 # words
		run_split bottle $again
		[ "$(cat sub/secret/x a/b/key)" = $'secret\nsecret' ]
	done
	start --rm --bottle mounted -- sh -c 'grep -rs secret . ; cat sub/secret/x a/b/key z/free/.env'
	[[ $out != *secret* ]] || { echo "$out"; return 1; }
	# One without a slash counts wherever it stands, so its directory is the agent's to move.
	[ "$(cat z/free/.env)" = secret ]
	# The control: where nothing is hidden the same moves are made, and the files are read.
	start --rm --bottle open -- sh -c 'mv sub s2 && mv a z/a && cat s2/secret/x z/a/b/key'
	[ "$out" = $'secret\nsecret' ]
}

@test "mount: what a pattern hides by its path can't be moved out of it, for the next start" {
	hidden_by_path_stays
}

@test "hidden by its path: the same for an ordinary user" {
	as_ordinary_user
	hidden_by_path_stays
}

a_way_replaced_is_noticed() {
	bottle_file mounted 'workspace: mount
workspace_exclude: ["a/*/key", .env]'
	mkdir -p a/b free && echo secret | tee a/b/key >free/.env
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	detached_of mounted sleep 1000
	# The control: of a pattern without a slash, whose directory the agent moves, too.
	run_split bottle exec "$slug" -- sh -c 'mv free moved && mkdir free && cat moved/.env'
	[[ $err == *"moved/.env: Permission denied"* ]]
	mv moved moved2
	run_split bottle exec "$slug" -- cat moved2/.env
	[[ $err == *"Permission denied"* ]]
	mv a old
	mkdir -p a/b && echo new >a/b/key
	wait_for gone "$keeper"
	state_is stopped
	grep -q '"what":"no longer hidden","paths":\["a"\]' "$BOTTLES/$slug/audit.jsonl"
	[[ $(jq -r 'select(.kind == "end").details.why' "$BOTTLES/$slug/audit.jsonl") == "a, which leads to what the bottle may not see, was removed or replaced"* ]]
}

@test "mount: a directory that leads to what is hidden by its path, and that the host replaces, ends it" {
	a_way_replaced_is_noticed
}

@test "a way replaced: the same for an ordinary user" {
	as_ordinary_user
	a_way_replaced_is_noticed
}

@test "a socket that a service of the host puts in the place of its old one is not dialled" {
	bottle_file mounted 'workspace: mount'
	cat >"$PLACE/serve.py" <<-'PY'
		import os, socket, sys
		if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])
		s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
	PY
	python3 "$PLACE/serve.py" "$PWD/s"
	detached_of mounted sleep 1000
	python3 "$PLACE/serve.py" "$PWD/s"
	wait_for gone "$keeper"
	grep -q '"what":"no longer hidden","paths":\["s"\]' "$BOTTLES/$slug/audit.jsonl"
}

@test "a workspace that can't be watched is not shared; one that holds nothing to be watched is (control)" {
	bottle_file mounted 'workspace: mount'
	echo x >.envrc
	run_split "$BUILD/tests/cage/without" inotify_add_watch ENOSPC -- bottle start --yes --rm --bottle mounted -- true
	expect_status 125
	[[ $err == *"fs.inotify.max_user_watches"*"workspace: copy"* ]] || { echo "$err"; return 1; }
	rm .envrc
	run_split "$BUILD/tests/cage/without" inotify_add_watch ENOSPC -- bottle start --yes --rm --bottle mounted -- true
	expect_status 0
}
