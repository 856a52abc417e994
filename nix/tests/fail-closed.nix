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
          environment.systemPackages = [
            pkgs.sqlite
            # Compiled: where it is asked there is no shell.
            (pkgs.writeCBin "wrong-smolvm" ''
              #include <stdio.h>
              int main(void) { return puts("smolvm 0.8.0") < 0; }
            '')
          ];
        };
        hardened = {
          imports = [ ./parts/host.nix ];
          boot.kernel.sysctl."user.max_user_namespaces" = 0;
        };
      };

      testScript = import ./parts/script.nix + ''
        start_all()
        up(machine)
        machine.succeed("rm -f /dev/kvm")
        refused(machine, in_bottle("true"), "/dev/kvm", "kvm-intel", "kvm-amd", "--backend namespace")

        # There, but not for this user.
        machine.succeed("mknod -m 0600 /dev/kvm c 10 232")
        refused(machine, in_bottle("true"), "/dev/kvm", "group")
        machine.succeed("rm /dev/kvm")

        # Control: the tier that needs no KVM runs, because it was asked for by name.
        machine.succeed(in_bottle("true", "--backend namespace"))

        # The wrapper puts the pinned smolvm first; past it, another one is named and refused.
        machine.succeed("install -D $(command -v wrong-smolvm) /tmp/wrong/smolvm")
        machine.succeed("ln -s $(dirname $(readlink -f $(command -v bottle)))/.bottle-wrapped /tmp/wrong/bottle")
        wrong = as_alice("PATH=/tmp/wrong:$PATH bottle doctor")
        refused(machine, wrong, "agent-rootfs", "sha256sum -c")
        machine.succeed("mkdir /tmp/wrong/agent-rootfs")
        refused(machine, wrong, "smolvm 0.8.0", "sha256sum -c")

        # A row that says something else is refused and left; set right, it is taken; and set wrong again, refused.
        database = "/home/alice/smolvm.db"
        row = "{\\\"name\\\":\\\"m\\\",\\\"allowed_cidrs\\\":[\\\"{}\\\"]}".replace("{}", "0.0.0.0/0")
        machine.succeed(as_alice(f"sqlite3 {database} \"CREATE TABLE vms(name TEXT PRIMARY KEY, data BLOB)\""))
        machine.succeed(as_alice(f"sqlite3 {database} \"INSERT INTO vms VALUES('m', CAST('{row}' AS BLOB))\""))
        verify = as_alice(f"bottle allowlist verify m 100.96.0.1/32 --db {database}")
        refused(machine, verify, "0.0.0.0/0", "100.96.0.1/32")
        machine.succeed(as_alice(f"bottle allowlist enforce m 100.96.0.1/32 --db {database}"))
        machine.succeed(verify)
        machine.succeed(as_alice(f"sqlite3 {database} \"UPDATE vms SET data = CAST('{row}' AS BLOB)\""))
        refused(machine, verify, "0.0.0.0/0")

        # A sidecar dies: the bottle goes with it, and nothing stays.
        slug = started(machine, "--backend namespace")
        machine.succeed("pgrep -u alice -f '^bottle-guest init'")
        machine.succeed("pgrep -u alice -x bottle-egress")
        machine.succeed("pkill -KILL -u alice -x bottle-egress")
        machine.wait_until_fails("pgrep -u alice -f '^bottle-guest init'")
        machine.wait_until_succeeds(as_alice(f"bottle info --json {slug} | jq -e '.state == \"stopped\"'"))

        up(hardened)
        refused(hardened, in_bottle("true"), "user.max_user_namespaces")
      '';
    };
}
