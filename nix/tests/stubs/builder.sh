# What stands in for nixpkgs' stdenv: the phases that a package of ours uses, in order,
# with the programs of the machine that runs it.
set -eu
export PATH=/usr/bin:/bin HOME=/homeless-shelter
runHook() { :; }
patchShebangs() { :; }
wrapProgram() {
	local dir=${1%/*} name=${1##*/}
	mv "$1" "$dir/.$name-wrapped"
	printf '#!/bin/sh\nPATH=%s${PATH:+:$PATH}\nexport PATH\nexec %s "$@"\n' "$5" "$dir/.$name-wrapped" >"$1"
	chmod +x "$1"
}
cp -r "$src" source
chmod -R u+w source
cd source
eval "${postPatch:-}"
make $makeFlags -j2 $buildFlags
if [ "${doCheck:-}" ]; then make $makeFlags -j2 $checkTarget; fi
make $makeFlags install
eval "${postInstall:-}"
if [ "${doInstallCheck:-}" ]; then eval "$installCheckPhase"; fi

# The unit tests once more, as nixpkgs' compiler links: with a loader and libraries that stand in
# the store, so that they also run where nothing of this machine is to be seen.
if [ "${unit:-}" ]; then
	programs=$(ls build/tests/unit/test_* | grep -v '[.]')
	needed=$(ldd $programs | sed -n 's#.*[[:space:]]\(/[^ ]*\) (0x.*#\1#p' | sort -u)
	loader=$(echo "$needed" | grep '/ld-linux')
	mkdir -p "$unit/bin" "$unit/lib" "$unit/share/terminfo/x"
	cp -L $needed "$unit/lib"
	cp -r src "$unit"
	# Of the terminals that nixpkgs' ncurses brings, the one that a test has.
	cp -L "$(find /lib/terminfo /usr/share/terminfo -name xterm | head -n 1)" "$unit/share/terminfo/x"
	rm $programs
	# The old kind of path, which also holds for what a library needs: these have none of their own.
	make $makeFlags -j2 $programs \
		LDFLAGS="-Wl,--dynamic-linker=$unit/lib/${loader##*/} -Wl,--disable-new-dtags,-rpath,$unit/lib"
	cp $programs "$unit/bin"
fi
