"""A pseudo-terminal with a program on it, and a person's home to run it in."""
import errno
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

DEADLINE = 60  # for a busy machine
END = b"\0all of it\0"

# Where a shell runs us in the background, or nohup does, they are ignored, and would be by whomever we start.
for signo in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    signal.signal(signo, signal.SIG_DFL)


def wait_until(true, what):
    """A condition, looked at again and again; in vain after the deadline."""
    end = time.monotonic() + DEADLINE
    while not true():
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        select.select([], [], [], 0.02)


class Terminal:
    """What is on it is a session of its own, with this as its controlling terminal."""

    def __init__(self, person, argv, rows=24, columns=80, **env):
        self.master, self.slave = pty.openpty()
        self.shown = b""
        self.size(rows, columns)
        self.before = termios.tcgetattr(self.slave)

        def become():
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            person.become()

        self.program = subprocess.Popen(argv, stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        preexec_fn=become, cwd=person.work, env={**person.env, **env})

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def settings(self):
        return termios.tcgetattr(self.slave)

    def is_as_before(self):
        return self.settings() == self.before

    def read(self, seconds):
        if self.master in select.select([self.master], [], [], seconds)[0]:
            try:
                self.shown += os.read(self.master, 65536)
            except OSError as e:
                if e.errno != errno.EIO:
                    raise

    def wait_for(self, text, after=0):
        text = text.encode() if isinstance(text, str) else text
        end = time.monotonic() + DEADLINE
        while self.shown.find(text, after) < 0:
            if time.monotonic() > end:
                raise AssertionError("%r was not shown, but %r" % (text, self.shown[-2000:]))
            self.read(0.1)
        return self.shown.find(text, after) + len(text)

    def type(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def status(self):
        """The end of the program, as a shell reports it."""
        end = time.monotonic() + DEADLINE
        while self.program.poll() is None:
            if time.monotonic() > end:
                raise AssertionError("it does not end; shown: %r" % self.shown[-2000:])
            if self.master >= 0:
                self.read(0.05)
            else:
                select.select([], [], [], 0.05)
        if self.master >= 0:
            self.hear_out()
        code = self.program.returncode
        return code if code >= 0 else 128 - code

    def hear_out(self):
        """What was said on it comes in order, and on a busy machine late: all of it is here when our own word is."""
        for _ in range(50):  # so that there is room for that
            before = len(self.shown)
            self.read(0.02)
            if len(self.shown) == before:
                break
        os.write(self.slave, END)
        end = self.wait_for(END)
        self.shown = self.shown[:end - len(END)] + self.shown[end:]

    def is_stopped(self):
        with open("/proc/%d/stat" % self.program.pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "Tt"

    def hang_up(self):
        os.close(self.slave)
        os.close(self.master)
        self.slave = self.master = -1

    def close(self):
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        if self.master >= 0:
            self.hang_up()


class Person:
    """Somebody with a home, a directory of work and bottles of their own."""

    def __init__(self, build, place, uid, name):
        self.uid = uid
        self.home = os.path.join(place, name)
        self.work = os.path.join(self.home, "work")
        self.bottles = os.path.join(self.home, ".local/state/bot-bottle/bottles")
        self.env = {"HOME": self.home, "TERM": "xterm", "BOT_BOTTLE_BACKEND": "namespace",
                    "PATH": build + "/bin:/usr/local/bin:/usr/bin:/bin"}
        self.terminals = []
        for kind in ("agents", "bottles"):
            os.makedirs(os.path.join(self.home, ".bot-bottle", kind))
        os.mkdir(self.work)
        self.own()

    def own(self):
        if self.uid == os.getuid():
            return
        for where, directories, files in os.walk(self.home):
            for name in [where] + [os.path.join(where, n) for n in directories + files]:
                os.lchown(name, self.uid, self.uid)

    def become(self):
        if self.uid != os.getuid():
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)

    def write(self, path, text):
        path = os.path.join(self.home, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        self.own()

    def on_terminal(self, *words, rows=24, columns=80, **env):
        t = Terminal(self, ["bottle", *words], rows, columns, **env)
        self.terminals.append(t)
        return t

    def shell_on_terminal(self, script):
        t = Terminal(self, ["sh", "-c", script])
        self.terminals.append(t)
        return t

    def run(self, *words, **env):
        """Without any terminal: status, stdout, stderr."""
        p = subprocess.run(["bottle", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           preexec_fn=self.become, cwd=self.work, env={**self.env, **env},
                           start_new_session=True, timeout=60)
        return p.returncode, p.stdout, p.stderr

    def slugs(self):
        return sorted(s for s in os.listdir(self.bottles) if not s.startswith(".")) \
            if os.path.isdir(self.bottles) else []

    def record(self, slug):
        with open(os.path.join(self.bottles, slug, "record.json")) as f:
            return json.load(f)

    def state(self, slug):
        return self.record(slug)["state"]

    def changed(self, slug, name):
        """What the bottle wrote in its workspace; None: nothing."""
        try:
            with open(os.path.join(self.bottles, slug, "workspace/upper", name)) as f:
                return f.read()
        except FileNotFoundError:
            return None

    def kill_keeper(self, slug):
        pid = self.record(slug)["keeper_pid"]
        os.kill(pid, signal.SIGKILL)

    def leave(self):
        for t in self.terminals:
            t.close()
        for slug in self.slugs():
            self.run("stop", slug)
        shutil.rmtree(self.home, ignore_errors=True)
