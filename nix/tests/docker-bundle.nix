{
  description = "sidecars in a container: published on the bottle's own address and closed to everybody else";
  features = [ ];
  test = {
    nodes.machine = {
      imports = [ ./parts/host.nix ];
      services.bot-bottle = {
        bundle = "docker";
        agents.reviewer.bottle = "probe";
        agentServices.nightly = {
          agent = "reviewer";
          prompt = "sleep infinity";
          startAt = "03:15";
        };
      };
      virtualisation.diskSize = 4096;
    };

    testScript = import ./parts/script.nix + ''
      up(machine)
      machine.wait_for_unit("docker.service")
      assert "docker" in machine.succeed("id -nG alice").split()
      machine.succeed(as_alice("bottle doctor --backend namespace --bundle docker"))
      slug = started(machine)
      container = f"bot-bottle-sidecars-{slug}"
      ports = json.loads(machine.succeed(f"docker inspect {container} --format '{{{{json .NetworkSettings.Ports}}}}'"))
      addresses = {row["HostIp"] for rows in ports.values() for row in rows or []}
      assert addresses == {"127.0.0.16"}, ports

      # Any process may dial a published port; without the bottle's token it gets nothing.
      for rows in ports.values():
          for row in rows or []:
              machine.wait_for_open_port(int(row["HostPort"]), "127.0.0.16")
              machine.fail(f"curl -sS --max-time 5 http://127.0.0.16:{row['HostPort']}/.well-known/bot-bottle")
      machine.succeed(as_alice(f"bottle exec {slug} -- curl -sS http://127.0.0.1:9099/.well-known/bot-bottle"))

      # A service's bottle leases an address too, and has its container.
      machine.succeed("systemctl start bot-bottle-nightly.service")
      assert len(machine.succeed("docker ps -q --filter name=bot-bottle-sidecars-").split()) == 2
      machine.succeed("systemctl stop bot-bottle-nightly.service")

      # The container dies: the bottle goes with it.
      machine.succeed(f"docker kill {container}")
      machine.wait_until_succeeds(as_alice(f"bottle info --json {slug} | jq -e '.state == \"stopped\"'"))
      machine.fail(f"docker network inspect bot-bottle-bundle-{slug}")
      machine.succeed(as_alice(f"bottle resume --detach {slug}"))
      machine.succeed(as_alice(f"bottle stop {slug}"))
      machine.wait_until_fails(f"docker inspect {container}")
      machine.wait_until_fails(f"docker network inspect bot-bottle-bundle-{slug}")
    '';
  };
}
