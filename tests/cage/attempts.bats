# Attempts that must fail in the guest's cage, each with its control outside. As root and, when
# root runs this, as an ordinary user too.

setup_file() {
	export GUEST=$BUILD/libexec/bot-bottle/bottle-guest
	export ENTER=$BUILD/tests/cage/enter
}

setup() {
	dir=$(mktemp -d "$BATS_TEST_TMPDIR/w.XXXXXX")
	cp "$BUILD/tests/cage/inside_attempts" "$dir/attempts"
	# bats' own directories are closed to others; this one is the workspace of another user.
	shared=$(mktemp -d /tmp/cage-test.XXXXXX)
	chmod 755 "$shared"
	cp "$BUILD/tests/cage/inside_attempts" "$shared/attempts"
}

teardown() {
	[ -z "${listener:-}" ] || { kill "$listener" 2>/dev/null; wait "$listener" 2>/dev/null || true; }
	rm -rf "$shared"
}

as_user() { setpriv --reuid 65001 --regid 65001 --clear-groups env GUEST="$GUEST" "$@"; }

# name, and what it gets inside; what is not "ok" must be different outside where the host can.
expected() {
	cat <<-'TABLE'
	add_key EPERM
	alg EAFNOSUPPORT
	bind EPERM
	bpf EPERM
	chroot EPERM
	clone-user EPERM
	clone3 ENOSYS
	core_pattern EACCES
	dccp ESOCKTNOSUPPORT
	fanotify EPERM
	fs-label ENOSYS
	finit_module EPERM
	fsopen EPERM
	host-root ENOENT
	init-environ EACCES
	init-fd EACCES
	init-mem EACCES
	init-ns EACCES
	init-root EACCES
	io_uring EPERM
	kexec EPERM
	kallsyms EACCES
	key-users EACCES
	keyctl EPERM
	keys EACCES
	kmsg ENOENT
	kvm ENOENT
	lease EPERM
	mknod EPERM
	mount EPERM
	move_mount EPERM
	mptcp EPROTONOSUPPORT
	name_to_handle EPERM
	net-namespace ENOSYS
	netlink-netfilter EPROTONOSUPPORT
	netlink-route ok
	netlink-uevent EPROTONOSUPPORT
	old-packet ESOCKTNOSUPPORT
	open-garbage ok
	open_by_handle EPERM
	openat2 ENOSYS
	open_tree EPERM
	own-mem ok
	packet EAFNOSUPPORT
	perf EPERM
	pidfd_getfd EPERM
	pivot_root EPERM
	proc-stat ok
	ptrace-init EPERM
	ptrace-own ok
	raw EPERM
	readable ok
	readv-init EPERM
	remount EPERM
	root-write EROFS
	seqpacket ESOCKTNOSUPPORT
	set-flags ENOSYS
	set-gid-chmod EPERM
	set-id-chmod EPERM
	set-id-mknod EPERM
	set-id-open EPERM
	set-id-unnamed EPERM
	setns EPERM
	setuid EINVAL
	shadow ENOENT
	snapshot ENOSYS
	sys ENOENT
	tcp6 ok
	tioclinux EPERM
	tiocsti EPERM
	udp ok
	uid-map EPERM
	unix-seqpacket ok
	umount EPERM
	unshare-net EPERM
	unshare-user EPERM
	userfaultfd EPERM
	usr-write EROFS
	vsock EAFNOSUPPORT
	wide-packet EAFNOSUPPORT
	wide-raw EPERM
	wide-tiocsti EPERM
	wide-unix EAFNOSUPPORT
	TABLE
	[ "$(uname -m)" != x86_64 ] || printf 'int80 ENOSYS\nx32 ENOSYS\n'
}

check_table() {
	expected | sort >"$BATS_TEST_TMPDIR/expected"
	# Devices and knobs that a host may lack have no row.
	"$@" "$ENTER" -w "$shared" /workspace/attempts | grep -v '^sysrq ' | sort >"$BATS_TEST_TMPDIR/inside"
	diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/inside"
}

