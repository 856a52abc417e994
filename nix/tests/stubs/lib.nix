# As much of nixpkgs' lib as package.nix and smolvm.nix use, for when NIXPKGS_LIB isn't given.
rec {
  inherit (builtins) attrNames head;
  meta.defaultPriority = 5;
  setPrio = priority: package: package // { meta = package.meta or { } // { inherit priority; }; };
  makeBinPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
  makeLibraryPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/lib") packages);
  licenses.asl20 = { };
  platforms.linux = [ ];
  sourceTypes.binaryNativeCode = { };
  fileset = {
    unions = paths: map (path: if builtins.pathExists path then path else throw "${toString path} does not exist") paths;
    toSource =
      { root, fileset }:
      builtins.path {
        name = "source";
        path = root;
        filter =
          path: _:
          builtins.any (
            kept:
            let
              whole = toString kept;
              length = builtins.stringLength;
              starts = prefix: text: builtins.substring 0 (length prefix) text == prefix;
            in
            path == whole || starts "${whole}/" path || starts "${path}/" whole
          ) fileset;
      };
  };
}
