# The host configuration's fields as option types, under the file's own names.
{ lib }:
let
  inherit (lib) types;
  inherit (import ./types.nix { inherit lib; })
    field
    group
    hostPath
    ;

  octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  loopback = types.strMatching "127(\\.${octet}){3}" // {
    description = "address of 127.0.0.0/8";
    descriptionClass = "noun";
  };
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
          type = loopback;
          example = "127.0.0.16";
          description = "First address of the range.";
        };
        last = field {
          type = loopback;
          example = "127.0.0.31";
          description = "Last address of the range.";
        };
        directory = field {
          type = types.strMatching "(/[A-Za-z0-9._-]+)+"; # what tmpfiles and units take as it stands
          example = "/run/bot-bottle/leases";
          description = "Where the locks are, which users of one host share. It is made for the group `bot-bottle`.";
        };
      }
      // {
        example.last = "127.0.0.63";
      }
    );
    limits = field (
      group "Bounds of the gateway." (
        lib.mapAttrs
          (
            _: description:
            field {
              type = types.ints.unsigned;
              example = 4096;
              inherit description;
            }
          )
          {
            audit_mib = "MiB of a bottle's audit log; a bottle that has filled it ends.";
            audit_queue = "Audit records that may wait before the gateway stops accepting.";
            connect_ms = "Milliseconds to reach an origin, resolving included.";
            connections = "Connections of a bottle at one time.";
            decoded_bytes = "Bytes of one encoded body, decoded, on a route with a credential.";
            frame_bytes = "Bytes of one WebSocket frame.";
            head_bytes = "Bytes of a request's or an answer's head.";
            head_ms = "Milliseconds for a whole head, or a TLS handshake.";
            headers = "Fields of a head.";
            idle_ms = "Milliseconds without a byte in either direction.";
            pool = "Idle connections to origins that are kept.";
            pool_ms = "Milliseconds that one is kept.";
            total_ms = "Milliseconds of one exchange; 0 for as long as bytes move.";
          }
      )
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