@test "every attempt gets what the table says" {
	check_table env
}

@test "and for an ordinary user, when root runs this" {
	[ "$(id -u)" = 0 ] || skip "this run is an ordinary user's already"
	chown -R 65001:65001 "$shared"
	check_table as_user
}

@test "outside the same attempts succeed (control)" {
	[ "$(id -u)" = 0 ] || skip "the control needs root, to whom the kernel alone refuses little"
	# In mount and process namespaces of their own, so that what succeeds hurts nobody.
	# From /: a directory where something is mounted would become its root, and a changed root forbids more.
	unshare --mount --pid --net --ipc --uts --fork --mount-proc --wd=/ "$dir/attempts" | sort >"$BATS_TEST_TMPDIR/outside" || true
	rm -rf /tmp/attempt-disk /tmp/attempt-set-id* /usr/attempt /attempt
	expected | grep -v ' ok$' | sort >"$BATS_TEST_TMPDIR/refused"
	# Most must come out differently: those that don't are things that this host lacks.
	same=$(join "$BATS_TEST_TMPDIR/refused" "$BATS_TEST_TMPDIR/outside" | awk '$2 == $3 { print $1 }')
	echo "# no control on this host: ${same//$'\n'/ }" >&3
	for name in mount bind remount umount chroot unshare-user setns clone-user clone3 io_uring packet old-packet wide-raw keys key-users kallsyms \
		tiocsti wide-tiocsti snapshot set-flags lease net-namespace core_pattern set-id-chmod set-id-open openat2 shadow host-root usr-write root-write ptrace-init; do
		if grep -qx "$name" <<<"$same"; then
			echo "$name is refused outside too"
			return 1
		fi
	done
}

@test "a listener of the host is not reached by TCP, path or abstract name; outside it is" {
	python3 - "$dir" 3>&- <<-'PYTHON' &
	import signal, socket, sys
	path = sys.argv[1]
	tcp = socket.create_server(("127.0.0.1", 0))
	unix = socket.socket(socket.AF_UNIX); unix.bind(path + "/s"); unix.listen()
	abstract = socket.socket(socket.AF_UNIX); abstract.bind("\0cage-test-" + path[-6:]); abstract.listen()
	open(path + "/port.new", "w").write(str(tcp.getsockname()[1]))
	import os; os.rename(path + "/port.new", path + "/port")
	signal.pause()
	PYTHON
	listener=$!
	for _ in $(seq 1200); do [ -e "$dir/port" ] && break; read -rt 0.05 <> <(:) || true; done
	port=$(cat "$dir/port") name=@cage-test-${dir: -6}
	# the workspace is visible inside, sockets and all; that one can be dialled only by path
	[ "$("$dir/attempts" tcp "$port")" = "tcp ok" ]
	[ "$("$dir/attempts" unix "$dir/s")" = "unix ok" ]
	[ "$("$dir/attempts" unix "$name")" = "unix ok" ]
	[ "$("$ENTER" -w "$shared" /workspace/attempts tcp "$port")" = "tcp ECONNREFUSED" ]
	[ "$("$ENTER" -w "$shared" /workspace/attempts unix "$dir/s")" = "unix ENOENT" ]
	[ "$("$ENTER" -w "$shared" /workspace/attempts unix "$name")" = "unix ECONNREFUSED" ]
}

@test "a program starts with descriptors 0, 1 and 2 alone" {
	exec 7</etc/passwd
	run "$ENTER" sh -c 'for f in /proc/$$/fd/*; do echo "${f##*/}"; done'
	exec 7<&-
	# The shell's own open directory is closed by the time it prints.
	[ "$output" = "$(printf '0\n1\n2')" ] || [ "$output" = "$(printf '0\n1\n2\n3')" ]
}

