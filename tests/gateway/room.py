"""What the gateway's tests stand on: a network of their own, certificates, origins that do
what a test tells them, a name server, the gateway itself, and raw clients."""
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import queue
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

BUILD = sys.argv[1]
ORIGIN_IP = "127.0.0.80"
DEADLINE = 60  # for a busy machine


def until(condition, what, seconds=DEADLINE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("never happened: " + what)
        time.sleep(0.005)


def bring_lo_up():
    with socket.socket() as s:
        ifreq = struct.pack("16sH14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(s, 0x8914, ifreq)


class Certificates:
    """A CA and leaves, by the openssl program: not by the code under test."""

    def __init__(self, where):
        self.where = where
        self.ca = self.make_ca("ca")

    def run(self, *args):
        subprocess.run(("openssl",) + args, check=True, capture_output=True, cwd=self.where)

    def path(self, name):
        return os.path.join(self.where, name)

    def make_ca(self, name):
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", name + ".key", "-out", name + ".pem", "-days", "30", "-subj", "/CN=test " + name,
                 "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        return open(self.path(name + ".pem")).read()

    def leaf(self, name, hosts, issuer="ca", days="30"):
        san = ",".join(("IP:" if h[0].isdigit() or ":" in h else "DNS:") + h for h in hosts)
        with open(self.path(name + ".ext"), "w") as f:
            f.write("subjectAltName=%s\n" % san)
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                 name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        dates = ("-not_after", "20200101000000Z") if days == "past" else ("-days", days)
        if days == "past":
            self.past(name, issuer)
        elif issuer:
            self.run("x509", "-req", "-in", name + ".csr", "-CA", issuer + ".pem", "-CAkey", issuer + ".key",
                     "-CAcreateserial", "-extfile", name + ".ext", "-out", name + ".pem", *dates)
        else:
            self.run("x509", "-req", "-in", name + ".csr", "-signkey", name + ".key", "-extfile",
                     name + ".ext", "-out", name + ".pem", "-days", "30")
        return self.path(name + ".pem"), self.path(name + ".key")

    def past(self, name, issuer):
        """A leaf that has run out: only `openssl ca` sets dates freely."""
        with open(self.path("ca.cnf"), "w") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nnew_certs_dir=%s\nserial=%s\ndefault_md=sha256\n"
                    "policy=p\nrand_serial=yes\nunique_subject=no\n[p]\ncommonName=supplied\n"
                    % (self.path("db"), self.where, self.path("serial")))
        open(self.path("db"), "w").close()
        self.run("ca", "-config", "ca.cnf", "-batch", "-in", name + ".csr", "-cert", issuer + ".pem", "-keyfile",
                 issuer + ".key", "-out", name + ".pem", "-extfile", name + ".ext", "-startdate",
                 "20200101000000Z", "-enddate", "20200201000000Z", "-notext")


class Origin:
    """Serves one connection at a time per thread with @handler(connection, request)."""

    def __init__(self, port, handler, cert=None, ip=ORIGIN_IP, early=()):
        self.early = dict(early)  # path -> a handler that does not wait for the body
        self.requests = []
        self.connections = 0
        self.handler = handler
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*cert)
        self.sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((ip, port))
        self.sock.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            if self.context:
                conn = self.context.wrap_socket(conn, server_side=True)
            reader = Reader(conn)
            while True:
                request = reader.head()
                if not request:
                    break
                if request.get("Expect"):
                    conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                if " /sink " in request.first:
                    respond(conn, str(reader.swallow(int(request.get("Content-Length")))).encode())
                    continue
                at_once = self.early.get(request.first.split()[1])
                if at_once:
                    at_once(conn, request, reader)
                    break
                reader.body_of(request)
                self.requests.append(request)
                if self.handler(conn, request, reader) == "close":
                    break
        except (OSError, ValueError, TypeError):
            pass  # the gateway cut it, maybe in a chunk's head
        finally:
            conn.close()


class Message:
    def __init__(self, first, fields, body=b""):
        self.first = first
        self.fields = fields
        self.body = body

    @property
    def status(self):
        return int(self.first.split()[1])

    def all(self, name):
        return [v for k, v in self.fields if k.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)


