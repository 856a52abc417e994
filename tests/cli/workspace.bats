#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# diff and export, on upper layers made by hand.

load state.bash
setup() {
	state_up
	make_bottle one-aaaaa '.workspace_exclude = [".env"]'
	up=$(upper one-aaaaa)
}
teardown() { state_down; }

whiteout() { mknod "$1" c 0 0 || skip "this kernel lets nobody make a whiteout"; }

@test "diff shows text and names the rest" {
	printf 'a\nb\n' >"$work/f"
	printf 'a\nc\n' >"$up/f"
	printf 'x\0y' >"$up/bin"
	ln -s /etc/shadow "$up/link"
	run --separate-stderr "$bottle" diff one-aaaaa
	[ "$status" -eq 0 ]
	[ "$output" = $'added file bin: binary\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\nadded symlink link -> /etc/shadow' ]
	run --separate-stderr "$bottle" diff --json one-aaaaa
	[ "$(jq -r 'map(.path) | join(" ")' <<<"$output")" = "bin f link" ]
}

@test "diff that could not look at everything says so by its status too" {
	echo new >"$up/f"
	run --separate-stderr "$bottle" diff --json one-aaaaa # control
	[ "$status" -eq 0 ]
	deep=$up
	for i in $(seq 1 205); do deep=$deep/d; done
	mkdir -p "$deep"
	for words in "" --names --json; do
		run --separate-stderr "$bottle" diff $words one-aaaaa
		[ "$status" -eq 1 ]
		[[ $stderr == *"not everything was looked at"* ]]
	done
	[ "$(jq -r '.[] | select(.path == "f") | .status' <<<"$output")" = added ]
	run --separate-stderr "$bottle" info --json one-aaaaa
	[ "$(jq .changed_more <<<"$output")" = true ]
}

# as_owner CMD...: as somebody whom permissions hold. The state becomes theirs.
as_owner() {
	local as=()
	[ "$(id -u)" -ne 0 ] || { chown -R 65000:65000 "$dir" && as=(setpriv --reuid 65000 --regid 65000 --clear-groups); }
	run --separate-stderr "${as[@]}" "$@"
}
close_some() {
	mkdir "$up/new" "$up/d" "$work/d"
	echo before | tee "$work/f" "$work/d/x" >/dev/null
	echo after | tee "$up/f" "$up/new/x" "$up/d/x" >"$up/added"
	chmod 0 "$up/new" "$up/d" "$up/f" "$up/added"
}

@test "what can't be read is listed once, and diff has no success, in any form" {
	close_some
	for words in "" --names --json; do
		as_owner "$bottle" diff $words one-aaaaa
		[ "$status" -eq 1 ] || { echo "$words"; return 1; }
		[[ $stderr == *"not everything was looked at"* ]]
	done
	[ "$(jq -r '.[] | [.status, .path, .unreadable] | join(" ")' <<<"$output")" = "added added its contents can't be read
mode-changed d the directory can't be read
modified f its contents can't be read
added new the directory can't be read" ]
	chmod -R u+rwX "$up"
	as_owner "$bottle" diff --names one-aaaaa # control
	[ "$status" -eq 0 ]
	[[ $output == *" d/x"* && $output == *" new/x"* ]]
}

@test "what can't be read is not exported, nor an empty directory for it, and how it can be is said" {
	close_some
	as_owner "$bottle" export --json one-aaaaa
	[ "$status" -eq 1 ]
	[ "$(jq -r '.[] | [.verdict, .path] | join(" ")' <<<"$output")" = $'unreadable added\nunreadable d\nunreadable f\nunreadable new' ]
	[[ $stderr == *"4 unreadable"*"chmod u+rwX"* && $stderr != *"never"* ]]
	[ "$(ls -A "$work")" = $'d\nf' ]
	[ "$(cat "$work/f")" = before ]
	chmod -R u+rwX "$up"
	as_owner "$bottle" export one-aaaaa # control
	[ "$status" -eq 0 ]
	[ "$(cat "$work/added" "$work/d/x" "$work/f" "$work/new/x")" = $'after\nafter\nafter\nafter' ]
}

@test "what diff prints, patch applies" {
	seq 1 400 >"$work/f"
	seq 1 400 | sed -e '3d' -e '50,60d' -e 's/^1\(.\)9$/changed \1/' -e '200a new line' >"$up/f"
	cp "$work/f" "$dir/copy"
	"$bottle" diff one-aaaaa >"$dir/patch"
	patch -s "$dir/copy" "$dir/patch"
	cmp "$dir/copy" "$up/f"
}

# late_reader FLAG CMD...: to a pipe that is full before it is read, and that may not block where FLAG says so.
late_reader() {
	python3 - "$@" <<'PY'
import os, select, subprocess, sys, time
flag, *command = sys.argv[1:]
read, write = os.pipe()
os.set_blocking(write, flag != "nonblocking")
caller = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=write)
full = select.poll()
full.register(write, select.POLLOUT)
until = time.monotonic() + 60
while caller.poll() is None and full.poll(0) and time.monotonic() < until:
    time.sleep(0.02)
os.close(write)
with os.fdopen(read, "rb") as pipe:
    sys.stdout.buffer.write(pipe.read())
sys.exit(caller.wait())
PY
}

