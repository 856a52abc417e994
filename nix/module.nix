{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.bot-bottle;
  inherit (lib) types;
  fields = import ./manifest-types.nix { inherit lib; };
  settings = import ./settings-types.nix { inherit lib; };
  inherit (import ./types.nix { inherit lib; }) backend secretFile;
  json = pkgs.formats.json { };

  backends = [ cfg.backend ] ++ lib.catAttrs "backend" (lib.attrValues cfg.agentServices);
  needsDocker = cfg.bundle == "docker";
  needsKvm = lib.elem "smolmachines" backends;
  # The one that the program runs, whatever the option says.
  smolvm = cfg.package.smolvm or cfg.smolvm.package;

  # A field that is null was not written.
  written =
    value:
    if lib.isAttrs value then
      lib.mapAttrs (_: written) (lib.filterAttrs (_: field: field != null) value)
    else if lib.isList value then
      map written value
    else
      value;

  # An agent's prompt is the body of its file, and JSON has none: so an agent is Markdown
  # whose frontmatter is JSON, which is YAML too.
  agentFile = agent: ''
    ---
    ${builtins.toJSON (removeAttrs (written agent) [ "prompt" ])}
    ---
    ${toString agent.prompt}
  '';

  documents =
    lib.mapAttrs' (
      name: bottle: lib.nameValuePair "bottles/${name}.json" (json.generate "${name}.json" (written bottle))
    ) cfg.bottles
    // lib.mapAttrs' (
      name: agent: lib.nameValuePair "agents/${name}.md" (pkgs.writeText "${name}.md" (agentFile agent))
    ) cfg.agents
    // {
      "config.json" = json.generate "config.json" (
        written cfg.settings
        // {
          inherit (cfg) backend bundle;
        }
      );
    };

  # The program is the only validator; what it refuses fails the build, not the boot.
  checked =
    pkgs.runCommand "bot-bottle-etc"
      {
        nativeBuildInputs = [ cfg.package ];
        preferLocalBuild = true;
      }
      ''
        ${lib.concatStrings (
          lib.mapAttrsToList (path: document: ''
            mkdir -p $out/${dirOf path}
            cp ${document} $out/${path}
          '') documents
        )}
        cd $out
        bottle manifest check ${lib.escapeShellArgs (lib.attrNames documents)}
      '';

  leases = import ./leases.nix {
    inherit lib;
    inherit (cfg) settings;
  };
