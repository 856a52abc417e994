# What the options say one by one may not fit together. Each assertion names its item and
# the remedy; a list per matter, so that adding one is adding a row.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  cfg = config.services.bot-bottle;
  at = "services.bot-bottle";
  inherit (import ./types.nix { inherit lib; }) name;
  leases = import ./leases.nix {
    inherit lib;
    inherit (cfg) settings;
  };
  pin = (pkgs.callPackage ./smolvm.nix { }).pin;
  smolvm = cfg.package.smolvm or cfg.smolvm.package;
  isSet = option: option.highestPrio < (lib.mkOptionDefault null).priority;

  orEmpty = empty: value: if value == null then empty else value;
  routesOf =
    bottle: orEmpty [ ] (orEmpty { routes = null; } bottle.egress).routes;
  reposOf =
    bottle: orEmpty { } (orEmpty { repos = null; } bottle.git-gate).repos;
  parentsOf = bottle: lib.toList (orEmpty [ ] bottle.extends);

  # Every (bottle, route) and (bottle, repo), with the words that name it.
  eachBottle = rows: lib.concatLists (lib.mapAttrsToList rows cfg.bottles);
  eachRoute =
    row:
    eachBottle (
      bottle: value:
      lib.concatMap (route: row "${at}.bottles.${bottle}: the route for ${route.host}" route) (
        routesOf value
      )
    );
  eachRepo =
    row:
    eachBottle (
      bottle: value:
      lib.concatLists (
        lib.mapAttrsToList (repo: row "${at}.bottles.${bottle}.git-gate.repos.${repo}") (reposOf value)
      )
    );

  names =
    lib.concatMap
      (
        group:
        map (item: {
          assertion = name.check item;
          message = "${at}.${group}: \"${item}\" is not a name; use lower-case words joined by single dashes, at most 40 characters.";
        }) (lib.attrNames cfg.${group})
      )
      [
        "agentServices"
        "agents"
        "bottles"
        "images"
      ];

  references =
    eachBottle (
      bottle: value:
      map (parent: {
        assertion = cfg.bottles ? ${parent};
        message = "${at}.bottles.${bottle}.extends names \"${parent}\", which is not declared; add ${at}.bottles.${parent}.";
      }) (parentsOf value)
    )
    ++ lib.mapAttrsToList (agent: value: {
      assertion = value.bottle == null || cfg.bottles ? ${value.bottle};
      message = "${at}.agents.${agent}.bottle names \"${toString value.bottle}\", which is not declared; add ${at}.bottles.${toString value.bottle}.";
    }) cfg.agents;

  routes = eachRoute (
    it: route: [
      {
        assertion = route.auth == null || (route.auth.scheme == null) != (route.auth.header == null);
        message = "${it}: auth needs exactly one of scheme and header.";
      }
      {
        assertion = lib.hasPrefix "*." route.host == (route.wildcard == true);
        message = "${it}: wildcard = true goes with a host that begins with \"*.\", and only with one.";
      }
      {
        assertion = route.allow_private == true -> cfg.settings.upstream_proxy == null;
        message = "${it} has allow_private, which can't be judged behind ${at}.settings.upstream_proxy; remove one of them.";
      }
    ]
  );

  repos = eachRepo (
    it:
    { key, ... }:
    [
      {
        assertion = key.provider == "static" -> key.path != null && key.forge_token_env == null;
        message = "${it}.key: provider \"static\" takes path, and no forge_token_env.";
      }
      {
        assertion = key.provider != "static" -> key.forge_token_env != null && key.path == null;
        message = "${it}.key: provider \"${key.provider}\" takes forge_token_env, and no path.";
      }
    ]
  );

  # A type is only checked where its value is read, and not every secret has a reader yet.
  secrets = lib.mapAttrsToList (secret: value: {
    assertion = value.file != "/";
    message = "${at}.secrets.${secret}.file is a directory; name a file.";
  }) cfg.secrets;

  host = [
    {
      assertion = cfg.bundle == "docker" -> config.virtualisation.docker.enable;
      message = "${at}.bundle is \"docker\"; set virtualisation.docker.enable, or bundle = \"embedded\".";
    }
    {
      assertion = leases.count >= 1 && leases.count <= 4096;
      message = "${at}.settings.leases: from ${leases.first} to ${leases.last} there is not one address, or there are more than 4096; set first and last.";
    }
    {
      assertion = cfg.backend == "smolmachines" -> cfg.kvm.module != "none";
      message = "${at}.backend is \"smolmachines\", which needs KVM, and ${at}.kvm.module is \"none\"; set backend = \"namespace\" or another kvm.module.";
    }
    {
      assertion = cfg.guestPackages == (cfg.package.guestPackages or [ ]);
      message = "${at}.guestPackages is not what ${at}.package was built with; leave package at its default, or set it to PACKAGE.override { guestPackages = [ … ]; }.";
    }
    {
      assertion = isSet options.services.bot-bottle.smolvm.package -> smolvm == cfg.smolvm.package;
      message = "${at}.smolvm.package is not what ${at}.package was built with; leave package at its default, or set it to PACKAGE.override { smolvm = …; }.";
    }
    {
      assertion = cfg.backend == "smolmachines" -> lib.getVersion smolvm == pin;
      message = "${at}.smolvm.package is version ${lib.getVersion smolvm}; only ${pin} is supported, leave the option at its default.";
    }
  ]
  ++ map (user: {
    assertion = config.users.users ? ${user};
    message = "${at}.users names \"${user}\", which is no user of this host; add users.users.${user}.";
  }) cfg.users;

  # Not refused, because a name proves nothing; but a value here can be read by every user.
  secretLooking = eachBottle (
    bottle: value:
    lib.concatLists (
      lib.mapAttrsToList (
        variable: text:
        lib.optional
          (
            builtins.match "(.*_)?(TOKEN|SECRET|PASSWORD|API_KEY|PRIVATE_KEY)" variable != null
            && builtins.match "[?].*|[$][{][A-Za-z0-9_]+[}]" text == null
          )
          "${at}.bottles.${bottle}.env.${variable} is a literal and ends in the world-readable Nix store; if it is a secret, write \"?\" or \"\${VARIABLE}\"."
      ) (orEmpty { } value.env)
    )
  );
in
{
  config = lib.mkIf cfg.enable {
    assertions = names ++ references ++ routes ++ repos ++ secrets ++ host;
    warnings = secretLooking;
  };
}