@test "no capability, no new privileges, two filters, one id and no group" {
	run "$ENTER" grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status
	[ "$status" = 0 ]
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		grep -qx "$set:.0000000000000000" <<<"$output"
	done
	grep -q '^NoNewPrivs:.1$' <<<"$output"
	grep -q '^Seccomp:.2$' <<<"$output"
	grep -q '^Uid:.1000.1000.1000.1000$' <<<"$output"
}

@test "root's launches run as an id that is not root's, another for each" {
	[ "$(id -u)" = 0 ] || skip "an ordinary user's cage has its own id"
	first=$("$ENTER" cat /proc/self/uid_map)
	second=$("$ENTER" cat /proc/self/uid_map)
	[ "$(awk '{ print $1, $3 }' <<<"$first")" = "1000 1" ]
	[ "$(awk '{ print $2 }' <<<"$first")" -ge 65536 ]
	[ "$first" != "$second" ]
}

@test "set-id programs get nothing" {
	cp "$(command -v id)" "$shared/id"
	chmod 6755 "$shared/id"
	run "$ENTER" -w "$shared" /workspace/id -u
	[ "$output" = 1000 ]
}

@test "its own terminal, and no other" {
	run "$ENTER" -t sh -c 'tty; stty size'
	[ "${lines[0]%$'\r'}" = /dev/pts/0 ]
	[ "${lines[1]%$'\r'}" = "24 80" ]
}

