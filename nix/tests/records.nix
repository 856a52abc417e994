{
  description = "records of dead bottles, also of schema 1, are found and freed after a reboot";
  features = [ ];
  test = {
    nodes.machine.imports = [ ./parts/host.nix ];

    testScript = import ./parts/script.nix + ''
      machine.wait_for_unit("multi-user.target")
      slug = json.loads(machine.succeed(as_alice(
          "bottle start --headless --yes --detach --json --bottle probe -- sleep infinity")))["slug"]
      record = f"/home/alice/.local/state/bot-bottle/bottles/{slug}/record.json"
      assert json.loads(machine.succeed(f"cat {record}"))["schema"] == 1

      # Pulled out of the wall: nobody had the time to tidy up.
      machine.succeed("sync")
      machine.crash()
      machine.start()
      machine.wait_for_unit("multi-user.target")

      listed = json.loads(machine.succeed(as_alice("bottle ls --json")))
      assert slug in json.dumps(listed), listed
      machine.succeed(as_alice(f"bottle cleanup --yes {slug}"))
      machine.succeed(as_alice(f"bottle rm {slug}"))
      machine.fail(f"test -e {record}")

      # A schema that is not known is left alone, and said.
      machine.succeed(as_alice("mkdir -p ~/.local/state/bot-bottle/bottles/later-aaaaa"))
      machine.succeed(as_alice("echo {\\\"schema\\\":99} >~/.local/state/bot-bottle/bottles/later-aaaaa/record.json"))
      refused(machine, as_alice("bottle cleanup --yes later-aaaaa"), "schema")
    '';
  };
}
