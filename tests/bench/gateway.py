"""What a gateway costs: the five loads, with one client and one origin, every path in every round.
Runs in a network namespace of its own (tests/bench/run starts it there) and prints JSON."""
import fcntl
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/gateway"))

from measure import load, say, summary, until, version	# noqa: E402
from proxies import HOST, ORIGIN, PATHS, is_open	# noqa: E402
from room import BUILD, Certificates, bring_lo_up	# noqa: E402

SECONDS = os.environ.get("BENCH_SECONDS", "2")
ONLY = os.environ.get("BENCH_PATHS", "").split()
# name, what is asked for, the client's options: keep-alive unless it says otherwise.
LOADS = [
    ("keep-alive, 1 connection", "files/1k", ["-c", "1"]),
    ("keep-alive, 16 connections", "files/1k", ["-c", "16"]),
    ("new TLS connections, 8 at a time", "files/1k", ["-c", "8", "-disable-keepalive"]),
    ("1 MiB bodies, 4 connections", "files/1m", ["-c", "4"]),
]


def add_address(address):
    """sslsplit looks names up only where an interface has an address that is not 127.0.0.1."""
    with socket.socket() as s:
        request = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(s, 0x8916, request)	# SIOCSIFADDR


class Room:
    def __init__(self):
        self.build = BUILD
        self.where = tempfile.mkdtemp(prefix="bench-")
        os.chmod(self.where, 0o755)
        self.certificates = Certificates(self.where)
        self.certificates.leaf("leaf", [HOST])
        self.ca_with_key = os.path.join(self.where, "both.pem")
        with open(self.ca_with_key, "w") as f:
            for name in ("ca.key", "ca.pem"):
                f.write(open(self.certificates.path(name)).read())
        os.chmod(self.ca_with_key, 0o644)
        # Every peer resolves by this file: no name server is asked.
        hosts = os.path.join(self.where, "hosts")
        with open(hosts, "w") as f:
            f.write("127.0.0.1 localhost\n%s %s\n" % (ORIGIN, HOST))
        subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)

    def start_origin(self):
        files = os.path.join(self.where, "www/files")
        os.makedirs(files)
        for name, size in (("1k", 1024), ("1m", 1 << 20)):
            with open(os.path.join(files, name), "wb") as f:
                f.write(os.urandom(size))
        with open(os.path.join(self.where, "nginx.conf"), "w") as f:
            f.write("""daemon off; worker_processes auto; pid %(w)s/nginx.pid; error_log %(w)s/nginx.log;
%(user)s
events { worker_connections 1024; }
http {
	access_log off; sendfile on; tcp_nodelay on; keepalive_timeout 300; keepalive_requests 100000000;
	client_body_temp_path %(w)s/n1; proxy_temp_path %(w)s/n2; fastcgi_temp_path %(w)s/n3;
	uwsgi_temp_path %(w)s/n4; scgi_temp_path %(w)s/n5;
	server {
		listen %(ip)s:443 ssl backlog=1024; server_name %(host)s; root %(w)s/www;
		ssl_certificate %(w)s/leaf.pem; ssl_certificate_key %(w)s/leaf.key;
	}
}
""" % {"w": self.where, "ip": ORIGIN, "host": HOST, "user": "user root;" if os.getuid() == 0 else ""})
        self.origin = subprocess.Popen(["nginx", "-e", self.where + "/nginx.log", "-c", self.where + "/nginx.conf"])
        until(lambda: is_open(ORIGIN, 443), "the origin listens")

    def stop(self):
        self.origin.terminate()
        self.origin.wait()
        subprocess.run(["umount", "/etc/hosts"], check=False)
        shutil.rmtree(self.where)