@test "a stdout that may not block takes all of it, as one that may does (control)" {
	seq 1 100000 >"$up/long"
	"$bottle" diff one-aaaaa >"$dir/all"
	for flag in blocking nonblocking; do
		late_reader $flag "$bottle" diff one-aaaaa >"$dir/got"
		cmp "$dir/all" "$dir/got"
	done
}

@test "hostile names reach no terminal" {
	echo x >"$up/"$'a\e[2J\nfake'
	run --separate-stderr "$bottle" diff one-aaaaa
	[[ $output != *$'\e'* ]]
	[[ $output == *'b/a\x1b[2J\x0afake'* ]]
	run --separate-stderr "$bottle" diff --names one-aaaaa
	[[ $output != *$'\e'* ]]
	run --separate-stderr "$bottle" export --dry-run one-aaaaa
	[[ $output != *$'\e'* ]]
}

@test "export goes to the workspace and holds back what a tool would run" {
	mkdir -p "$up/.git/hooks" "$up/src"
	echo code >"$up/src/main.c"
	echo evil >"$up/.git/hooks/pre-commit"
	echo evil >"$up/.EnvRC"
	ln -s src/main.c "$up/link"
	ln -s ../../etc/passwd "$up/out"
	run --separate-stderr "$bottle" export one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(cat "$work/src/main.c")" = code ]
	[ ! -e "$work/.git/hooks/pre-commit" ]
	[ ! -e "$work/.EnvRC" ]
	[ ! -L "$work/link" ]
	[[ $stderr == *"--include-executable-config"* ]]
	run --separate-stderr "$bottle" export --include-executable-config one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(cat "$work/.git/hooks/pre-commit")" = evil ]
	[ -L "$work/link" ]
	[ ! -L "$work/out" ]
	[[ $output == *"leads out of the workspace"* ]]
}

# refused_to CALL ERROR VERB...: the kernel does not do that for it.
refused_to() {
	run env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" strace -qq -o "$dir/trace" \
		-e trace="$1" -e inject="$1:error=$2" "$bottle" "${@:3}"
	grep -q INJECTED "$dir/trace"
}

@test "what stands in the way goes only once all else is done" {
	mkdir "$work/src"
	echo mine >"$work/src/file"
	ln -s elsewhere "$up/src"
	refused_to symlinkat EDQUOT export --delete --include-executable-config one-aaaaa
	[ "$status" -eq 1 ]
	[[ $output == *failed* ]]
	[ "$(cat "$work/src/file")" = mine ]
	[ "$(ls -A "$work")" = src ]
	run "$bottle" export --delete --include-executable-config one-aaaaa # control
	[ "$status" -eq 0 ]
	[ -L "$work/src" ]
}

@test "where a file without a name gets none later, it has a hidden one from the start" {
	echo new >"$up/file"
	echo old >"$work/file"
	refused_to linkat EPERM export one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(cat "$work/file")" = new ]
	[ "$(ls -A "$work")" = file ]
}

# By a signal that comes in the middle of a file, as Ctrl-C may.
@test "an export that is killed leaves no part of a file" {
	head -c 300000 /dev/urandom >"$up/file"
	run bash -c "ulimit -c 0 -f 64; exec $bottle export one-aaaaa"
	[ "$status" -eq $((128 + $(kill -l XFSZ))) ]
	[ -z "$(ls -A "$work")" ]
	echo old >"$work/file"
	run "$bottle" export one-aaaaa # control, and in place of another
	[ "$status" -eq 0 ]
	cmp "$up/file" "$work/file"
	[ "$(ls -A "$work")" = file ]
}

@test "export writes through no link that stands in the way" {
	mkdir "$dir/outside" "$up/d" "$dir/to"
	echo new >"$up/d/file"
	ln -s "$dir/outside" "$dir/to/d"
	run "$bottle" export --to "$dir/to" one-aaaaa
	[ "$status" -eq 1 ]
	[ -z "$(ls "$dir/outside")" ]
	rm "$dir/to/d"
	run "$bottle" export --to "$dir/to" one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(cat "$dir/to/d/file")" = new ]
}

