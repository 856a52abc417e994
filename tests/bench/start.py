"""How long `true` takes in each sandbox; and what the hundredth bottle costs beside the first."""
import json
import os
import shutil
import subprocess
import tempfile

from measure import family, pss_kib, say, summary, timed, until, version

MANY = int(os.environ.get("BENCH_BOTTLES", "100"))


class Home:
    """A home of its own with one manifest, so that nobody's bottles are in the way."""

    def __init__(self, build):
        self.bottle = os.path.join(build, "bin/bottle")
        self.path = tempfile.mkdtemp(prefix="bench-home-")
        self.workspace = os.path.join(self.path, "workspace")
        os.mkdir(self.workspace)
        manifests = os.path.join(self.path, ".bot-bottle")
        for kind, name, text in (("bottles", "bench", "egress:\n  routes:\n    - host: api.example.com\n"),
                                 ("agents", "bench", "bottle: bench\n")):
            os.makedirs(os.path.join(manifests, kind))
            with open(os.path.join(manifests, kind, name + ".md"), "w") as f:
                f.write("---\n%s---\n" % text)
        self.env = {"HOME": self.path, "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": os.path.join(self.path, "run")}
        os.mkdir(self.env["XDG_RUNTIME_DIR"], 0o700)

    def start(self, *more):
        return [self.bottle, "start", "bench", "--backend", "namespace", "--headless", "--workspace", self.workspace,
                "--rm", *more]

    def run(self, *args):
        done = subprocess.run([self.bottle, *args], env=self.env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise SystemExit("bench: bottle %s: %s" % (args[0], done.stderr))
        return done.stdout

    def remove(self):
        slugs = [row["slug"] for row in json.loads(self.run("ls", "--json"))]
        if slugs:
            self.run("stop", *slugs)
        shutil.rmtree(self.path)


def runc_bundle(where):
    bundle = os.path.join(where, "runc")
    root = os.path.join(bundle, "rootfs")
    os.makedirs(root)
    for name in ("proc", "dev", "sys", "usr"):
        os.mkdir(os.path.join(root, name))
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink("usr/" + name, os.path.join(root, name))
    rootless = [] if os.getuid() == 0 else ["--rootless"]
    subprocess.run(["runc", "spec", *rootless], cwd=bundle, check=True)
    path = os.path.join(bundle, "config.json")
    with open(path) as f:
        config = json.load(f)
    config["process"].update({"terminal": False, "args": ["/bin/true"]})
    config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})
    with open(path, "w") as f:
        json.dump(config, f)
    return ["runc", "--root", os.path.join(bundle, "state"), "run", "--bundle", bundle, "bench-%d" % os.getpid()]


def srt_command(cache, where):
    """No domain allowed, nothing written: its least work."""
    settings = os.path.join(where, "srt.json")
    with open(settings, "w") as f:
        json.dump({"network": {"allowedDomains": [], "deniedDomains": []},
                   "filesystem": {"denyRead": [], "allowWrite": [], "denyWrite": []}}, f)
    return [os.path.join(cache, "node_modules/.bin/srt"), "--settings", settings, "/bin/true"]


def commands(build, home, cache):
    found = {"exec": ["/bin/true"]}
    if shutil.which("bwrap"):
        found["bwrap"] = ["bwrap", "--unshare-all", "--new-session", "--die-with-parent", "--ro-bind", "/usr", "/usr",
                          "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin", "--symlink",
                          "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
                          "/bin/true"]
    if shutil.which("runc"):
        found["runc"] = runc_bundle(home.path)
    if os.path.exists(os.path.join(cache, "node_modules/.bin/srt")):
        found["srt"] = srt_command(cache, home.path)
    found["cage"] = [os.path.join(build, "tests/bench/cage_true"),
                     os.path.join(build, "libexec/bot-bottle/bottle-guest"), "1"]
    found["bottle"] = home.start("--", "/bin/true")
    return found


def measure_start(build, cache, rounds):
    home = Home(build)
    try:
        rows = commands(build, home, cache)
        runs = {name: [] for name in rows}
        for i in range(rounds + 1):
            for name, command in rows.items():
                if name in ("srt", "runc") and i > max(rounds // 3, 5):
                    continue
                took = timed(command, home.env)
                if i:	# the first warms the page cache
                    runs[name].append(took)
        say("start: %d rounds" % rounds)
        return {"versions": {"bwrap": version("bwrap", "--version"), "runc": version("runc", "--version"),
                             "node": version("node", "--version")},
                "rows": {name: summary(values, "ms") for name, values in runs.items()}}
    finally:
        home.remove()


def parts_of(home):
    """Resident shares of all bottles of this home, in KiB, by what they are."""
    parts = {"keeper": [], "gateway": [], "init": []}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            words = open("/proc/%s/cmdline" % name, "rb").read().split(b"\0")
            mine = os.readlink("/proc/%s/exe" % name) == home.bottle
        except OSError:
            continue
        if words[:2] != [b"bottle", b"keeper"] or not mine:
            continue
        for pid in family(int(name)):
            line = open("/proc/%d/cmdline" % pid, "rb").read().split(b"\0")
            kind = {b"bottle": "keeper", b"egress": "gateway", b"bottle-guest": "init"}.get(line[0])
            if kind:
                parts[kind].append(pss_kib(pid))
    return parts


def kept(home):
    took = timed(home.start("--detach", "--", "/bin/sleep", "1000000"), home.env)
    return took


def measure_bottles(build):
    home = Home(build)
    home.bottle = os.path.realpath(home.bottle)
    try:
        times, first = [], None
        for i in range(MANY):
            times.append(kept(home))
            if i == 0:
                first = parts_of(home)
        until(lambda: len(parts_of(home)["gateway"]) == MANY, "%d gateways" % MANY)
        all_parts = parts_of(home)
        ten = max(MANY // 10, 1)
        say("bottles: %d at once" % MANY)
        return {"bottles": MANY,
                "first": {kind: summary(values, "KiB") for kind, values in first.items()},
                "each": {kind: summary(values, "KiB") for kind, values in all_parts.items()},
                "start_first": summary(times[:ten], "ms"), "start_last": summary(times[-ten:], "ms")}
    finally:
        home.remove()
