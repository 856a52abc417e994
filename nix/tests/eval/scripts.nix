# The scripts of the VM tests and the names of their machines, whose packages are not known here:
# a script needs neither nixpkgs nor the machines' configurations, so this needs neither.
let
  lib = import ../stubs/lib.nix;
  pkgs = import ../stubs/pkgs.nix {
    inherit lib;
    system = builtins.currentSystem;
  };
  isTest = name: name != "default.nix" && builtins.match "[a-z-]+[.]nix" name != null;
  scriptOf =
    file:
    let
      inherit (import (../. + "/${file}")) test;
      whole = if builtins.isFunction test then test { inherit lib pkgs; } else test;
    in
    {
      name = builtins.head (builtins.match "(.*)[.]nix" file);
      value = {
        testScript =
          if builtins.isFunction whole.testScript then
            whole.testScript {
              nodes = builtins.mapAttrs (_: _: { networking.primaryIPAddress = "192.168.1.1"; }) whole.nodes;
            }
          else
            whole.testScript;
        nodes = builtins.mapAttrs (_: _: null) whole.nodes;
      };
    };
in
builtins.listToAttrs (map scriptOf (builtins.filter isTest (builtins.attrNames (builtins.readDir ../.))))