@test "a hidden file is neither replaced nor deleted" {
	echo SECRET >"$work/.env"
	echo planted >"$up/.env"
	run --separate-stderr "$bottle" export --delete --include-executable-config one-aaaaa
	[ "$(cat "$work/.env")" = SECRET ]
	[[ $output == *"hidden from the bottle"* ]]
	rm "$up/.env"
	whiteout "$up/.env"
	run --separate-stderr "$bottle" export --delete one-aaaaa
	[ "$(cat "$work/.env")" = SECRET ]
}

@test "deletions need --delete" {
	echo x >"$work/gone"
	whiteout "$up/gone"
	run --separate-stderr "$bottle" export one-aaaaa
	[ -e "$work/gone" ]
	[[ $stderr == *"--delete"* ]]
	run --separate-stderr "$bottle" export --delete one-aaaaa
	[ ! -e "$work/gone" ]
}

@test "export takes paths, and only such below the workspace" {
	mkdir "$up/a"
	echo 1 >"$up/a/one"
	echo 2 >"$up/b"
	run "$bottle" export one-aaaaa ./a/
	[ "$status" -eq 0 ]
	[ -e "$work/a/one" ]
	[ ! -e "$work/b" ]
	run "$bottle" export one-aaaaa ../b
	[ "$status" -eq 2 ]
	run "$bottle" export one-aaaaa /etc
	[ "$status" -eq 2 ]
	run "$bottle" export one-aaaaa never
	[ "$status" -eq 1 ]
}

# A newline's name, and two literal ones that look like it, or like it twice.
alike() {
	newline=$'a\nb' literal='a\x0ab' twice='a\\x0ab'
	echo newline >"$up/$newline"
	echo literal >"$up/$literal"
}
names() { "$bottle" diff --names one-aaaaa | awk '/added/ { print $3 }' | sort; }

@test "no two names are shown alike, and JSON has the true ones" {
	alike
	echo hidden >"$up/"$'c\u202ed'
	echo latin >"$up/"$'caf\xe9'
	ln -s "$newline" "$up/link"
	run names
	[ "$output" = "$(printf '%s\n' 'a\\x0ab' 'a\x0ab' 'caf\xe9' 'c\u{202e}d' link | sort)" ]
	run --separate-stderr "$bottle" diff one-aaaaa
	[[ $output == *'+++ b/a\x0ab'$'\n'*'+newline'* ]]
	[[ $output == *'+++ b/a\\x0ab'$'\n'*'+literal'* ]]
	for words in "diff --json" "export --json --dry-run"; do
		# shellcheck disable=SC2086
		run --separate-stderr "$bottle" $words one-aaaaa
		[ "$status" -eq 0 ]
		[[ $output != *$'\u202e'* ]]
		jq -e --arg n "$newline" --arg l "$literal" --arg h $'c\u202ed' \
			'[.[].path] as $p | $p == ($p | unique) and (($p | index($n)) and ($p | index($l)) and ($p | index($h)))' <<<"$output"
		# What is not UTF-8 is no JSON; it is marked, and nothing else is.
		[ "$(jq -c '[.[] | select(.path_escaped) | .path]' <<<"$output")" = '["caf\\xe9"]' ]
	done
	[ "$("$bottle" diff --json one-aaaaa | jq -r '.[] | select(.path == "link") | .target')" = "$newline" ]
}

@test "export takes a name as it is shown or as it is, and never another's" {
	alike
	run --separate-stderr "$bottle" export one-aaaaa "$literal"
	[ "$status" -eq 2 ]
	[[ $stderr == *"how another's is shown"* ]]
	[ -z "$(ls -A "$work")" ]
	run --separate-stderr "$bottle" export one-aaaaa "$newline"
	[ "$status" -eq 0 ]
	[ "$(ls -A "$work" | wc -l)" -eq 2 ] # one name of two lines
	[ "$(cat "$work/$newline")" = newline ]
	rm "$work/$newline"
	run --separate-stderr "$bottle" export one-aaaaa "$twice"
	[ "$status" -eq 0 ]
	[ "$(cat "$work/$literal")" = literal ]
	[ ! -e "$work/$newline" ]
	rm "$work/$literal"
	# Alone, each is taken by both (control).
	rm "$up/$literal"
	run --separate-stderr "$bottle" export one-aaaaa "$literal"
	[ "$status" -eq 0 ]
	[ "$(cat "$work/$newline")" = newline ]
	rm "$up/$newline" "$work/$newline"
	echo literal >"$up/$literal"
	for as in "$literal" "$twice"; do
		run --separate-stderr "$bottle" export one-aaaaa "$as"
		[ "$status" -eq 0 ]
		[ "$(cat "$work/$literal")" = literal ]
		rm "$work/$literal"
	done
	# Of a directory, too, with what is in it and nothing beside it.
	mkdir "$up/"$'d\te' "$up/"$'d\te2'
	echo in >"$up/"$'d\te/in'
	echo out >"$up/"$'d\te2/out'
	run --separate-stderr "$bottle" export one-aaaaa 'd\x09e/'
	[ "$status" -eq 0 ]
	[ "$(cat "$work/"$'d\te/in')" = in ]
	[ ! -e "$work/"$'d\te2' ]
}

