{
  description = "a real microVM: launch, proof, no way out, and tampering with its row is refused";
  features = [ "nested-kvm" ];
  test =
    { pkgs, ... }:
    {
      nodes = {
        machine =
          { pkgs, ... }:
          {
            imports = [ ./parts/host.nix ];
            services.bot-bottle = {
              backend = "smolmachines";
              kvm.restrict = true;
              images.agent = pkgs.dockerTools.buildLayeredImage {
                name = "agent";
                tag = "latest";
                compressor = "none";
                contents = [
                  pkgs.bash
                  pkgs.coreutils
                  pkgs.curl
                ];
              };
              bottles.probe.image = "/etc/bot-bottle/images/agent";
            };
            virtualisation = {
              cores = 2;
              diskSize = 8192;
              memorySize = 6144;
              qemu.options = [ "-cpu host" ];
            };
          };
        outside.imports = [ ./parts/outside.nix ];
      };

      testScript =
        { nodes, ... }:
        import ./parts/script.nix
        + ''
          start_all()
          outside.wait_for_open_port(8000)
          up(machine)
          # Without nesting there is nothing to show here: that is a failure, not a pass.
          machine.succeed("test -c /dev/kvm")
          assert machine.succeed("stat -c '%a %G' /dev/kvm").strip() == "660 kvm"
          address = "${nodes.outside.networking.primaryIPAddress}"

          machine.succeed(as_alice("bottle doctor"))
          slug = started(machine)
          info = json.loads(machine.succeed(as_alice(f"bottle info --json {slug}")))
          assert info["backend"] == "smolmachines" and info["proof"]["confined"], info

          reach = f"curl -sS --max-time 5 http://{address}:8000/"
          machine.succeed(as_alice(reach))
          fails_inside(machine, as_alice(f"bottle exec {slug} -- {reach} --noproxy '*'"))
          fails_inside(machine, as_alice(f"bottle exec {slug} -- {reach} --fail"), "403")
          fails_inside(machine, as_alice(f"bottle exec {slug} -- test -e /dev/kvm"))

          # The row is what the launch computed; another one is refused until it is set right.
          home = f"/home/alice/.local/state/bot-bottle/bottles/{slug}"
          database = machine.succeed(f"find {home} -name smolvm.db").strip()
          verify = f"bottle allowlist verify bot-bottle-{slug} 100.96.0.1/32 --db {database}"
          machine.succeed(as_alice(verify))
          machine.succeed(as_alice(f"bottle allowlist enforce bot-bottle-{slug} 0.0.0.0/0 --db {database}"))
          refused(machine, as_alice(verify), "allowed_cidrs")
          machine.succeed(as_alice(verify.replace("verify", "enforce")))
          machine.succeed(as_alice(verify))

          # Ends whole, and a new launch makes a row of its own and proves it again.
          machine.succeed("pgrep -u alice -f _boot-vm")
          machine.succeed(as_alice(f"bottle stop {slug}"))
          machine.wait_until_fails("pgrep -u alice -f _boot-vm")
          machine.succeed(as_alice(f"bottle resume --detach {slug}"))
          machine.succeed(as_alice(f"bottle stop {slug}"))
        '';
    };
}