class Reader:
    """An HTTP reader of the test's own, so that nothing is shared with the code under test."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def more(self):
        piece = self.sock.recv(65536)
        if not piece:
            return False
        self.data += piece
        return True

    def until(self, mark):
        while mark not in self.data:
            if not self.more():
                return None
        head, self.data = self.data.split(mark, 1)
        return head

    def exactly(self, n):
        while len(self.data) < n:
            if not self.more():
                raise ValueError("cut after %d of %d bytes" % (len(self.data), n))
        piece, self.data = self.data[:n], self.data[n:]
        return piece

    def swallow(self, n):
        """Reads @n bytes and keeps none."""
        left = n - len(self.data)
        self.data = b""
        room = bytearray(1 << 18)
        while left:
            got = self.sock.recv_into(room, min(left, len(room)))
            if not got:
                raise ValueError("cut")
            left -= got
        return n

    def head(self):
        text = self.until(b"\r\n\r\n")
        if text is None:
            return None
        lines = text.decode("latin-1").split("\r\n")
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return Message(lines[0], fields)

    def chunks(self):
        while True:
            n = int(self.until(b"\r\n"), 16)
            if n == 0:
                break
            yield self.exactly(n)
            self.exactly(2)
        self.trailers = []
        while True:
            line = self.until(b"\r\n")
            if not line:
                return
            self.trailers.append(line.decode())

    def message(self, method="GET"):
        message = self.head()
        return message and self.body_of(message, method)

    def body_of(self, message, method="GET"):
        is_response = message.first.startswith("HTTP/")
        if method == "HEAD" or (is_response and (message.status < 200 or message.status in (204, 304))):
            return message
        if (message.get("Transfer-Encoding") or "").lower() == "chunked":
            message.body = b"".join(self.chunks())
        elif message.get("Content-Length") is not None:
            message.body = self.exactly(int(message.get("Content-Length")))
        elif is_response:
            while self.more():
                pass
            message.body, self.data = self.data, b""
        return message


def respond(conn, body=b"", status="200 OK", headers=()):
    lines = ["HTTP/1.1 " + status, "Content-Length: %d" % len(body)] + list(headers)
    conn.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def respond_json(conn, value):
    respond(conn, json.dumps(value).encode())


def frame(payload, opcode=1, fin=True, mask=b"\x01\x02\x03\x04", reserved=0):
    """A WebSocket frame, masked as a client's is."""
    data = bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if mask else payload
    head = bytes([(0x80 if fin else 0) | reserved | opcode])
    n = len(payload)
    size = bytes([n]) if n < 126 else bytes([126]) + n.to_bytes(2, "big")
    return head + bytes([size[0] | (0x80 if mask else 0)]) + size[1:] + (mask or b"") + data


def websocket_accept(request):
    text = request.get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


def websocket_read(reader):
    """One frame of a client, as a server would send it back."""
    head = reader.exactly(2)
    n = head[1] & 0x7f
    if n == 126:
        n = int.from_bytes(reader.exactly(2), "big")
    mask = reader.exactly(4)
    data = bytes(b ^ mask[i % 4] for i, b in enumerate(reader.exactly(n)))
    size = bytes([n]) if n < 126 else bytes([126]) + n.to_bytes(2, "big")
    return head[:1] + size + data


class UpstreamProxy:
    """An HTTP proxy that knows CONNECT, and resolves names by a table of its own."""

    def __init__(self, port, table, login):
        self.asked = []
        self.table = table
        self.login = login
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.90", port))
        self.sock.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn, _ = self.sock.accept()
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        request = Reader(conn).head()
        self.asked.append(request)
        host, port = request.first.split()[1].rsplit(":", 1)
        if request.get("Proxy-Authorization") != self.login or host not in self.table:
            conn.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            conn.close()
            return
        onward = socket.create_connection((self.table[host], int(port)))
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=self.pump, args=(onward, conn), daemon=True).start()
        self.pump(conn, onward)

    @staticmethod
    def pump(source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class NameServer:
    """Answers A questions (and AAAA from @v6) from a table: name -> list of addresses, or a list of such lists
    that is walked answer by answer (rebinding)."""

    def __init__(self, table, ip="127.0.0.53", v6=()):
        self.table = table
        self.v6 = dict(v6)
        self.asked = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((ip, 53))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                data, who = self.sock.recvfrom(2048)
            except OSError:
                return
            name, kind, _ = self.read(data)
            self.asked.append(name)
            found = self.table.get(name)
            if found and isinstance(found[0], list):
                found = found.pop(0) if kind == 1 and len(found) > 1 else found[0]
            addresses = [socket.inet_aton(a) for a in (found or []) if kind == 1] + self.more(name, kind)
            self.answer(self.sock, data, who, addresses, found is not None or self.knows(name))

    @staticmethod
    def read(data):
        """The name that is asked for, the type, and where the question ends."""
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += data[at] + 1
        return ".".join(labels).lower(), struct.unpack(">H", data[at + 1:at + 3])[0], at + 5

    @classmethod
    def answer(cls, sock, data, who, addresses, known=True):
        _, kind, end = cls.read(data)
        answer = data[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, len(addresses), 0, 0) + data[12:end]
        for a in addresses:
            answer += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(a)) + a
        sock.sendto(answer, who)

    def more(self, name, kind):
        return [socket.inet_pton(socket.AF_INET6, a) for a in self.v6.get(name, []) if kind == 28]

    def knows(self, name):
        return name in self.v6


