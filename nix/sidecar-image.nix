# The archive that the docker bundle's image is made from, by itself: the relay, which is pid 1
# of the container, the sidecars, and the libraries that they link (src/bundle/image). The
# launcher imports the same file of the package, with the command and the user named here.
{ bot-bottle, runCommand }:
runCommand "bot-bottle-sidecars-${bot-bottle.version}.tar"
  {
    preferLocalBuild = true;
    passthru = {
      command = [
        "/bin/bottle-relay"
        "inside"
      ];
      user = "65532:65532";
    };
  }
  ''
    cp ${bot-bottle}/share/bot-bottle/sidecar-image.tar $out
  ''
