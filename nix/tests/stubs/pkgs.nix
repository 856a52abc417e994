# A package set whose compiler and libraries are the machine's own. It proves what is ours in
# a package: sources, phases, layout, that nothing needs a network; not nixpkgs' names.
{
  lib,
  system,
  withTests ? true,
}:
let
  run =
    name: environment: script:
    derivation (
      {
        inherit name system;
        builder = "/bin/bash";
        args = [
          "-e"
          "-c"
          "export PATH=/usr/bin:/bin\n${script}"
        ];
      }
      // environment
    );
  nothing = name: {
    type = "derivation";
    inherit name;
    outPath = builtins.toFile "stub-${name}" "";
  };

  # What a package has below bin, where that is not its own name.
  programsOf =
    package:
    {
      gitMinimal = [ "git" ];
      small-program = [ "small" ];
    }
    .${package.name} or [ package.name ];

  stdenv = {
    hostPlatform.system = system;
    cc = {
      bintools.dynamicLinker = "/lib64/ld-linux-x86-64.so.2";
      cc.lib = nothing "cc";
      libc.static = nothing "libc";
    };
    mkDerivation =
      arguments:
      let
        built =
          if arguments.src ? notFetched then nothing arguments.pname else build arguments;
      in
      built
      // (arguments.passthru or { })
      // {
        inherit (arguments) meta version;
        type = "derivation";
        name = "${arguments.pname}-${arguments.version}";
        unitTests = if built ? unit then unitTests built.unit else null;
      };
  };

  # The programs of a package's unit tests, for a sandbox in which /bin/sh is all that there is
  # of a machine, as a real builder's is. Each program that fails is named.
  unitTests =
    unit:
    derivation {
      name = "unit-tests";
      inherit system;
      builder = "/bin/sh";
      args = [
        "-c"
        ''
          status=0
          for place in /*; do
            case $place in
            /usr | /lib*) echo "this sandbox has $place" && status=1 ;;
            esac
          done
          cd ${unit}
          for program in bin/*; do
            said=$("$program" 2>&1) || { status=1 && echo "$said" && echo "FAILED: ''${program##*/}"; }
          done
          [ $status = 0 ] && echo passed >$out
        ''
      ];
      TERMINFO = "${unit}/share/terminfo";
    };

  build =
    arguments:
    derivation (
      {
        name = "${arguments.pname}-${arguments.version}";
        inherit system;
        builder = "/bin/bash";
        args = [ ./builder.sh ];
      }
      // (
        if withTests && arguments.doCheck or false then
          {
            outputs = [
              "out"
              "unit"
            ];
          }
        else
          { }
      )
      // removeAttrs arguments (
        [
          "meta"
          "passthru"
        ]
        ++ (if withTests then [ ] else [ "doCheck" ])
      )
    );

  dependencies = builtins.listToAttrs (
    map
      (name: {
        inherit name;
        value = nothing name;
      })
      [
        "bash"
        "bashInteractive"
        "bats"
        "brotli"
        "bubblewrap"
        "bzip2"
        "c-ares"
        "cacert"
        "clang-tools"
        "cmocka"
        "coreutils"
        "cppcheck"
        "curl"
        "diffutils"
        "docker"
        "e2fsprogs"
        "findutils"
        "gawk"
        "git"
        "gitMinimal"
        "gitea"
        "gitleaks"
        "gnugrep"
        "gnused"
        "gnutar"
        "gzip"
        "hyperfine"
        "jq"
        "json_c"
        "libarchive"
        "libseccomp"
        "libyaml"
        "makeBinaryWrapper"
        "ncurses"
        "nettle"
        "nginx"
        "nixfmt-tree"
        "nodejs"
        "openssh"
        "openssl"
        "patchelf"
        "pcre2"
        "pkg-config"
        "procps"
        "python3"
        "scdoc"
        "sqlite"
        "util-linux"
        "zlib"
        "zstd"
      ]
  );

  pkgs = dependencies // {
    inherit lib pkgs stdenv;
    claude-code = nothing "claude-code" // {
      meta.unfree = true;
    };
    # Another build of the pinned release.
    otherSmolvm = stdenv.mkDerivation {
      pname = "smolvm-other";
      version = "1.8.1";
      src.notFetched = true;
      meta = { };
    };
    # A package of one program, and what such a package needs: itself.
    smallProgram = run "small-program" { } "mkdir -p $out/bin; cp /bin/true $out/bin/small";
    # A name that two packages have is taken from the one that comes first by its priority; where
    # none does, it is an error.
    buildEnv =
      { name, paths, ... }:
      let
        rows = builtins.concatMap (
          path:
          map (program: {
            inherit program;
            priority = path.meta.priority or 5;
          }) (programsOf path)
        ) paths;
        collides = row: builtins.length (builtins.filter (other: other == row) rows) > 1;
        collisions = builtins.filter collides rows;
      in
      if collisions != [ ] then
        throw "${name}: two packages of one priority have bin/${(builtins.head collisions).program}"
      else
        run name { } "mkdir -p $out/bin; cp /bin/bash $out/bin/sh";
    callPackage =
      file: overrides:
      let
        package = import file;
      in
      package (builtins.intersectAttrs (builtins.functionArgs package) pkgs // overrides);
    closureInfo =
      { rootPaths }:
      run "closure-info" { inherit rootPaths; } ''
        mkdir $out
        for path in $rootPaths; do echo $path; done >$out/store-paths
      '';
    dockerTools.buildLayeredImage =
      { name, ... }: run "${name}.tar" { } "mkdir $out";
    fetchurl = _: { notFetched = true; };
    formats.json = _: {
      generate = name: value: builtins.toFile name (builtins.toJSON value);
    };
    mkShell = _: run "shell" { } "mkdir $out";
    runCommand =
      name: environment: script:
      run name (removeAttrs environment [ "passthru" "preferLocalBuild" ]) ''
        for input in ''${nativeBuildInputs:-}; do PATH=$PATH:$input/bin; done
        ${script}
      '';
    testers.runNixOSTest = import ./test.nix { inherit lib pkgs; };
    writeCBin = name: _: run name { } "mkdir -p $out/bin";
    writeText = builtins.toFile;
  };
in
pkgs
