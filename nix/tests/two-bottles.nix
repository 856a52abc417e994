{
  description = "two bottles of two users: neither reaches the other, its sidecars or its files";
  features = [ ];
  test = {
    nodes.machine = {
      imports = [ ./parts/host.nix ];
      services.bot-bottle.users = [ "bob" ];
      users.users.bob = {
        isNormalUser = true;
        linger = true;
      };
    };

    testScript = import ./parts/script.nix + ''
      up(machine, "alice", "bob")

      def as_bob(command):
          return as_alice(command).replace("alice", "bob")

      one = started(machine, "--label one")
      two = started(machine, "--label two")
      other = started(machine, "--label other", as_bob)
      assert len({one, two, other}) == 3

      # Control: each has sidecars of its own that answer.
      help_page = "curl -sS --fail --noproxy '*' http://127.0.0.1:9099/.well-known/bot-bottle"
      for slug in [one, two]:
          machine.succeed(as_alice(f"bottle exec {slug} -- {help_page}"))

      # Every loopback address answers for itself alone, and no process of another is in sight.
      for n in [2, 16, 17, 31]:
          fails_inside(machine, as_alice(f"bottle exec {one} -- {help_page.replace('127.0.0.1', f'127.0.0.{n}')}"))
      marker = f"/tmp/{two}"
      machine.succeed(as_alice(f"bottle exec {two} -- touch {marker}"))
      machine.succeed(as_alice(f"bottle exec {two} -- test -e {marker}"))
      fails_inside(machine, as_alice(f"bottle exec {one} -- test -e {marker}"))
      assert two not in machine.succeed(as_alice(f"bottle exec {one} -- cat /proc/mounts"))

      # Bob's record is none of Alice's business.
      refused(machine, as_alice(f"bottle stop {other}"), other)
      machine.succeed(as_alice(f"bottle stop {one}"))
      machine.succeed(as_alice(f"bottle exec {two} -- true"))
    '';
  };
}
