"""What the suite stands on: a network of its own whose one address looks public, names for it,
certificates that openssl makes, nginx, a person's home, and bottles started as a person does."""
import ctypes
import fcntl
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WEB = "192.31.196.80"      # nginx
ORIGIN = "192.31.196.81"   # origins in this process
INNER = "127.0.0.82"       # an origin at an address that a route has to allow by itself
NAMES = {
    "www.clients.test": WEB, "other.clients.test": WEB,
    "stream.clients.test": ORIGIN, "git.clients.test": ORIGIN, "registry.clients.test": ORIGIN,
    "api.anthropic.com": ORIGIN, "chatgpt.com": ORIGIN, "auth.openai.com": ORIGIN,
    "inner.clients.test": INNER,
}
DEADLINE = 60
SOMEBODY = 65000


def until(condition, what, seconds=DEADLINE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("never happened: " + what)
        time.sleep(0.005)


def mount(source, target, kind=None, flags=0):
    libc = ctypes.CDLL(None, use_errno=True)
    text = [s.encode() if s else None for s in (source, target, kind)]
    if libc.mount(text[0], text[1], text[2], ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), "mount " + target)


BIND, PRIVATE = 0x1000, 0x44000


def network_up():
    """`lo` with its own address and two that look like anybody's on the Internet."""
    with socket.socket() as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))
        for i, address in enumerate((WEB, ORIGIN)):
            label = ("lo:%d" % i).encode()
            fcntl.ioctl(s, 0x8916, struct.pack("16sHH4s8x", label, socket.AF_INET, 0, socket.inet_aton(address)))


class Certificates:
    def __init__(self, where):
        self.ca = os.path.join(where, "ca.pem")
        self.leaf = os.path.join(where, "leaf.pem"), os.path.join(where, "leaf.key")
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        with open(os.path.join(where, "leaf.ext"), "w") as f:
            f.write("subjectAltName=%s\n" % ",".join("DNS:" + n for n in NAMES))
        for args in (("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=clients",
                      "-addext", "keyUsage=critical,keyCertSign"),
                     ("req", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=origins"),
                     ("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-extfile", "leaf.ext", "-out", "leaf.pem", "-days", "30")):
            subprocess.run(("openssl",) + args, check=True, capture_output=True, cwd=where)


NGINX = """
daemon off; pid {where}/nginx.pid; error_log {where}/nginx.log; worker_processes 1; {user}
events {{ worker_connections 256; }}
http {{
    access_log {where}/nginx.access; client_body_temp_path {where}/t1; proxy_temp_path {where}/t2;
    fastcgi_temp_path {where}/t3; uwsgi_temp_path {where}/t4; scgi_temp_path {where}/t5;
    server {{
        listen {address}:80; listen {address}:443 ssl;
        server_name www.clients.test other.clients.test;
        ssl_certificate {cert}; ssl_certificate_key {key};
        root {where}/www;
        location / {{ add_header X-Origin nginx; }}
        location /submit {{ return 200 "taken\\n"; }}
        location /gone {{ return 302 https://other.clients.test/hello; }}
    }}
}}
"""


class Nginx:
    def __init__(self, where, certificates):
        os.mkdir(os.path.join(where, "www"))
        for name, text in (("hello", "hello from nginx\n"), ("hidden", "hidden\n")):
            with open(os.path.join(where, "www", name), "w") as f:
                f.write(text)
        # 1 GiB that takes no room.
        with open(os.path.join(where, "www", "large"), "wb") as f:
            f.truncate(1 << 30)
        conf = os.path.join(where, "nginx.conf")
        with open(conf, "w") as f:
            f.write(NGINX.format(where=where, address=WEB, cert=certificates.leaf[0], key=certificates.leaf[1],
                                 user="user root;" if os.getuid() == 0 else ""))
        self.process = subprocess.Popen(("nginx", "-e", os.path.join(where, "nginx.log"), "-c", conf))
        until(self.answers, "nginx answers")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("nginx ended")
        try:
            socket.create_connection((WEB, 443), timeout=5).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Tls:
    """The accepting half of every origin in this process."""

    def __init__(self, certificates):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificates.leaf)
        self.context.set_alpn_protocols(["http/1.1"])


class Result:
    def __init__(self, status, out, err, slug):
        self.status, self.out, self.err, self.slug = status, out, err, slug

    def __repr__(self):
        return "status %d\nout: %s\nerr: %s" % (self.status, self.out[-3000:], self.err[-3000:])


def free_place(*kept):
    """A directory that can be covered without hiding what the suite still reads."""
    for place in ("/home", "/srv", "/media", "/mnt"):
        if os.path.isdir(place) and not any(os.path.realpath(k).startswith(place + "/") for k in kept if k):
            return place
    raise AssertionError("no place for homes: /home, /srv, /media and /mnt all hold files of the suite")


