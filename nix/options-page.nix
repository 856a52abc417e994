# The reference page of services.bot-bottle, from the options themselves.
lib:
let
  evaluated = lib.evalModules {
    modules = [
      ./module.nix
      { _module.check = false; }
    ];
    # A default that is computed has a text of its own, so no package is ever looked at.
    specialArgs = {
      pkgs = throw "an option's default lacks a defaultText";
      utils = { };
    };
  };
  plain = lib.replaceStrings [ "{file}`" "{option}`" ] [ "`" "`" ];
  text = value: if value ? text then value.text else value;
  code = label: value: "${label}:\n\n```nix\n${text value}\n```\n";
  section =
    option:
    lib.concatStringsSep "\n" (
      [
        "## `${option.name}`\n"
        "${plain (lib.trim (text option.description))}\n"
        "Type: ${option.type}\n"
      ]
      ++ lib.optional (option ? default) (code "Default" option.default)
      ++ lib.optional (option ? example) (code "Example" option.example)
    );
  documented = lib.filter (option: option.visible && !option.internal) (
    lib.optionAttrSetToDocList evaluated.options.services.bot-bottle
  );
in
''
  # Options of `services.bot-bottle`

  Made from the module; a manifest field that is `null` is not written.

''
+ lib.concatMapStringsSep "\n" section documented
