{
  description = "groups, devices, files, units and runner are as the module declares them";
  features = [ ];
  test =
    { ... }:
    {
      nodes.machine = {
        imports = [ ./parts/host.nix ];
        systemd.tmpfiles.rules = [ "d /srv/project 0750 bot-bottle bot-bottle -" ];
        services.bot-bottle = {
          backend = "smolmachines";
          kvm.restrict = true;
          bottles.limited = {
            extends = "probe";
            resources.memory_mib = 512;
            workspace = "mount";
          };
          agents.reviewer.bottle = "probe";
          secrets.forge.file = "/run/forge";
          agentServices.nightly = {
            agent = "reviewer";
            backend = "namespace";
            prompt = "true";
            startAt = "03:15";
          };
          agentServices.limited = {
            agent = "reviewer";
            backend = "namespace";
            bottles = [ "limited" ];
            prompt = "touch made && exec sleep infinity";
            workspace = "/srv/project";
          };
          runner = {
            enable = true;
            url = "http://forge.invalid";
            tokenFile = "/run/runner-token";
          };
        };
      };

      testScript = import ./parts/script.nix + ''
        up(machine)
        groups = machine.succeed("id -nG alice").split()
        assert "kvm" in groups and "bot-bottle" in groups and "docker" not in groups, groups
        machine.fail("systemctl cat docker.service")

        machine.succeed("grep -r 'KERNEL==.kvm., GROUP=.kvm., MODE=.0660., OPTIONS.=.static_node=kvm.' /etc/udev/rules.d")
        machine.succeed("bottle manifest check /etc/bot-bottle/bottles/probe.json /etc/bot-bottle/agents/reviewer.md")
        config = json.loads(machine.succeed("cat /etc/bot-bottle/config.json"))
        assert config["backend"] == "smolmachines" and config["bundle"] == "embedded", config

        leases = machine.succeed("ls /run/bot-bottle/leases").split()
        assert len(leases) == 16 and "127.0.0.16" in leases, leases
        machine.succeed(as_alice("flock -n /run/bot-bottle/leases/127.0.0.16 true"))
        machine.fail("su nobody -s /bin/sh -c 'ls /run/bot-bottle/leases'")
        machine.succeed("test -x /nix/var/nix/gcroots/bot-bottle/*/bin/smolvm")

        service = machine.succeed("systemctl show bot-bottle-nightly.service -p Type,User,NoNewPrivileges,ProtectKernelTunables")
        for line in ["Type=notify", "User=bot-bottle", "NoNewPrivileges=yes", "ProtectKernelTunables=no"]:
            assert line in service, service
        machine.succeed("systemctl cat bot-bottle-nightly.timer")
        runner = machine.succeed("systemctl show 'gitea-runner-bot\\x2dbottle.service' -p DynamicUser,SupplementaryGroups,RestrictSUIDSGID")
        assert "DynamicUser=no" in runner and "kvm" in runner and "RestrictSUIDSGID=no" in runner, runner

        # The service really runs its bottle, and says when it is up.
        machine.succeed("systemctl start bot-bottle-nightly.service")
        machine.succeed(as_alice("bottle doctor --backend namespace"))

        # A written limit holds there: the launcher stays beside the guest's group.
        machine.wait_for_unit("bot-bottle-limited.service")
        limit = machine.succeed("cat /sys/fs/cgroup/system.slice/bot-bottle-limited.service/bot-bottle-*/memory.max")
        assert int(limit) == 512 << 20, limit
        machine.wait_until_succeeds("test -e /srv/project/made")
      '';
    };
}
