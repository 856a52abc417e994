#!/usr/bin/env bats
load helper

copies_both_ways() {
	mkdir -p in/deep
	printf 'one\n' >in/one
	printf '#!/bin/sh\necho ran\n' >in/deep/run
	chmod 4755 in/deep/run
	[ -z "${AS[*]}" ] || chown -R 65000:65000 in
	detached sleep 1000
	run_split bottle cp in "$slug:/tmp"
	expect_status 0
	run_split bottle exec "$slug" -- sh -c 'cat /tmp/in/one; /tmp/in/deep/run; stat -c "%u %a" /tmp/in/deep/run; echo back >/tmp/in/two'
	expect_status 0
	[ "$out" = $'one\nran\n1000 755' ]
	run_split bottle cp "$slug:/tmp/in" "$PLACE/back"
	expect_status 0
	[ "$(cat "$PLACE/back/one" "$PLACE/back/two")" = $'one\nback' ]
	# A single file, a relative path, a name of one's own.
	run_split bottle cp in/one "$slug:renamed"
	expect_status 0
	run_split bottle cp "$slug:renamed" "$PLACE/again"
	expect_status 0
	[ "$(cat "$PLACE/again")" = one ]
	[ ! -e renamed ]
	grep -q '"copy":"send"' "$BOTTLES/$slug/audit.jsonl"
}

@test "a tree goes into a bottle and comes back" {
	copies_both_ways
}

@test "the same for an ordinary user" {
	as_ordinary_user
	copies_both_ways
}

@test "links and devices of the guest stay behind, and what is regular comes (control)" {
	echo secret >"$PLACE/secret"
	detached sleep 1000
	bottle exec "$slug" -- sh -c "mkdir /tmp/out; cd /tmp/out; echo fine >fine; ln -s $PLACE/secret link; ln -s / root; mkfifo pipe"
	run_split bottle cp "$slug:/tmp/out" "$PLACE/got"
	expect_status 0
	[[ $err == *link* && $err == *pipe* ]]
	[ "$(ls "$PLACE/got")" = fine ]
	# Nor is a link the thing itself.
	run_split bottle cp "$slug:/tmp/out/link" "$PLACE/got2"
	expect_status 1
	[ "$err" = "bottle: in the bottle: /tmp/out/link is neither a regular file nor a directory" ]
	[ ! -e "$PLACE/got2" ]
}

@test "a name that the guest made can't fool a terminal" {
	detached sleep 1000
	bottle exec "$slug" -- sh -c 'mkdir /tmp/out; cd /tmp/out; ln -s x "$(printf "\033[2Jgone")"'
	run_split bottle cp "$slug:/tmp/out" "$PLACE/got"
	expect_status 0
	[[ $err == *gone* && $err != *$'\033'* ]]
	run_split bottle cp "$slug:$(printf 'no\033[2J')" "$PLACE/got"
	expect_status 1
	[[ $err != *$'\033'* ]]
}

@test "a link in the way on the host is not written through" {
	detached sleep 1000
	mkdir "$PLACE/outside" "$PLACE/to"
	bottle exec "$slug" -- sh -c 'mkdir -p /tmp/out/sub; echo planted >/tmp/out/sub/file'
	mkdir "$PLACE/to/out"
	ln -s "$PLACE/outside" "$PLACE/to/out/sub"
	run_split bottle cp "$slug:/tmp/out" "$PLACE/to"
	expect_status 1
	[ -z "$(ls "$PLACE/outside")" ]
	# Without the link it arrives.
	rm "$PLACE/to/out/sub"
	run_split bottle cp "$slug:/tmp/out" "$PLACE/to"
	expect_status 0
	[ "$(cat "$PLACE/to/out/sub/file")" = planted ]
}

@test "a copy into a place that the agent's user can't write says so" {
	detached sleep 1000
	run_split bottle cp a.txt "$slug:/etc/passwd"
	expect_status 1
	[[ $err == *"in the bottle"* ]]
	run_split bottle cp a.txt "no-such-12345:/tmp"
	expect_status 1
	run_split bottle cp a.txt b.txt
	expect_status 2
}

