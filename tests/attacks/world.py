"""The world that a bottle is attacked in: a network of the test's own with an evil end at every
address worth trying, an honest origin, and bottles started the way a person starts them."""
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD, BACKEND = sys.argv[1], sys.argv[2]
MACHINE = BACKEND == "smolmachines"
# What the guests of the double of smolvm find as programs: copies of the host's.
PROGRAMS = ["sh", "cat", "curl", "cp", "chmod", "env", "find", "getent", "grep", "kill", "ln", "mkdir", "mv", "pkill", "printf",
            "python3", "rm", "sha256sum", "sleep", "touch", "tr", "true", "dirname", "ls", "id"]
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "gateway"))
import room  # noqa: E402

EVIL = "203.0.113.66"
LAN = ["10.66.0.1", "172.16.66.1", "192.168.66.1", "100.64.66.1"]
METADATA = ["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192"]
V6 = ["2001:db8::66", "fd00:ec2::254", "fd20:ce::254", "fe80::66"]
LOOPBACK = ["127.0.0.1", "127.0.0.77", "::1"]
PORTS = [53, 80, 123, 137, 443, 853, 5353, 5355, 9099, 9100, 9420]
TOKEN = "attack-token-0123456789abcdef"
LIMIT = 120
WALLS = ("ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED", "EADDRNOTAVAIL", "EACCES", "EPERM")


def run(*argv, **more):
    more.setdefault("timeout", LIMIT)
    return subprocess.run(argv, capture_output=True, text=True, errors="replace", **more)


class Evil:
    """Listens at every pair of @places by TCP and UDP, answers everybody, and remembers them. The visitor hangs up:
    who closes with words of his unread resets the connection, and the answer can be lost with it."""

    def __init__(self, places):
        self.visits = []
        self.selector = selectors.DefaultSelector()
        self.places = []
        for address, port in places:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                s = socket.socket(family, kind)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address, port) if family == socket.AF_INET else
                       (address, port, 0, 1 if address.startswith("fe80") else 0))
                if kind == socket.SOCK_STREAM:
                    s.listen(64)
                self.selector.register(s, selectors.EVENT_READ)
                self.places.append(("tcp" if kind == socket.SOCK_STREAM else "udp", address, port))
        threading.Thread(target=self.serve, daemon=True).start()

    def hear_out(self, peer):
        try:
            if peer.recv(65536):
                return
        except OSError:
            pass
        self.selector.unregister(peer)
        peer.close()

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                s = key.fileobj
                if key.data:
                    self.hear_out(s)
                    continue
                # Noted before it is answered: who has the answer finds the visit noted.
                try:
                    if s.type == socket.SOCK_DGRAM:
                        _, who = s.recvfrom(2048)
                        self.visits.append(s.getsockname()[:2])
                        s.sendto(b"evil", who)
                    else:
                        peer, _ = s.accept()
                        self.visits.append(s.getsockname()[:2])
                        peer.sendall(b"HTTP/1.0 200 OK\r\n\r\nevil")
                        peer.shutdown(socket.SHUT_WR)
                        self.selector.register(peer, selectors.EVENT_READ, "visitor")
                except OSError:
                    pass


