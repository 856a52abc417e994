{
  description = "an ordinary user's namespace bottle reaches nothing but its sidecars";
  features = [ ];
  test = {
    nodes = {
      machine.imports = [ ./parts/host.nix ];
      outside.imports = [ ./parts/outside.nix ];
    };

    testScript =
      { nodes, ... }:
      import ./parts/script.nix
      + ''
        start_all()
        outside.wait_for_open_port(8000)
        up(machine)
        address = "${nodes.outside.networking.primaryIPAddress}"

        machine.succeed(as_alice("bottle doctor --backend namespace"))
        machine.succeed(as_alice("bottle demo"))

        # Control: the host reaches it. In a bottle nothing does, with or without the proxy.
        reach = f"curl -sS --max-time 5 http://{address}:8000/"
        machine.succeed(as_alice(reach))
        machine.succeed(in_bottle("true"))
        fails_inside(machine, in_bottle(f"{reach} --noproxy '*'"))
        fails_inside(machine, in_bottle(f"{reach} --fail"), "403")
        assert outside.succeed("journalctl -u answer | grep -c 'GET /' || true").strip() == "1"

        # What a guest on NixOS must not find: the host's people, daemon, system and keys.
        for path in ["/home/alice", "/nix/var", "/run/systemd", "/run/current-system", "/sys/kernel", "/etc/shadow"]:
            machine.succeed(f"test -e {path}")
            fails_inside(machine, in_bottle(f"test -e {path}"))
        fails_inside(machine, in_bottle("touch /nix/store/x"), "Read-only")
        fails_inside(machine, in_bottle("unshare -Ur true"))
        fails_inside(machine, in_bottle("mount -t tmpfs x /tmp"))
        assert machine.succeed(in_bottle("cat /proc/net/dev")).count(":") == 1

        # Of the store it sees what the package's list names, and nothing else.
        share = "$(dirname $(dirname $(readlink -f $(command -v bottle))))/share/bot-bottle"
        listed = machine.succeed(f"cat {share}/closure").split()
        seen = machine.succeed(in_bottle("ls /nix/store")).split()
        assert sorted("/nix/store/" + name for name in seen) == sorted(listed), seen
        assert len(machine.succeed("ls /nix/store").split()) > len(seen)
      '';
  };
}
