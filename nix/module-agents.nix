# agentServices: a bottle as a systemd service, with nobody at a terminal.
{
  config,
  lib,
  utils,
  ...
}:
let
  cfg = config.services.bot-bottle;
  at = "services.bot-bottle.agentServices";
  inherit (lib) types;
  inherit (import ./types.nix { inherit lib; }) backend;

  # The bottles a service is made of: those it names or its agent's, and all their parents.
  bottlesOf =
    service:
    let
      named =
        if service.bottles != [ ] then
          service.bottles
        else
          lib.remove null [ (cfg.agents.${service.agent}.bottle or null) ];
      parentsOf =
        bottle:
        let
          inherit (cfg.bottles.${bottle}) extends;
        in
        if cfg.bottles ? ${bottle} && extends != null then lib.toList extends else [ ];
    in
    map (item: item.key) (
      builtins.genericClosure {
        startSet = map (key: { inherit key; }) named;
        operator = item: map (key: { inherit key; }) (parentsOf item.key);
      }
    );

  credentialsOf =
    service:
    let
      ofBottle =
        bottle:
        let
          egress = cfg.bottles.${bottle}.egress or null;
          routes = if egress == null || egress.routes == null then [ ] else egress.routes;
        in
        lib.concatMap (
          route:
          lib.optional (
            route.auth != null && lib.hasPrefix "credential:" route.auth.token_ref
          ) (lib.removePrefix "credential:" route.auth.token_ref)
        ) routes;
    in
    lib.unique (lib.concatMap ofBottle (bottlesOf service));

  leases = import ./leases.nix {
    inherit lib;
    inherit (cfg) settings;
  };

  # One word of a unit's setting, whatever stands in it.
  word = text: builtins.toJSON (lib.replaceStrings [ "%" ] [ "%%" ] text);

  unit =
    name: service:
    lib.nameValuePair "bot-bottle-${name}" {
      description = "bot-bottle: ${service.agent} in a bottle";
      wantedBy = lib.optional (service.startAt == [ ]) "multi-user.target";
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      inherit (service) startAt;
      path = lib.optional (cfg.bundle == "docker") config.virtualisation.docker.package;
      environment = {
        XDG_CACHE_HOME = "/var/cache/bot-bottle/${name}";
        XDG_STATE_HOME = "/var/lib/bot-bottle/${name}";
      };
      serviceConfig = {
        CacheDirectory = "bot-bottle/${name}";
        CacheDirectoryMode = "0700";
        ExecStart = utils.escapeSystemdExecArgs (
          [
            "${cfg.package}/bin/bottle"
            "start"
            service.agent
            "--headless"
            "--yes"
            "--label"
            name
            "--workspace"
            service.workspace
            "--prompt"
            service.prompt
          ]
          ++ lib.concatMap (bottle: [
            "--bottle"
            bottle
          ]) service.bottles
          ++ lib.optionals (service.backend != null) [
            "--backend"
            service.backend
          ]
        );
        Group = "bot-bottle";
        LoadCredential = map (secret: "${secret}:${cfg.secrets.${secret}.file}") (credentialsOf service);
        Restart = "no";
        RuntimeDirectory = "bot-bottle-${name}";
        RuntimeDirectoryMode = "0700";
        StateDirectory = "bot-bottle/${name} bot-bottle/${name}/workspace";
        StateDirectoryMode = "0700";
        SupplementaryGroups = [ "kvm" ] ++ lib.optional (cfg.bundle == "docker") "docker";
        TimeoutStopSec = 60;
        Type = "notify";
        User = service.user;
        WorkingDirectory = "/var/lib/bot-bottle/${name}";

        # Hardening. A line that is missing or loose here is what a cage needs from its host.
        CapabilityBoundingSet = "";
        Delegate = true; # a bottle's limits are cgroups of its own
        DelegateSubgroup = "keeper"; # beside these, not above: a group that holds processes limits nothing
        KeyringMode = "private";
        KillMode = "mixed"; # the launcher takes the bottle down; what is left after it is killed
        LockPersonality = true;
        MemoryDenyWriteExecute = false; # guests compile at run time, and the VMM maps its guest so
        NoNewPrivileges = true;
        PrivateDevices = false; # /dev/kvm
        PrivateTmp = true;
        PrivateUsers = false; # the cage maps the ids itself
        ProcSubset = "all"; # a cage mounts a fresh /proc, which needs a whole one outside
        ProtectClock = false; # it closes /dev, and with it /dev/kvm and the cage's terminals
        ProtectControlGroups = false; # see Delegate
        ProtectHome = "read-only";
        ProtectHostname = false; # the cage gives its guest a host name
        ProtectKernelLogs = false; # masks a part of /proc: see ProcSubset
        ProtectKernelModules = true;
        ProtectKernelTunables = false; # masks a part of /proc: see ProcSubset
        ProtectSystem = "strict";
        ReadWritePaths =
          [ (word "-${service.workspace}") ] # what `workspace = "mount"` works on
          ++ lib.optional (cfg.bundle == "docker") "-${leases.directory}"; # its locks are opened to write
        RemoveIPC = true;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_NETLINK"
          "AF_UNIX"
        ];
        RestrictNamespaces = false; # a cage is made of them
        RestrictRealtime = true;
        RestrictSUIDSGID = false; # its filter takes openat2 away, which file access relies on
        SystemCallArchitectures = "native";
        UMask = "0077";
      };
    };