class World:
    def __init__(self):
        room.bring_lo_up()
        for address in [EVIL] + LAN + METADATA:
            run("ip", "address", "add", address + "/32", "dev", "lo")
        self.v6 = [a for a in V6 if run("ip", "-6", "address", "add", a + "/128", "dev", "lo", "nodad").returncode == 0]
        self.where = tempfile.mkdtemp(prefix="bb-attack.", dir="/tmp")
        os.chmod(self.where, 0o755)
        self.home = os.path.join(self.where, "home")
        self.work = os.path.join(self.where, "work")
        self.state = os.path.join(self.home, ".local/state/bot-bottle")
        os.makedirs(self.work)
        for program in ("attacks/inside_attempt", "cage/inside_attempts"):
            shutil.copy(os.path.join(BUILD, "tests", program), self.work)
        self.program, self.path = BUILD + "/bin/bottle", "/usr/local/bin:/usr/bin:/bin"
        if MACHINE:
            self.install_double()
        self.attempt = os.path.join(self.work, "inside_attempt")
        self.certs = room.Certificates(self.where)
        self.origin = room.Origin(443, self.answer, self.certs.leaf("good", ["api.test", "plain.test"]))
        self.plain = room.Origin(80, self.answer)
        self.names = room.NameServer({"api.test": [room.ORIGIN_IP], "plain.test": [room.ORIGIN_IP],
                                      "lan.test": [LAN[0]], "meta.test": [METADATA[0]], "evil.test": [EVIL]})
        outside = [EVIL] + LAN + METADATA + self.v6
        self.evil = Evil([(a, p) for a in outside for p in PORTS] +
                         [(a, p) for a in LOOPBACK for p in (9099, 9100, 9420, 8443)])
        self.slugs = []
        self.write("home/.config/bot-bottle/config.json", json.dumps(
            {"backend": BACKEND, "extra_ca": [self.certs.path("ca.pem")], "resolver": ["127.0.0.53"]}))
        self.bottle_file("main", """
  - {host: api.test, allow_private: true, auth: {scheme: bearer, token_ref: ATTACK_TOKEN},
     matches: [{paths: [{type: prefix, value: /v1}], methods: [GET]}]}
  - {host: plain.test, plain: true, allow_private: true}
  - {host: lan.test, plain: true}
  - {host: meta.test, plain: true, allow_private: true}""")
        self.bottle_file("empty", " []")
        self.bottle_file("shared", " []", "workspace: mount\n")

    def install_double(self):
        """A smolvm whose guests are processes beside the VMM, in its cage: what runs there is what
        a VMM could do that is wholly somebody else's."""
        os.makedirs(self.where + "/bin")
        shutil.copy(BUILD + "/tests/fakes/doubled/bottle", self.where + "/bin/bottle")
        for name in ("libexec", "share"):
            os.symlink(os.path.join(BUILD, name), os.path.join(self.where, name))
        self.smolvm = os.path.join(self.where, "smolvm")
        subprocess.run([os.path.join(HERE, "../fakes/lay-out"), self.smolvm, *PROGRAMS], check=True,
                       env=dict(os.environ, BUILD=BUILD))
        self.program, self.path = self.where + "/bin/bottle", self.smolvm + ":" + self.path

    @staticmethod
    def answer(conn, request, reader):
        seen = {"first": request.first, "authorization": request.get("Authorization")}
        room.respond(conn, json.dumps(seen).encode())

    def write(self, path, text):
        path = os.path.join(self.where, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def bottle_file(self, name, routes, more=""):
        return self.write("home/.bot-bottle/bottles/%s.md" % name,
                          "---\nagent_provider:\n  template: shell\n%segress:\n  routes:%s\n---\n" % (more, routes))

    def environment(self, **more):
        env = {"HOME": self.home, "PATH": self.path, "ATTACK_TOKEN": TOKEN}
        env.update(more)
        return env

    def bottle(self, *argv, env=None, **more):
        """What a person would type. The powers that the test has over its network stay here."""
        plain = ["setpriv", "--ambient-caps=-all", "--inh-caps=-all"] if os.getuid() else []
        more.setdefault("stdin", None if "input" in more else subprocess.DEVNULL)
        more.setdefault("cwd", self.work)
        return run(*plain, self.program, *argv, env=env or self.environment(), **more)

    def start(self, name, *argv, env=None, options=(), **more):
        return self.bottle("start", "--backend", BACKEND, "--bottle", name, "--headless", "--yes", *options, "--",
                           *(argv or ("true",)), env=env, **more)

    def detach(self, name, label, *argv, **more):
        got = self.start(name, *(argv or ("sleep", "3600")), options=("--detach", "--label", label), **more)
        assert got.returncode == 0, got.stderr
        self.slugs.append(got.stdout.strip())
        return self.slugs[-1]

    def inside(self, slug, *argv, **more):
        return self.bottle("exec", slug, "--", *argv, **more)

    def outside_try(self, *lines):
        return run(self.attempt, input="".join(line + "\n" for line in lines)).stdout.splitlines()

    def inside_try(self, slug, *lines):
        text = "".join(line + "\n" for line in lines)
        if MACHINE:  # the double plays paths in arguments, not in what a program reads
            got = self.inside(slug, "/workspace/inside_attempt", input=text.replace("/workspace/", "/b/workspace/"))
            return got.stdout.replace("/b/workspace/", "/workspace/").splitlines()
        return self.inside(slug, "/workspace/inside_attempt", input=text).stdout.splitlines()

    def curl(self, slug, *argv, **more):
        """Status, reason and exit status of a request from inside."""
        got = self.inside(slug, "curl", "-sS", "-m", "30", "-w", "\n%{http_code} %{http_connect}", *argv, **more)
        body, _, codes = got.stdout.rpartition("\n")
        code, connect = (codes.split() + ["000", "000"])[:2]
        try:
            reason = json.loads(body).get("reason")
        except ValueError:
            reason = None
        return {"status": int(connect) if int(connect) >= 400 else int(code), "reason": reason, "exit": got.returncode,
                "body": body, "said": got.stderr}

    def audit(self, slug):
        with open(os.path.join(self.state, "bottles", slug, "audit.jsonl")) as f:
            return [json.loads(line) for line in f if line.endswith("\n")]  # the last one may be half there

    def record(self, slug):
        with open(os.path.join(self.state, "bottles", slug, "record.json")) as f:
            return json.load(f)

    def children(self, pid):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]

    def gateway(self, slug):
        for pid in self.children(self.record(slug)["keeper_pid"]):
            with open("/proc/%d/comm" % pid) as f:
                if "egress" in f.read():
                    return pid
        raise AssertionError("no gateway")

    def close(self):
        for slug in self.slugs:
            self.bottle("rm", slug) if self.bottle("stop", slug).returncode else None
        shutil.rmtree(self.where, ignore_errors=True)


