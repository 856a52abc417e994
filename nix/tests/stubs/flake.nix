{
  outputs = _: {
    legacyPackages = builtins.listToAttrs (
      map
        (system: {
          name = system;
          value = import ./pkgs.nix {
            inherit system;
            lib = import ./lib.nix;
          };
        })
        [
          "aarch64-linux"
          "x86_64-linux"
        ]
    );
  };
}
