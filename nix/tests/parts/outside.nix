# A machine that answers whoever reaches it, and keeps a list of who did.
{ pkgs, ... }:
{
  networking.firewall.allowedTCPPorts = [ 8000 ];
  systemd.services.answer = {
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "${pkgs.python3}/bin/python3 -m http.server --directory /etc 8000";
  };
}
