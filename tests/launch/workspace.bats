#!/usr/bin/env bats
# The workspace inside: a copy or the thing itself, what is hidden, what stays read-only.
load helper

bottle_file() { printf -- '---\n%s\n---\n' "$2" >"$HOME/.bot-bottle/bottles/$1.md"; }

make_project() {
	git init -q . && git -c safe.directory="*" -c user.name=x -c user.email=x@example.com commit -q --allow-empty -m first
	mkdir -p sub/deep .vscode
	echo 'export A=1' >.envrc
	echo 'export B=1' >sub/deep/.envrc
	echo '{}' >.vscode/tasks.json
	echo secret >.env
	mkdir -p sub/private && echo secret >sub/private/key
	chown -R "$(stat -c %u:%g .)" .
}

# shellcheck disable=SC2153 # PLACE is the helper's
a_mount_holds() {
	make_project
	bottle_file mounted 'workspace: mount
workspace_exclude: [.env, sub/private]'
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	start --bottle mounted -- sh -c '
		echo work >made && echo more >>a.txt && mkdir fresh && echo x >sub/new && echo writable
		for f in .envrc sub/deep/.envrc .vscode/tasks.json .git/config; do (echo evil >>$f) 2>/dev/null && echo "$f written"; done
		for f in .git/hooks/pre-commit .git/commondir .git/config.worktree .vscode/settings.json; do (echo evil >$f) 2>/dev/null && echo "$f made"; done
		for d in sub sub/deep .git .vscode .envrc; do mv $d moved 2>/dev/null && echo "$d moved"; done
		for d in .git .vscode .envrc sub; do rm -rf $d 2>/dev/null; done
		LC_ALL=C ls .git/HEAD .envrc sub/deep/.envrc
		[ -s .env ] && echo .env seen
		ls sub/private/key 2>/dev/null
		git status --short >/dev/null 2>&1 && echo git reads
		exit 0'
	expect_status 0
	[ "$out" = $'writable\n.envrc\n.git/HEAD\nsub/deep/.envrc\ngit reads' ]
	[ "$(cat made)" = work ]
	[ "$(cat a.txt)" = $'first\nmore' ]
	[ "$(stat -c %u made)" = "$(stat -c %u .)" ]
	[ "$(cat .env sub/private/key)" = $'secret\nsecret' ]
	[ "$(cat .envrc)" = 'export A=1' ]
	[ ! -e .git/commondir ]
}

@test "mount: the files themselves, but not what a tool of the host obeys, nor what is excluded" {
	a_mount_holds
}

@test "mount: the same for an ordinary user" {
	as_ordinary_user
	a_mount_holds
}

@test "mount: what is new and obeyed is named at the end" {
	bottle_file mounted 'workspace: mount'
	echo old >.envrc
	start --bottle mounted -- sh -c 'mkdir x && echo evil >x/.envrc && printf "#" >"x/$(printf "\033[2J").desktop"; echo fine >y'
	expect_status 0
	[[ $err == *"obeyed by a tool"*x/.envrc* && $err != *$'\033'* ]]
	slug=$(ls "$BOTTLES")
	grep -q '"kind":"obeyed".*x/.envrc' "$BOTTLES/$slug/audit.jsonl"
	run_split bottle audit --verify "$slug"
	expect_status 0
	# Nothing new, nothing said.
	start --bottle mounted -- sh -c 'echo again >z'
	[[ $err != *"obeyed by a tool"* ]]
}

an_exclusion_holds() {
	make_project
	bottle_file copied 'workspace_exclude: [.env, "*.key", sub/private]'
	echo key >sub/a.key
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	start --bottle copied -- sh -c 'cat .env sub/a.key 2>/dev/null; ls sub/private 2>/dev/null; cat .envrc; (echo x >.env) 2>/dev/null; echo changed >.envrc'
	expect_status 0
	[ "$out" = 'export A=1' ]
	[ "$(cat .env)" = secret ]
	[ "$(cat .envrc)" = 'export A=1' ]
	bottle_file plain 'env: {A: b}'
	start --bottle plain -- cat .env
	[ "$out" = secret ]
}

@test "copy: what is excluded is not there, and without the exclusion it is (control)" {
	an_exclusion_holds
}

@test "copy: the same for an ordinary user" {
	as_ordinary_user
	an_exclusion_holds
}