@test "DIR/. is what is in a directory, both ways" {
	mkdir -p in/deep && echo one >in/one && echo two >in/deep/two
	detached sleep 1000
	cd in
	run_split bottle cp . "$slug:/tmp/fresh"
	expect_status 0
	run_split bottle cp ./deep/. "$slug:/tmp/fresh"
	expect_status 0
	run_split bottle exec "$slug" -- sh -c 'cd /tmp/fresh && cat one deep/two two'
	[ "$out" = $'one\ntwo\ntwo' ]
	mkdir "$PLACE/there"
	run_split bottle cp "$slug:/tmp/fresh/." "$PLACE/there"
	expect_status 0
	[ "$(cat "$PLACE/there/one" "$PLACE/there/deep/two")" = $'one\ntwo' ]
	run_split bottle cp "$slug:." "$PLACE/workspace"
	expect_status 0
	[ "$(cat "$PLACE/workspace/a.txt")" = first ]
	run_split bottle cp "$slug:.." "$PLACE/up"
	expect_status 1
	[ ! -e "$PLACE/up" ]
}

@test "a full disk here is what is said, and not that the bottle refused" {
	[ "$(id -u)" -eq 0 ] || skip "mounts a small disk"
	detached sleep 1000
	run_split bottle exec "$slug" -- sh -c 'head -c 4000000 /dev/zero >/tmp/big'
	expect_status 0
	run_split unshare -m sh -c "mkdir $PLACE/small && mount -t tmpfs -o size=1m none $PLACE/small && exec bottle cp $slug:/tmp/big $PLACE/small/"
	expect_status 1
	[[ $err == *"No space left"* && $err != *"in the bottle"* ]]
	run_split bottle cp "$slug:/tmp/none" "$PLACE/out-file"
	expect_status 1
	[[ $err == *"in the bottle"*none* ]]
}

@test "a copy that is killed leaves no part of a file" {
	detached sleep 1000
	bottle exec "$slug" -- sh -c 'head -c 300000 /dev/urandom >/tmp/big'
	mkdir "$PLACE/to"
	# By a signal that comes in the middle of the file, as Ctrl-C may.
	run_split bash -c "ulimit -c 0 -f 64; exec bottle cp $slug:/tmp/big $PLACE/to"
	expect_status $((128 + $(kill -l XFSZ)))
	[ -z "$(ls -A "$PLACE/to")" ]
	run_split bottle cp "$slug:/tmp/big" "$PLACE/to" # control
	expect_status 0
	[ "$(stat -c %s "$PLACE/to/big")" -eq 300000 ]
}

# More than the pipe of what the program inside says would hold.
@test "what does not go into a bottle is named, all of it" {
	mkdir in
	python3 -c 'import os
for i in range(5000): os.symlink("nowhere", "in/link-%d" % i)'
	echo one >in/one
	echo two >in/two
	echo closed >in/closed
	chmod 0 in/closed
	[ "$(id -u)" -ne 0 ] || as_ordinary_user
	detached sleep 1000
	run_split timeout -k 1 60 bottle cp in "$slug:/tmp"
	expect_status 1
	[ "$(grep -c '^passed over in/link-[0-9]*: a symlink$' "$PLACE/err")" -eq 5000 ]
	[ "$(sort -u "$PLACE/err" | wc -l)" -eq 5002 ]
	[[ $err == *"passed over in/closed: Permission denied"*"copied 2 files, 8 bytes; 5000 passed over; 1 could not be read" ]]
	run_split bottle exec "$slug" -- sh -c 'ls /tmp/in; cat /tmp/in/*'
	[ "$out" = $'one\ntwo\none\ntwo' ] # control
}

@test "a copy that leaves something unread has failed, both ways, and one that leaves links has not (control)" {
	mkdir -p in/closed in/open && echo a >in/open/one && ln -s nowhere in/link
	: >in/unread
	chmod 0 in/closed in/unread
	[ "$(id -u)" -ne 0 ] || as_ordinary_user
	detached sleep 1000
	run_split bottle cp in "$slug:/tmp/"
	expect_status 1
	[[ $err == *"passed over in/closed: Permission denied"* && $err == *"passed over in/unread: Permission denied"* ]]
	[[ $err == *"copied 1 file, 2 bytes; 1 passed over; 2 could not be read" ]]
	run_split bottle exec "$slug" -- sh -c 'cd /tmp/in; mkdir sub; : >sub/unread; : >empty; ln -s x open/link; chmod 0 sub/unread'
	run_split bottle cp "$slug:/tmp/in" "$PLACE/back"
	expect_status 1
	[[ $err == *"passed over /tmp/in/sub/unread: Permission denied"*"copied 2 files, 2 bytes; 1 passed over; 1 could not be read" ]]
	[ "$(cat "$PLACE/back/open/one")" = a ]
	run_split bottle cp "$slug:/tmp/in/open" "$PLACE/open"
	expect_status 0
	[[ $err == *"copied 1 file, 2 bytes; 1 passed over" ]]
	# What was itself asked for is the error.
	run_split bottle cp in/closed "$slug:/tmp/"
	expect_status 1
	[[ $err == "bottle: open in/closed: Permission denied" ]]
	run_split bottle exec "$slug" -- sh -c 'mkdir -m 400 /tmp/listed'
	run_split bottle cp "$slug:/tmp/listed" "$PLACE/listed"
	expect_status 1
	[[ $err == "bottle: in the bottle: open /tmp/listed: Permission denied" ]]
}