class Gateway:
    def __init__(self, where, **config):
        config.setdefault("slug", "test-12345")
        config.setdefault("nonce", "nonce-of-this-launch")
        config.setdefault("listen", {"proxy": 9099, "https": 443, "http": 80})
        self.port = config["listen"]["proxy"]
        fd, self.path = tempfile.mkstemp(dir=where, suffix=".json")
        with os.fdopen(fd, "w") as f:
            json.dump(config, f)
        self.ca = self.pid = self.died = None
        self.records, self.logs = [], []
        self.proc = subprocess.Popen(
            [BUILD + "/tests/gateway/launch", BUILD + "/libexec/bot-bottle/bottle-egress", self.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()
        until(lambda: self.pid or self.died, "the gateway says ready")
        if self.died is None:
            self.context = ssl.create_default_context(cadata=self.ca)

    def listen(self):
        for line in self.proc.stdout:
            said = json.loads(line)
            if "audit" in said:
                self.records.append(said["audit"])
            elif "log" in said:
                self.logs.append(said["log"])
            elif "ca" in said:
                self.ca = said["ca"]
            elif "ready" in said:
                self.pid = said["ready"]
            elif "died" in said:
                self.died = said["died"]

    def record(self, **wanted):
        def found():
            return [r for r in self.records if all(r.get(k) == v for k, v in wanted.items())]
        until(found, "a record with %s among %s" % (wanted, self.records[-5:]))
        return found()[-1]

    def tell(self, resolv_conf, hosts):
        self.proc.stdin.write(json.dumps({"resolv_conf": resolv_conf, "hosts": hosts}).encode() + b"\n")
        self.proc.stdin.flush()

    def memory(self):
        """Resident bytes, in KiB."""
        for line in open("/proc/%d/status" % self.pid):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    @contextlib.contextmanager
    def held(self):
        """What happens meanwhile it sees at once, and in the order in which it came."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            until(lambda: open("/proc/%d/stat" % self.pid).read().rsplit(")", 1)[1].split()[0] in "Tt", "it stands still")
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def stop(self):
        self.proc.stdin.close()
        self.proc.wait(timeout=DEADLINE)
        self.reader.join(timeout=DEADLINE)
        self.proc.stdout.close()
        os.unlink(self.path)

    # ---- clients ----

    def plain(self, port=None):
        sock = socket.create_connection(("127.0.0.1", port or self.port), timeout=DEADLINE)
        return Client(sock)

    def connect(self, target):
        client = self.plain()
        client.send("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, target))
        answer = client.reader.head()
        return client, answer

    def tunnel(self, host, port=443, sni=None, context=None):
        client, answer = self.connect("%s:%d" % (host, port))
        assert answer.status == 200, answer.first
        return client.tls(context or self.context, sni or host)

    def ask(self, host, path="/", method="GET", headers=(), body=None, port=443):
        client = self.tunnel(host, port)
        try:
            return client.ask(host if port == 443 else "%s:%d" % (host, port), path, method, headers, body)
        finally:
            client.close()


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.reader = Reader(sock)

    def tls(self, context, name):
        return Client(context.wrap_socket(self.sock, server_hostname=name))

    def send(self, text):
        self.sock.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def ask(self, host, path="/", method="GET", headers=(), body=None):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host] + list(headers)
        if body is not None:
            lines.append("Content-Length: %d" % len(body))
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        return self.reader.message(method=method)

    def at_end(self):
        """The other side closed (or reset): nothing more comes."""
        try:
            return not self.reader.more()
        except OSError:
            return True

    def close(self):
        self.sock.close()


def scratch():
    where = tempfile.mkdtemp(prefix="gateway-")
    os.chmod(where, 0o755)
    return where


def remove(where):
    shutil.rmtree(where)
