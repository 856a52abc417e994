"""Where the gateway could lose its balance: memory, silence, half-said things, other readers."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import unittest

import room
from room import Gateway, Origin, respond, until

IP = "127.0.0.70"
SECRET = "s3cr3t-t0ken/with+signs"
PLACEHOLDER = "bot-bottle-placeholder-0a1b2c3d"
OTHERS = "bot-bottle-placeholder-of-others"
GO = threading.Event()


def path_of(request):
    return request.first.split()[1].split("?")[0]


def echo(conn, request, reader):
    room.respond_json(conn, {"first": request.first, "fields": request.fields,
                             "body": request.body.decode("latin-1")})


def answer(conn, request, reader):
    return PATHS.get(path_of(request), echo)(conn, request, reader)


def half_a_head(conn, request, reader):
    conn.sendall(b"HTTP/1.1 200 OK\r\nX-Half: ")
    if hasattr(conn, "unwrap"):
        conn.unwrap()
    return "close"


def hundreds(conn, request, reader):
    for _ in range(2000):
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
    respond(conn, b"at last")


def other_interims(conn, request, reader):
    conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
    respond(conn, b"final")


def not_modified(conn, request, reader):
    conn.sendall(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"x\"\r\n\r\n")


def no_content(conn, request, reader):
    conn.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def head(conn, request, reader):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n")


def drip(conn, request, reader):
    conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not GO.wait(0.02):
        conn.sendall(b"1\r\nx\r\n")


def silent(conn, request, reader):
    GO.wait(room.DEADLINE)
    respond(conn, b"late")


def endless(conn, request, reader):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 40))
    while True:
        conn.sendall(b"x" * 65536)


def early(conn, request, reader):
    """Answers before the body has come, and goes on."""
    conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n")
    GO.wait(room.DEADLINE)


POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"
# The gateway that is held while an origin says something, so that it all comes at once.
HELD = []


def leftover(conn, request, reader):
    """An answer that ends where a full read of the gateway does, and what nobody asked for behind it."""
    size = 65537
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    body = b"a" * (size - len(head % size))
    with HELD[0].held():
        conn.sendall(head % len(body) + body + POISON)


def speaks_later(conn, request, reader):
    """Answers, and says more when its connection is idle."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    respond(conn, b"first")
    GO.wait(room.DEADLINE)
    conn.sendall(POISON)
    SAID.set()


SAID = threading.Event()


