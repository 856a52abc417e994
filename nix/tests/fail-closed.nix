{
  description = "what can't be confirmed does not run: no KVM, no permission, a wrong smolvm, a killed sidecar";
  features = [ ];
  test =
    { pkgs, ... }:
    {
      nodes = {
        # No nesting is asked for, so this machine has no /dev/kvm.
        machine = {
          imports = [ ./parts/host.nix ];
          services.bot-bottle.backend = "smolmachines";
          environment.systemPackages = [ (pkgs.writeShellScriptBin "wrong-smolvm" "echo smolvm 0.8.0") ];
        };
        hardened = {
          imports = [ ./parts/host.nix ];
          boot.kernel.sysctl."user.max_user_namespaces" = 0;
        };
      };

      testScript = import ./parts/script.nix + ''
        start_all()
        machine.wait_for_unit("multi-user.target")
        machine.succeed("rm -f /dev/kvm")
        refused(machine, in_bottle("true"), "/dev/kvm", "kvm-intel", "kvm-amd", "--backend namespace")

        # There, but not for this user.
        machine.succeed("mknod -m 0600 /dev/kvm c 10 232")
        refused(machine, in_bottle("true"), "/dev/kvm", "group")
        machine.succeed("rm /dev/kvm")

        # Control: the tier that needs no KVM runs, because it was asked for by name.
        machine.succeed(in_bottle("true", "--backend namespace"))

        machine.succeed("install -D $(command -v wrong-smolvm) /tmp/wrong/smolvm")
        refused(machine, as_alice("PATH=/tmp/wrong:$PATH bottle doctor"), "smolvm")

        # A sidecar dies: the bottle goes with it, and nothing stays.
        slug = json.loads(machine.succeed(as_alice(
            "bottle start --headless --yes --detach --json --backend namespace --bottle probe -- sleep infinity")))["slug"]
        machine.succeed("pgrep -u alice -x bottle-egress")
        machine.succeed("pkill -KILL -u alice -x bottle-egress")
        machine.wait_until_fails("pgrep -u alice -x bottle-guest")
        machine.wait_until_succeeds(as_alice(f"bottle info --json {slug} | jq -e '.state == \"stopped\"'"))

        hardened.wait_for_unit("multi-user.target")
        refused(hardened, in_bottle("true"), "user.max_user_namespaces")
      '';
    };
}