in
{
  imports = [
    ./module-assertions.nix
    ./module-agents.nix
    ./module-runner.nix
  ];

  options.services.bot-bottle = {
    enable = lib.mkEnableOption "bot-bottle, a sandbox launcher for coding agents";

    package = lib.mkOption {
      type = types.package;
      default = pkgs.callPackage ./package.nix {
        inherit (cfg) guestPackages;
        smolvm = cfg.smolvm.package;
      };
      defaultText = lib.literalExpression "the package of this flake, built with `smolvm.package` and `guestPackages`";
      example = lib.literalExpression "pkgs.bot-bottle";
      description = "The bot-bottle package to use.";
    };

    guestPackages = lib.mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = lib.literalExpression "[ pkgs.claude-code pkgs.nodejs ]";
      description = ''
        Programs that namespace bottles find besides the usual ones (a shell, coreutils, curl, git
        and the like): the agent's own, and what it works with. One that is there under the same
        name takes the place of the usual one. A bottle sees these, what they need, and nothing
        else of the Nix store.
      '';
    };

    smolvm.package = lib.mkOption {
      type = types.package;
      default = pkgs.callPackage ./smolvm.nix { };
      defaultText = lib.literalExpression "the pinned release of this flake";
      example = lib.literalExpression "bot-bottle.packages.x86_64-linux.smolvm";
      description = ''
        The smolvm package that {option}`services.bot-bottle.package` is built with and the
        smolmachines backend runs; only the pinned version is accepted.
      '';
    };

    backend = lib.mkOption {
      type = backend;
      default = "smolmachines";
      example = "namespace";
      description = "Backend of bottles when neither command line nor environment names one.";
    };

    bundle = lib.mkOption {
      type = types.enum [
        "docker"
        "embedded"
      ];
      default = "embedded";
      example = "docker";
      description = "Where sidecars run: as children of the bottle's keeper, or in one container.";
    };

    users = lib.mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "alice" ];
      description = ''
        Users who start bottles. Each joins the groups `bot-bottle` and `kvm`, and `docker` when
        the bundle is docker; membership in `docker` is root on this host.
      '';
    };

    kvm = {
      module = lib.mkOption {
        type = types.enum [
          "auto"
          "kvm-amd"
          "kvm-intel"
          "none"
        ];
        default = "auto";
        example = "kvm-amd";
        description = ''
          The KVM module loaded at boot. `auto` leaves it to udev; `none` says that this host has no
          KVM, and refuses the smolmachines backend.
        '';
      };
      nested = lib.mkOption {
        type = types.bool;
        default = false;
        description = "Whether guests of this host's virtual machines may use KVM themselves.";
      };
      restrict = lib.mkOption {
        type = types.bool;
        default = false;
        description = ''
          Whether {file}`/dev/kvm` is for the group `kvm` alone. NixOS leaves it open to everybody,
          so without this the group gates nothing.
        '';
      };
    };

    bottles = lib.mkOption {
      type = types.attrsOf (types.submodule fields.bottle);
      default = { };
      example.dev.egress.routes = [ { host = "api.example.com"; } ];
      description = "Bottle manifests, installed below {file}`/etc/bot-bottle/bottles`.";
    };

    agents = lib.mkOption {
      type = types.attrsOf (types.submodule fields.agent);
      default = { };
      example.reviewer.bottle = "dev";
      description = "Agent manifests, installed below {file}`/etc/bot-bottle/agents`.";
    };

    settings = lib.mkOption {
      type = types.submodule settings;
      default = { };
      example.hosts."forge.example.com" = "192.0.2.10";
      description = "The rest of {file}`/etc/bot-bottle/config.json`.";
    };

    images = lib.mkOption {
      type = types.attrsOf types.package;
      default = { };
      example = lib.literalExpression ''
        { agent = pkgs.dockerTools.buildLayeredImage { name = "agent"; compressor = "none"; }; }
      '';
      description = ''
        Image archives, installed as {file}`/etc/bot-bottle/images/NAME`, which is what a manifest
        writes as `image`. They are read as files; no container engine is needed.
      '';
    };

    secrets = lib.mkOption {
      type = types.attrsOf (
        types.submodule {
          options.file = lib.mkOption {
            type = secretFile;
            example = "/run/keys/anthropic";
            description = "File that holds the secret. It is read by systemd when a bottle starts.";
          };
        }
      );
      default = { };
      example.anthropic.file = "/run/keys/anthropic";
      description = ''
        Secrets of agent services, which routes name as `credential:NAME`. A service is handed
        those that its bottle's routes name, as systemd credentials.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ] ++ lib.optional needsKvm smolvm;

    environment.etc =
      lib.mapAttrs' (
        path: _: lib.nameValuePair "bot-bottle/${path}" { source = "${checked}/${path}"; }
      ) documents
      // lib.mapAttrs' (
        name: image: lib.nameValuePair "bot-bottle/images/${name}" { source = image; }
      ) cfg.images;

    boot.kernelModules = lib.optional (lib.hasPrefix "kvm-" cfg.kvm.module) cfg.kvm.module;
    boot.extraModprobeConfig = lib.mkIf cfg.kvm.nested ''
      options kvm_amd nested=1
      options kvm_intel nested=1
    '';
    # The node is there before the module is, and then by the static rule alone.
    services.udev.extraRules = lib.mkIf cfg.kvm.restrict ''
      KERNEL=="kvm", GROUP="kvm", MODE="0660", OPTIONS+="static_node=kvm"
    '';

    users.groups = {
      bot-bottle.members = cfg.users;
      kvm.members = cfg.users;
    }
    // lib.optionalAttrs needsDocker { docker.members = cfg.users; };

    virtualisation.docker.enable = lib.mkIf needsDocker (lib.mkDefault true);

    # Every user of the host takes the same locks: the files exist, and nobody adds to them.
    systemd.tmpfiles.rules = [
      "d ${leases.directory} 0750 root bot-bottle -"
    ]
    ++ map (address: "f ${leases.directory}/${address} 0660 root bot-bottle -") leases.addresses
    # The link outlives the generation that made it: the disks of machines that still
    # exist are layers on top of this package's templates. Where there is KVM any bottle
    # may ask for a machine by name.
    ++ lib.optionals (cfg.kvm.module != "none") [
      "d /nix/var/nix/gcroots/bot-bottle 0755 root root -"
      "L /nix/var/nix/gcroots/bot-bottle/${baseNameOf smolvm} - - - - ${smolvm}"
    ];

    # A hardened kernel may take away what every cage is made of.
    warnings =
      lib.optional (!config.security.allowUserNamespaces) ''
        services.bot-bottle: security.allowUserNamespaces is false, so no bottle can start; set it to true.
      ''
      ++
        lib.optional
          (
            (config.boot.kernelPackages.kernel.isHardened or false)
            && !config.security.unprivilegedUsernsClone
          )
          ''
            services.bot-bottle: the hardened kernel refuses user namespaces to ordinary users, so only
            root can start bottles; set security.unprivilegedUsernsClone to true.
          '';
  };
}
