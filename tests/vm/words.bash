# shellcheck disable=SC2034 # what is set here is for those who read this file in
# For the scripts that run in the VM: what holds and what doesn't, in the words that tests/run counts.

failed=0

ok() { echo "[       OK ] $*"; }
bad() {
	echo "[  FAILED  ] $(tr ' ' '_' <<<"$1")"
	shift
	[ $# -eq 0 ] || echo "    $*"
	failed=1
}
# NAME COMMAND...: the command succeeds.
holds() { if "${@:2}"; then ok "$1"; else bad "$1" "${@:2}"; fi; }
# NAME GOT WANTED
is() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "it is \"$2\", not \"$3\""; fi; }
# NAME PATTERN TEXT: the text has a line that matches, or none.
has() { if grep -qE -- "$2" <<<"$3"; then ok "$1"; else bad "$1" "no line like $2"; fi; }
lacks() { if grep -qE -- "$2" <<<"$3"; then bad "$1" "there is $(grep -E -m1 -- "$2" <<<"$3")"; else ok "$1"; fi; }
# shellcheck disable=SC2001 # every line is indented
note() { sed 's/^/    /' <<<"$*"; }

# COMMAND...: until it succeeds; false after a long time, counted in tries that each take some.
until_true() {
	local n
	for n in $(seq 600); do
		"$@" && return 0
		read -rt 0.1 <> <(:)
	done
	return 1
}

# The cache of whoever started the VM, read-only in here.
cache=$VM_CACHE
