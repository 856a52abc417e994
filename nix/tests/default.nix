# Every file here that is not this one is a test of one or several virtual machines:
# what it shows, what its builder must offer beyond that, and the test.
{ pkgs }:
let
  isTest = name: name != "default.nix" && builtins.match "[a-z-]+[.]nix" name != null;
  check =
    file:
    let
      name = builtins.head (builtins.match "(.*)[.]nix" file);
      entry = import (./. + "/${file}");
      test = pkgs.testers.runNixOSTest {
        imports = [ entry.test ];
        name = "bot-bottle-${name}";
        passthru = { inherit (entry) description; };
      };
    in
    {
      name = "vm-${name}";
      # A builder without such a feature refuses the test; it never passes there.
      value = test.overrideTestDerivation (previous: {
        requiredSystemFeatures = previous.requiredSystemFeatures ++ entry.features;
      });
    };
in
builtins.listToAttrs (map check (builtins.filter isTest (builtins.attrNames (builtins.readDir ./.))))
