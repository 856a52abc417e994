{
  description = "an ordinary user's namespace bottle reaches nothing but its sidecars";
  features = [ ];
  test = {
    nodes = {
      machine.imports = [ ./parts/host.nix ];
      outside.imports = [ ./parts/outside.nix ];
    };

    testScript = import ./parts/script.nix + ''
      start_all()
      outside.wait_for_open_port(8000)
      machine.wait_for_unit("multi-user.target")
      address = outside.succeed("ip -4 -json addr show eth1 | jq -r '.[0].addr_info[0].local'").strip()

      machine.succeed(as_alice("bottle doctor --backend namespace"))
      machine.succeed(as_alice("bottle demo"))

      # Control: the host reaches it. In a bottle nothing does, with or without the proxy.
      reach = f"curl -sS --max-time 5 http://{address}:8000/"
      machine.succeed(as_alice(reach))
      machine.succeed(in_bottle("true"))
      refused(machine, in_bottle(f"{reach} --noproxy '*'"))
      refused(machine, in_bottle(f"{reach} --fail"), "403")
      assert outside.succeed("journalctl -u answer | grep -c 'GET /' || true").strip() == "1"

      # What a guest on NixOS must not find: the host's people, daemon, devices and keys.
      for path in ["/home/alice", "/nix/var", "/run/systemd", "/dev/kvm", "/sys/kernel", "/etc/shadow"]:
          refused(machine, in_bottle(f"cat {path}"))
      refused(machine, in_bottle("touch /nix/store/x"), "Read-only")
      refused(machine, in_bottle("unshare -Ur true"))
      refused(machine, in_bottle("mount -t tmpfs x /tmp"))
      assert machine.succeed(in_bottle("cat /proc/net/dev")).count(":") == 1
    '';
  };
}
