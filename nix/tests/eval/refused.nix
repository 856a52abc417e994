# Configurations that must not evaluate, each with the words that the refusal must have:
# the option or item, and what is wrong or what to do.
{ lib, pkgs }:
let
  host = settings: {
    services.bot-bottle = {
      enable = true;
    }
    // settings;
  };
  bottle = manifest: host { bottles.dev = manifest; };
  route = fields: bottle { egress.routes = [ fields ]; };
  repo =
    key:
    bottle {
      git-gate.repos.project = {
        url = "ssh://git@forge.example.com/project.git";
        inherit key;
      };
    };
  service =
    settings:
    host {
      bottles.dev = { };
      agents.reviewer.bottle = "dev";
      agentServices.nightly = {
        agent = "reviewer";
        prompt = "Review.";
      }
      // settings;
    };
  stored = "${builtins.storeDir}/00000000000000000000000000000000-secret";
in
{
  # What a type refuses.
  misspelt-option = {
    module = host { bottels = { }; };
    says = "services.bot-bottle.bottels' does not exist";
  };
  misspelt-field = {
    module = route {
      host = "api.example.com";
      methods = [ "GET" ];
    };
    says = "methods' does not exist";
  };
  wrong-type = {
    module = bottle { resources.cpus = "two"; };
    says = "services.bot-bottle.bottles.dev.resources.cpus' is not of type";
  };
  backend-of-no-such-name = {
    module = host { backend = "podman"; };
    says = "services.bot-bottle.backend' is not of type";
  };
  backend-that-is-not-built = {
    module = service { backend = "docker"; };
    says = "agentServices.nightly.backend' is not of type .*one of \"namespace\", \"smolmachines\"";
  };
  route-without-host = {
    module = route { port = 8443; };
    says = "host' \\(is used but not defined\\|was accessed but has no value\\)";
  };
  port-out-of-range = {
    module = route {
      host = "api.example.com";
      port = 65536;
    };
    says = "port' is not of type";
  };
  repo-without-key = {
    module = bottle { git-gate.repos.project.url = "ssh://git@forge.example.com/project.git"; };
    says = "repos.project.key.provider' \\(is used but not defined\\|was accessed but has no value\\)";
  };
  repo-over-https = {
    module = bottle {
      git-gate.repos.project = {
        url = "https://forge.example.com/project.git";
        key = {
          provider = "static";
          path = "/var/lib/keys/project";
        };
      };
    };
    says = "repos.project.url' is not of type";
  };
  leases-outside-loopback = {
    module = host { settings.leases.first = "10.0.0.1"; };
    says = "settings.leases.first' is not of type";
  };
  lease-that-is-no-address = {
    module = host { settings.leases.last = "127.0.0.256"; };
    says = "settings.leases.last' is not of type";
  };
  leases-of-a-home = {
    module = host { settings.leases.directory = "~/leases"; };
    says = "settings.leases.directory' is not of type";
  };
  leases-backwards = {
    module = host { settings.leases.first = "127.0.1.0"; };
    says = "settings.leases: from 127.0.1.0 to 127.0.0.31 there is not one address.*set first and last";
  };
  leases-without-end = {
    module = host { settings.leases.last = "127.255.255.254"; };
    says = "settings.leases: from 127.0.0.16 to 127.255.255.254 .*more than 4096";
  };
  label-that-names-an-image = {
    module = host {
      runner = {
        enable = true;
        url = "https://forge.example.com";
        tokenFile = "/run/keys/runner";
        labels = [ "debian:docker://debian:12" ];
      };
    };
    says = "runner.labels.* is not of type";
  };
  runner-without-url = {
    module = host {
      runner = {
        enable = true;
        tokenFile = "/run/keys/runner";
      };
    };
    says = "runner.url' \\(is used but not defined\\|was accessed but has no value\\)";
  };

  # Secrets in the store.
  secret-in-the-store = {
    module = service { } // {
      imports = [ { services.bot-bottle.secrets.anthropic.file = stored; } ];
    };
    says = "secrets.anthropic.file' is not of type .*outside the Nix store";
  };
  secret-as-a-path-literal = {
    module = host { secrets.anthropic.file = ./refused.nix; };
    says = "secrets.anthropic.file' is not of type .*outside the Nix store";
  };
  token-file-in-the-store = {
    module = route {
      host = "api.example.com";
      auth = {
        scheme = "bearer";
        token_ref = "file:${stored}";
      };
    };
    says = "token_ref' is not of type .*outside the Nix store";
  };
  token-in-the-manifest = {
    module = route {
      host = "api.example.com";
      auth = {
        scheme = "bearer";
        token_ref = "sk-live-1234";
      };
    };
    says = "token_ref' is not of type";
  };
  repo-key-in-the-store = {
    module = repo {
      provider = "static";
      path = stored;
    };
    says = "key.path' is not of type .*outside the Nix store";
  };
  runner-token-in-the-store = {
    module = host {
      runner = {
        enable = true;
        url = "https://forge.example.com";
        tokenFile = stored;
      };
    };
    says = "runner.tokenFile' is not of type .*outside the Nix store";
  };

  # What an assertion refuses.
  bad-bottle-name = {
    module = host { bottles.Dev_1 = { }; };
    says = "services.bot-bottle.bottles: \"Dev_1\" is not a name; use lower-case";
  };
  bad-agent-name = {
    module = host { agents."a b" = { }; };
    says = "services.bot-bottle.agents: \"a b\" is not a name";
  };
  bad-image-name = {
    module = host { images."../x" = pkgs.dockerTools.buildLayeredImage { name = "x"; }; };
    says = "services.bot-bottle.images: \"../x\" is not a name";
  };
  bad-service-name = {
    module = host {
      agents.reviewer.bottle = "dev";
      bottles.dev = { };
      agentServices.Nightly = {
        agent = "reviewer";
        prompt = "Review.";
      };
    };
    says = "services.bot-bottle.agentServices: \"Nightly\" is not a name";
  };
  parent-not-declared = {
    module = bottle { extends = "base"; };
    says = "bottles.dev.extends names \"base\", which is not declared; add";
  };
  bottle-not-declared = {
    module = host { agents.reviewer.bottle = "dev"; };
    says = "agents.reviewer.bottle names \"dev\", which is not declared; add";
  };
  auth-twice = {
    module = route {
      host = "api.example.com";
      auth = {
        scheme = "bearer";
        header = "X-Api-Key";
        token_ref = "TOKEN";
      };
    };
    says = "bottles.dev: the route for api.example.com: auth needs exactly one of scheme and header";
  };
  auth-without-a-form = {
    module = route {
      host = "api.example.com";
      auth.token_ref = "TOKEN";
    };
    says = "auth needs exactly one of scheme and header";
  };
  wildcard-not-said = {
    module = route { host = "*.example.com"; };
    says = "the route for \\*.example.com: wildcard = true goes with";
  };
  private-behind-a-proxy = {
    module = {
      imports = [
        (route {
          host = "api.example.com";
          allow_private = true;
        })
      ];
      services.bot-bottle.settings.upstream_proxy = "http://proxy.example.com:3128";
    };
    says = "allow_private, which can't be judged behind .*remove one of them";
  };
  static-key-without-path = {
    module = repo { provider = "static"; };
    says = "repos.project.key: provider \"static\" takes path";
  };
  forge-key-without-token = {
    module = repo { provider = "github"; };
    says = "repos.project.key: provider \"github\" takes forge_token_env";
  };
  docker-switched-off = {
    module = host { bundle = "docker"; } // {
      virtualisation.docker.enable = false;
    };
    says = "bundle is \"docker\"; set virtualisation.docker.enable";
  };
  microvm-without-kvm = {
    module = host { kvm.module = "none"; };
    says = "backend is \"smolmachines\", which needs KVM.*set backend = \"namespace\"";
  };
  guest-packages-of-another-package = {
    module = host {
      guestPackages = [ pkgs.smallProgram ];
      package = pkgs.callPackage ../../package.nix { smolvm = pkgs.callPackage ../../smolvm.nix { }; };
    };
    says = "guestPackages is not what services.bot-bottle.package was built with; leave package at its default";
  };
  another-smolvm = {
    module = host {
      smolvm.package = pkgs.stdenv.mkDerivation {
        pname = "smolvm";
        version = "1.9.3";
        src = ./.;
        meta = { };
      };
    };
    says = "smolvm.package is version 1.9.3; only 1.8.1 is supported";
  };
  smolvm-of-another-package = {
    module = host {
      smolvm.package = pkgs.otherSmolvm;
      package = pkgs.callPackage ../../package.nix { smolvm = pkgs.callPackage ../../smolvm.nix { }; };
    };
    says = "smolvm.package is not what services.bot-bottle.package was built with; leave package at its default";
  };
  user-of-no-such-name = {
    module = host { users = [ "alice" ]; };
    says = "users names \"alice\", which is no user of this host; add users.users.alice";
  };
  service-agent-not-declared = {
    module = service { agent = "ghost"; };
    says = "agentServices.nightly.agent names \"ghost\", which is not declared; add";
  };
  service-bottle-not-declared = {
    module = service { bottles = [ "ghost" ]; };
    says = "agentServices.nightly.bottles names \"ghost\", which is not declared; add";
  };
  service-without-a-bottle = {
    module = host {
      agents.reviewer = { };
      agentServices.nightly = {
        agent = "reviewer";
        prompt = "Review.";
      };
    };
    says = "agentServices.nightly: neither it nor its agent names a bottle; set bottles";
  };
  service-as-root = {
    module = service { user = "root"; };
    says = "agentServices.nightly.user is \"root\"; name an ordinary user";
  };
  service-as-nobody-known = {
    module = service { user = "ghost"; };
    says = "agentServices.nightly.user is \"ghost\"; name an ordinary user";
  };
  service-microvm-without-kvm = {
    module = {
      imports = [ (service { backend = "smolmachines"; }) ];
      services.bot-bottle = {
        backend = "namespace";
        kvm.module = "none";
      };
    };
    says = "agentServices.nightly.backend is \"smolmachines\", which needs KVM";
  };
  service-secret-not-declared = {
    module = host {
      bottles.base.egress.routes = [
        {
          host = "api.example.com";
          auth = {
            scheme = "bearer";
            token_ref = "credential:anthropic";
          };
        }
      ];
      bottles.dev.extends = "base";
      agents.reviewer.bottle = "dev";
      agentServices.nightly = {
        agent = "reviewer";
        prompt = "Review.";
      };
    };
    says = "names credential:anthropic, which is not declared; set services.bot-bottle.secrets.anthropic.file";
  };
}
