# A host with one user and one bottle, which every test builds on. Docker and KVM are
# whatever the test says.
{ lib, pkgs, ... }:
{
  imports = [ ../../module.nix ];

  services.bot-bottle = {
    enable = true;
    backend = lib.mkDefault "namespace";
    users = [ "alice" ];
    bottles.probe = {
      agent_provider.template = "shell";
      egress.routes = [ { host = "allowed.example.com"; } ];
      workspace = "none";
    };
  };
  users.users.alice = {
    isNormalUser = true;
    linger = true; # a runtime directory, without a session
  };
  environment.systemPackages = [
    pkgs.curl
    pkgs.jq
  ];
  virtualisation.memorySize = lib.mkDefault 2048;
}
