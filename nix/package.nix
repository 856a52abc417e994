{
  lib,
  stdenv,
  bashInteractive,
  brotli,
  buildEnv,
  c-ares,
  cacert,
  closureInfo,
  cmocka,
  coreutils,
  curl,
  diffutils,
  e2fsprogs,
  findutils,
  gawk,
  gitMinimal,
  gitleaks,
  gnugrep,
  gnused,
  gnutar,
  gzip,
  guestPackages ? [ ],
  json_c,
  libarchive,
  libseccomp,
  libyaml,
  makeBinaryWrapper,
  ncurses,
  nettle,
  openssh,
  openssl,
  pcre2,
  pkg-config,
  procps,
  scdoc,
  smolvm,
  sqlite,
  util-linux,
  zlib,
  zstd,
}:
let
  inherit (lib) fileset;
  version = lib.head (
    builtins.match ".*\nVERSION := ([0-9.]+)\n.*" (builtins.readFile ../Makefile)
  );

  # What `bottle` runs on the host, by store path; a user's PATH comes after it.
  programs = [
    e2fsprogs
    gitMinimal
    gitleaks
    openssh
    smolvm
  ];

  usual = [
    bashInteractive
    cacert
    coreutils
    curl
    diffutils
    findutils
    gawk
    gitMinimal
    gnugrep
    gnused
    gnutar
    gzip
    procps
    util-linux
  ];
  # Where somebody's package has a program of the same name (git), theirs is the one.
  beside =
    package: lib.setPrio ((package.meta.priority or lib.meta.defaultPriority) + 10) package;

  # NixOS has no /usr to show a namespace bottle. This is what stands in for it:
  # one directory of programs, and the list of every store path that they need. The
  # namespace backend shows a guest exactly these paths (src/backend/closure.h).
  guest = buildEnv {
    name = "bot-bottle-guest-${version}";
    paths = map beside usual ++ guestPackages;
    pathsToLink = [
      "/bin"
      "/etc"
    ];
  };
in
stdenv.mkDerivation {
  pname = "bot-bottle";
  inherit version;

  src = fileset.toSource {
    root = ../.;
    fileset = fileset.unions [
      ../Makefile
      ../src
      ../tests
    ];
  };

  strictDeps = true;
  nativeBuildInputs = [
    makeBinaryWrapper
    pkg-config
    scdoc
  ];
  buildInputs = [
    brotli
    c-ares
    json_c
    libarchive
    libseccomp
    libyaml
    ncurses
    nettle
    openssl
    pcre2
    sqlite
    stdenv.cc.libc.static
    zlib
    zstd
  ];

  postPatch = ''
    patchShebangs src/bundle/image tests
  '';
  enableParallelBuilding = true;
  buildFlags = [
    "all"
    "sidecar-image"
  ];
  makeFlags = [ "PREFIX=${placeholder "out"}" ];

  doCheck = true;
  nativeCheckInputs = [ gitMinimal ];
  checkInputs = [ cmocka ];
  checkTarget = "check-layers check-unit";

  # `bottle` finds its sidecars beside its own executable, so the wrapper stays beside it too.
  postInstall = ''
    mkdir -p $out/share/bot-bottle
    ln -s ${guest} $out/share/bot-bottle/guest
    cp ${closureInfo { rootPaths = [ guest ]; }}/store-paths $out/share/bot-bottle/closure
    wrapProgram $out/bin/bottle --prefix PATH : ${lib.makeBinPath programs}
  '';

  doInstallCheck = true;
  installCheckPhase = ''
    runHook preInstallCheck
    $out/bin/bottle --version | grep -F ${version}
    { $out/bin/bottle doctor --backend namespace || true; } | grep -F 'ok      programs for guests: '
    runHook postInstallCheck
  '';

  passthru = { inherit guest guestPackages smolvm; };

  meta = {
    description = "Sandbox launcher for coding agents";
    longDescription = ''
      Runs a coding agent in a bottle: a machine of its own that reaches only its own sidecars,
      which let out what its manifest allows and put in credentials that the agent never sees.
    '';
    platforms = lib.platforms.linux;
    mainProgram = "bottle";
  };
}