@test "set-id bits and special files stay inside" {
	echo x >"$up/suid"
	chmod 6755 "$up/suid"
	mkfifo "$up/fifo"
	run --separate-stderr "$bottle" export --json one-aaaaa
	[ "$(stat -c %a "$work/suid")" = 755 ]
	[ "$(jq -r '.[] | select(.path == "fifo") | .verdict' <<<"$output")" = refused ]
	[ ! -e "$work/fifo" ]
}

@test "permissions that changed with the contents are named, and do not come out" {
	echo a | tee "$work/keys.conf" >"$work/plain"
	echo b | tee "$up/keys.conf" >"$up/plain"
	chmod 600 "$work/keys.conf" "$work/plain" "$up/plain"
	chmod 777 "$up/keys.conf"
	run --separate-stderr "$bottle" diff --names one-aaaaa
	[[ $output == *"keys.conf"*"old mode 0600, new mode 0777"* ]]
	[ "$(grep -c 'old mode' <<<"$output")" -eq 1 ] # control: plain's are as they were
	run --separate-stderr "$bottle" diff --json one-aaaaa
	[ "$(jq -r '.[] | [.path, .old_mode, .new_mode] | join(" ")' <<<"$output")" = $'keys.conf 0600 0777\nplain  ' ]
	run --separate-stderr "$bottle" export --json one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(jq -r '.[] | [.path, .why] | join(": ")' <<<"$output")" = $'keys.conf: of its permissions only the owner\'s x is taken\nplain: ' ]
	[ "$(stat -c %a "$work/keys.conf" "$work/plain")" = $'700\n600' ]
	[ "$(cat "$work/keys.conf" "$work/plain")" = $'b\nb' ]
}

@test "what stands in the way is said, before it is tried, too, with the remedy" {
	mkdir "$work/was-directory" "$up/was-file"
	echo old | tee "$work/was-directory/x" >"$work/was-file"
	echo new | tee "$up/was-file/x" >"$up/was-directory"
	for words in --dry-run ""; do
		run --separate-stderr "$bottle" export --json $words one-aaaaa
		[ "$status" -eq 1 ]
		[ "$(jq -r '.[] | [.verdict, .path, .why] | join(" ")' <<<"$output")" = \
			"failed was-directory a directory stands there; --delete removes it
failed was-file a file or symlink stands there; --delete removes it
failed was-file/x a symlink or a file stands in its way" ]
		[[ $stderr == *"3 failed"* ]]
	done
	[ "$(cat "$work/was-directory/x" "$work/was-file")" = $'old\nold' ]
	for words in --dry-run ""; do
		run --separate-stderr "$bottle" export --json --delete $words one-aaaaa
		[ "$status" -eq 0 ]
		[ "$(jq -r '.[] | .verdict' <<<"$output" | sort -u)" = exported ]
	done
	[ "$(cat "$work/was-directory" "$work/was-file/x")" = $'new\nnew' ]
}

@test "where only permissions changed that do not come out, nothing is said to be exported" {
	mkdir "$work/d" "$up/d" "$dir/to"
	echo same | tee "$work/f" "$work/run" "$up/f" >"$up/run"
	chmod 700 "$up/d"
	chmod 666 "$up/f"
	chmod 755 "$up/run"
	run --separate-stderr "$bottle" export --json one-aaaaa
	[ "$status" -eq 0 ]
	[ "$(jq -r '.[] | [.verdict, .path] | join(" ")' <<<"$output")" = $'kept d\nkept f\nexported run' ]
	[ "$(jq -r '.[0].why' <<<"$output")" = "its permissions stay as they are" ]
	[ "$(stat -c %a "$work/d" "$work/f" "$work/run")" = $'755\n644\n744' ]
	# Where they are not there yet, they are brought (control).
	run --separate-stderr "$bottle" export --json --to "$dir/to" one-aaaaa
	[ "$(jq -r '.[] | .verdict' <<<"$output" | sort -u)" = exported ]
	[ "$(cat "$dir/to/f")" = same ]
}

@test "a bottle without a layer says why there is nothing to show" {
	make_bottle two-bbbbb '.workspace_mode = "mount"'
	run --separate-stderr "$bottle" diff two-bbbbb
	[ "$status" -eq 1 ]
	[[ $stderr == *'"mount"'* ]]
}
