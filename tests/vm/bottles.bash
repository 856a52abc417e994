# shellcheck disable=SC2034,SC2154 # what is set here is for those who read this file in; words.bash sets the rest
# shellcheck disable=SC2086,SC2012 # names without blanks
# For the scripts that start bottles in the VM, behind words.bash: a place of their own with the
# real smolvm, whoever starts them, and what is asked about them.

base=/tmp/t
mkdir -p $base/{bin,home/.bot-bottle/bottles,work,state,cache}
# A copy that an ordinary user may read: the caches of root are closed.
cp -r "$cache/smolvm" $base/smolvm
ln -s $base/smolvm/smolvm-bin $base/bin/smolvm
for part in bin libexec share; do [ ! -d "build/$part" ] || cp -r "build/$part" $base/; done

# Who starts bottles: this id's, or root's own.
who=65000
give_to_user() { chown -R $who:$who $base/home $base/work $base/state $base/cache; }
user() {
	setpriv --reuid $who --regid $who --clear-groups env -i SECRET_OF_THE_HOST=secret-4711-secret HOME=$base/home \
		PATH=$base/bin:/usr/bin:/bin XDG_STATE_HOME=$base/state XDG_RUNTIME_DIR=$base/state XDG_CACHE_HOME=$base/cache \
		TERM=xterm LANG=C.UTF-8 "$@"
}
bottle() { user $base/bin/bottle "$@"; }

# smolvm's own deadline for a boot is a constant, and passes on a loaded machine; and emulated as it is here, a
# machine's kernel ends at times before it has begun. Neither has come to anything of ours, or of an image's.
again() {
	local n lame='did not become ready within 30 seconds|boot process exited .code 0. before the agent was ready'
	for n in 1 2 3 4; do
		out=$(cd $base/work && "$@" 2>&1 </dev/null)
		status=$?
		grep -qE "$lame" <<<"$out" || break
		note "try $n: $(grep -oE "$lame" <<<"$out" | head -n 1)"
	done
}
# A bottle of the manifest m; what it said is in $out, how it ended in $status.
start() { again bottle start --backend smolmachines --bottle m --headless --yes "$@"; }
newest() { basename "$(ls -td $base/state/bot-bottle/bottles/*/ | head -n 1)"; }
inside() { bottle exec "$slug" -- /bin/sh -c "$1" 2>&1; }
monitors() { grep -lz '^_boot-vm$' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }
no_monitor() { [ -z "$(monitors)" ]; }

# The machine's root, which is as hostile as its agent: through smolvm's own exec, as its monitor's user.
root() {
	env -i SMOLVM_DATA_DIR=/s SMOLVM_LIB_DIR=/opt/smolvm/lib LD_LIBRARY_PATH=/opt/smolvm/lib \
		SMOLVM_AGENT_ROOTFS=/opt/smolvm/agent-rootfs /usr/bin/nsenter -t "$vmm" -U -m -p -n -S 1000 -G 1000 \
		/opt/smolvm/smolvm-bin machine exec --name "bot-bottle-$slug" -- /bin/sh -c "$1" 2>&1
}
