# Loopback addresses for docker bundles, and where their locks are: what the settings say, else
# what the program has (src/manifest/config.c, src/pool/pool.h).
{ lib, settings }:
let
  leases = lib.filterAttrs (_: field: field != null) (
    if settings.leases == null then { } else settings.leases
  );

  # Of an address 127.a.b.c the number that a.b.c is, and back.
  number =
    address: lib.foldl' (n: part: n * 256 + lib.toInt part) 0 (lib.tail (lib.splitString "." address));
  address =
    n:
    lib.concatMapStringsSep "." toString [
      127
      (n / 65536)
      (lib.mod (n / 256) 256)
      (lib.mod n 256)
    ];
in
rec {
  first = leases.first or "127.0.0.16";
  last = leases.last or "127.0.0.31";
  count = number last - number first + 1;
  addresses = map address (lib.range (number first) (number last));
  directory = leases.directory or "/run/bot-bottle/leases";
}