@test "terminals are not all there for one, outside they are (control)" {
	take='import os
taken = []
try:
    while len(taken) < 400: taken.append(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
except OSError as e: print(e.strerror)
print(len(taken))'
	run "$ENTER" python3 -c "$take"
	[ "$output" = $'No space left on device\n256' ] || { echo "$output"; return 1; }
	run python3 -c "$take"
	[ "$output" = 400 ]
}

# watchers.py: as many as there are, up to a number, of instances and of watches; then it says how many, and stays.
write_watchers() {
	cat >"$shared/watchers.py" <<-'PYTHON'
		import ctypes, os, sys, time
		libc = ctypes.CDLL(None, use_errno=True)
		most, held, watched = int(sys.argv[1]), [], 0
		os.makedirs(sys.argv[2]); os.chdir(sys.argv[2])
		while len(held) < most and (fd := libc.inotify_init1(0)) >= 0: held.append(fd)
		why = [os.strerror(ctypes.get_errno())]; ctypes.set_errno(0)
		while watched < int(sys.argv[3]):
		    os.close(os.open("f%d" % watched, os.O_CREAT))
		    if libc.inotify_add_watch(held[0], b"f%d" % watched, 2) < 0: break
		    watched += 1
		why.append(os.strerror(ctypes.get_errno()))
		print(len(held), watched, *why, sep=",", flush=True)
		end = time.monotonic() + 60
		while len(sys.argv) > 4 and not os.path.exists(sys.argv[4]) and time.monotonic() < end: time.sleep(0.05)
	PYTHON
	instances=$(($(cat /proc/sys/fs/inotify/max_user_instances) / 4)) watches=$(($(cat /proc/sys/fs/inotify/max_user_watches) / 4))
	instances=$((instances < 128 ? instances : 128)) watches=$((watches < 65536 ? watches : 65536))
}

# watchers_are_left MOST_WATCHES ONE|MORE CMD...: each of many takes its time, and whoever runs this has
# other programs, which have their own.
watchers_are_left() {
	local most=$1 number=$2 outside=1 watches_outside=1 why="No space left on device"
	write_watchers
	shift 2
	[ "$watches" -le "$most" ] || watches=$most why=Success
	"$@" "$ENTER" -w "$shared" -m python3 /workspace/watchers.py 1000 /tmp/w "$most" /workspace/end >"$shared/inside" 3>&- &
	listener=$!
	[ "$number" = ONE ] || outside=$((instances + 1)) watches_outside=$((watches + 1))
	for _ in $(seq 1200); do [ -s "$shared/inside" ] && break; read -rt 0.05 <> <(:) || true; done
	[ "$(cat "$shared/inside")" = "$instances,$watches,Too many open files,$why" ] || { cat "$shared/inside"; return 1; }
	# Meanwhile there is something for the same user outside: the control is that it is more than inside.
	run "$@" python3 "$shared/watchers.py" "$outside" "$shared/w" "$watches_outside"
	[ "$output" = "$outside,$watches_outside,Success,Success" ] || { echo "$output"; return 1; }
	touch "$shared/end"
	wait "$listener"
	listener=
}

@test "watchers of files are not all taken from the user outside, who has more of them (control)" {
	watchers_are_left 1000000 ONE env
}

@test "nor from an ordinary user, when root runs this" {
	[ "$(id -u)" = 0 ] || skip "this run is an ordinary user's already"
	chown -R 65001:65001 "$shared"
	watchers_are_left 100 MORE as_user
}

@test "a fork bomb meets the limit of programs" {
	run "$ENTER" bash -c 'i=0; while [ $i -lt 600 ]; do sleep 3600 & i=$((i+1)); done 2>&1; echo end'
	[[ "$output" == *"Resource temporarily unavailable"* || "$output" == *"retry"* ]]
}

@test "a caller's right to real time and to a better priority is not passed on" {
	generous=(prlimit --rtprio=95:95 --nice=40:40)
	[ "$(id -u)" = 0 ] && "${generous[@]}" true || skip "needs root, and CAP_SYS_RESOURCE, to have such limits"
	tries='ulimit -r; ulimit -e; chrt -f 1 echo real-time; nice -n -5 nice'
	run "${generous[@]}" "$ENTER" bash -c "$tries"
	[ "${lines[0]} ${lines[1]}" = "0 0" ] && [ "${lines[-1]}" = 0 ] && [[ "$output" != *real-time* ]] || { echo "$output"; return 1; }
	# The control: the same limits and no cage, as somebody without root's powers.
	run "${generous[@]}" setpriv --reuid 65001 --regid 65001 --clear-groups bash -c "$tries"
	[ "$output" = $'95\n40\nreal-time\n-5' ] || { echo "$output"; return 1; }
}

@test "nor is the place that the caller has, and none can be asked for" {
	place='chrt -p $$ | head -n 1; nice; ulimit -r; ulimit -e; chrt -f 1 echo real-time; nice -n -5 echo better'
	before=() place_before=$(nice)
	# Root can have such a place here; the control.
	if [ "$(id -u)" = 0 ]; then
		before=(chrt -f 5 nice -n -5) place_before=$((place_before - 5))
		run "${before[@]}" bash -c "$place"
		[[ "$output" == *SCHED_FIFO*$'\n'"$place_before"$'\n'*real-time$'\n'better ]] || { echo "$output"; return 1; }
	fi
	run "${before[@]}" "$ENTER" bash -c "$place"
	[[ "$output" == *SCHED_OTHER*$'\n'"$((place_before > 0 ? place_before : 0))"$'\n'0$'\n'0$'\n'* && "$output" != *real-time* ]] || { echo "$output"; return 1; }
	[[ "$output" == *"cannot set niceness"* ]]
}

@test "the programs of a user land work" {
	run "$ENTER" bash -ec 'git init -q r; cd r; python3 -c "import ssl, sqlite3, multiprocessing as m; m.Lock(); print(6 * 7)"
		node -e "console.log(require(\"os\").cpus().length > 0)"; printf "int main(void) { return 0; }" >a.c
		gcc -o a a.c; ./a; perl -e "print qq(perl\n)"; curl --version | head -c 4; echo; (echo piped | cat)'
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = 42 ] && [ "${lines[1]}" = true ] && [ "${lines[2]}" = perl ]
}