def hey(path, target, options):
    command = ["hey", "-z", SECONDS + "s", "-t", "20", *options]
    if path.tunnel:
        command += ["-x", "http://%s:%d" % path.connect]
    before = path.cpu_us()
    done = subprocess.run([*command, path.url + target], capture_output=True, text=True)
    used = path.cpu_us() - before
    statuses = re.findall(r"^\s+\[(\d+)\]\s+(\d+) responses", done.stdout, re.M)
    if done.returncode != 0 or [s for s, _ in statuses] != ["200"]:
        raise SystemExit("bench: %s, %s: %s%s" % (path.name, target, done.stdout[-2000:], done.stderr))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))
    half = re.search(r"50% in ([\d.]+) secs", done.stdout)
    return {"rate": rate, "p50": float(half.group(1)) * 1e3 if half else None,
            "cpu": used / int(statuses[0][1]) if path.proc else None}


def summaries(found):
    units = {"rate": "1/s", "p50": "ms", "cpu": "us"}
    kept = {key: [run[key] for run in found if run[key] is not None] for key in units}
    return {key: summary(values, units[key]) if values else None for key, values in kept.items()}


class Latency:
    """One connection with a clock finer than the load generator's."""

    def __init__(self, path):
        self.sock = socket.create_connection(path.connect, timeout=20)
        self.name = path.name
        if path.tunnel:
            self.sock.sendall(("CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n" % (HOST, HOST)).encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += self.sock.recv(4096)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = ssl.create_default_context(cafile=path.ca)
        self.sock = context.wrap_socket(self.sock, server_hostname=HOST)
        self.question = ("GET /files/1k HTTP/1.1\r\nHost: %s\r\n\r\n" % HOST).encode()

    def once(self):
        begin = time.perf_counter_ns()
        self.sock.sendall(self.question)
        data = b""
        while True:
            piece = self.sock.recv(65536)
            if not piece:
                raise SystemExit("bench: %s: cut after %r" % (self.name, data[:300]))
            data += piece
            end = data.find(b"\r\n\r\n")
            if end >= 0 and len(data) >= end + 4 + 1024:
                break
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit("bench: %s: %r" % (self.name, data[:300]))
        return (time.perf_counter_ns() - begin) / 1e6


def latencies(paths, rounds):
    """In turns of a hundred, so that what else the machine does hits all alike."""
    clients = {p.name: Latency(p) for p in paths}
    found = {p.name: [] for p in paths}
    for i in range(rounds * 5 + 1):
        for name, client in clients.items():
            values = sorted(client.once() for _ in range(100))
            if i:
                found[name].append(round(values[50], 4))
    return {name: summary(values, "ms") for name, values in found.items()}


def main(rounds):
    bring_lo_up()
    add_address(ORIGIN)
    room = Room()
    paths = []
    try:
        room.start_origin()
        for kind in PATHS:
            if (kind.program and not shutil.which(kind.program)) or (ONLY and kind.name not in ONLY):
                continue
            paths.append(kind(room))
            paths[-1].start()
        idle = {p.name: p.memory() for p in paths if p.proc}
        runs = {what: {p.name: [] for p in paths} for what, _, _ in LOADS}
        for i in range(rounds):
            for what, target, options in LOADS:
                for path in paths:
                    runs[what][path.name].append(hey(path, target, options))
            say("gateway: round %d of %d, load %s" % (i + 1, rounds, load()))
        result = {
            "client": "hey, %s s each" % SECONDS,
            "versions": {"nginx": version("nginx", "-v"), "squid": version("squid", "-v"),
                         "sslsplit": version("sslsplit", "-V"), "mitmdump": version("mitmdump", "--version")},
            "loads": {what: {name: summaries(found) for name, found in rows.items()} for what, rows in runs.items()},
            "latency": latencies(paths, rounds),
            "memory": {p.name: {"idle": idle[p.name], "after": p.memory()} for p in paths if p.proc},
        }
        print(json.dumps(result))
    finally:
        for path in paths:
            path.stop()
        room.stop()


if __name__ == "__main__":
    main(int(sys.argv[2]))