def too_large(conn, request, reader):
    """Says so and goes, over a body that it has not read: the kernel resets the connection."""
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn.sendall(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 10000\r\nConnection: close\r\n\r\n" + b"y" * 10000)


def no_end(conn, request, reader):
    """The same, of an answer whose end only a clean close would show."""
    conn.sendall(b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\n\r\n" + b"y" * 10000)


EARLY = {"/early": early, "/too-large": too_large, "/no-end": no_end}


def chunks(last):
    def handler(conn, request, reader):
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + last)
        return "close"
    return handler


def coded(coding):
    def handler(conn, request, reader):
        respond(conn, CODED[path_of(request)], headers=["Content-Encoding: " + coding])
    return handler


def websocket(conn, request, reader):
    conn.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: %s\r\n\r\n" % room.websocket_accept(request)).encode())
    said = (request.get("Authorization") or "").encode()[len("Bearer "):]
    pieces = int(path_of(request)[len("/ws"):] or 0)
    for i in range(pieces):
        piece = said[len(said) * i // pieces:len(said) * (i + 1) // pieces]
        conn.sendall(bytes([0x81, len(piece)]) + piece)
    while True:
        conn.sendall(room.websocket_read(reader))


PATHS = {"/chunks": chunks(b"0\r\n\r\n"), "/cut-chunks": chunks(b""), "/leftover": leftover, "/speaks-later": speaks_later, "/half-a-head": half_a_head, "/hundreds": hundreds, "/interims": other_interims, "/304": not_modified,
         "/204": no_content, "/head": head, "/drip": drip, "/silent": silent, "/endless": endless,
         "/br": coded("br"), "/br-bomb": coded("br"), "/zstd": coded("zstd"), "/zstd-bomb": coded("zstd"),
         "/ws2": websocket, "/ws3": websocket, "/ws": websocket}
CODED = {}


def by_program(program, text):
    return subprocess.run(program, input=text, capture_output=True, check=True).stdout


def node(script, text):
    return by_program(["node", "-e", "const z=require('zlib'),f=require('fs');"
                       "process.stdout.write(%s(f.readFileSync(0)))" % script], text)


class Edges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        room.bring_lo_up()
        cls.where = room.scratch()
        cls.certs = room.Certificates(cls.where)
        cls.names = [n + ".test" for n in ("one", "auth", "other", "ws", "wsauth", "six", "nginx", "node", "kind")]
        cls.leaf = cls.certs.leaf("good", cls.names + ["::1"])
        cls.origin = Origin(443, answer, cls.leaf, ip=IP, early=EARLY)
        cls.plain = Origin(80, answer, ip=IP, early=EARLY)
        cls.server = room.NameServer({"clear.test": [IP], "open.test": [IP], "far.test": ["198.41.0.4"], **{n: [IP] for n in cls.names if n != "six.test"}}, "127.0.0.54", {"six.test": ["::1"]})
        private = {"allow_private": True}
        auth = {"auth": {"scheme": "bearer", "token_ref": "T"}}
        rule = {"matches": [{"paths": [{"type": "prefix", "value": "/v1"}], "methods": ["GET"]}]}
        cls.config = dict(
            extra_ca=cls.certs.ca, resolv_conf="nameserver 127.0.0.54\n", log=2,
            routes={"routes": [
                {"host": "one.test", **private}, {"host": "auth.test", **private, **auth},
                {"host": "other.test", **private, **auth}, {"host": "ws.test", "websocket": True, **private},
                {"host": "wsauth.test", "websocket": True, **private, **auth},
                {"host": "six.test", **private}, {"host": "[::1]", **private},
                {"host": "nginx.test", "port": 9443, **private}, {"host": "node.test", "port": 9444, **private},
                {"host": "ruled.test", **private, **rule},
                {"host": "open.test", "plain": True, **private},
                {"host": "kind.test", **private,
                 "matches": [{"headers": [{"name": "X-Kind", "type": "exact", "value": "ok"}]}]},
                {"host": "clear.test", "plain": True, **private, **auth},
                {"host": "far.test", "plain": True, **private, **auth}]},
            credentials=[
                {"host": "auth.test", "scheme": 0, "value": SECRET, "placeholder": PLACEHOLDER},
                {"host": "wsauth.test", "scheme": 0, "value": SECRET, "placeholder": PLACEHOLDER},
                {"host": "clear.test", "scheme": 0, "value": SECRET, "placeholder": PLACEHOLDER},
                {"host": "far.test", "scheme": 0, "value": SECRET, "placeholder": PLACEHOLDER},
                {"host": "other.test", "scheme": 0, "value": "another-secret", "placeholder": OTHERS}],
            limits={"decoded_bytes": 1 << 20})
        cls.gateway = Gateway(cls.where, **cls.config)
        assert cls.gateway.died is None, cls.gateway.died

    @classmethod
    def tearDownClass(cls):
        GO.set()
        cls.gateway.stop()
        room.remove(cls.where)

    def setUp(self):
        GO.clear()

    def other(self, **more):
        gateway = Gateway(self.where, **{**self.config, "listen": {"proxy": 9198}, **more})
        self.addCleanup(gateway.stop)
        return gateway

    def denied(self, answer, status, reason):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.json["reason"], reason)
        record = self.gateway.record(id=answer.json["request_id"])
        self.assertEqual((record["verdict"], record["reason"]), ("deny", reason))

    def ok(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    # ---- memory: a client that never reads ----

    def flood(self, client, text, most):
        """Sends @text for ever, reads nothing, until the gateway stops taking it."""
        client.sock.setblocking(False)
        data, sent = memoryview(text), 0

        def stuck():
            nonlocal sent
            try:
                while sent < most:
                    sent += client.sock.send(data[sent % len(data):])
                return True
            except BlockingIOError:
                return stopped()

        last = [0, 0]

        def stopped():
            last[1] = last[1] + 1 if sent == last[0] else 0
            last[0] = sent
            return last[1] > 60
        until(stuck, "the gateway stops reading")
        return sent

    def test_refusals_that_nobody_reads_do_not_gather(self):
        before = self.gateway.memory()
        line = self.SELF_TEST.encode()
        help_line = b"GET /.well-known/bot-bottle HTTP/1.1\r\nHost: x\r\n\r\n"
        for text in (help_line, line):
            client = self.gateway.plain()
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.assertLess(self.flood(client, text * 100, 64 << 20), 64 << 20)
            if "address" not in room.BUILD:
                self.assertLess(self.gateway.memory() - before, 4096)
            client.close()

    def test_interim_answers_that_nobody_reads_do_not_gather(self):
        client = self.gateway.tunnel("one.test")
        before = self.gateway.memory()
        client.send("POST /hundreds HTTP/1.1\r\nHost: one.test\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")
        interims = 0
        while True:
            message = client.reader.message()
            if message.status != 100:
                break
            interims += 1
        self.assertEqual((interims, message.body), (1, b"at last"))
        if "address" not in room.BUILD:
            self.assertLess(self.gateway.memory() - before, 4096)

    def test_an_endless_answer_that_nobody_reads_does_not_gather(self):
        client = self.gateway.tunnel("one.test")
        before = self.gateway.memory()
        client.send("GET /endless HTTP/1.1\r\nHost: one.test\r\n\r\n")
        self.assertEqual(client.reader.head().status, 200)
        self.ok(self.gateway.ask("one.test"))
        if "address" not in room.BUILD:
            self.assertLess(self.gateway.memory() - before, 4096)
        client.close()
        self.gateway.record(path="/endless", reason="guest-closed")

    # ---- nothing unaudited ----

    SELF_TEST = "GET http://proof.bot-bottle.invalid/ HTTP/1.1\r\nHost: proof.bot-bottle.invalid\r\n\r\n"

    def test_while_nothing_can_be_recorded_nothing_begins(self):
        gateway = self.other(limits={"audit_queue": 16})
        os.kill(gateway.proc.pid, signal.SIGSTOP)
        try:
            client, asked = gateway.plain(), 0
            client.sock.settimeout(0.5)

            def full():
                nonlocal asked
                try:
                    client.send(self.SELF_TEST)
                    self.ok(client.reader.message())
                    asked += 1
                except TimeoutError:
                    return True
                return False
            until(full, "the queue is full")
            waiting = gateway.plain()
            waiting.send("GET http://evil.test/waited HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        finally:
            os.kill(gateway.proc.pid, signal.SIGCONT)
        self.assertEqual(waiting.reader.message().status, 403)
        gateway.record(path="/waited")
        client.sock.settimeout(room.DEADLINE)
        self.ok(client.reader.message())
        until(lambda: len(gateway.records) == asked + 2, "every answer has its record, and there is no other")
        self.assertEqual(len({r["id"] for r in gateway.records}), len(gateway.records))

    def test_what_lasts_is_recorded_while_it_lasts(self):
        client = self.gateway.tunnel("one.test")
        client.send("GET /silent HTTP/1.1\r\nHost: one.test\r\n\r\n")
        record = self.gateway.record(path="/silent", reason="open")
        self.assertEqual(record["verdict"], "allow")
        GO.set()
        self.assertEqual(client.reader.message().body, b"late")
        self.assertEqual(self.gateway.record(path="/silent", reason="allowed")["id"], record["id"])

    def test_a_connection_that_was_allowed_and_not_used_is_recorded(self):
        gateway = self.other(listen={"proxy": 9198, "https": 9197})
        raw, _ = gateway.connect("one.test:443")
        raw.close()
        until(lambda: len(gateway.records) == 1, "the tunnel's record")
        gateway.tunnel("one.test").close()
        until(lambda: len(gateway.records) == 2, "the record of one behind its handshake")
        gateway.plain(9197).tls(gateway.context, "one.test").close()
        until(lambda: len(gateway.records) == 3, "the record of one that asked for no tunnel")
        for record in gateway.records:
            self.assertEqual([record[k] for k in ("method", "host", "port", "rule", "verdict", "reason")],
                             ["CONNECT", "one.test", 443, "routes[0]", "allow", "unused"])
        self.assertEqual([r.get("status") for r in gateway.records], [200, 200, None])
        # The control: what came through it is the record.
        self.ok(gateway.ask("one.test", "/used"))
        with self.assertRaises(OSError):
            gateway.tunnel("one.test", sni="evil.test")
        gateway.record(reason="sni-mismatch", rule="routes[0]")
        self.assertEqual(len(gateway.records), 5)

    def test_a_killed_gateway_has_recorded_its_websocket(self):
        gateway = self.other()
        client = self.upgrade("ws.test", gateway=gateway)
        self.assertEqual(client.reader.head().status, 101)
        gateway.record(path="/ws", reason="open")
        os.kill(gateway.pid, signal.SIGKILL)
        self.assertTrue(client.at_end())

    # ---- time ----

    def test_an_exchange_that_moves_for_ever_ends_by_the_total_limit(self):
        gateway = self.other(limits={"total_ms": 3000})  # a busy machine's origin has begun by then
        client = gateway.tunnel("one.test")
        client.send("GET /drip HTTP/1.1\r\nHost: one.test\r\n\r\n")
        self.assertEqual(client.reader.head().status, 200)
        with self.assertRaises((ValueError, OSError, TypeError)):
            list(client.reader.chunks())
        gateway.record(path="/drip", reason="total-timeout")
        client = gateway.tunnel("one.test")
        self.assertEqual(client.ask("one.test", "/silent").json["reason"], "total-timeout")

    def test_an_origin_that_ends_in_its_head_is_said_at_once(self):
        client = self.gateway.tunnel("one.test")
        client.sock.settimeout(5)
        self.denied(client.ask("one.test", "/half-a-head"), 502, "origin-closed")
        self.ok(client.ask("one.test"))

    # ---- what an origin says too much ----

    def test_what_stands_behind_an_answer_is_no_answer_to_the_next_request(self):
        HELD[:] = [self.gateway]
        for client, url, host in ((self.gateway.tunnel("one.test"), "", "one.test"),
                                  (self.gateway.plain(), "http://open.test", "open.test")):
            self.assertEqual(self.ok(client.ask(host, url + "/leftover")).body.strip(b"a"), b"")
            self.assertNotIn(b"POISON", self.ok(client.ask(host, url + "/second")).body)

    def test_what_an_idle_origin_says_is_no_answer_to_the_next_request(self):
        client, host = self.gateway.plain(), "open.test"
        self.assertEqual(self.ok(client.ask(host, "http://open.test/speaks-later")).body, b"first")
        SAID.clear()
        # Both at once, and the guest's first: so the connection is taken before its own event is seen.
        with self.gateway.held():
            client.send("GET http://open.test/next HTTP/1.1\r\nHost: open.test\r\n\r\n")
            GO.set()
            SAID.wait(room.DEADLINE)
        self.assertNotIn(b"POISON", self.ok(client.reader.message()).body)

    # ---- bodies ----

    def test_brotli_and_zstd_are_read_within_bounds_too(self):
        if not shutil.which("node") or not shutil.which("zstd"):
            self.skipTest("node and zstd make the bodies")
        plain = b"Bearer " + SECRET.encode()
        CODED["/br"] = node("z.brotliCompressSync", plain)
        CODED["/br-bomb"] = node("z.brotliCompressSync", b"\0" * (4 << 20))
        CODED["/zstd"] = by_program(["zstd", "-c"], plain)
        CODED["/zstd-bomb"] = by_program(["zstd", "-c"], b"\0" * (4 << 20))
        for coding in ("br", "zstd"):
            self.assertEqual(self.gateway.ask("auth.test", "/" + coding).body, b"Bearer " + b"*" * len(SECRET))
            with self.assertRaises((ValueError, OSError, AttributeError, TypeError)):
                self.gateway.ask("auth.test", "/%s-bomb" % coding)
            self.gateway.record(path="/%s-bomb" % coding, reason="origin-encoding")
            # The control: a route without a credential has nothing to look for.
            self.assertEqual(self.gateway.ask("one.test", "/%s-bomb" % coding).body, CODED["/%s-bomb" % coding])

    def chunked(self, host, trailers, headers=()):
        client = self.gateway.tunnel(host)
        lines = ["POST / HTTP/1.1", "Host: " + host, "Transfer-Encoding: chunked", *headers]
        client.send("\r\n".join(lines + ["", "2", "hi", "0", *trailers, "", ""]))
        return client.reader.message()

    def test_trailers_carry_no_credential_and_no_placeholder(self):
        for trailer in ("Authorization: Bearer evil", "X-Api-Key: evil", "x_api_key: evil", "Cookie: a=b"):
            self.assertEqual(self.chunked("auth.test", [trailer]).status, 400, trailer)
        for host in ("one.test", "auth.test"):
            self.denied(self.chunked(host, ["X-Sum: " + OTHERS]), 403, "trailer-credential")
        self.ok(self.chunked("auth.test", ["X-Sum: 1"]))

    def test_trailers_say_nothing_that_the_head_was_judged_by(self):
        for trailer in ("X-Forwarded-For: 1.2.3.4", "X-Original-URL: /admin", "X_Host: evil.test", "Via: x"):
            self.assertEqual(self.chunked("one.test", [trailer]).status, 400, trailer)
        self.denied(self.chunked("kind.test", ["X-Kind: evil"], ["X-Kind: ok"]), 400, "bad-trailer")
        self.ok(self.chunked("kind.test", ["X-Sum: 1"], ["X-Kind: ok"]))
        self.ok(self.chunked("one.test", ["X-Kind: evil"]))

    def test_a_bad_chunk_behind_an_early_answer_cuts_it(self):
        client = self.gateway.tunnel("one.test")
        client.send("POST /early HTTP/1.1\r\nHost: one.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
        self.assertEqual(client.reader.head().status, 200)
        self.assertEqual(next(client.reader.chunks()), b"early")
        client.send("zz\r\n")
        until(client.at_end, "the answer is cut")
        self.assertNotIn(b"HTTP/1.1", client.reader.data)
        GO.set()
        self.gateway.record(path="/early", verdict="deny", reason="bad-chunk")

    def test_a_cut_body_does_not_look_whole_to_who_reads_to_the_end(self):
        def read(client, path):
            client.send("GET %s HTTP/1.0\r\nHost: open.test\r\n\r\n" % path)
            return client.reader.message().body
        self.assertEqual(read(self.gateway.plain(), "http://open.test/chunks"), b"hello")
        with self.assertRaises(OSError):
            read(self.gateway.plain(), "http://open.test/cut-chunks")
        self.gateway.record(path="/cut-chunks", reason="origin-closed")
        # A gateway that is stopped meanwhile does not end it either.
        gateway = self.other()
        client = gateway.plain()
        client.send("GET http://open.test/drip HTTP/1.0\r\nHost: open.test\r\n\r\n")
        self.assertEqual(client.reader.head().status, 200)
        os.kill(gateway.pid, signal.SIGTERM)
        with self.assertRaises(OSError):
            while client.reader.more():
                pass

    def send_much(self, client, host, url):
        client.send("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n" % (url, host, 8 << 20))
        for _ in range(8):
            client.send(b"x" * (1 << 20))
        return client.reader.message()

    def test_an_answer_that_came_before_the_origin_stopped_listening_is_passed_on(self):
        for _ in range(3):
            for client, url, host in ((self.gateway.plain(), "http://open.test", "open.test"),
                                      (self.gateway.tunnel("one.test"), "", "one.test")):
                answer = self.send_much(client, host, url + "/too-large")
                self.assertEqual((answer.status, answer.body), (413, b"y" * 10000))
        # The control: what can't be known to be whole does not pass for it.
        with self.assertRaises((ValueError, OSError, TypeError)):
            self.send_much(self.gateway.plain(), "open.test", "http://open.test/no-end")
        self.gateway.record(path="/no-end", reason="origin-closed")

    # ---- placeholders ----

    def test_a_placeholder_in_a_body_for_another_host_is_refused(self):
        body = b'{"token":"%s"}' % PLACEHOLDER.encode()
        self.denied(self.gateway.ask("one.test", "/", "POST", body=body), 403, "placeholder-elsewhere")
        self.denied(self.gateway.ask("other.test", "/", "POST", body=body), 403, "placeholder-elsewhere")
        self.ok(self.gateway.ask("auth.test", "/", "POST", body=body))
        self.ok(self.gateway.ask("one.test", "/", "POST", body=body[:30]))

    def test_a_placeholder_split_over_chunks_is_found(self):
        before = len(self.origin.requests)
        for size in (1, 7, 16):
            pieces = [PLACEHOLDER[i:i + size] for i in range(0, len(PLACEHOLDER), size)]
            client = self.gateway.tunnel("one.test")
            client.send("POST / HTTP/1.1\r\nHost: one.test\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in pieces:
                client.send("%x\r\n%s\r\n" % (len(piece), piece))
            self.denied(client.reader.message(), 403, "placeholder-elsewhere")
        self.assertEqual(len(self.origin.requests), before)

    def test_a_placeholder_in_a_query_is_found_in_any_encoding(self):
        encoded = "".join("%%%02x" % ord(c) for c in PLACEHOLDER)
        self.denied(self.gateway.ask("one.test", "/?a=" + encoded), 403, "placeholder-elsewhere")
        self.denied(self.gateway.ask("one.test", "/" + encoded), 403, "placeholder-elsewhere")

    def upgrade(self, host, path="/ws", extra="", gateway=None):
        client = (gateway or self.gateway).tunnel(host)
        client.send("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"
                    % (path, host, extra))
        return client

    def test_a_placeholder_in_websocket_frames_ends_the_connection(self):
        text = PLACEHOLDER.encode()
        for pieces in ([text], [text[:9], text[9:]], [bytes([b]) for b in text]):
            client = self.upgrade("ws.test")
            self.assertEqual(client.reader.head().status, 101)
            for i, piece in enumerate(pieces):
                try:
                    client.send(room.frame(piece, opcode=1 if i == 0 else 0, fin=i == len(pieces) - 1))
                except OSError:
                    break
            with self.assertRaises((ValueError, OSError)):
                while True:
                    client.reader.exactly(1)
            self.assertNotIn(text, client.reader.data)
        self.gateway.record(path="/ws", reason="placeholder-elsewhere")
        client = self.upgrade("wsauth.test")
        client.reader.head()
        client.send(room.frame(text))
        self.assertEqual(client.reader.exactly(2 + len(text))[2:], text)

    def test_a_websocket_has_no_body(self):
        for extra in ("Transfer-Encoding: chunked\r\n", "Content-Length: 3\r\n"):
            self.denied(self.upgrade("ws.test", extra=extra).reader.message(), 400, "bad-websocket-request")

    def test_a_credential_over_several_messages_does_not_come_through(self):
        for pieces in (2, 3):
            client = self.upgrade("wsauth.test", "/ws%d" % pieces)
            self.assertEqual(client.reader.head().status, 101)
            text = b""
            for _ in range(pieces):
                text += client.reader.exactly(client.reader.exactly(2)[1])
            self.assertEqual(len(text), len(SECRET))
            self.assertGreaterEqual(text.count(b"*"), len(SECRET) // 2)
            client.send(room.frame(b"hello"))
            self.assertEqual(client.reader.exactly(7)[2:], b"hello")

    def test_a_credential_goes_in_the_clear_to_private_addresses_only(self):
        ask = self.gateway.plain().ask
        self.ok(ask("clear.test", "http://clear.test/"))
        self.assertEqual(self.plain.requests[-1].get("Authorization"), "Bearer " + SECRET)
        self.denied(ask("far.test", "http://far.test/"), 403, "credential-in-clear")

    def test_a_refusal_says_what_came_nearest(self):
        gateway = self.other()

        def said(path, method="GET"):
            return gateway.ask("ruled.test", path, method).json["message"]
        self.assertIn("the path is in none of them", said("/v2"))
        self.assertIn("for this path matches[0] allows only GET", said("/v1", "DELETE"))

    # ---- names of fields ----

    def test_an_underscore_hides_no_field(self):
        ask = self.gateway.ask
        for field in ("X_Api_Key: evil", "x-api_key: evil", "X_AUTH_TOKEN: evil"):
            self.denied(ask("auth.test", headers=[field]), 403, "foreign-credential")
        for field in ("Transfer_Encoding: chunked", "Content_Length: 3", "transfer-encodinG_: x"):
            status = ask("one.test", headers=[field]).status
            self.assertEqual(status, 200 if field.endswith("_: x") else 400, field)
        self.ok(ask("one.test", headers=["X_Forwarded_For: 1.2.3.4", "X-Original-URL: /admin", "X_Rewrite_Url: /admin",
                                         "My_Field: kept"]))
        names = {k.lower() for k, _ in self.origin.requests[-1].fields}
        self.assertEqual(names, {"host", "my_field"})
        answer = self.other().ask("ruled.test", "/v1", headers=["X_HTTP_Method_Override: DELETE"])
        self.assertEqual(answer.json["reason"], "method-override")

    def test_no_second_path_is_named_where_paths_are_limited(self):
        client = self.gateway.tunnel("ruled.test")
        for field in ("Destination: https://ruled.test/v2", "x_amz_copy_source: /v2"):
            self.denied(client.ask("ruled.test", "/v1", headers=[field]), 403, "second-path")
        self.ok(self.gateway.ask("one.test", "/v1", headers=["Destination: https://one.test/v2"]))

    # ---- small answers, and what comes after ----

    def test_answers_without_a_body_keep_the_connection(self):
        client = self.gateway.tunnel("one.test")
        self.assertEqual(client.ask("one.test", "/head", "HEAD").get("Content-Length"), "77")
        self.assertEqual(client.ask("one.test", "/204").status, 204)
        self.assertEqual(client.ask("one.test", "/304").status, 304)
        self.assertEqual(client.ask("one.test", "/interims").body, b"final")
        self.ok(client.ask("one.test", "/"))

    def test_the_connection_lives_on_after_refusals_that_leave_nothing_open(self):
        client = self.gateway.tunnel("auth.test")
        for path, headers, status in (("/", ["X-Api-Key: evil"], 403), ("/?key=evil", [], 403), ("/", ["X: " + OTHERS], 403),
                                      ("/half-a-head", [], 502)):
            self.assertEqual(client.ask("auth.test", path, headers=headers).status, status)
            self.ok(client.ask("auth.test"))
        client.send("".join("GET /%s HTTP/1.1\r\nHost: auth.test\r\n\r\n" % p for p in ("?key=evil", "a", "?key=evil", "b")))
        self.assertEqual([client.reader.message().status for _ in range(4)], [403, 200, 403, 200])
        for send, status in ((["Host: evil.test"], 421), (["Host: auth.test", "Content-Length: 1", "X-Api-Key: e"], 403)):
            client = self.gateway.tunnel("auth.test")
            client.send("POST / HTTP/1.1\r\n" + "".join(s + "\r\n" for s in send) + "\r\nx")
            self.assertEqual(client.reader.message().status, status)
            self.assertTrue(client.at_end())

    def test_a_refusal_answers_an_expectation(self):
        client = self.gateway.tunnel("auth.test")
        client.send("POST / HTTP/1.1\r\nHost: auth.test\r\nX-Api-Key: evil\r\nContent-Length: 5\r\n"
                    "Expect: 100-continue\r\n\r\n")
        self.denied(client.reader.message(), 403, "foreign-credential")
        self.assertTrue(client.at_end())

    def test_a_guest_that_has_said_its_last_is_taken_as_gone(self):
        client, _ = self.gateway.connect("one.test:443")
        client = client.tls(self.gateway.context, "one.test")
        client.send("GET /silent HTTP/1.1\r\nHost: one.test\r\n\r\n")
        until(lambda: [r for r in self.origin.requests if "/silent" in r.first], "the origin is asked")
        client.sock.shutdown(socket.SHUT_WR)
        self.gateway.record(path="/silent", reason="guest-closed")

    # ---- names that nobody answers for ----

    def deaf_server(self):
        """A name server that hears every question, and answers none of them by itself."""
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.56", 53))
        server.setblocking(False)
        self.addCleanup(server.close)
        routes = [{"host": "*.wild.test", "wildcard": True, "plain": True, "allow_private": True},
                  {"host": "fixed.test", "plain": True, "allow_private": True}]
        gateway = self.other(resolv_conf="nameserver 127.0.0.56\n", fixed_hosts="%s fixed.test\n" % IP,
                             routes={"routes": routes}, credentials=[], limits={"connect_ms": 30000})
        return server, gateway

    def begin(self, gateway, name):
        client = gateway.plain()
        client.send("GET http://%s.wild.test/ HTTP/1.1\r\nHost: %s.wild.test\r\n\r\n" % (name, name))
        return client

    def test_who_waits_for_the_same_name_waits_for_the_same_question(self):
        server, gateway = self.deaf_server()
        self.begin(gateway, "same").close()
        gateway.record(host="same.wild.test", reason="guest-closed")
        clients = [self.begin(gateway, "same") for _ in range(3)]
        # All of them were heard when this one is answered.
        self.ok(gateway.plain().ask("fixed.test", "http://fixed.test/"))
        asked = {}
        with self.assertRaises(BlockingIOError):
            while True:
                question, who = server.recvfrom(2048)
                asked[question[:2]] = question, who
        self.assertEqual(len(asked), 2, "one for each kind of address")
        for question, who in asked.values():
            is_v4 = room.NameServer.read(question)[1] == 1
            room.NameServer.answer(server, question, who, [socket.inet_aton(IP)] if is_v4 else [])
        for client in clients:
            self.ok(client.reader.message())

    def test_questions_that_nobody_waits_for_do_not_gather(self):
        server, gateway = self.deaf_server()
        for i in range(1024):
            self.begin(gateway, "n%d" % i).close()
        until(lambda: len(gateway.records) == 1024, "all of them have gone")
        # At once: a question that is asked takes several times as long to be given up.
        client = self.begin(gateway, "more")
        client.sock.settimeout(4)
        answer = client.reader.message()
        self.assertEqual((answer.status, answer.json["reason"]), (502, "unresolved"))
        self.ok(gateway.plain().ask("fixed.test", "http://fixed.test/"))

    def test_an_address_that_swallows_what_it_is_sent_is_given_up_for_the_next(self):
        full = socket.socket()
        full.bind(("127.0.0.57", 80))
        full.listen(0)
        held = []
        while True:  # a queue that is full answers nobody: the next ones are not even refused
            held.append(socket.socket())
            held[-1].settimeout(0.3)
            try:
                held[-1].connect(full.getsockname())
            except TimeoutError:
                break
        self.addCleanup(lambda: [s.close() for s in held + [full]])
        gateway = self.other(fixed_hosts="127.0.0.57 two.test one.test\n%s two.test\n" % IP, credentials=[],
                             routes={"routes": [{"host": h, "plain": True, "allow_private": True}
                                                for h in ("one.test", "two.test")]}, limits={"connect_ms": 3000})
        self.ok(gateway.plain().ask("two.test", "http://two.test/"))
        answer = gateway.plain().ask("one.test", "http://one.test/")  # control: where there is no next
        self.assertEqual((answer.status, answer.json["reason"]), (504, "connect-timeout"))

    def test_an_origin_that_could_not_be_dialled_for_want_of_a_descriptor_is_not_called_down(self):
        gateway = self.other(fixed_hosts="%s fixed.test\n127.0.0.58 down.test\n" % IP, credentials=[],
                             routes={"routes": [{"host": h, "plain": True, "allow_private": True}
                                                for h in ("fixed.test", "down.test")]})
        client = gateway.plain()
        answer = client.ask("down.test", "http://down.test/")  # control
        self.assertEqual((answer.status, answer.json["reason"]), (502, "connect-failed"))
        soft, hard = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (0, hard))
        answer = client.ask("fixed.test", "http://fixed.test/")
        self.assertEqual((answer.status, answer.json["reason"]), (503, "system"))
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (soft, hard))
        self.ok(client.ask("fixed.test", "http://fixed.test/"))

    def test_a_name_that_is_there_twice_is_in_the_record_once(self):
        client = self.gateway.plain()
        long = "X-" + "a" * 68
        headers = ["X-A: 1", "X-A: 2", long + "b: 1", long + "c: 2", "x-a: 3"]
        answer = client.ask("elsewhere.test", "http://elsewhere.test/twice", headers=headers)
        self.denied(answer, 403, "host-not-routed")
        self.assertEqual(list(self.gateway.record(path="/twice")["headers"]), ["Host", "X-A", long[:64] + "...", "x-a"])
        self.ok(self.gateway.ask("one.test"))  # and nobody took it for the end

    # ---- addresses of the other kind ----

    def test_origins_may_have_ipv6_only(self):
        try:
            Origin(443, answer, self.leaf, ip="::1")
        except OSError as e:
            self.skipTest("no IPv6 here: %s" % e)
        self.ok(self.gateway.ask("six.test"))
        client, said = self.gateway.connect("[::1]:443")
        self.assertEqual(said.status, 200)
        self.ok(client.tls(self.gateway.context, "::1").ask("[::1]"))
        client, said = self.gateway.connect("[::2]:443")
        self.assertEqual(said.status, 403)

    # ---- other implementations ----

    def read_back(self, host, port):
        """Requests at the edges: what the origin says it read is what the rules said was sent."""
        client = self.gateway.tunnel(host, port)
        at = "%s:%d" % (host, port)
        for path, seen in (("/a%2fb", "/a%2Fb"), ("/%7ex/./..".split("/.")[0], "/~x"), ("/a//b", "/a//b"),
                           ("/x;y=1", "/x;y=1"), ("/q?a=%2e%2e/b&c", "/q?a=%2e%2e/b&c"), ("/e?", "/e?"), ("/'()*", "/'()*")):
            answer = self.ok(client.ask(at, path))
            self.assertEqual(answer.body.decode().split("\n")[0], "GET " + seen + " " + at)
        body = os.urandom(100000).hex().encode()
        answer = self.ok(client.ask(at, "/post", "POST", body=body))
        self.assertEqual(answer.body.decode().split("\n")[0], "POST /post " + at)
        # An origin that answers before it has read all leaves bytes for which nobody waits.
        if answer.get("Connection") == "close":
            client = self.gateway.tunnel(host, port)
        self.assertEqual(client.ask(at, "/", "HEAD").body, b"")
        self.ok(client.ask(at, "/", headers=["X-Empty:", "X-Many: a", "X-Many: b", "X-High: \xe9"]))
        client.send("POST /chunks HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" % at)
        self.ok(client.reader.message())

    def test_nginx_reads_what_was_judged(self):
        if not shutil.which("nginx"):
            self.skipTest("no nginx")
        config = self.certs.path("nginx.conf")
        with open(config, "w") as f:
            f.write("daemon off; master_process off; pid %s; error_log stderr crit; events {}\n"
                    "http { access_log off; client_max_body_size 10m; client_body_temp_path %s; proxy_temp_path %s;"
                    " fastcgi_temp_path %s; uwsgi_temp_path %s; scgi_temp_path %s;\n"
                    "server { listen %s:9443 ssl; ssl_certificate %s; ssl_certificate_key %s; merge_slashes off;\n"
                    "location / { return 200 \"$request_method $request_uri $http_host\\n\"; } } }\n" % (
                        (self.certs.path("nginx.pid"),) + (self.certs.path("tmp"),) * 5 + (IP,) + self.leaf))
        self.program(["nginx", "-p", self.where, "-c", config], 9443)
        self.read_back("nginx.test", 9443)

    def test_node_reads_what_was_judged(self):
        if not shutil.which("node"):
            self.skipTest("no node")
        script = ("const f=require('fs');require('https').createServer({cert:f.readFileSync('%s'),key:f.readFileSync('%s')},"
                  "(q,r)=>{q.resume();q.on('end',()=>r.end(`${q.method} ${q.url} ${q.headers.host}\\n`))})"
                  ".listen(9444,'%s')" % (self.leaf + (IP,)))
        self.program(["node", "-e", script], 9444)
        self.read_back("node.test", 9444)

    def program(self, command, port):
        proc = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(proc.wait)
        self.addCleanup(proc.kill)

        def listens():
            with socket.socket() as s:
                return s.connect_ex((IP, port)) == 0
        until(listens, "%s listens" % command[0])
        return proc

    def test_an_origin_that_is_killed_in_its_body_cuts_it(self):
        if not shutil.which("node"):
            self.skipTest("no node")
        script = ("const f=require('fs');require('https').createServer({cert:f.readFileSync('%s'),key:f.readFileSync('%s')},"
                  "(q,r)=>{r.write('hello')}).listen(9444,'%s')" % (self.leaf + (IP,)))
        proc = self.program(["node", "-e", script], 9444)
        client = self.gateway.tunnel("node.test", 9444)
        client.send("GET /murder HTTP/1.1\r\nHost: node.test:9444\r\n\r\n")
        self.assertEqual(client.reader.head().status, 200)
        pieces = client.reader.chunks()
        self.assertEqual(next(pieces), b"hello")
        proc.kill()
        with self.assertRaises((ValueError, OSError, TypeError)):
            list(pieces)
        self.gateway.record(path="/murder", reason="origin-closed")

