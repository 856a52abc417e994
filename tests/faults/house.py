"""A bottle's place, its processes, and what must not be left of it.

Every worker of the suite is a subreaper: whatever is started below it and loses its parent
becomes its child, so "nothing runs any more" is a question with an exact answer."""
import contextlib
import ctypes
import glob
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

DEADLINE = 60  # for a busy machine
ORDINARY = 65000
PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class Failure(Exception):
    pass


def must(condition, text, *more):
    if not condition:
        raise Failure(" ".join([text] + [repr(m) for m in more]))


def until(what, question, seconds=DEADLINE):
    """The first true answer. A short poll between the questions, and a deadline."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise Failure("waited in vain for " + what)
        select.select([], [], [], 0.005)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "replace")
    except OSError:
        return ""


def state_of(pid):
    text = read("/proc/%d/stat" % pid)
    return text.rpartition(")")[2].split()[0] if text else ""


def children(pid):
    found = []
    for path in glob.glob("/proc/%d/task/*/children" % pid):
        found += [int(c) for c in read(path).split()]
    return found


def descendants(pid=None):
    found, todo = [], children(pid or os.getpid())
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children(one)
    return found


def named(words):
    """Descendants whose command line begins so."""
    want = "\0".join(words) + "\0"
    return [p for p in descendants() if read("/proc/%d/cmdline" % p).startswith(want)]


WHO = {"keeper": ["bottle", "keeper"], "init": ["bottle-guest", "init"], "gateway": ["egress"]}


def those(who):
    found = named(WHO[who])
    if who == "keeper":  # what it has forked looks like it
        return [p for p in found if not any(p in children(k) for k in found)]
    # What init has forked looks like it until it has become another program.
    return [p for p in found if any(p in children(k) for k in named(WHO["keeper"]))]


def the(who):
    """The one of that name, which may be on its way to become it."""
    def one():
        found = those(who)
        return found if len(found) == 1 else None
    return until("the one " + who, one)[0]


def reap(known=()):
    """Children that nobody else waits for."""
    for pid in children(os.getpid()):
        if pid not in known and state_of(pid) == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def links(pattern, kind):
    found = set()
    for path in glob.glob(pattern):
        with contextlib.suppress(OSError):
            target = os.readlink(path)
            if target.startswith(kind):
                found.add(target.split("[")[1].rstrip("]"))
    return found


class Traces:
    """What a bottle holds at a moment: its sockets and its network namespaces."""

    def __init__(self):
        self.sockets, self.networks = set(), set()
        self.then = float(read("/proc/uptime").split()[0]) * os.sysconf("SC_CLK_TCK")
        mine = links("/proc/self/ns/net", "net:")
        for pid in descendants():
            self.sockets |= links("/proc/%d/fd/*" % pid, "socket:")
            self.networks |= links("/proc/%d/ns/net" % pid, "net:")
        self.networks -= mine

    def check_gone(self):
        for table, column in (("tcp", 9), ("tcp6", 9), ("udp", 9), ("udp6", 9), ("unix", 6)):
            for line in read("/proc/net/" + table).splitlines()[1:]:
                must(line.split()[column] not in self.sockets, "a socket is left", table, line)
        # The number of one that has ended is given to a new one: only processes of then count.
        for path in glob.glob("/proc/[0-9]*"):
            stat = read(path + "/stat").rpartition(")")[2].split()
            if stat and int(stat[19]) <= self.then:
                left = links(path + "/ns/net", "net:") & self.networks
                must(not left, "a network namespace is left", path, left)


MACHINE = """---
resources: {cpus: 1, memory_mib: 512, disk_gib: 1}
env:
  PLAIN: in-the-open
  HIDDEN: ${SECRET_OF_THE_HOST}
---
"""
SECRET = "secret-4711-secret"


class Place:
    """A home, a work directory, and a program of its own with the file that plants a fault. With
    @machine, a double of smolvm of its own, with the file that makes it misbehave."""

    def __init__(self, tree, user, machine=False):
        self.user = user
        self.machine = machine
        self.top = tempfile.mkdtemp(prefix="case.", dir=tree)
        os.mkdir(self.top + "/bin")
        os.mkdir(self.top + "/home")
        os.mkdir(self.top + "/work")
        with open(self.top + "/work/a.txt", "w") as f:
            f.write("first\n")
        os.link(tree + ("/doubled" if machine else "/bottle"), self.top + "/bin/bottle")
        for part in ("libexec", "share"):
            os.symlink(tree + "/" + part, self.top + "/" + part)
        self.state = self.top + "/home/.local/state/bot-bottle"
        self.bottles = self.state + "/bottles"
        self.runtime = self.state + "/run"
        self.env = {"HOME": self.top + "/home", "PATH": self.top + "/bin:/usr/bin:/bin",
                    "BOT_BOTTLE_BACKEND": "namespace", "LANG": "C.UTF-8"}
        self.options = []
        if machine:
            self.smolvm = self.top + "/smolvm"
            shutil.copytree(tree + "/smolvm", self.smolvm)
            os.makedirs(self.top + "/home/.bot-bottle/bottles")
            with open(self.top + "/home/.bot-bottle/bottles/m.md", "w") as f:
                f.write(MACHINE)
            self.env.update({"BOT_BOTTLE_BACKEND": "smolmachines", "SECRET_OF_THE_HOST": SECRET,
                             "PATH": self.smolvm + ":/usr/bin:/bin"})
            self.options = ["--bottle", "m", "--yes"]
        os.chmod(self.top, 0o755)
        if user is not None:
            for path in ("/home", "/work"):
                os.chown(self.top + path, user, user)

    def plant(self, when=None, action=None, step=None):
        path = self.top + "/bin/fault"
        if when is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        with open(path, "w") as f:
            f.write("%s %s %s\n" % (when, action, step))

    def behave(self, *ways):
        with open(self.smolvm + "/behave", "w") as f:
            f.writelines(way + "\n" for way in ways)

    def spawn(self, *args, before=None, **more):
        who = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        more.setdefault("stdin", subprocess.DEVNULL)
        for name, path in (("stdout", "/out"), ("stderr", "/err")):
            if name not in more:
                more[name] = open(self.top + path, "wb")
        return subprocess.Popen([self.top + "/bin/bottle", *args], cwd=self.top + "/work", env=self.env,
                                preexec_fn=before, **who, **more)

    def bottle(self, *args, **more):
        """Runs to its end: (status, stdout, stderr)."""
        p = self.spawn(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        try:
            out, err = p.communicate(timeout=2 * DEADLINE)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            raise Failure("bottle %s does not end" % " ".join(args))
        return p.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def start(self, *command, options=(), **more):
        return self.spawn("start", "--headless", *self.options, *options, "--", *command, **more)

    def detached(self, *command):
        status, out, err = self.bottle("start", "--headless", *self.options, "--detach", "--", *command)
        must(status == 0, "start --detach", status, err)
        return out.strip()

    def out(self):
        return read(self.top + "/out")

    def err(self):
        return read(self.top + "/err")

    def slugs(self):
        with contextlib.suppress(FileNotFoundError):
            return sorted(os.listdir(self.bottles))
        return []

    def record(self, slug):
        return json.loads(read("%s/%s/record.json" % (self.bottles, slug)))

    def audit(self, slug):
        # Behind the last newline there may be half a line, which is being written.
        return [json.loads(line) for line in read("%s/%s/audit.jsonl" % (self.bottles, slug)).split("\n")[:-1]]

    def finish(self, process):
        try:
            return process.wait(2 * DEADLINE)
        except subprocess.TimeoutExpired:
            raise Failure("the caller does not end: " + self.err())

    def all_gone(self, process=None):
        """Until nothing that was started here runs. A killed caller is waited for too."""
        if process is not None:
            self.finish(process)
        def question():
            reap()
            return not children(os.getpid())
        try:
            until("the end of all processes", question)
        except Failure:
            left = ["%d %s %s" % (p, state_of(p), read("/proc/%d/cmdline" % p).replace("\0", " "))
                    for p in descendants()]
            raise Failure("processes are left: " + "; ".join(left))
        mounts = [line for line in read("/proc/self/mountinfo").splitlines() if self.top in line]
        must(not mounts, "mounts are left", mounts)

    def runtime_files(self):
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self.runtime)
        return []

    def cleaned(self, crashed):
        """What `cleanup` says and does, and that `rm` then leaves nothing at all."""
        status, out, err = self.bottle("ls", "--json")
        must(status == 0, "ls", status, err)
        shown = {row["slug"]: row["state"] for row in json.loads(out)}
        must(set(shown.values()) <= ({"dead", "stopped"} if crashed else {"stopped"}), "states", shown)
        if not crashed:
            must(self.runtime_files() == [], "the runtime directory is not empty", self.runtime_files())
        status, out, err = self.bottle("cleanup", "--yes")
        must(status == 0, "cleanup", status, out, err)
        for slug in self.slugs():
            record = self.record(slug)
            must(record["state"] == "stopped" and record["resources"] == [], "after cleanup", record)
        must(self.runtime_files() == [], "after cleanup the runtime directory is not empty", self.runtime_files())
        for slug in self.slugs():
            status, out, err = self.bottle("audit", "--verify", slug)
            must(status == 0, "audit --verify", status, out, err)
            status, out, err = self.bottle("rm", slug)
            must(status == 0, "rm", status, err)
        must(self.slugs() == [], "after rm", self.slugs())

    def remove(self):
        for pid in descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(Failure):
            until("the end", lambda: (reap(), not children(os.getpid()))[1], 10)
        shutil.rmtree(self.top, ignore_errors=True)
