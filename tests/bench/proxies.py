"""The gateway and its peers, each set up the way that is fastest for it: nothing logged, nothing
cached on disk, P-256 everywhere. Each path is a way from the client to the same origin."""
import json
import os
import shutil
import signal
import socket
import subprocess

from measure import cpu_us, family, pss_kib, rss_kib, until

HOST = "origin.test"
ORIGIN = "127.0.0.80"
PROXY_HOST = "127.0.0.1"


def is_open(address, port):
    with socket.socket() as s:
        return s.connect_ex((address, port)) == 0


class Path:
    """@connect is where a client goes; with @tunnel it asks there for a CONNECT first."""
    name = ""
    program = None
    connect = (ORIGIN, 443)
    tunnel = False
    url = "https://%s/" % HOST

    def __init__(self, room):
        self.room = room
        self.proc = None
        self.ca = room.certificates.path("ca.pem")

    def start(self):
        pass

    def spawn(self, *command, **more):
        with open(os.path.join(self.room.where, self.name + ".log"), "w") as log:
            # The scheduler shares by session: each in one of its own, as daemons are, none in the client's.
            self.proc = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log,
                                         cwd=self.room.where, start_new_session=True, **more)
        until(lambda: self.proc.poll() is not None or is_open(*self.connect), self.name + " listens")
        if self.proc.poll() is not None:
            with open(os.path.join(self.room.where, self.name + ".log")) as log:
                raise SystemExit("bench: %s: %s" % (self.name, log.read()))

    def pids(self):
        return family(self.proc.pid) if self.proc else []

    def memory(self):
        pids = self.pids()
        return {"rss_kib": sum(rss_kib(p) for p in pids), "pss_kib": sum(pss_kib(p) for p in pids)}

    def cpu_us(self):
        return sum(cpu_us(p) for p in self.pids())

    def stop(self):
        if not self.proc:
            return
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            self.proc.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()


class Direct(Path):
    name = "direct"


class Bottle(Path):
    """The real gateway in its own cage, started as a keeper starts it. A method and path rule is
    judged for every request, and every request is recorded: hashed and written by the keeper's own
    code, in the launcher that stands for the keeper."""
    name = "bottle"
    connect = (PROXY_HOST, 9099)
    tunnel = True

    def start(self):
        route = {"host": HOST, "allow_private": True,
                 "matches": [{"paths": [{"type": "prefix", "value": "/v1"}], "methods": ["POST"]},
                             {"paths": [{"type": "prefix", "value": "/files"}], "methods": ["GET", "HEAD"]}]}
        with open(self.room.certificates.path("ca.pem")) as f:
            roots = f.read()
        log = os.path.join(self.room.where, "bottle-audit")
        os.mkdir(log)
        config = {"slug": "bench-00000", "nonce": "bench", "roots": roots, "fixed_hosts": "%s %s\n" % (ORIGIN, HOST),
                  "routes": {"routes": [route]}, "listen": {"proxy": self.connect[1]}, "audit_log": log}
        path = os.path.join(self.room.where, "bottle.json")
        with open(path, "w") as f:
            json.dump(config, f)
        build = self.room.build
        self.spawn(os.path.join(build, "tests/gateway/launch"),
                   os.path.join(build, "libexec/bot-bottle/bottle-egress"), path)
        said = os.path.join(self.room.where, self.name + ".log")
        until(lambda: '"ready"' in open(said).read(), "the gateway is ready")
        for line in open(said):
            row = json.loads(line)
            if "ca" in row:
                self.ca = os.path.join(self.room.where, self.name + "-ca.pem")
                with open(self.ca, "w") as f:
                    f.write(row["ca"])

    def pids(self):
        # The keeper's memory has a row of its own.
        return family(self.proc.pid)[1:] if self.proc else []

    def cpu_us(self):
        # What a record costs the keeper is part of what a request costs.
        return sum(cpu_us(p) for p in family(self.proc.pid))


class Squid(Path):
    name = "squid"
    program = "squid"
    connect = (PROXY_HOST, 3128)
    tunnel = True

    def start(self):
        where = os.path.join(self.room.where, "squid")
        os.mkdir(where)
        os.chmod(where, 0o777)
        subprocess.run(["/usr/lib/squid/security_file_certgen", "-c", "-s", where + "/db", "-M", "16MB"], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["chmod", "-R", "a+rwX", where + "/db"], check=True)
        with open(where + "/squid.conf", "w") as f:
            f.write("""http_port %s:%d ssl-bump cert=%s generate-host-certificates=on dynamic_cert_mem_cache_size=16MB
sslcrtd_program /usr/lib/squid/security_file_certgen -s %s/db -M 16MB
sslcrtd_children 2 startup=1 idle=1
ssl_bump bump all
tls_outgoing_options cafile=%s
acl reads method GET HEAD CONNECT
acl files urlpath_regex ^/files/
http_access allow CONNECT
http_access allow reads files
http_access deny all
cache deny all
cache_mem 8 MB
access_log none
cache_store_log none
cache_log %s/cache.log
pid_filename none
coredump_dir %s
via off
forwarded_for delete
max_filedescriptors 4096
shutdown_lifetime 1 seconds
pinger_enable off
""" % (*self.connect, self.room.ca_with_key, where, self.room.certificates.path("ca.pem"), where, where))
        self.spawn("squid", "-N", "-f", where + "/squid.conf")


class Sslsplit(Path):
    """As a relay of bytes: where it reads HTTP it closes after each answer, and loses by far."""
    name = "sslsplit"
    program = "sslsplit"
    connect = (ORIGIN, 9443)
    url = "https://%s:9443/" % HOST

    def start(self):
        path = self.room.certificates.path
        self.spawn("sslsplit", "-k", path("ca.key"), "-c", path("ca.pem"), "-K", path("leaf.key"), "-P",
                   "ssl", self.connect[0], str(self.connect[1]), ORIGIN, "443")


class Mitmdump(Path):
    name = "mitmdump"
    program = "mitmdump"
    connect = (PROXY_HOST, 8081)
    tunnel = True

    def start(self):
        where = os.path.join(self.room.where, "mitm")
        os.mkdir(where)
        shutil.copy(self.room.ca_with_key, where + "/mitmproxy-ca.pem")
        self.spawn("mitmdump", "-q", "--listen-host", self.connect[0], "-p", str(self.connect[1]), "--set",
                   "confdir=" + where, "--set",
                   "ssl_verify_upstream_trusted_ca=" + self.room.certificates.path("ca.pem"),
                   "--set", "stream_large_bodies=64k", "--set", "flow_detail=0")


PATHS = [Direct, Bottle, Squid, Sslsplit, Mitmdump]
