{
  description = "bot-bottle: runs a coding agent as if it were compromised, and loses nothing when it is";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "aarch64-linux"
        "x86_64-linux"
      ];
      eachSystem =
        outputsOf:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = outputsOf nixpkgs.legacyPackages.${system};
          }) systems
        );
      packagesOf = import ./nix;
    in
    {
      packages = eachSystem (
        pkgs:
        let
          ours = packagesOf pkgs;
        in
        {
          inherit (ours) sidecar-image smolvm options-page;
          bottle = ours.bot-bottle;
          default = ours.bot-bottle;
        }
      );

      apps = eachSystem (
        pkgs:
        let
          bottle = {
            type = "app";
            program = "${(packagesOf pkgs).bot-bottle}/bin/bottle";
          };
        in
        {
          inherit bottle;
          default = bottle;
        }
      );

      overlays.default = final: _: { inherit (packagesOf final) bot-bottle; };

      # The path itself, not an import of it: an error then names the file.
      nixosModules = {
        bot-bottle = ./nix/module.nix;
        default = ./nix/module.nix;
      };

      checks = eachSystem (
        pkgs:
        {
          bottle = self.packages.${pkgs.stdenv.hostPlatform.system}.bottle;
        }
        // import ./nix/tests { inherit pkgs; }
      );

      devShells = eachSystem (pkgs: {
        default = pkgs.mkShell {
          inputsFrom = [ (packagesOf pkgs).bot-bottle ];
          packages = [
            pkgs.bats
            pkgs.bubblewrap
            pkgs.clang-tools
            pkgs.cppcheck
            pkgs.curl
            pkgs.hyperfine
            pkgs.jq
            pkgs.nginx
          ];
        };
      });

      # `nix fmt` names no file: this one finds them.
      formatter = eachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