what_comes_later_is_not_seen() {
	bottle_file copied 'workspace_exclude: [.env, config/key.pem, closed/inner/x, closed, "*.secret"]'
	mkdir -p one/two/three/four config empty closed/inner
	echo secret | tee closed/inner/x >one/.env
	[ -z "${AS[*]}" ] || chown -R 65000:65000 "$PLACE"
	start --detach --bottle copied -- sleep 1000
	expect_status 0
	slug=$out
	mkdir later
	for place in .env one/two/three/.env one/two/three/four/.env later/.env config/key.pem config/other.secret; do echo "late $place" >"$place"; done
	rm one/.env && echo "late one/.env" >one/.env
	run_split bottle exec "$slug" -- sh -c 'cat .env one/.env one/two/three/.env config/key.pem closed/inner/x 2>/dev/null; echo; find . -name .env -o -name key.pem | sort'
	# What the manual says of the rest, which is also the control: this is how the first ones would be seen.
	[ "$out" = $'\n./later/.env\n./one/two/three/four/.env' ] || { echo "$out"; return 1; }
	run_split bottle exec "$slug" -- cat config/other.secret
	[ "$out" = "late config/other.secret" ]
	# The names are the agent's to use, and directories can be removed as ever.
	run_split bottle exec "$slug" -- sh -ec 'rmdir empty; rm -r one/two; mkdir one/two; echo mine >one/two/.env; echo own >.env; cat .env one/two/.env'
	expect_status 0
	[ "$out" = $'own\nmine' ]
	[ "$(cat .env)" = "late .env" ] && [ -d empty ]
	run_split bottle diff "$slug"
	expect_status 0
}

@test "copy: an excluded name stays free of what the host puts there later" {
	what_comes_later_is_not_seen
}

@test "copy: and for an ordinary user" {
	as_ordinary_user
	what_comes_later_is_not_seen
}

@test "copy: over a thousand such names are kept free in the directory itself alone" {
	bottle_file copied 'workspace_exclude: [.env]'
	mkdir -p d{0..1100} && chown -R "$(stat -c %u:%g .)" .
	start --detach --bottle copied -- sleep 1000
	expect_status 0
	slug=$out
	echo late | tee .env >d7/.env
	run_split bottle exec "$slug" -- sh -c 'cat d7/.env; cat .env'
	[ "$out" = late ]
	[[ $err == *".env: No such file"* ]]
}

@test "copy: a directory of one's own that one can't read is not there, nor opened by the agent to itself" {
	as_ordinary_user
	bottle_file copied 'workspace_exclude: [.env]'
	mkdir -p closed open && echo secret | tee closed/.env >open/.env && echo seen >open/x
	chown -R 65000:65000 "$PLACE" && chmod 0 closed
	start --rm --bottle copied -- sh -c 'chmod 700 closed; cat closed/.env; cat open/x open/.env'
	[ "$out" = seen ]
	chmod 700 closed
	# The control: with nothing to be hidden it is the agent's to open.
	bottle_file plain 'env: {A: b}'
	chmod 0 closed
	start --rm --bottle plain -- sh -c 'chmod 700 closed; cat closed/.env'
	[ "$out" = secret ]
	chmod 700 closed
}

@test "files of another owner are no more the guest's than they are its user's" {
	[ "$(id -u)" -eq 0 ] || skip "needs a second user"
	echo theirs >other && chown 64999:64999 other && chmod 600 other
	echo shared >open && chown 64999:64999 open && chmod 644 open
	chown 65000:65000 . a.txt
	bottle_file mounted 'workspace: mount'
	for mode in mounted copied; do
		bottle_file copied 'env: {A: b}'
		start --rm --bottle $mode -- sh -c 'cat other 2>/dev/null && echo read; cat open; (echo x >>open) 2>/dev/null && echo written; echo mine >>a.txt && echo own'
		expect_status 0
		[ "$out" = $'shared\nown' ]
	done
	[ "$(cat open)" = shared ]
}

@test "the summary names what is wide, whose files lie there, and no secret's value" {
	bottle_file wide 'env: {SECRET: "${HIDDEN_VALUE}"}
egress: {routes: [{host: "*.example.com", wildcard: true}, {host: inner.example.net, allow_private: true}, {host: old.example.org, plain: true, allow_private: true, auth: {scheme: bearer, token_ref: OLD_TOKEN}}, {host: fine.example.edu}]}'
	export HIDDEN_VALUE=hunter2hunter2 OLD_TOKEN=correcthorsebattery
	if [ "$(id -u)" -eq 0 ]; then echo x >theirs && chown 64999 theirs; fi
	start --rm --bottle wide -- true
	expect_status 0
	[[ $err == *"*.example.com: every name below it"* && $err == *"inner.example.net: may lead to private"* ]]
	[[ $err == *"old.example.org: without TLS: anybody on the way reads its credential"* && $err != *"fine.example.edu:"* ]]
	[[ $err == *"SECRET"* && $err == *"OLD_TOKEN for old.example.org"* && $err != *hunter2* && $err != *correcthorse* ]]
	[ "$(id -u)" -ne 0 ] || [[ $err == *"files of other owners (1)"*theirs* ]]
}

@test "the summary says that changes would lie on an overlay" {
	[ "$(id -u)" -eq 0 ] || skip "mounts a file system"
	run_split unshare -m sh -c "mkdir -p $PLACE/l $PLACE/t && mount -t tmpfs none $PLACE/t && mkdir $PLACE/t/u $PLACE/t/w $PLACE/merged &&
		mount -t overlay -o lowerdir=$PLACE/l,upperdir=$PLACE/t/u,workdir=$PLACE/t/w none $PLACE/merged &&
		XDG_STATE_HOME=$PLACE/merged exec bottle start --yes --rm -- true"
	[[ $err == *"changes would lie on an overlay"* ]]
	start --rm -- true
	[[ $err != *"would lie on"* ]]
}