in
{
  options.services.bot-bottle.agentServices = lib.mkOption {
    type = types.attrsOf (
      types.submodule (
        { name, ... }:
        {
          options = {
            agent = lib.mkOption {
              type = types.str;
              example = "reviewer";
              description = "The agent of {option}`services.bot-bottle.agents` that runs.";
            };
            bottles = lib.mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "dev" ];
              description = "Bottles to merge, left to right, in place of the one that the agent names.";
            };
            backend = lib.mkOption {
              type = types.nullOr backend;
              default = null;
              example = "namespace";
              description = "Backend of this bottle; {option}`services.bot-bottle.backend` when not set.";
            };
            prompt = lib.mkOption {
              type = types.nonEmptyStr;
              example = "Review the newest change in the workspace.";
              description = "What the agent is told to do. It is no secret: every user can read it.";
            };
            workspace = lib.mkOption {
              type = types.path;
              default = "/var/lib/bot-bottle/${name}/workspace";
              defaultText = lib.literalExpression ''"/var/lib/bot-bottle/‹name›/workspace"'';
              example = "/srv/project";
              description = "Directory that the guest works on, in the way its bottle's `workspace` says.";
            };
            startAt = lib.mkOption {
              type = types.coercedTo types.str lib.singleton (types.listOf types.str);
              default = [ ];
              example = "03:15";
              description = "When it runs, as systemd calendar events; once at boot when empty.";
            };
            user = lib.mkOption {
              type = types.str;
              default = "bot-bottle";
              example = "alice";
              description = "User that the bottle belongs to. The default is made by this module; root is refused.";
            };
          };
        }
      )
    );
    default = { };
    example.nightly = {
      agent = "reviewer";
      prompt = "Review the newest change in the workspace.";
      startAt = "03:15";
    };
    description = "Bottles that run as services, headless.";
  };

  config = lib.mkIf cfg.enable {
    systemd.services = lib.mapAttrs' unit cfg.agentServices;

    users.users.bot-bottle =
      lib.mkIf (lib.any (service: service.user == "bot-bottle") (lib.attrValues cfg.agentServices))
        {
          description = "Owner of bottles that run as services";
          group = "bot-bottle";
          home = "/var/lib/bot-bottle";
          isSystemUser = true;
        };

    assertions = lib.concatLists (
      lib.mapAttrsToList (
        service: value:
        [
          {
            assertion = cfg.agents ? ${value.agent};
            message = "${at}.${service}.agent names \"${value.agent}\", which is not declared; add services.bot-bottle.agents.${value.agent}.";
          }
          {
            assertion = bottlesOf value != [ ];
            message = "${at}.${service}: neither it nor its agent names a bottle; set bottles, or services.bot-bottle.agents.${value.agent}.bottle.";
          }
          {
            assertion = value.user != "root" && config.users.users ? ${value.user};
            message = "${at}.${service}.user is \"${value.user}\"; name an ordinary user of this host.";
          }
          {
            assertion = value.backend == "smolmachines" -> cfg.kvm.module != "none";
            message = "${at}.${service}.backend is \"smolmachines\", which needs KVM, and services.bot-bottle.kvm.module is \"none\"; set another backend.";
          }
        ]
        ++ map (bottle: {
          assertion = cfg.bottles ? ${bottle};
          message = "${at}.${service}.bottles names \"${bottle}\", which is not declared; add services.bot-bottle.bottles.${bottle}.";
        }) value.bottles
        ++ map (secret: {
          assertion = cfg.secrets ? ${secret};
          message = "${at}.${service}: a route of its bottle names credential:${secret}, which is not declared; set services.bot-bottle.secrets.${secret}.file.";
        }) (credentialsOf value)
      ) cfg.agentServices
    );
  };
}
