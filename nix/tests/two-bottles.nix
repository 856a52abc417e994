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
      machine.wait_for_unit("multi-user.target")
      start = "bottle start --headless --yes --detach --json --bottle probe --label {} -- sleep infinity"

      def slug_of(command):
          return json.loads(machine.succeed(command))["slug"]

      one = slug_of(as_alice(start.format("one")))
      two = slug_of(as_alice(start.format("two")))
      other = slug_of(as_alice(start.format("other")).replace("alice", "bob"))
      assert len({one, two, other}) == 3

      # Control: each has sidecars of its own that answer.
      help_page = "curl -sS --fail --noproxy '*' http://127.0.0.1:9099/.well-known/bot-bottle"
      for slug in [one, two]:
          machine.succeed(as_alice(f"bottle exec {slug} -- {help_page}"))

      # Every loopback address answers for itself alone, and no process of another is in sight.
      for n in [2, 16, 17, 31]:
          refused(machine, as_alice(f"bottle exec {one} -- {help_page.replace('127.0.0.1', f'127.0.0.{n}')}"))
      marker = f"/tmp/{two}"
      machine.succeed(as_alice(f"bottle exec {two} -- touch {marker}"))
      refused(machine, as_alice(f"bottle exec {one} -- test -e {marker}"))
      assert two not in machine.succeed(as_alice(f"bottle exec {one} -- cat /proc/mounts"))

      # Bob's record is none of Alice's business.
      refused(machine, as_alice(f"bottle stop {other}"), other)
      machine.succeed(as_alice(f"bottle stop {one}"))
      machine.succeed(as_alice(f"bottle exec {two} -- true"))
    '';
  };
}
