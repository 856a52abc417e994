# The module, evaluated by nixpkgs' own module system against stubs of the NixOS options.
# `lib` is nixpkgs' lib; tests/nix/check says where it is.
{
  lib,
  system ? builtins.currentSystem,
}:
let
  pkgs = import ../stubs/pkgs.nix {
    inherit system;
    withTests = false;
    # File sets need a newer Nix than Debian's.
    lib =
      if builtins ? readFileType then lib else lib // { inherit (import ../stubs/lib.nix) fileset; };
  };

  evaluate =
    modules:
    (lib.evalModules {
      modules = [
        ../../module.nix
        ../stubs/options.nix
      ]
      ++ modules;
      specialArgs = { inherit pkgs; };
    }).config;

  failed = config: map (item: item.message) (lib.filter (item: !item.assertion) config.assertions);

  # Everything that a system would be built from: types are only checked where a value is read.
  surface = config: {
    inherit (config)
      environment
      systemd
      users
      virtualisation
      warnings
      ;
    boot = removeAttrs config.boot [ "kernelPackages" ];
    services = removeAttrs config.services [ "bot-bottle" ];
  };
  # As nixpkgs does when such a package is looked at.
  unfree =
    config:
    lib.filter (
      package:
      package.meta.unfree or false && !(config.nixpkgs.config.allowUnfreePredicate or (_: false)) package
    ) (config.services.bot-bottle.guestPackages or [ ]);
  read =
    config:
    if failed config != [ ] then
      throw (lib.concatStringsSep "\n" (failed config))
    else if unfree config != [ ] then
      throw "${(lib.head (unfree config)).name} has an unfree license, and is refused"
    else
      builtins.deepSeq (surface config) config;

  accepted = import ./accepted.nix { inherit lib pkgs; };
  refused = import ./refused.nix { inherit lib pkgs; };

  # A VM test: its script, and of each of its machines the packages that it has.
  vmTest = test: {
    inherit (test)
      description
      name
      requiredSystemFeatures
      testScript
      ;
    nodes = lib.mapAttrs (
      _: node:
      map toString (read node).environment.systemPackages
      ++ lib.optional node.virtualisation.docker.enable "docker"
    ) test.nodes;
  };
in
{
  # name → what was expected of it and isn't so
  accepted = lib.mapAttrs (
    _: case:
    let
      config = read (evaluate [ case.module ]);
    in
    lib.attrNames (lib.filterAttrs (_: holds: !holds) (case.expect config))
  ) accepted;

  # name → the words that its refusal must have; the refusal itself is `refusal.NAME`
  refused = lib.mapAttrs (_: case: case.says) refused;
  refusal = lib.mapAttrs (_: case: (read (evaluate [ case.module ])).warnings) refused;

  # What lands in /etc, checked by the program that reads it: a build.
  etc = lib.mapAttrs (
    _: case:
    let
      config = read (evaluate [ case.module ]);
    in
    pkgs.runCommand "etc" { } ''
      mkdir $out
      ${lib.concatStrings (
        lib.mapAttrsToList (path: file: ''
          mkdir -p $out/${dirOf path}
          cp -rL ${file.source} $out/${path}
        '') config.environment.etc
      )}
    ''
  ) accepted;

  # A module in a document, on a host that has the users it names.
  example =
    file:
    (read (evaluate [
      file
      { users.users.alice.isNormalUser = true; }
    ])).warnings;

  vm = lib.mapAttrs' (
    name: test: lib.nameValuePair (lib.removePrefix "vm-" name) (vmTest test)
  ) (import ../default.nix { inherit pkgs; });

  optionsPage = import ../../options-page.nix lib;
}