@test "an error of a copy names the whole path, and no program inside" {
	mkdir -p in/deep && echo one >in/deep/file
	detached sh -c 'mkdir -p /tmp/to/deep/file; exec sleep 1000'
	wait_for bottle exec "$slug" -- test -e /tmp/to/deep/file </dev/null
	run_split bottle cp in/deep/file "$slug:/usr/"
	expect_status 1
	[ "$err" = "bottle: in the bottle: create /usr/file: Read-only file system" ]
	run_split bottle cp in/. "$slug:/tmp/to"
	expect_status 1
	[ "$err" = "bottle: in the bottle: write /tmp/to/deep/file: Is a directory" ]
	run_split bottle cp "$slug:/tmp/to/none" there
	expect_status 1
	[ "$err" = "bottle: in the bottle: open /tmp/to/none: No such file or directory" ]
	mkdir -p out/file
	run_split bottle exec "$slug" -- sh -c 'mkdir /tmp/out; echo two >/tmp/out/file'
	run_split bottle cp "$slug:/tmp/out" .
	expect_status 1
	[ "$err" = "bottle: write ./out/file: Is a directory" ]
}

# Takes the room in which the program that receives could say why it can't go on, and sees to that.
fill_errors='
import glob, os, signal
open("/tmp/ready", "w").close()
held = None
while held is None:
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if b"receive" not in open(name, "rb").read().split(b"\0"): continue
            pid = int(name.split("/")[2])
            os.kill(pid, signal.SIGSTOP)
            held = os.open(f"/proc/{pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
        except OSError: continue
try:
    for _ in range(200000): os.write(held, b"x")
except BlockingIOError: pass
os.chmod("/tmp/to", 0)
open("/tmp/filled", "w").close()
os.kill(pid, signal.SIGCONT)
signal.pause()'

@test "a copy ends with its program, though that can't say why" {
	mkdir in
	for ((i = 0; i < 50; i++)); do truncate -s 4M "in/$i"; done
	[ "$(id -u)" -ne 0 ] || as_ordinary_user
	detached sh -c 'mkdir /tmp/to; exec python3 -c "$1"' - "$fill_errors"
	wait_for "${AS[@]}" bottle exec "$slug" -- test -e /tmp/ready </dev/null
	run_split timeout -k 1 60 bottle cp in/. "$slug:/tmp/to"
	expect_status 1
	[[ $err == *"in the bottle: xxx"* ]]
	run_split bottle exec "$slug" -- sh -c 'test -e /tmp/filled && chmod 700 /tmp/to'
	expect_status 0
	run_split bottle cp in/. "$slug:/tmp/to" # control
	expect_status 0
}

# Takes hold of the standard error of the program that sends, says something there and ends it.
hold_errors='
import glob, os, signal, sys
open("/tmp/ready", "w").close()
held = None
while held is None:
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            words = open(name, "rb").read().split(b"\0")
            if b"send" not in words: continue
            held = os.open(os.path.dirname(name) + "/fd/2", os.O_WRONLY)
        except OSError: continue
        os.write(held, b"words of the end\n")
        if sys.argv[1] == "lets-go": os.close(held)
        os.kill(int(name.split("/")[2]), signal.SIGKILL)
        break
open("/tmp/ended", "w").close()
signal.pause()'

# The pipe is its user's, and the agent is that one: of root's it could open none.
@test "a copy ends with its program, though another one inside holds what that spoke to" {
	[ "$(id -u)" -ne 0 ] || as_ordinary_user
	for what in lets-go holds; do
		detached sh -c 'truncate -s 4G /tmp/big; exec python3 -c "$1" "$2"' - "$hold_errors" $what
		wait_for "${AS[@]}" bottle exec "$slug" -- test -e /tmp/ready </dev/null
		run_split timeout -k 1 60 bottle cp "$slug:/tmp/big" "$PLACE/got"
		expect_status 1
		[[ $err == *"in the bottle: words of the end"* ]] || { echo "$what: $err"; return 1; }
		run_split bottle exec "$slug" -- test -e /tmp/ended
		expect_status 0
		run_split bottle stop "$slug"
	done
}
