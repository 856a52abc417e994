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
