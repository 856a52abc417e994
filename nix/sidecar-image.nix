# The sidecars in a container, for the docker bundle. Nothing in it but the programs
# and what they link; the launcher says which of them runs and hands it its descriptors.
{
  bot-bottle,
  cacert,
  dockerTools,
  gitMinimal,
  gitleaks,
  openssh,
}:
dockerTools.buildLayeredImage {
  name = "bot-bottle-sidecars";
  tag = bot-bottle.version;
  contents = [
    bot-bottle
    cacert
    gitMinimal
    gitleaks
    openssh
  ];
  config = {
    Env = [
      "PATH=/bin"
      "SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt"
    ];
    User = "65534:65534";
    WorkingDir = "/";
  };
}
