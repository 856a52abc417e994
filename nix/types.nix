# The small types that the manifest's and the configuration's fields are made of. A field that
# is null is not written, so the program's default holds; an empty list or map is written, and
# clears what a parent said.
{ lib }:
let
  inherit (lib) types;

  field =
    attributes:
    lib.mkOption (
      attributes
      // {
        type = types.nullOr attributes.type;
        default = null;
      }
    );
  flag =
    description:
    field {
      type = types.bool;
      inherit description;
    };
  group = description: options: {
    inherit description;
    type = types.submodule { inherit options; };
  };

  narrowed =
    description: type: check:
    types.addCheck type check
    // {
      inherit description;
      descriptionClass = "noun";
    };

  name =
    narrowed "name (lower-case words joined by single dashes, at most 40 characters)"
      (types.strMatching "[a-z][a-z0-9]*(-[a-z0-9]+)*")
      (value: lib.stringLength value <= 40);
  variable = narrowed "name of an environment variable" (types.strMatching "[A-Za-z_][A-Za-z0-9_]*") (
    _: true
  );
  hostPath = narrowed "absolute path, or one that begins with ~/, as a string" (
    types.strMatching "(/|~/)[^\n]*"
  ) (_: true);
  host = narrowed "host name or address" (types.strMatching "(\\*\\.)?[][A-Za-z0-9.:_-]+") (_: true);

  # What stands in the Nix store is readable by everybody on the machine, and by every guest.
  storePath = value: lib.hasPrefix "${builtins.storeDir}/" value;
  secretPath =
    narrowed "path outside the Nix store (absolute or beginning with ~/), as a string" hostPath
      (value: !storePath value);
  # The same for what systemd reads, which knows no ~.
  secretFile =
    narrowed "absolute path outside the Nix store, as a string" secretPath
      (value: lib.hasPrefix "/" value);
  tokenRef =
    narrowed "VARIABLE, file:PATH outside the Nix store, or credential:NAME"
      (types.strMatching "[A-Za-z_][A-Za-z0-9_]*|file:(/|~/)[^\n]+|credential:[A-Za-z0-9._-]+")
      (value: !storePath (lib.removePrefix "file:" value));

  positive =
    description: example:
    field {
      type = types.ints.positive;
      inherit description example;
    };

  # Those of src/backend/backend.c.
  backend = types.enum [
    "namespace"
    "smolmachines"
  ];
in
{
  inherit
    backend
    field
    flag
    group
    host
    hostPath
    name
    positive
    secretFile
    secretPath
    tokenRef
    variable
    ;
}
