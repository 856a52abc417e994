# runner: this host takes jobs from a forge and runs their bottles. Queueing, placement and
# retries are the forge's; a fleet is more hosts with the same lines.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  cfg = config.services.bot-bottle;
  inherit (cfg) runner;
  inherit (lib) types;
  inherit (import ./types.nix { inherit lib; }) secretFile;

  needsDocker = cfg.bundle == "docker";
  leases = import ./leases.nix {
    inherit lib;
    inherit (cfg) settings;
  };
  instances = map (n: if n == 1 then "bot-bottle" else "bot-bottle-${toString n}") (
    lib.range 1 runner.instances
  );
  unitOf = instance: "gitea-runner-${utils.escapeSystemdPath instance}";
in
{
  options.services.bot-bottle.runner = {
    enable = lib.mkEnableOption "a Gitea or Forgejo Actions runner whose jobs can start bottles";

    url = lib.mkOption {
      type = types.strMatching "https?://[^[:space:]]+";
      example = "https://forge.example.com";
      description = "The forge.";
    };

    tokenFile = lib.mkOption {
      type = secretFile;
      example = "/run/keys/runner";
      description = "Environment file that sets `TOKEN` to the registration token.";
    };

    labels = lib.mkOption {
      type = types.nonEmptyListOf (types.strMatching "[A-Za-z0-9._-]+");
      default = [ "bot-bottle" ];
      example = [
        "bot-bottle"
        "kvm"
      ];
      description = "What a job's `runs-on` names. Jobs run on the host and start their bottle there, so no image belongs to a label.";
    };

    instances = lib.mkOption {
      type = types.ints.between 1 64;
      default = 1;
      example = 4;
      description = "Runners on this host: so many jobs run at the same time.";
    };
  };

  config = lib.mkIf (cfg.enable && runner.enable) {
    services.gitea-actions-runner.instances = lib.genAttrs instances (instance: {
      enable = true;
      name = "${config.networking.hostName}-${instance}";
      inherit (runner) tokenFile url;
      labels = map (label: "${label}:host") runner.labels;
      hostPackages = [
        cfg.package
        (cfg.package.smolvm or cfg.smolvm.package)
        pkgs.bash
        pkgs.coreutils
        pkgs.gitMinimal
        pkgs.gnugrep
        pkgs.gnused
        pkgs.jq
        pkgs.nodejs
      ]
      ++ lib.optional needsDocker config.virtualisation.docker.package;
    });

    # A dynamic user can't be had without RestrictSUIDSGID, whose filter takes openat2 away
    # from everything below; so the user is made here, and what else came with it is set by hand.
    users.users.gitea-runner = {
      description = "Runs jobs of the forge";
      group = "gitea-runner";
      home = "/var/lib/gitea-runner";
      isSystemUser = true;
    };
    users.groups.gitea-runner = { };

    systemd.services = lib.listToAttrs (
      map (
        instance:
        lib.nameValuePair (unitOf instance) {
          serviceConfig = {
            Delegate = true; # a bottle's limits are cgroups of its own
            DelegateSubgroup = "keeper"; # beside these, not above: a group that holds processes limits nothing
            DynamicUser = lib.mkForce false;
            Group = "gitea-runner";
            NoNewPrivileges = true;
            PrivateTmp = true;
            ProtectHome = "read-only";
            ProtectSystem = "strict";
            ReadWritePaths = lib.optional needsDocker "-${leases.directory}"; # its locks are opened to write
            RemoveIPC = true;
            SupplementaryGroups = [
              "bot-bottle"
              "kvm"
            ]
            ++ lib.optional needsDocker "docker";
          };
        }
      ) instances
    );
  };
}
