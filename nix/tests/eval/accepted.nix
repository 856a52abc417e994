# Configurations that must evaluate, each with what must follow from it.
{ lib, pkgs }:
let
  has = lib.elem;
  members = config: group: config.users.groups.${group}.members;
  unit = config: name: config.systemd.services.${name}.serviceConfig;
in
{
  off = {
    module = { };
    expect = config: {
      "nothing is installed" = config.environment.etc == { } && config.environment.systemPackages == [ ];
      "no group is made" = config.users.groups == { };
    };
  };

  defaults = {
    module.services.bot-bottle.enable = true;
    expect = config: {
      "the configuration is written" = config.environment.etc ? "bot-bottle/config.json";
      "docker stays off" = !config.virtualisation.docker.enable && !config.users.groups ? docker;
      "no KVM module is forced" = config.boot.kernelModules == [ ];
      "there is a group for /dev/kvm" = config.users.groups ? kvm;
      "sixteen leases" =
        lib.count (lib.hasPrefix "f /run/bot-bottle/leases/") config.systemd.tmpfiles.rules == 16;
      "smolvm is a root of the store" =
        lib.any (lib.hasPrefix "L /nix/var/nix/gcroots/bot-bottle/") config.systemd.tmpfiles.rules;
      "no user is made" = !config.users.users ? bot-bottle;
    };
  };

  namespace-only = {
    module.services.bot-bottle = {
      enable = true;
      backend = "namespace";
      kvm.module = "none";
    };
    expect = config: {
      "smolvm is not a root of the store" =
        !lib.any (lib.hasPrefix "L /nix/var/nix/gcroots") config.systemd.tmpfiles.rules;
    };
  };

  namespace-beside-kvm = {
    module.services.bot-bottle = {
      enable = true;
      backend = "namespace";
    };
    expect = config: {
      "a machine that somebody asks for keeps its smolvm" =
        lib.any (lib.hasPrefix "L /nix/var/nix/gcroots") config.systemd.tmpfiles.rules;
    };
  };

  package-of-another-smolvm = {
    module.services.bot-bottle = {
      enable = true;
      package = pkgs.callPackage ../../package.nix { smolvm = pkgs.otherSmolvm; };
    };
    expect = config: {
      "the one that it runs is the root of the store" =
        lib.any (lib.hasSuffix " - - - - ${pkgs.otherSmolvm}") config.systemd.tmpfiles.rules;
      "and is installed" = has pkgs.otherSmolvm config.environment.systemPackages;
    };
  };

  guest-packages = {
    module.services.bot-bottle = {
      enable = true;
      guestPackages = [
        pkgs.git
        pkgs.smallProgram
      ];
    };
    expect = config: {
      "the package is built with them, also with one that has a usual program" =
        map (package: package.name) config.services.bot-bottle.package.guestPackages == [
          "git"
          "small-program"
        ];
    };
  };

  own-packages = {
    module.services.bot-bottle = {
      enable = true;
      package = pkgs.callPackage ../../package.nix { smolvm = pkgs.callPackage ../../smolvm.nix { }; };
      smolvm.package = pkgs.callPackage ../../smolvm.nix { };
    };
    expect = config: {
      "both are installed" = lib.length config.environment.systemPackages == 2;
    };
  };

  leases-beyond-one-byte = {
    module.services.bot-bottle = {
      enable = true;
      settings.leases = {
        first = "127.0.0.250";
        last = "127.0.1.5";
        directory = "/srv/leases";
      };
    };
    expect =
      config:
      let
        inherit (config.systemd.tmpfiles) rules;
      in
      {
        "twelve leases, on both sides of it" =
          lib.count (lib.hasPrefix "f /srv/leases/127.0.") rules == 12
          && has "f /srv/leases/127.0.0.255 0660 root bot-bottle -" rules
          && has "f /srv/leases/127.0.1.0 0660 root bot-bottle -" rules;
        "their directory is made" = has "d /srv/leases 0750 root bot-bottle -" rules;
      };
  };

  docker = {
    module = {
      services.bot-bottle = {
        enable = true;
        bundle = "docker";
        users = [ "alice" ];
      };
      users.users.alice.isNormalUser = true;
    };
    expect = config: {
      "docker is enabled" = config.virtualisation.docker.enable;
      "alice is in docker" = members config "docker" == [ "alice" ];
    };
  };

  docker-in-units = {
    module.services.bot-bottle = {
      enable = true;
      backend = "namespace";
      bundle = "docker";
      bottles.dev = { };
      agents.reviewer.bottle = "dev";
      agentServices.nightly = {
        agent = "reviewer";
        prompt = "Review.";
      };
      runner = {
        enable = true;
        url = "https://forge.example.com";
        tokenFile = "/run/keys/runner";
      };
    };
    expect =
      config:
      let
        nightly = unit config "bot-bottle-nightly";
        runner = unit config "gitea-runner-bot\\x2dbottle";
      in
      {
        "both find docker" =
          has pkgs.docker config.systemd.services.bot-bottle-nightly.path
          && has pkgs.docker config.services.gitea-actions-runner.instances.bot-bottle.hostPackages;
        "both may use it" = lib.all (unit: has "docker" unit.SupplementaryGroups) [
          nightly
          runner
        ];
        "both can open the locks of leases" =
          lib.all (unit: has "-/run/bot-bottle/leases" unit.ReadWritePaths) [
            nightly
            runner
          ];
      };
  };

  hardened-kernel = {
    module = {
      services.bot-bottle.enable = true;
      boot.kernelPackages.kernel.isHardened = true;
    };
    expect = config: {
      "there is a warning that names the remedy" =
        lib.any (lib.hasInfix "security.unprivilegedUsernsClone") config.warnings;
    };
  };

  no-user-namespaces = {
    module = {
      services.bot-bottle.enable = true;
      security.allowUserNamespaces = false;
    };
    expect = config: {
      "there is a warning that names the remedy" =
        lib.any (lib.hasInfix "security.allowUserNamespaces") config.warnings;
    };
  };

  secret-looking-literal = {
    module.services.bot-bottle = {
      enable = true;
      bottles.dev.env = {
        ASKED_TOKEN = "?the token";
        HOST_TOKEN = "\${HOST_TOKEN}";
        NPM_TOKEN = "literal";
        TOKENIZERS_PARALLELISM = "false";
      };
    };
    expect = config: {
      "one warning, which names the variable" =
        lib.length config.warnings == 1 && lib.hasInfix "env.NPM_TOKEN" (lib.head config.warnings);
    };
  };

  everything = {
    module = {
      imports = [ ./everything.nix ];
      # As the runner's own module has it.
      systemd.services."gitea-runner-bot\\x2dbottle".serviceConfig = {
        DynamicUser = true;
        SupplementaryGroups = [ ];
      };
      users.users.alice.isNormalUser = true;
      services.bot-bottle.images.agent = pkgs.dockerTools.buildLayeredImage { name = "agent"; };
    };
    expect =
      config:
      let
        nightly = unit config "bot-bottle-nightly";
        runner = unit config "gitea-runner-bot\\x2dbottle";
        instances = config.services.gitea-actions-runner.instances;
      in
      {
        "alice is in kvm and bot-bottle" =
          members config "kvm" == [ "alice" ] && members config "bot-bottle" == [ "alice" ];
        "the KVM module is loaded" = config.boot.kernelModules == [ "kvm-amd" ];
        "nesting is on" = lib.hasInfix "kvm_amd nested=1" config.boot.extraModprobeConfig;
        "/dev/kvm is restricted, also before its module is loaded" =
          lib.hasInfix "MODE=\"0660\", OPTIONS+=\"static_node=kvm\"" config.services.udev.extraRules;
        "manifests are written" =
          config.environment.etc ? "bot-bottle/bottles/dev.json"
          && config.environment.etc ? "bot-bottle/agents/reviewer.md";
        "an image is installed" = config.environment.etc ? "bot-bottle/images/agent";
        "as many leases as the range holds" =
          lib.count (lib.hasPrefix "f /run/bot-bottle/leases/") config.systemd.tmpfiles.rules == 8;
        "the service gets the credentials its bottle and its parents name" =
          lib.sort lib.lessThan nightly.LoadCredential == [
            "anthropic:/run/keys/anthropic"
            "forge:/run/keys/forge"
          ];
        "the service can write where its bottle may work" =
          has "\"-/srv/project\"" nightly.ReadWritePaths;
        "the service says when it is up" = nightly.Type == "notify";
        "the service may take part in KVM" = has "kvm" nightly.SupplementaryGroups;
        "nothing that a cage needs is taken away" =
          !nightly.ProtectKernelTunables
          && !nightly.ProtectKernelLogs
          && nightly.ProcSubset == "all"
          && !nightly.RestrictNamespaces
          && !nightly.PrivateDevices
          && !nightly.MemoryDenyWriteExecute
          && !nightly.RestrictSUIDSGID;
        "limits can be set beside the service's own processes" =
          lib.all (unit: unit.Delegate && unit.DelegateSubgroup == "keeper") [
            nightly
            runner
          ];
        "it runs by the clock" = config.systemd.services.bot-bottle-nightly.startAt == [ "03:15" ];
        "its user is made" = config.users.users.bot-bottle.isSystemUser;
        "two runners" = lib.attrNames instances == [
          "bot-bottle"
          "bot-bottle-2"
        ];
        "labels run on the host" = instances.bot-bottle.labels == [ "kvm:host" ];
        "the runner's groups" =
          has "kvm" runner.SupplementaryGroups && !has "docker" runner.SupplementaryGroups;
        "the runner's user is a static one" = !runner.DynamicUser;
      };
  };
}
