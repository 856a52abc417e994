# Every file here that is not this one is a test: a virtual machine, or several.
{ pkgs }:
let
  isTest = name: builtins.match "[a-z-]+[.]nix" name != null && name != "default.nix";
in
builtins.listToAttrs (
  map (name: {
    name = "vm-${builtins.head (builtins.match "(.*)[.]nix" name)}";
    value = pkgs.testers.runNixOSTest (./. + "/${name}");
  }) (builtins.filter isTest (builtins.attrNames (builtins.readDir ./.)))
)