class Person:
    """Somebody with a home, a project and bottles in it: root, or not."""

    def __init__(self, room, uid):
        self.room, self.uid = room, uid
        self.home = "%s/%s" % (room.homes, "root-like" if uid == 0 else "somebody")
        # On a real disk: what a bottle writes goes into a layer of an overlay.
        disk = os.path.join(room.where, "home-%d" % uid)
        for path in (disk, self.home):
            os.mkdir(path)
        mount(disk, self.home, flags=BIND)
        self.work = os.path.join(self.home, "work")
        self.state = os.path.join(self.home, ".local/state/bot-bottle/bottles")
        shutil.copytree(os.path.join(HERE, "inside"), self.work)
        os.makedirs(os.path.join(self.home, ".bot-bottle/bottles"))
        os.makedirs(os.path.join(self.home, ".bot-bottle/agents"))
        self.write(".config/bot-bottle/config.json", json.dumps({
            "backend": "namespace", "extra_ca": [room.certificates.ca], "hosts": {"inner.clients.test": INNER}}))
        self.environment = {"HOME": self.home, "PATH": room.build + "/bin:" + os.environ["PATH"], "LANG": "C.UTF-8"}
        self.own()

    def own(self):
        if os.getuid() == 0:
            subprocess.run(("chown", "-R", "%d:%d" % (self.uid, self.uid), self.home), check=True)

    def write(self, path, text, mode=0o600):
        full = os.path.join(self.home, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as f:
            f.write(text)
        os.chmod(full, mode)
        self.own()
        return full

    def bottle(self, name, **fields):
        """A bottle's manifest: JSON is YAML too."""
        self.write(".bot-bottle/bottles/%s.md" % name, "---\n%s\n---\n" % json.dumps(fields))

    def agent(self, name, body, **fields):
        self.write(".bot-bottle/agents/%s.md" % name, "---\n%s\n---\n%s\n" % (json.dumps(fields), body))

    def command(self, argv):
        if self.uid == os.getuid() == 0:
            return argv
        ids = ("--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups") if os.getuid() == 0 else ()
        return ("setpriv", *ids, "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", *argv)

    def run(self, *argv, env=None, input=None, cwd=None):
        done = subprocess.run(self.command(argv), env={**self.environment, **(env or {})}, cwd=cwd or self.work,
                              stdin=subprocess.DEVNULL if input is None else None, input=input,
                              capture_output=True, timeout=300)
        return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), None)

    def slugs(self):
        try:
            return set(os.listdir(self.state))
        except FileNotFoundError:
            return set()

    def start(self, *argv, env=None):
        """A bottle from its start to its end."""
        before = self.slugs()
        result = self.run("bottle", "start", "--backend", "namespace", "--headless", *argv, env=env)
        new = self.slugs() - before
        result.slug = new.pop() if len(new) == 1 else None
        return result

    def detach(self, *argv, env=None):
        result = self.run("bottle", "start", "--backend", "namespace", "--headless", "--detach", *argv, env=env)
        result.slug = result.out.strip()
        return result

    def record(self, slug):
        with open(os.path.join(self.state, slug, "record.json")) as f:
            return json.load(f)

    def gateway(self, slug):
        """The process id of the bottle's egress gateway."""
        keeper = self.record(slug)["keeper_pid"]
        for child in open("/proc/%d/task/%d/children" % (keeper, keeper)).read().split():
            if open("/proc/%s/comm" % child).read().startswith("bottle-egress"):
                return int(child)
        raise AssertionError("the keeper has no gateway")

    def audit(self, slug):
        with open(os.path.join(self.state, slug, "audit.jsonl")) as f:
            return [json.loads(line) for line in f if line.endswith("\n")]  # the last one may be half there

    def forget(self):
        for slug in self.slugs():
            self.run("bottle", "stop", slug)
            self.run("bottle", "rm", slug)


class Room:
    def __init__(self, build, where, agents):
        self.build, self.where, self.agents = build, where, agents
        os.chmod(where, 0o755)
        # What is mounted here is seen by nobody else.
        mount("none", "/", flags=PRIVATE)
        network_up()
        self.certificates = Certificates(where)
        hosts = os.path.join(where, "hosts")
        with open(hosts, "w") as f:
            f.write("127.0.0.1 localhost\n" + "".join("%s %s\n" % (a, n) for n, a in NAMES.items() if a != INNER))
        mount(hosts, "/etc/hosts", flags=BIND)
        self.homes = free_place(HERE, build, where, agents)
        mount("tmpfs", self.homes, "tmpfs")
        os.chmod(self.homes, 0o755)
        self.people = [Person(self, u) for u in ((0, SOMEBODY) if os.getuid() == 0 else (os.getuid(),))]
        self.nginx = Nginx(where, self.certificates)

    def close(self):
        for person in self.people:
            person.forget()
        self.nginx.stop()


def in_thread(target, *args):
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread
