"""smolvm's database, checked and set by ours and by Python; and what a bottle adds around smolvm,
step by step. smolvm is the tests' double, which does its bookkeeping and boots nothing: what is
left is what is ours."""
import datetime
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

import allowlist
from measure import say, summary, timed

HERE = os.path.dirname(os.path.abspath(__file__))
MACHINE, LISTS = "bench", ("100.96.0.1/32", "127.0.0.16/32")
CALLS = 50
# Which commands of smolvm's are inside of which step of a launch.
WITHIN = {"creating the machine": ["--version", "create"], "booting the machine": ["start"],
          "moving in": ["exec", "exec"], "undoing: creating the machine": ["stop", "delete"]}


class Double:
    def __init__(self, build):
        self.top = tempfile.mkdtemp(prefix="bench-machine-")
        os.chmod(self.top, 0o755)
        self.smolvm = self.top + "/smolvm/smolvm"
        subprocess.run([os.path.join(HERE, "../fakes/lay-out"), self.top + "/smolvm"], check=True,
                       env=dict(os.environ, BUILD=build))
        os.mkdir(self.top + "/bin")
        shutil.copy(build + "/tests/fakes/doubled/bottle", self.top + "/bin/bottle")
        for name in ("libexec", "share"):
            os.symlink(os.path.join(build, name), os.path.join(self.top, name))
        self.data = self.top + "/data"
        self.env = {"SMOLVM_DATA_DIR": self.data, "PATH": "/usr/bin:/bin"}
        self.database = self.data + "/.local/share/smolvm/server/smolvm.db"

    def command(self, *words):
        return timed([self.smolvm, *words], self.env)

    def create(self):
        return self.command("machine", "create", "--name", MACHINE, "--net", "--net-backend", "virtio-net", "--allow-cidr",
                            LISTS[0], "-v", "/b:/bottle")

    def remove(self):
        shutil.rmtree(self.top, ignore_errors=True)


def settle(database):
    """The same state before each: the second list, and no log that a writer before left."""
    allowlist.enforce(database, MACHINE, [LISTS[1]])
    db = sqlite3.connect(database)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def measure_database(build, double, rounds):
    say("smolvm's database: ours and Python's, process to process")
    double.create()
    ours = [build + "/bin/bottle", "allowlist"]
    theirs = [sys.executable, "-I", "-S", os.path.join(HERE, "allowlist.py")]
    env = {"HOME": double.top, "PATH": os.environ["PATH"]}
    found = {}
    for i in range(rounds):
        for verb in ("enforce", "verify"):  # each writes once and looks once, one after the other
            for name, command, last in (("ours", ours + [verb, MACHINE, LISTS[i % 2], "--db", double.database], None),
                                        ("Python", theirs + [verb, double.database, MACHINE, LISTS[i % 2]], None)):
                if verb == "enforce":  # both find the other list, and write
                    allowlist.enforce(double.database, MACHINE, [LISTS[(i + 1) % 2]])
                found.setdefault((verb, name), []).append(timed(command, env))
    processes = {verb: {name: summary(found[verb, name], "ms") for name in ("ours", "Python")}
                 for verb in ("enforce", "verify")}
    say("smolvm's database: per call")
    calls = {}
    python = {"write": lambda n: allowlist.enforce(double.database, MACHINE, [LISTS[n % 2]]),
              "equal": lambda n: allowlist.enforce(double.database, MACHINE, [LISTS[1]]),
              "verify": lambda n: allowlist.look(double.database, MACHINE, [LISTS[1]])}
    for _ in range(rounds):
        for what, call in python.items():
            settle(double.database)
            done = subprocess.run([build + "/tests/bench/smoldb", double.database, MACHINE, str(CALLS), what], check=True,
                                  stdout=subprocess.PIPE, text=True)
            calls.setdefault((what, "ours"), []).append(float(done.stdout))
            settle(double.database)
            begin = time.perf_counter()
            for n in range(CALLS):
                call(n)
            calls.setdefault((what, "Python"), []).append((time.perf_counter() - begin) * 1e6 / CALLS)
    return {"processes": processes,
            "calls": {what: {name: summary(calls[what, name], "us") for name in ("ours", "Python")}
                      for what in python}}


def steps_of(log):
    """Milliseconds of each step, from the times in the keeper's log."""
    rows = [(datetime.datetime.fromisoformat(m[1]).timestamp() * 1000, m[2]) for m in
            re.finditer(r"^(\S+)Z info ((?:undoing: )?[a-z' ]+)$", log, re.M)]
    return {name: rows[i + 1][0] - when for i, (when, name) in enumerate(rows[:-1])}


def measure_launch(double, rounds):
    say("a launch around smolvm's double, step by step")
    alone, steps, whole = {}, {}, []
    double.command("machine", "delete", "-f", "--name", MACHINE)
    home = double.top + "/home"
    os.makedirs(home + "/.bot-bottle/bottles")
    os.makedirs(double.top + "/work")
    with open(home + "/.bot-bottle/bottles/bench.md", "w") as f:
        f.write("---\n---\n")
    env = {"HOME": home, "PATH": double.top + "/smolvm:/usr/bin:/bin"}
    start = [double.top + "/bin/bottle", "start", "--backend", "smolmachines", "--bottle", "bench", "--headless", "--yes",
             "--workspace", double.top + "/work", "--", "true"]
    for _ in range(rounds):
        for name, took in (("--version", double.command("--version")), ("create", double.create()),
                           ("start", double.command("machine", "start", "--name", MACHINE)),
                           ("exec", double.command("machine", "exec", "--name", MACHINE, "--", "true")),
                           ("stop", double.command("machine", "stop", "--name", MACHINE)),
                           ("delete", double.command("machine", "delete", "-f", "--name", MACHINE))):
            alone.setdefault(name, []).append(took)
        whole.append(timed(start, env))
        bottles = home + "/.local/state/bot-bottle/bottles"
        slug, = os.listdir(bottles)
        with open(os.path.join(bottles, slug, "keeper.log")) as f:
            for name, took in steps_of(f.read()).items():
                steps.setdefault(name, []).append(took)
        subprocess.run([start[0], "rm", slug], env=env, check=True, stdout=subprocess.DEVNULL)
    return {"whole": summary(whole, "ms"), "smolvm": {name: summary(v, "ms") for name, v in alone.items()},
            "steps": {name: summary(v, "ms") for name, v in steps.items()}, "within": WITHIN}


def measure_machine(build, rounds):
    double = Double(build)
    try:
        return {"database": measure_database(build, double, rounds), "launch": measure_launch(double, rounds)}
    finally:
        double.remove()