class Result(unittest.TextTestResult):
    """One line per case, as tests/run counts them."""

    def say(self, word, test):
        self.stream.writeln("[%s] %s" % (word, test.id().split(".")[-1]))

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say("       OK ", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("  FAILED  ", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.say("  FAILED  ", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln("skipped: %s: %s" % (test.id().split(".")[-1], reason))


def of_namespaces(why):
    """What a machine's cage has otherwise, and where that is shown."""
    return unittest.skipIf(MACHINE, why)


def unanswered(ask, lines):
    """Which of these targets answer in none of ten dials, and what the last one met. For controls alone: on a busy
    machine one dial can miss, and a control asks whether there is a way, not how often."""
    for _ in range(10):
        missed = [got for line, got in zip(lines, ask(*lines), strict=True) if got != line + " reached"]
        lines = [got.rpartition(" ")[0] for got in missed]
        if not lines:
            break
    return missed


class Attack(unittest.TestCase):
    """One world for all; "main" and its "sibling" are two bottles of the same manifest."""

    world = None

    @classmethod
    def setUpClass(cls):
        if Attack.world is None:
            Attack.world = World()
            Attack.main = Attack.world.detach("main", "main")
            Attack.sibling = Attack.world.detach("main", "sibling")

    def silent(self, before=0):
        self.assertEqual(self.world.evil.visits[before:], [])

    def denied(self, answer, status, reason):
        self.assertEqual((answer["status"], answer["reason"]), (status, reason), answer)

    def works(self):
        """The control of every refusal by the gateway: the same way, and it lets this one through."""
        answer = self.world.curl(self.main, "https://api.test/v1/ok")
        self.assertEqual(answer["status"], 200, answer)
        return json.loads(answer["body"])


def main(modules):
    names = sys.argv[3:]
    suite = unittest.TestSuite()
    for module in modules:
        loader = unittest.TestLoader()
        loader.testNamePatterns = ["*" + n + "*" for n in names] or None
        suite.addTests(loader.loadTestsFromModule(module))
    try:
        ok = unittest.TextTestRunner(resultclass=Result, verbosity=0).run(suite).wasSuccessful()
    finally:
        if Attack.world:
            Attack.world.close()
    sys.exit(not ok)
