# The options of a NixOS test, as far as ours set or read them. As there, `meta` has five fields,
# and what is not an option is an error.
{ lib, pkgs }:
let
  inherit (lib) types;
  option = type: default: lib.mkOption { inherit type default; };

  node = types.submoduleWith {
    modules = [
      ./options.nix
      { _module.args = { inherit pkgs; }; }
    ];
  };

  options = {
    meta = {
      broken = option types.bool false;
      hydraPlatforms = option (types.nullOr (types.listOf types.raw)) null;
      maintainers = option (types.listOf types.raw) [ ];
      platforms = option (types.listOf types.raw) lib.platforms.linux;
      timeout = option (types.nullOr types.int) 3600;
    };
    name = lib.mkOption { type = types.str; };
    nodes = option (types.lazyAttrsOf node) { };
    passthru = option (types.lazyAttrsOf types.raw) { };
    testScript = lib.mkOption { type = types.either types.str (types.functionTo types.str); };
  };
in
module:
let
  inherit
    (lib.evalModules {
      modules = [
        module
        {
          inherit options;
          config._module.args = { inherit pkgs; };
        }
      ];
    })
    config
    ;
  test = config.passthru // {
    inherit (config) nodes;
    name = builtins.deepSeq config.meta "vm-test-run-${config.name}";
    testScript =
      if lib.isFunction config.testScript then
        config.testScript { inherit (config) nodes; }
      else
        config.testScript;
    requiredSystemFeatures = [
      "kvm"
      "nixos-test"
    ];
    overrideTestDerivation = change: test // change test;
  };
in
test
