{
  description = "records of dead bottles, also a stored one of schema 1, are found and freed after a reboot";
  features = [ ];
  test = {
    nodes.machine = {
      imports = [ ./parts/host.nix ];
      environment.etc."stored-record.json".source = ./parts/record-1.json;
    };

    testScript = import ./parts/script.nix + ''
      up(machine)
      slug = started(machine)
      bottles = "/home/alice/.local/state/bot-bottle/bottles"
      record = f"{bottles}/{slug}/record.json"
      assert json.loads(machine.succeed(f"cat {record}"))["schema"] == 1

      # Pulled out of the wall: nobody had the time to tidy up.
      machine.succeed("sync")
      machine.crash()
      machine.start()
      up(machine)

      # The one of this version, and one that an earlier version stored: its keeper is gone too.
      stored = "stored-aaaaa"
      machine.succeed(as_alice(f"install -d -m 0700 {bottles}/{stored}"))
      machine.succeed(as_alice(f"install -m 0600 /etc/stored-record.json {bottles}/{stored}/record.json"))
      states = {row["slug"]: row["state"] for row in json.loads(machine.succeed(as_alice("bottle ls --json")))}
      assert states == {slug: "dead", stored: "dead"}, states
      for dead in [slug, stored]:
          machine.succeed(as_alice(f"bottle cleanup --yes {dead}"))
          assert json.loads(machine.succeed(f"cat {bottles}/{dead}/record.json"))["state"] == "stopped"
          machine.succeed(as_alice(f"bottle rm {dead}"))
          machine.fail(f"test -e {bottles}/{dead}")

      # A schema that is not known is left alone, and said.
      machine.succeed(as_alice(f"install -d -m 0700 {bottles}/later-aaaaa"))
      machine.succeed(as_alice(f"echo {{\\\"schema\\\":99}} >{bottles}/later-aaaaa/record.json"))
      refused(machine, as_alice("bottle cleanup --yes later-aaaaa"), "schema")
    '';
  };
}
