# Every option set, every manifest field written. tests/nix/check sees to it that none is left out.
{
  services.bot-bottle = {
    enable = true;
    backend = "namespace";
    bundle = "embedded";
    users = [ "alice" ];
    guestPackages = [ ];
    kvm = {
      module = "kvm-amd";
      nested = true;
      restrict = true;
    };

    settings = {
      upstream_proxy = "http://proxy.example.com:3128";
      extra_ca = [ "/etc/ssl/company.pem" ];
      resolver = [ "192.0.2.53" ];
      hosts."forge.example.com" = "192.0.2.10";
      leases = {
        first = "127.0.0.32";
        last = "127.0.0.39";
        directory = "/run/bot-bottle/leases";
      };
      limits = {
        audit_mib = 64;
        audit_queue = 64;
        connect_ms = 5000;
        connections = 64;
        decoded_bytes = 1048576;
        frame_bytes = 65536;
        head_bytes = 32768;
        head_ms = 10000;
        headers = 64;
        idle_ms = 60000;
        pool = 8;
        pool_ms = 10000;
        total_ms = 0;
      };
      providers = [ "/etc/bot-bottle/providers" ];
    };

    secrets = {
      anthropic.file = "/run/keys/anthropic";
      forge.file = "/run/keys/forge";
    };

    bottles.base = {
      egress.routes = [
        {
          host = "forge.example.com";
          auth = {
            header = "Private-Token";
            token_ref = "credential:forge";
          };
        }
      ];
    };
    bottles.dev = {
      extends = [ "base" ];
      env = {
        ASKED = "?a word";
        EDITOR = "vi";
        HOST = "\${HOST_VARIABLE}";
      };
      agent_provider = {
        template = "claude";
        auth_token = "CLAUDE_TOKEN";
        forward_host_credentials = false;
      };
      image = "/etc/bot-bottle/images/agent";
      tools = [ "~/.local/share/claude" ];
      egress = {
        log = "all";
        routes = [
          {
            host = "api.example.com";
            wildcard = false;
            port = 8443;
            plain = false;
            auth = {
              scheme = "bearer";
              token_ref = "credential:anthropic";
            };
            matches = [
              {
                paths = [
                  {
                    type = "prefix";
                    value = "/v1";
                  }
                ];
                methods = [
                  "GET"
                  "POST"
                ];
                headers = [
                  {
                    name = "anthropic-version";
                    type = "regex";
                    value = "2023-.*";
                  }
                ];
              }
            ];
            git.fetch = true;
            websocket = true;
            dlp = {
              outbound_detectors = [
                "known_secrets"
                "token_patterns"
                "canary"
                "entropy"
              ];
              inbound_detectors = false;
              outbound_on_match = "redact";
            };
            allow_private = false;
          }
        ];
      };
      git-gate = {
        user = {
          name = "Reviewer";
          email = "reviewer@example.com";
        };
        repos.project = {
          url = "ssh://git@forge.example.com/team/project.git";
          key = {
            provider = "static";
            path = "/var/lib/keys/project";
          };
          host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGW00IWbRa3PjocDOJ94cDw4UgF/vSLnh3Xfz2e7p8In";
          push = {
            refs = [ "refs/heads/agent/*" ];
            paths_needing_approval = [ ".github/**" ];
          };
        };
        repos.mirror = {
          url = "ssh://git@forge.example.com:2222/team/mirror.git";
          key = {
            provider = "gitea";
            forge_token_env = "FORGE_TOKEN";
          };
        };
      };
      resources = {
        cpus = 2;
        memory_mib = 4096;
        disk_gib = 20;
        pids = 1024;
      };
      workspace = "copy";
      workspace_exclude = [ ".env" ];
    };

    agents.reviewer = {
      bottle = "dev";
      skills = [ "review" ];
      git-gate.user = {
        name = "Reviewer";
        email = "reviewer@example.com";
      };
      prompt = "Say what is wrong with the open change.";
    };

    agentServices.nightly = {
      agent = "reviewer";
      bottles = [ "dev" ];
      backend = "namespace";
      prompt = "Review the newest change in the workspace.";
      workspace = "/srv/project";
      startAt = "03:15";
      user = "bot-bottle";
    };

    runner = {
      enable = true;
      url = "https://forge.example.com";
      tokenFile = "/run/keys/runner";
      labels = [ "kvm" ];
      instances = 2;
    };
  };
}
