{
  description = "a forge and two runner hosts: a job's command runs in a bottle";
  features = [ ];
  test =
    { lib, ... }:
    let
      host = {
        imports = [ ./parts/host.nix ];
        services.bot-bottle.runner = {
          enable = true;
          url = "http://forge:3000";
          tokenFile = "/var/lib/runner-token";
        };
      };
    in
    {
      nodes = {
        forge =
          { pkgs, ... }:
          {
            networking.firewall.allowedTCPPorts = [ 3000 ];
            services.gitea = {
              enable = true;
              settings = {
                actions.ENABLED = true;
                server.ROOT_URL = "http://forge:3000/";
                service.DISABLE_REGISTRATION = true;
              };
            };
            environment.systemPackages = [
              pkgs.curl
              pkgs.gitMinimal
              pkgs.gitea
              pkgs.jq
            ];
            virtualisation.memorySize = 2048;
          };
        first = host;
        second = host;
      };

      testScript = import ./parts/script.nix + ''
        forge.start()
        forge.wait_for_open_port(3000)
        gitea = "su -l gitea -s /bin/sh -c 'GITEA_WORK_DIR=/var/lib/gitea gitea {}'"
        forge.succeed(gitea.format("admin user create --username op --password op-password --email op@forge --admin"))
        token = forge.succeed(gitea.format("actions generate-runner-token")).strip().split()[-1]

        runner = "'gitea-runner-bot\\x2dbottle.service'"
        for machine in [first, second]:
            machine.start()
            machine.wait_for_unit("multi-user.target")
            machine.succeed(f"install -m 0600 /dev/null /var/lib/runner-token; echo TOKEN={token} >/var/lib/runner-token")
            # Without the token it failed so often that it is not started any more.
            machine.succeed(f"systemctl reset-failed {runner}", f"systemctl restart {runner}")
            machine.wait_for_unit("gitea-runner-bot\\x2dbottle.service")

        api = "curl -sS --fail -u op:op-password -H 'Content-Type: application/json' http://forge:3000/api/v1"
        forge.succeed(f"{api}/user/repos -d '{{\"name\":\"jobs\",\"auto_init\":true}}'")
        # Two jobs, of which each stays where it is until it is let go: so each host has one.
        seen, go = "/var/lib/gitea-runner/seen", "/var/lib/gitea-runner/go"
        job = "\n".join(["on: [push]", "jobs:"] + [
            line
            for name in ["one", "two"]
            for line in [
                f"  {name}:",
                "    runs-on: bot-bottle",
                "    steps:",
                f"      - run: bottle start --headless --yes --rm --bottle probe -- cat /proc/net/dev >{seen}",
                f"      - run: until test -e {go}; do sleep 1; done",
            ]
        ] + [""])
        forge.succeed(f"cat >/tmp/job.yaml <<'JOB'\n{job}JOB")
        forge.succeed(
            "jq -n --rawfile job /tmp/job.yaml '{content: ($job | @base64), message: \"job\"}' >/tmp/job.json; "
            f"{api}/repos/op/jobs/contents/.gitea/workflows/job.yaml -d @/tmp/job.json")
        # What the command saw on each host is a bottle's network: one face, to nobody.
        for machine in [first, second]:
            machine.wait_until_succeeds(f"test -s {seen}")
            faces = machine.succeed(f"cat {seen}")
            assert faces.count(":") == 1 and "lo:" in faces, faces
        for machine in [first, second]:
            machine.succeed(f"touch {go}")
        states = "[.workflow_runs[].status] == [\"success\", \"success\"]"
        forge.wait_until_succeeds(f"{api}/repos/op/jobs/actions/tasks | jq -e '{states}'")
      '';
    };
}
