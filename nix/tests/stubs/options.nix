# The NixOS options that the module sets or reads, as far as it does: types and defaults,
# nothing behind them. An option that is not here is an error, as a misspelt one would be.
{ lib, pkgs, ... }:
let
  inherit (lib) types;
  option =
    type: default:
    lib.mkOption { inherit type default; };
  needed = type: lib.mkOption { inherit type; };
  items = options: option (types.attrsOf (types.submodule { inherit options; })) { };
  strings = option (types.listOf types.str) [ ];
  lines = option types.lines "";
  no = option types.bool false;

  # A unit's setting: several lists are joined, anything else is given once.
  setting = types.either (types.listOf types.str) (
    types.oneOf [
      types.bool
      types.int
      types.str
    ]
  );
in
{
  options = {
    assertions = option (types.listOf types.unspecified) [ ];
    boot = {
      extraModprobeConfig = lines;
      kernel.sysctl = option (types.attrsOf types.unspecified) { };
      kernelModules = strings;
      kernelPackages = option types.raw { kernel = { }; };
    };
    environment = {
      etc = items {
        mode = option types.str "symlink";
        source = needed (types.either types.path types.package);
        text = option (types.nullOr types.lines) null;
      };
      systemPackages = option (types.listOf types.package) [ ];
    };
    networking = {
      firewall.allowedTCPPorts = option (types.listOf types.port) [ ];
      hostName = option types.str "host";
      primaryIPAddress = option types.str "192.168.1.1"; # of a test's machine
    };
    nixpkgs.config = option (types.attrsOf types.raw) { };
    security = {
      allowUserNamespaces = option types.bool true;
      unprivilegedUsernsClone = no;
    };
    services = {
      gitea = {
        enable = no;
        settings = option (types.attrsOf types.unspecified) { };
      };
      gitea-actions-runner.instances = items {
        enable = no;
        hostPackages = option (types.listOf types.package) [ ];
        labels = needed (types.listOf types.str);
        name = needed types.str;
        settings = option (types.attrsOf types.unspecified) { };
        token = option (types.nullOr types.str) null;
        tokenFile = option (types.nullOr (types.either types.str types.path)) null;
        url = needed types.str;
      };
      udev.extraRules = lines;
    };
    systemd.services = items {
      after = strings;
      description = option types.str "";
      environment = option (types.attrsOf types.str) { };
      path = option (types.listOf types.package) [ ];
      serviceConfig = option (types.attrsOf setting) { };
      startAt = strings;
      wantedBy = strings;
      wants = strings;
    };
    systemd.tmpfiles.rules = strings;
    users = {
      groups = items { members = strings; };
      users = items {
        description = option types.str "";
        extraGroups = strings;
        group = option types.str "";
        home = option types.path "/var/empty";
        isNormalUser = no;
        isSystemUser = no;
        linger = no;
      };
    };
    virtualisation = {
      cores = option types.ints.positive 1;
      diskSize = option types.ints.positive 1024;
      docker = {
        enable = no;
        package = option types.package pkgs.docker;
      };
      memorySize = option types.ints.positive 1024;
      qemu.options = strings;
    };
    warnings = strings;
  };

  config = {
    _module.args.utils = {
      escapeSystemdExecArgs = lib.concatMapStringsSep " " builtins.toJSON;
      escapeSystemdPath = lib.replaceStrings [ "-" ] [ "\\x2d" ];
    };
    users.users.root = { };
  };
}
