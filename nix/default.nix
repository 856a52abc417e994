# Everything this tree builds, given a package set.
pkgs:
let
  smolvm = pkgs.callPackage ./smolvm.nix { };
  bot-bottle = pkgs.callPackage ./package.nix { inherit smolvm; };
in
{
  inherit bot-bottle smolvm;
  options-page = pkgs.writeText "bot-bottle-options.md" (import ./options-page.nix pkgs.lib);
  sidecar-image = pkgs.callPackage ./sidecar-image.nix { inherit bot-bottle; };
}
