# The manifest's fields as option types, under the manifest's own names.
{ lib }:
let
  inherit (lib) types;
  inherit (import ./types.nix { inherit lib; })
    field
    flag
    group
    host
    hostPath
    name
    positive
    secretPath
    tokenRef
    variable
    ;

  textMatch = types.enum [
    "exact"
    "prefix"
    "regex"
  ];

  user = {
    name = field {
      type = types.str;
      example = "Reviewer";
      description = "Author and committer name of commits made in the bottle.";
    };
    email = field {
      type = types.str;
      example = "reviewer@example.com";
      description = "Their address.";
    };
  };

  match.options = {
    paths = field {
      type = types.listOf (
        types.submodule {
          options = {
            type = lib.mkOption {
              type = textMatch;
              example = "prefix";
              description = "How the path is compared; `prefix` by whole path elements, `regex` on the whole path.";
            };
            value = lib.mkOption {
              type = types.str;
              example = "/v1/messages";
              description = "The path, or the PCRE2 expression.";
            };
          };
        }
      );
      example = [
        {
          type = "prefix";
          value = "/v1";
        }
      ];
      description = "Paths of which one must match.";
    };
    methods = field {
      type = types.listOf (types.strMatching "[A-Za-z]+");
      example = [
        "GET"
        "POST"
      ];
      description = "Methods that are allowed; all when not set.";
    };
    headers = field {
      type = types.listOf (
        types.submodule {
          options = {
            name = lib.mkOption {
              type = types.strMatching "[A-Za-z0-9-]+";
              example = "anthropic-version";
              description = "The header that must be there.";
            };
            type = lib.mkOption {
              type = types.enum [
                "exact"
                "regex"
              ];
              default = "exact";
              example = "regex";
              description = "How its value is compared.";
            };
            value = lib.mkOption {
              type = types.str;
              example = "2023-06-01";
              description = "The value, or the PCRE2 expression.";
            };
          };
        }
      );
      example = [
        {
          name = "anthropic-version";
          value = "2023-06-01";
        }
      ];
      description = "Headers that must all match.";
    };
  };

  detectors =
    names:
    types.either (types.enum [ false ]) (types.listOf (types.enum names));

  route.options = {
    host = lib.mkOption {
      type = host;
      example = "api.example.com";
      description = "The host this route opens: an exact name; `*.example.com` needs `wildcard`.";
    };
    wildcard = flag "Whether `host` may begin with `*.`.";
    port = field {
      type = types.port;
      example = 8443;
      description = "The port; 443 when not set, and 80 with `plain`.";
    };
    plain = flag "Whether plain HTTP is allowed, under the same rules.";
    auth = field (
      group "The credential that the gateway puts in: one of `scheme` and `header`, and `token_ref`." {
        scheme = field {
          type = types.enum [
            "basic"
            "bearer"
            "token"
          ];
          example = "bearer";
          description = "Scheme of the Authorization header.";
        };
        header = field {
          type = types.strMatching "[A-Za-z0-9-]+";
          example = "X-Api-Key";
          description = "Header that holds the credential alone.";
        };
        token_ref = lib.mkOption {
          type = tokenRef;
          example = "credential:anthropic";
          description = "Where the credential is found at launch; never the credential.";
        };
      }
      // {
        example = {
          scheme = "bearer";
          token_ref = "credential:anthropic";
        };
      }
    );
    matches = field {
      type = types.listOf (types.submodule match);
      example = [ { methods = [ "GET" ]; } ];
      description = "Requests that are allowed: one entry must match, in all its parts. All when not set.";
    };
    git = field (
      group "Git over HTTPS on this host." {
        fetch = flag "Whether clone and fetch are allowed; push never is.";
      }
      // {
        example.fetch = true;
      }
    );
    websocket = flag "Whether a connection may become a WebSocket.";
    dlp = field (
      group "What is looked for in requests and answers." {
        outbound_detectors = field {
          type = detectors [
            "canary"
            "entropy"
            "known_secrets"
            "token_patterns"
          ];
          example = [ "known_secrets" ];
          description = "Detectors on what leaves; `false` for none but the canary.";
        };
        inbound_detectors = field {
          type = detectors [
            "echo"
            "injection"
          ];
          example = false;
          description = "Detectors on what comes back; `false` for none but the echo of our own credential.";
        };
        outbound_on_match = field {
          type = types.enum [
            "block"
            "redact"
            "supervise"
          ];
          example = "supervise";
          description = "What a match does: refuse, scrub, or hold and ask the operator.";
        };
      }
      // {
        example.outbound_on_match = "supervise";
      }
    );
    allow_private = flag ''
      Whether the name may resolve to a private, loopback or link-local address. Metadata addresses never.
    '';
  };

  repo.options = {
    url = lib.mkOption {
      type = types.strMatching "ssh://[^[:space:]]+";
      example = "ssh://git@forge.example.com/team/project.git";
      description = "The upstream.";
    };
    key = lib.mkOption (
      group "The key that the gate, and never the guest, reaches the upstream with." {
        provider = lib.mkOption {
          type = types.enum [
            "gitea"
            "github"
            "static"
          ];
          example = "static";
          description = "A key that exists, or a deploy key made for each bottle at the forge.";
        };
        path = field {
          type = secretPath;
          example = "/var/lib/keys/project";
          description = "The private key (`static`).";
        };
        forge_token_env = field {
          type = variable;
          example = "FORGE_TOKEN";
          description = "Host variable that holds the forge's token (`gitea`, `github`).";
        };
      }
      // {
        default = { }; # so that what is missing is named in full: its provider
        example = {
          provider = "static";
          path = "/var/lib/keys/project";
        };
      }
    );
    host_key = field {
      type = types.str;
      example = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGW00IWbRa3PjocDOJ94cDw4UgF/vSLnh3Xfz2e7p8In";
      description = "The upstream's host key. Without it nothing is forwarded.";
    };
    push = field (
      group "What may be pushed." {
        refs = field {
          type = types.listOf types.str;
          example = [ "refs/heads/agent/*" ];
          description = "Refs that a push may touch.";
        };
        paths_needing_approval = field {
          type = types.listOf types.str;
          example = [ ".github/**" ];
          description = "Paths whose change waits for the operator.";
        };
      }
      // {
        example.refs = [ "refs/heads/agent/*" ];
      }
    );
  };
