# The host configuration's fields as option types, under the file's own names.
{ lib }:
let
  inherit (lib) types;
  inherit (import ./types.nix { inherit lib; })
    field
    group
    hostPath
    positive
    ;
in
{
  options = {
    upstream_proxy = field {
      type = types.strMatching "http://[^[:space:]@]+";
      example = "http://proxy.example.com:3128";
      description = "Proxy that the gateway goes through. It then resolves names, and routes can't allow private addresses.";
    };
    extra_ca = field {
      type = types.listOf hostPath;
      example = [ "/etc/ssl/company.pem" ];
      description = "Authorities trusted for origins besides the host's.";
    };
    resolver = field {
      type = types.listOf types.str;
      example = [ "192.0.2.53" ];
      description = "Resolvers of the gateway; the host's when not set.";
    };
    hosts = field {
      type = types.attrsOf types.str;
      example."forge.example.com" = "192.0.2.10";
      description = "Names that the gateway does not ask a resolver for.";
    };
    leases = field (
      group "Loopback addresses for docker bundles." {
        first = field {
          type = types.strMatching "127\\.[0-9.]+";
          example = "127.0.0.16";
          description = "First address of the range.";
        };
        last = field {
          type = types.strMatching "127\\.[0-9.]+";
          example = "127.0.0.31";
          description = "Last address of the range.";
        };
        directory = field {
          type = hostPath;
          example = "/run/bot-bottle/leases";
          description = "Where the locks are, which users of one host share.";
        };
      }
      // {
        example.last = "127.0.0.63";
      }
    );
    limits = field (
      group "Bounds of the gateway." {
        head_bytes = positive "Bytes of a request's head." 65536;
        headers = positive "Headers of a request." 100;
        connections = positive "Connections at one time." 256;
        idle_seconds = positive "Seconds without a byte before a connection is closed." 300;
        total_seconds = field {
          type = types.ints.unsigned;
          example = 3600;
          description = "Seconds of a request in all; 0 for no limit.";
        };
      }
      // {
        example.connections = 64;
      }
    );
    providers = field {
      type = types.listOf hostPath;
      example = [ "/etc/bot-bottle/providers" ];
      description = "More directories of provider files.";
    };
  };
}
