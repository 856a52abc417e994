"""An HTTPS origin for tests: paths of its own for streams, WebSockets, large bodies and git,
and doubles of services (below) that answer for their host. It remembers every request."""
import base64
import hashlib
import http.server
import os
import socketserver
import struct
import subprocess
import sys
import threading

CHUNK = bytes(1 << 18)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120

    def log_message(self, *args):
        pass

    def setup(self):
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass

    @property
    def host(self):
        return self.headers.get("Host", "").split(":")[0]

    def any_method(self):
        double = self.server.doubles.get(self.host)
        self.server.requests.append((self.command, self.host, self.path, dict(self.headers.items())))
        if double:
            return double(self)
        path = self.path.split("?")[0]
        for prefix, method in (("/events", self.events), ("/seen/", self.seen), ("/socket", self.socket),
                               ("/sink", self.sink), ("/repo.git/", self.git)):
            if path.startswith(prefix):
                return method()
        self.answer(404, b"no such path\n", "text/plain")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = any_method

    def answer(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def begin_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def body(self):
        """What a request carries, by length or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            data = self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return b"".join(parts)
            parts.append(data)

    # Each event waits until the client has said that it saw the one before: what is held back
    # on the way ends in a deadline, not in a late success.
    def events(self):
        self.begin_events()
        for i in range(self.server.events):
            self.chunk(b"id: %d\ndata: event %d\n\n" % (i, i))
            if not self.server.saw(i):
                return
        self.chunk(b"event: done\ndata: .\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def seen(self):
        self.server.see(int(self.path.split("/")[2]))
        self.answer(204, b"")

    def socket(self):
        if self.headers.get("Upgrade", "").lower() != "websocket":
            return self.answer(400, b"not an upgrade\n", "text/plain")
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while self.echo_frame():
            pass

    def echo_frame(self):
        first, second = self.rfile.read(2)
        length = second & 0x7f
        if length > 125:
            length = int.from_bytes(self.rfile.read(2 if length == 126 else 8), "big")
        mask = self.rfile.read(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(length)))
        size = bytes([length]) if length < 126 else struct.pack("!BH", 126, length) if length < 65536 else \
            struct.pack("!BQ", 127, length)
        self.wfile.write(bytes([first]) + size + data)
        self.wfile.flush()
        return first & 0x0f != 8

    def sink(self):
        digest, left = hashlib.sha256() if "hash" in self.path else None, int(self.headers["Content-Length"])
        total = left
        buffer = memoryview(bytearray(1 << 18))
        while left > 0:
            n = self.rfile.readinto(buffer[:min(left, len(buffer))])
            if not n:
                return
            left -= n
            if digest:
                digest.update(buffer[:n])
        self.answer(200, b"%d\n" % total, "text/plain")

    def git(self):
        """git's own server, as CGI."""
        body = self.body()
        path, _, query = self.path.partition("?")
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.server.git_root, "GIT_HTTP_EXPORT_ALL": "1",
               "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": "somebody",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "REMOTE_ADDR": "127.0.0.1",
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_COUNT": "1",
               "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        done = subprocess.run(("git", "http-backend"), env=env, input=body, stdout=subprocess.PIPE, check=True)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(fields.pop("Status", "200 OK").split()[0])
        kind = fields.pop("Content-Type", "text/plain")
        fields.pop("Content-Length", None)
        self.answer(status, answer, kind, **{k.replace("-", "_"): v for k, v in fields.items()})


class Origin(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address, context, git_root=None, events=200):
        super().__init__(address, Handler)
        self.context, self.git_root, self.events = context, git_root, events
        self.requests, self.doubles = [], {}
        self.last_seen, self.changed = -1, threading.Condition()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], OSError):    # a client that hangs up is no error of ours
            super().handle_error(request, address)

    def asked(self, host=None, path=None):
        return [r for r in self.requests if (not host or r[1] == host) and (not path or r[2].startswith(path))]

    def see(self, number):
        with self.changed:
            self.last_seen = number
            self.changed.notify_all()

    def saw(self, number):
        with self.changed:
            return self.changed.wait_for(lambda: self.last_seen >= number, timeout=30)