in
{
  bottle.options = {
    extends = field {
      type = types.either name (types.listOf name);
      example = [ "base" ];
      description = "Parents, merged first, left to right.";
    };
    env = field {
      type = types.attrsOf types.str;
      example = {
        EDITOR = "vi";
        NPM_TOKEN = "?";
      };
      description = ''
        Variables of the guest. `?` or `?message` asks on the terminal, `''${NAME}` takes the host's
        variable; anything else is a literal that ends in the world-readable store.
      '';
    };
    agent_provider = field (
      group "Which kind of agent runs." {
        template = field {
          type = name;
          example = "claude";
          description = "A shipped provider (`claude`, `codex`, `shell`) or the name of a provider file.";
        };
        auth_token = field {
          type = variable;
          example = "CLAUDE_TOKEN";
          description = "Host variable that holds the provider's token.";
        };
        forward_host_credentials = flag "Whether the host's login is used (Codex).";
      }
      // {
        example.template = "claude";
      }
    );
    image = field {
      type = types.str;
      example = "/etc/bot-bottle/images/agent";
      description = "What a machine is made from: a path (root file system, OCI layout, archive, .smolmachine), docker-daemon:REF or dockerfile:PATH; not set, smolvm's own minimal guest. A namespace bottle has none and sees the host's programs.";
    };
    tools = field {
      type = types.listOf hostPath;
      example = [ "~/.local/share/claude" ];
      description = "More host directories shown read-only to a namespace bottle.";
    };
    egress = field (
      group "What the bottle may reach." {
        routes = field {
          type = types.listOf (types.submodule route);
          example = [ { host = "api.example.com"; } ];
          description = "The routes; a host without one is refused.";
        };
        log = field {
          type = types.enum [
            "off"
            "blocks"
            "all"
            0
            1
            2
          ];
          example = "all";
          description = "Which requests are kept in the log; the audit line is written regardless.";
        };
      }
      // {
        example.routes = [ { host = "api.example.com"; } ];
      }
    );
    git-gate = field (
      group "The bottle's git remotes." {
        user = field (group "Git identity in the guest." user // { example.name = "Reviewer"; });
        repos = field {
          type = types.attrsOf (types.submodule repo);
          example.project.url = "ssh://git@forge.example.com/team/project.git";
          description = "Repositories behind the git gate, by the name that the guest sees.";
        };
      }
      // {
        example.user.name = "Reviewer";
      }
    );
    resources = field (
      group "Limits. One that is written and can't be enforced is a refusal." {
        cpus = positive "Processors." 2;
        memory_mib = positive "Memory in MiB." 4096;
        disk_gib = positive "Disk in GiB." 20;
        pids = positive "Processes and threads." 1024;
      }
      // {
        example.memory_mib = 4096;
      }
    );
    workspace = field {
      type = types.enum [
        "copy"
        "mount"
        "none"
      ];
      example = "mount";
      description = "How the guest sees the workspace: a copy, the files themselves (read-only where a tool of the host would run them), or not at all.";
    };
    workspace_exclude = field {
      type = types.listOf types.str;
      example = [ "secrets/**" ];
      description = "Globs of files that the guest does not see.";
    };
  };

  agent.options = {
    bottle = field {
      type = name;
      example = "dev";
      description = "The bottle this agent runs in when none is asked for.";
    };
    skills = field {
      type = types.listOf name;
      example = [ "review" ];
      description = "Skill directories that are copied in.";
    };
    git-gate = field (
      group "Git identity." {
        user = field (group "Git identity in the guest." user // { example.name = "Reviewer"; });
      }
      // {
        example.user.name = "Reviewer";
      }
    );
    prompt = field {
      type = types.lines;
      example = "Review the open change and say what is wrong with it.";
      description = "The system prompt: the body of an agent file.";
    };
  };
}
