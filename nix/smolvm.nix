# The microVM runner, as its makers release it: the backend knows the state database of
# exactly this version, so another one is another file here, never an override.
{
  lib,
  stdenv,
  bzip2,
  e2fsprogs,
  fetchurl,
  makeBinaryWrapper,
  patchelf,
  zstd,
}:
let
  pin = "1.8.1";
  assets = {
    aarch64-linux = {
      name = "linux-arm64";
      hash = "sha256-FV0JGonnrbfnLHW8eso2scaQjYcfNxyAEZgWEjhfNJc=";
    };
    x86_64-linux = {
      name = "linux-x86_64";
      hash = "sha256-RkmDT8kPSUgSYYs0lzEJfnFfJ4N64Il+s9sY0rYYXuk=";
    };
  };
  asset =
    assets.${stdenv.hostPlatform.system}
      or (throw "smolvm ${pin} is not packaged for ${stdenv.hostPlatform.system}; use the namespace backend");
  libraries = lib.makeLibraryPath [
    bzip2
    stdenv.cc.cc.lib
  ];
in
stdenv.mkDerivation {
  pname = "smolvm";
  version = pin;

  src = fetchurl {
    url = "https://github.com/smol-machines/smolvm/releases/download/v${pin}/smolvm-${pin}-${asset.name}.tar.gz";
    inherit (asset) hash;
  };
  sourceRoot = "smolvm-${pin}-${asset.name}";

  nativeBuildInputs = [
    makeBinaryWrapper
    patchelf
    zstd
  ];

  # agent-rootfs is a foreign root file system with links and scripts of its own:
  # none of the usual repairs may touch it.
  dontStrip = true;
  dontPatchELF = true;
  dontPatchShebangs = true;
  dontCheckForBrokenSymlinks = true;
  dontBuild = true;

  # Disk templates are unpacked here, where it happens once, and not in every bottle's cache.
  installPhase = ''
    runHook preInstall
    home=$out/libexec/smolvm
    mkdir -p $home
    cp -a . $home/
    for template in $home/*.ext4.zst; do
      if [ -e "$template" ]; then zstd -d --rm "$template"; fi
    done
    patchelf --set-interpreter ${stdenv.cc.bintools.dynamicLinker} \
      --set-rpath '$ORIGIN/lib:${libraries}' $home/smolvm-bin
    for library in $home/lib/*.so*; do
      [ -L "$library" ] || patchelf --set-rpath '$ORIGIN:${libraries}' "$library"
    done
    makeWrapper $home/smolvm-bin $out/bin/smolvm \
      --set SMOLVM_AGENT_ROOTFS $home/agent-rootfs \
      --set SMOLVM_LIB_DIR $home/lib \
      --prefix PATH : ${lib.makeBinPath [ e2fsprogs ]}
    runHook postInstall
  '';

  doInstallCheck = true;
  installCheckPhase = ''
    runHook preInstallCheck
    HOME=$TMPDIR $out/bin/smolvm --version | grep -F ${pin}
    runHook postInstallCheck
  '';

  passthru = { inherit pin; };

  meta = {
    description = "MicroVM runner that the smolmachines backend is pinned to";
    homepage = "https://github.com/smol-machines/smolvm";
    license = lib.licenses.asl20;
    platforms = lib.attrNames assets;
    sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
    mainProgram = "smolvm";
  };
}
