"""The egress gateway, attacked from both sides: every refusal beside a request that passes."""
import base64
import gzip
import json
import os
import socket
import ssl
import sys
import threading
import unittest

import room
from edges import Edges  # noqa: F401  (unittest finds it here)
from leaks import Leaks  # noqa: F401
from room import Gateway, NameServer, Origin, frame, respond, until

SECRET = "s3cr3t-t0ken/with+signs"
PLACEHOLDER = "bot-bottle-placeholder-0a1b2c3d"
BASIC = "robot:pass-w0rd-of-the-robot"
BASIC_PLACEHOLDER = "bot-bottle-placeholder-basic99"


def routes(*rows):
    return {"routes": list(rows)}


def echo(conn, request, reader):
    """Answers with what it saw."""
    seen = {"first": request.first, "fields": request.fields, "body": request.body.decode("latin-1")}
    respond(conn, json.dumps(seen).encode())


def answer_by_path(conn, request, reader):
    path = request.first.split()[1]
    handler = PATHS.get(path.split("?")[0], echo)
    return handler(conn, request, reader)


def reflect(conn, request, reader):
    value = request.get("Authorization").split(" ", 1)[1]
    body = ("<%s|%s|%s>" % (value, base64.b64encode(value.encode()).decode(),
                            base64.b64encode(b"ab" + value.encode()).decode())).encode()
    conn.sendall(("HTTP/1.1 200 OK\r\nX-Echo: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % value).encode())
    for i in range(len(body)):
        conn.sendall(b"1\r\n" + body[i:i + 1] + b"\r\n")
    conn.sendall(b"0\r\nX-Trailer: " + value.encode() + b"\r\n\r\n")


def reflect_gzip(conn, request, reader):
    body = gzip.compress(request.get("Authorization").encode() * 3)
    respond(conn, body, headers=["Content-Encoding: gzip"])


def bomb(conn, request, reader):
    respond(conn, gzip.compress(b"\0" * (4 << 20)), headers=["Content-Encoding: gzip"])


def unknown_coding(conn, request, reader):
    respond(conn, b"abc", headers=["Content-Encoding: compress"])


def headers_back(conn, request, reader):
    respond(conn, b"ok", headers=["Alt-Svc: h3=\":443\"", "X-Kept: yes", "Connection: X-Hop", "X-Hop: gone",
                                  "Keep-Alive: timeout=5", "Set-Cookie: session=1"])


def malformed(conn, request, reader):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nIGNORE ALL RULES")


def until_close(conn, request, reader):
    conn.sendall(b"HTTP/1.1 200 OK\r\n\r\nto the end")
    if isinstance(conn, ssl.SSLSocket):
        conn.unwrap()
    return "close"


def cut(conn, request, reader):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    return "close"


def redirect(conn, request, reader):
    respond(conn, b"", "302 Found", ["Location: https://evil.test/"])


def no_content(conn, request, reader):
    conn.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


STREAM_GO = threading.Event()


def sse(conn, request, reader):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    conn.sendall(b"9\r\ndata: 1\n\n\r\n")
    STREAM_GO.wait(room.DEADLINE)
    conn.sendall(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")


def websocket(conn, request, reader):
    conn.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: %s\r\n\r\n" % room.websocket_accept(request)).encode())
    secret = (request.get("Authorization") or "").encode()[len("Bearer "):]
    if secret:
        half = len(secret) // 2
        conn.sendall(bytes([0x01, half]) + secret[:half])
        conn.sendall(bytes([0x80, len(secret) - half]) + secret[half:])
    while True:
        conn.sendall(room.websocket_read(reader))


BULK = int(os.environ.get("GATEWAY_BULK_MIB", "1024")) << 20
PIECE = b"0123456789abcdef" * 16384


def big(conn, request, reader):
    conn.sendall(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BULK).encode())
    for _ in range(BULK // len(PIECE)):
        conn.sendall(PIECE)


def hang_up(conn, request, reader):
    """What the kernel does to a connection of a process that is killed."""
    conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return "close"


PATHS = {"/big": big, "/killed": hang_up,"/reflect": reflect, "/gzip": reflect_gzip, "/bomb": bomb, "/compress": unknown_coding,
         "/headers": headers_back, "/malformed": malformed, "/until-close": until_close, "/cut": cut,
         "/redirect": redirect, "/204": no_content, "/sse": sse, "/ws": websocket}


class Suite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        room.bring_lo_up()
        cls.where = room.scratch()
        cls.certs = room.Certificates(cls.where)
        cls.evil = Origin(443, echo, cls.certs.leaf("evil", ["evil.test"]), ip="127.0.0.66")
        good = cls.certs.leaf("good", ["api.test", "auth.test", "basic.test", "ws.test", "wsauth.test", "flip.test",
                                       "key.test", "meta.test", "public.test"])
        cls.origin = Origin(443, answer_by_path, good)
        cls.plain_origin = Origin(80, answer_by_path)
        cls.expired = Origin(443, echo, cls.certs.leaf("expired", ["expired.test"], days="past"), ip="127.0.0.81")
        cls.selfsigned = Origin(443, echo, cls.certs.leaf("self", ["self.test"], issuer=None), ip="127.0.0.82")
        cls.wrong = Origin(443, echo, cls.certs.leaf("wrong", ["other.test"]), ip="127.0.0.83")
        ours = [room.ORIGIN_IP]
        cls.names = NameServer({
            "api.test": ours, "auth.test": ours, "basic.test": ours, "ws.test": ours, "wsauth.test": ours,
            "key.test": ours, "plain.test": ours, "evil.test": ["127.0.0.66"], "expired.test": ["127.0.0.81"],
            "self.test": ["127.0.0.82"], "wrong.test": ["127.0.0.83"], "public.test": ours,
            "meta.test": ["169.254.169.254"], "down.test": ["127.0.0.99"],
            "flip.test": [["127.0.0.80"], ["169.254.169.254"]],
        })
        private = {"allow_private": True}
        rule = {"matches": [{"paths": [{"type": "prefix", "value": "/v1"}], "methods": ["GET"]}]}
        cls.config = dict(
            extra_ca=cls.certs.ca, resolv_conf="nameserver 127.0.0.53\n", log=2,
            routes=routes(
                {"host": "api.test", **private},
                {"host": "auth.test", "auth": {"scheme": "bearer", "token_ref": "T"}, **private},
                {"host": "basic.test", "auth": {"scheme": "basic", "token_ref": "T"}, **private},
                {"host": "key.test", "auth": {"header": "X-Api-Key", "token_ref": "T"}, **private},
                {"host": "ws.test", "websocket": True, **private},
                {"host": "wsauth.test", "websocket": True, "auth": {"scheme": "bearer", "token_ref": "T"}, **private},
                {"host": "plain.test", "plain": True, **private, **rule},
                {"host": "ruled.test", **private, **rule},
                {"host": "expired.test", **private}, {"host": "self.test", **private},
                {"host": "wrong.test", **private}, {"host": "meta.test", **private}, {"host": "down.test", **private},
                {"host": "flip.test", **private}, {"host": "gone.test", **private},
                {"host": "public.test"}, {"host": "127.0.0.80", **private}),
            credentials=[
                {"host": "auth.test", "scheme": 0, "value": SECRET, "placeholder": PLACEHOLDER},
                {"host": "wsauth.test", "scheme": 0, "value": SECRET, "placeholder": PLACEHOLDER},
                {"host": "key.test", "scheme": 3, "header": "X-Api-Key", "value": "key-" + SECRET,
                 "placeholder": "bot-bottle-placeholder-key777"},
                {"host": "basic.test", "scheme": 2, "value": BASIC, "placeholder": BASIC_PLACEHOLDER}],
            limits={"decoded_bytes": 1 << 20})
        cls.gateway = Gateway(cls.where, **cls.config)
        assert cls.gateway.died is None, cls.gateway.died

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        room.remove(cls.where)

    def denied(self, answer, status, reason):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.json["reason"], reason)
        for key in ("error", "host", "rule", "request_id", "ask", "message"):
            self.assertIn(key, answer.json)
        record = self.gateway.record(id=answer.json["request_id"])
        self.assertEqual((record["verdict"], record["reason"]), ("deny", reason))
        return record

    def seen(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    # ---- what is allowed ----

    def test_an_allowed_request_passes_and_is_recorded(self):
        answer = self.gateway.ask("api.test", "/a?key=visible", headers=["User-Agent: t"])
        self.assertEqual(self.seen(answer)["first"], "GET /a?key=visible HTTP/1.1")
        record = self.gateway.record(host="api.test", path="/a")
        self.assertEqual(record["verdict"], "allow")
        self.assertEqual(record["query"], "key=***")
        self.assertEqual(record["status"], 200)
        self.assertIn("User-Agent", record["headers"])

    def test_a_route_with_rules_allows_what_matches_and_nothing_else(self):
        client = self.gateway.plain()
        self.seen(client.ask("plain.test", "http://plain.test/v1/x"))
        self.denied(client.ask("plain.test", "http://plain.test/v2"), 403, "no-match")
        self.denied(client.ask("plain.test", "http://plain.test/v1", "POST"), 403, "no-match")

    def test_a_host_without_a_route_is_refused_at_connect_and_the_evil_end_stays_silent(self):
        client, answer = self.gateway.connect("evil.test:443")
        answer.body = client.reader.exactly(int(answer.get("Content-Length")))
        self.denied(answer, 403, "host-not-routed")
        self.assertTrue(client.at_end())
        self.assertNotIn("evil.test", self.names.asked)
        self.assertEqual(self.evil.connections, 0)

    def test_addresses_need_a_route_of_their_own(self):
        for target in ("127.0.0.66:443", "[::ffff:127.0.0.1]:443", "[::7f00:1]:443", "[::ffff:0:127.0.0.1]:443"):
            client, answer = self.gateway.connect(target)
            self.assertIn(answer.status, (400, 403), target)
            self.assertTrue(client.at_end() or client.at_end())
        client, answer = self.gateway.connect("127.0.0.80:443")
        self.assertEqual(answer.status, 200)

    def test_the_help_document_says_what_is_allowed_and_hides_every_secret(self):
        client = self.gateway.plain()
        answer = client.ask("127.0.0.1:9099", "/.well-known/bot-bottle")
        self.assertEqual(answer.status, 200)
        self.assertIn("api.test", [r["host"] for r in answer.json["routes"]])
        self.assertNotIn(SECRET.encode(), answer.body)
        self.denied(client.ask("127.0.0.1:9099", "/else"), 404, "not-a-proxy-request")

    def test_the_self_test_address_answers_the_nonce_and_its_neighbours_are_denied(self):
        client = self.gateway.plain()
        answer = client.ask("proof.bot-bottle.invalid", "http://proof.bot-bottle.invalid/x")
        self.assertEqual((answer.status, answer.body), (200, b"nonce-of-this-launch"))
        self.denied(client.ask("denied.bot-bottle.invalid", "http://denied.bot-bottle.invalid/"), 403,
                    "host-not-routed")

    # ---- names ----

    def test_connect_sni_and_host_must_agree(self):
        client = self.gateway.tunnel("api.test")
        self.denied(client.ask("auth.test"), 421, "host-mismatch")
        with self.assertRaises((ssl.SSLError, OSError)):
            self.gateway.tunnel("api.test", sni="evil.test")
        self.assertEqual(self.gateway.record(reason="sni-mismatch")["host"], "api.test")
        loose = ssl.create_default_context(cadata=self.gateway.ca)
        loose.check_hostname = False
        raw, answer = self.gateway.connect("api.test:443")
        with self.assertRaises((ssl.SSLError, OSError)):
            raw.tls(loose, None)
        self.gateway.record(reason="sni-missing")
        self.assertEqual(self.gateway.tunnel("api.test").ask("api.test").status, 200)

    def test_malformed_hosts_are_refused(self):
        for host in ("evil\0.api.test", "a b", "api.test\t", "api..test", "0x7f.1", "2130706433", "-a.test"):
            client = self.gateway.plain()
            client.send("CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n" % (host, host))
            answer = client.reader.message()
            self.assertIn(answer.status, (400, 403, 505), host)
            self.assertTrue(client.at_end(), host)

    def test_connect_in_a_tunnel_is_refused(self):
        client = self.gateway.tunnel("api.test")
        client.send("CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n")
        self.denied(client.reader.message(), 405, "nested-connect")

    def test_what_is_not_tls_in_a_tunnel_is_judged_as_plain_http(self):
        client, _ = self.gateway.connect("api.test:443")
        client.send("GET / HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
        self.denied(client.reader.message(), 403, "plain-http")
        client, _ = self.gateway.connect("plain.test:80")
        self.assertEqual(client.ask("plain.test", "/v1").status, 200)

    def test_transparent_listeners_follow_the_same_rules(self):
        client = self.gateway.plain(443).tls(self.gateway.context, "api.test")
        self.assertEqual(client.ask("api.test").status, 200)
        self.denied(client.ask("evil.test"), 421, "host-mismatch")
        with self.assertRaises((ssl.SSLError, OSError)):
            self.gateway.plain(443).tls(self.gateway.context, "evil.test")
        http = self.gateway.plain(80)
        self.assertEqual(http.ask("plain.test", "/v1").status, 200)
        self.denied(http.ask("plain.test", "/v1", "POST"), 403, "no-match")
        self.denied(http.ask("evil.test", "/"), 403, "host-not-routed")

    def test_paths_are_canonical_before_they_are_judged(self):
        for path in ("/v1/../v2", "/v1/%2e%2e/v2", "/v1/..%2fv2", "/v1/%252e%252e/v2", "/v1/..;/v2", "/v1/%zz"):
            client = self.gateway.plain()
            self.assertEqual(client.ask("plain.test", "http://plain.test" + path).status, 400, path)
        client = self.gateway.tunnel("api.test")
        self.assertEqual(self.seen(client.ask("api.test", "/@scope%2fname/%7euser"))["first"],
                         "GET /@scope%2Fname/~user HTTP/1.1")

    # ---- addresses ----

    def test_private_and_metadata_addresses_are_refused(self):
        self.denied(self.gateway.ask("public.test"), 403, "address-forbidden")
        self.denied(self.gateway.ask("meta.test"), 403, "address-forbidden")
        self.assertEqual(self.gateway.ask("api.test").status, 200)

    def test_a_name_that_flips_is_judged_again_before_it_is_dialled(self):
        self.assertEqual(self.gateway.ask("flip.test", "/x", headers=["Connection: close"]).status, 200)
        for _ in range(3):
            client = self.gateway.tunnel("flip.test")
            answer = client.ask("flip.test", "/until-close")
            if answer.status == 403:
                break
        self.denied(answer, 403, "address-forbidden")

    def test_what_does_not_resolve_or_answer_is_said(self):
        self.denied(self.gateway.ask("gone.test"), 502, "unresolved")
        self.denied(self.gateway.ask("down.test"), 502, "connect-failed")

    def test_bad_certificates_are_never_accepted(self):
        for host in ("expired.test", "self.test", "wrong.test"):
            self.denied(self.gateway.ask(host), 502, "origin-certificate")
        for origin in (self.expired, self.selfsigned, self.wrong):
            self.assertEqual(origin.requests, [])

    # ---- credentials ----

    def test_the_credential_is_injected_and_the_placeholder_replaced(self):
        for headers in ([], ["Authorization: Bearer " + PLACEHOLDER]):
            answer = self.gateway.ask("auth.test", headers=headers)
            self.assertEqual(answer.status, 200)
            self.assertEqual(self.origin.requests[-1].all("Authorization"), ["Bearer " + SECRET])
        for value in (None, base64.b64encode(("u:" + BASIC_PLACEHOLDER).encode()).decode()):
            headers = ["Authorization: Basic " + value] if value else []
            self.assertEqual(self.gateway.ask("basic.test", headers=headers).status, 200)
            self.assertEqual(self.origin.requests[-1].all("Authorization"),
                             ["Basic " + base64.b64encode(BASIC.encode()).decode()])
        self.gateway.ask("key.test", headers=["x-api-key: bot-bottle-placeholder-key777"])
        self.assertEqual(self.origin.requests[-1].all("X-Api-Key"), ["key-" + SECRET])

    def test_foreign_credentials_are_refused_on_a_route_with_its_own(self):
        before = len(self.origin.requests)
        for field in ("Authorization: Bearer evil", "X-Api-Key: evil", "Api-Key: evil", "X-Goog-Api-Key: evil",
                      "Private-Token: evil", "X-Auth-Token: evil", "Cookie: session=evil", "authorization: evil"):
            self.denied(self.gateway.ask("auth.test", headers=[field]), 403, "foreign-credential")
        for query in ("key=evil", "a=b&access_token=evil", "%6Bey=evil", "KEY=evil", "a;key=evil"):
            self.denied(self.gateway.ask("auth.test", "/?" + query), 403, "foreign-credential")
        self.assertEqual(len(self.origin.requests), before)
        # The control: without a credential of the route's own these are the guest's business.
        self.assertEqual(self.gateway.ask("api.test", "/?key=mine", headers=["X-Api-Key: mine"]).status, 200)

    def test_a_placeholder_is_good_for_its_own_host_only(self):
        inside = base64.b64encode(("u:" + PLACEHOLDER).encode()).decode()
        for headers, path in (["Authorization: Bearer " + PLACEHOLDER], "/"), (["X-Any: " + PLACEHOLDER], "/"), \
                ([], "/" + PLACEHOLDER), ([], "/?a=" + PLACEHOLDER), (["Authorization: Basic " + inside], "/"):
            self.denied(self.gateway.ask("api.test", path, headers=headers), 403, "placeholder-elsewhere")

    def test_an_echoed_credential_is_overwritten_everywhere(self):
        client = self.gateway.tunnel("auth.test")
        answer = client.ask("auth.test", "/reflect")
        everything = repr((answer.fields, answer.body, client.reader.trailers))
        self.assertNotIn(SECRET, everything)
        self.assertNotIn(base64.b64encode(SECRET.encode()).decode()[:16], everything)
        inner = base64.b64encode(b"ab" + SECRET.encode()).decode()
        self.assertNotIn(inner[4:20], everything)
        self.assertEqual(answer.get("X-Echo"), "*" * len(SECRET))
        self.assertEqual(answer.body[:len(SECRET) + 2], b"<" + b"*" * len(SECRET) + b"|")
        self.assertEqual(self.origin.requests[-1].get("Accept-Encoding"), "identity")

    def test_encoded_bodies_are_read_within_bounds_or_refused(self):
        answer = self.gateway.ask("auth.test", "/gzip")
        self.assertEqual(answer.body, (b"Bearer " + b"*" * len(SECRET)) * 3)
        self.assertIsNone(answer.get("Content-Encoding"))
        self.denied(self.gateway.ask("auth.test", "/compress"), 502, "origin-encoding")
        with self.assertRaises((ValueError, OSError, AttributeError, TypeError)):
            self.gateway.ask("auth.test", "/bomb")
        self.gateway.record(path="/bomb", reason="origin-encoding")
        # The control: without a credential the coding is the guest's business.
        self.assertEqual(self.gateway.ask("api.test", "/compress").body, b"abc")

    def test_no_secret_stands_in_records_or_logs(self):
        self.gateway.ask("auth.test", "/?a=" + PLACEHOLDER)
        self.gateway.record(host="auth.test")
        text = json.dumps(self.gateway.records) + json.dumps(self.gateway.logs)
        for secret in (SECRET, BASIC, BASIC.split(":")[1]):
            self.assertNotIn(secret, text)

    # ---- heads and framing ----

    def test_hygiene_of_headers_in_both_directions(self):
        answer = self.gateway.ask("api.test", headers=[
            "Forwarded: for=1", "X-Forwarded-For: 1", "Via: x", "Proxy-Authorization: Basic eA==", "Connection: X-Mine",
            "X-Mine: 1", "TE: trailers", "X-Kept: yes"])
        names = {k.lower() for k, v in self.seen(answer)["fields"]}
        self.assertEqual(names, {"host", "x-kept"})
        answer = self.gateway.ask("api.test", "/headers")
        self.assertEqual(answer.get("X-Kept"), "yes")
        for name in ("Alt-Svc", "X-Hop", "Keep-Alive"):
            self.assertIsNone(answer.get(name))
        # A session that the credential began would be the credential; without one it is the guest's own.
        self.assertEqual(answer.get("Set-Cookie"), "session=1")
        self.assertIsNone(self.gateway.ask("auth.test", "/headers").get("Set-Cookie"))

    def test_method_overrides_and_dns_over_https_are_judged(self):
        client = self.gateway.plain()
        for field in ("X-HTTP-Method-Override: DELETE", "X-HTTP-Method: PUT", "X-Method-Override: PATCH"):
            self.denied(client.ask("plain.test", "http://plain.test/v1", headers=[field]), 403, "method-override")
        self.assertEqual(client.ask("plain.test", "http://plain.test/v1").status, 200)
        answer = self.gateway.ask("api.test", "/dns-query", "POST", ["Content-Type: application/dns-message"], b"x")
        self.denied(answer, 403, "dns-over-https")

    def test_smuggling_gets_400_and_a_closed_connection_and_never_reaches_the_origin(self):
        head = "POST / HTTP/1.1\r\nHost: api.test\r\n"
        smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n"
        corpus = [
            head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled,
            head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + smuggled,
            head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
            head + "Content-Length: 4, 4\r\n\r\nabcd",
            head + "Content-Length: +4\r\n\r\nabcd",
            head + "Content-Length: 0x4\r\n\r\nabcd",
            head + "Content-Length: -1\r\n\r\n",
            head + "Transfer-Encoding: xchunked\r\n\r\n" + smuggled,
            head + "Transfer-Encoding: chunked, identity\r\n\r\n" + smuggled,
            head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled,
            head + "Transfer-Encoding : chunked\r\n\r\n" + smuggled,
            head + "Transfer-Encoding:\x0bchunked\r\n\r\n" + smuggled,
            head + "X: a\r\n folded\r\n\r\n",
            head + "X: a\nY: b\r\n\r\n",
            head + "X: a\0b\r\n\r\n",
            "GET / HTTP/1.1\nHost: api.test\n\n",
            "GET / HTTP/1.1\r\nHost: api.test\r\nHost: evil.test\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: api.test\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            head + "Transfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\n\r\n",
            head + "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
            head + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
            head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
            head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        ]
        self.origin.requests.clear()
        for text in corpus:
            client = self.gateway.tunnel("api.test")
            client.send(text)
            answer = client.reader.message()
            self.assertEqual(answer.status, 400, text)
            self.assertTrue(client.at_end(), text)
        self.assertFalse([r for r in self.origin.requests if "smuggled" in r.first])
        client = self.gateway.tunnel("api.test")
        client.send(head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        self.assertEqual(self.seen(client.reader.message())["body"], "hello")

    def test_an_absolute_target_decides_and_a_different_host_is_refused(self):
        client = self.gateway.plain()
        client.send("GET http://evil.test/ HTTP/1.1\r\nHost: plain.test\r\n\r\n")
        self.assertEqual(client.reader.message().status, 400)

    def test_oversized_heads_are_refused(self):
        client = self.gateway.tunnel("api.test")
        client.send("GET / HTTP/1.1\r\nHost: api.test\r\n" + "".join("X%d: %s\r\n" % (i, "a" * 900) for i in range(80)))
        self.assertEqual(client.reader.message().status, 431)
        client = self.gateway.tunnel("api.test")
        client.send("GET / HTTP/1.1\r\nHost: api.test\r\n" + "".join("X%d: a\r\n" % i for i in range(200)) + "\r\n")
        self.assertEqual(client.reader.message().status, 431)

    def test_bodies_of_every_framing_pass(self):
        client = self.gateway.tunnel("api.test")
        self.assertEqual(self.seen(client.ask("api.test", "/", "POST", body=b"x" * 70000))["body"], "x" * 70000)
        self.assertEqual(client.ask("api.test", "/204").status, 204)
        self.assertEqual(client.ask("api.test", "/", "HEAD").status, 200)
        self.assertEqual(client.ask("api.test", "/redirect").get("Location"), "https://evil.test/")
        answer = client.ask("api.test", "/until-close")
        self.assertEqual((answer.body, answer.get("Transfer-Encoding")), (b"to the end", "chunked"))
        self.assertEqual(client.ask("api.test").status, 200)
        self.assertEqual(self.evil.connections, 0)

    def test_pipelined_requests_are_answered_in_order(self):
        client = self.gateway.tunnel("api.test")
        client.send("".join("GET /%d HTTP/1.1\r\nHost: api.test\r\n\r\n" % i for i in range(5)))
        for i in range(5):
            self.assertIn("/%d " % i, self.seen(client.reader.message())["first"])

    def test_expect_continue_is_carried(self):
        client = self.gateway.tunnel("api.test")
        client.send("POST /expect HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(client.reader.message().status, 100)
        client.send("hello")
        self.assertEqual(self.seen(client.reader.message())["body"], "hello")

    def test_nothing_of_a_malformed_answer_is_reflected(self):
        answer = self.gateway.ask("api.test", "/malformed")
        self.denied(answer, 502, "origin-malformed")
        self.assertNotIn(b"IGNORE", answer.body)

    def test_a_body_that_the_origin_cuts_is_cut_for_the_guest_too(self):
        client = self.gateway.tunnel("api.test")
        with self.assertRaises((ValueError, OSError)):
            client.ask("api.test", "/cut")
        self.gateway.record(path="/cut", reason="origin-closed")

    # ---- streams ----

    def test_events_come_at_once(self):
        STREAM_GO.clear()
        client = self.gateway.tunnel("api.test")
        client.send("GET /sse HTTP/1.1\r\nHost: api.test\r\n\r\n")
        client.reader.head()
        pieces = client.reader.chunks()
        self.assertEqual(next(pieces), b"data: 1\n\n")
        STREAM_GO.set()
        self.assertEqual(next(pieces), b"data: 2\n\n")

    def upgrade(self, host, **more):
        client = self.gateway.tunnel(host)
        client.send("GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"
                    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" % (host, more.get("to", "websocket")))
        return client

    def test_websockets_pass_where_the_route_allows_them(self):
        client = self.upgrade("ws.test")
        self.assertEqual(client.reader.head().status, 101)
        self.assertIsNone(self.origin.requests[-1].get("Sec-WebSocket-Extensions"))
        for payload in (b"hello", b"x" * 3000):
            client.send(frame(payload))
            head = client.reader.exactly(2 if len(payload) < 126 else 4)
            self.assertEqual(client.reader.exactly(len(payload)), payload)
        for bad in (frame(b"x", mask=None), frame(b"x", reserved=0x40), frame(b"x", opcode=3),
                    frame(b"x", opcode=9, fin=False)):
            client = self.upgrade("ws.test")
            client.reader.head()
            client.send(bad)
            self.assertTrue(client.at_end())
        self.gateway.record(reason="websocket-frame")

    def test_websockets_are_refused_elsewhere_and_h2c_everywhere(self):
        self.denied(self.upgrade("api.test").reader.message(), 403, "upgrade")
        for host in ("api.test", "ws.test"):
            self.assertIn(self.upgrade(host, to="h2c").reader.message().status, (400, 403))

    def test_a_credential_in_websocket_fragments_is_overwritten(self):
        client = self.upgrade("wsauth.test")
        self.assertEqual(client.reader.head().status, 101)
        text, fin = b"", False
        while not fin:
            head = client.reader.exactly(2)
            fin = bool(head[0] & 0x80)
            text += client.reader.exactly(head[1] & 0x7f)
        self.assertEqual(text, b"*" * len(SECRET))
        client.send(frame(b"hello"))
        client.reader.exactly(2)
        self.assertEqual(client.reader.exactly(5), b"hello")

    def test_an_origin_that_is_killed_in_a_body_cuts_it(self):
        client = self.gateway.tunnel("api.test")
        with self.assertRaises((ValueError, OSError, TypeError)):
            client.ask("api.test", "/killed")
        self.gateway.record(path="/killed", reason="origin-closed")
        self.assertEqual(self.gateway.ask("api.test").status, 200)

    def test_large_bodies_need_no_more_memory(self):
        # In KiB. A sanitizer keeps what was freed for a while, and so says nothing about memory.
        room_to_grow = 512 * 1024 if "address" in room.BUILD else 2048
        for host in ("api.test", "auth.test"):
            client = self.gateway.tunnel(host)
            self.assertEqual(client.ask(host).status, 200)
            before = self.gateway.memory()
            client.send("GET /big HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
            left = int(client.reader.head().get("Content-Length")) - len(client.reader.data)
            room_for = bytearray(1 << 18)
            while left:
                n = client.sock.recv_into(room_for)
                self.assertGreater(n, 0)
                left -= n
            self.assertLess(self.gateway.memory() - before, room_to_grow)
            client.close()
        client = self.gateway.tunnel("api.test")
        before = self.gateway.memory()
        client.send("POST /sink HTTP/1.1\r\nHost: api.test\r\nContent-Length: %d\r\n\r\n" % BULK)
        for _ in range(BULK // len(PIECE)):
            client.send(PIECE)
        self.assertEqual(client.reader.message().body, str(BULK).encode())
        self.assertLess(self.gateway.memory() - before, room_to_grow)

    # ---- connections ----

    def test_upstream_connections_are_used_again(self):
        self.gateway.ask("api.test")
        before = self.origin.connections
        client = self.gateway.tunnel("api.test")
        for _ in range(10):
            self.assertEqual(client.ask("api.test").status, 200)
        self.assertLessEqual(self.origin.connections - before, 1)

    def test_slow_heads_end_and_do_not_block_others(self):
        gateway = self.other(limits={"head_ms": 1500})
        slow = [gateway.plain() for _ in range(20)]
        for client in slow:
            client.send("GET http://plain.test/v1 HTTP/1.1\r\nHos")
        self.assertEqual(gateway.ask("api.test").status, 200)
        self.assertEqual(slow[0].reader.message().status, 408)
        self.assertTrue(all(client.at_end() or client.at_end() for client in slow))

    def other(self, **more):
        """Another gateway beside the suite's, until the test ends."""
        gateway = Gateway(self.where, **{**self.config, "listen": {"proxy": 9199}, **more})
        self.addCleanup(gateway.stop)
        return gateway

    def test_an_upstream_proxy_resolves_and_carries_everything(self):
        login = "Basic " + base64.b64encode(b"us:them").decode()
        proxy = room.UpstreamProxy(3128, {"api.test": room.ORIGIN_IP, "plain.test": room.ORIGIN_IP}, login)
        gateway = self.other(proxy_host="127.0.0.90", proxy_port=3128, proxy_login="us:them")
        asked = len(self.names.asked)
        self.assertEqual(gateway.ask("api.test").status, 200)
        self.assertEqual(gateway.plain().ask("plain.test", "http://plain.test/v1").status, 200)
        self.assertEqual([r.first.split()[1] for r in proxy.asked], ["api.test:443", "plain.test:80"])
        self.assertEqual(gateway.ask("ws.test").json["reason"], "upstream-proxy")
        self.assertEqual(gateway.ask("gone.test").json["reason"], "upstream-proxy")
        self.assertEqual(len(self.names.asked), asked)

    def test_behind_an_upstream_proxy_addresses_are_judged_as_far_as_they_are_known(self):
        """The proxy would reach the origin for each of these names, and is not asked."""
        ours = room.ORIGIN_IP
        proxy = room.UpstreamProxy(3129, {n: ours for n in ("169.254.169.254", "198.41.0.4", "plain.test", "lit.test")},
                                   None)
        auth = {"auth": {"scheme": "bearer", "token_ref": "T"}}
        clear = {"plain": True, "allow_private": True, **auth}
        rows = [{"host": "169.254.169.254", "plain": True}, {"host": "198.41.0.4", **clear}, {"host": "lit.test", **clear},
                {"host": "127.0.0.80", "plain": True}, {"host": "plain.test", "plain": True}]
        more = dict(routes=routes(*rows), credentials=[
            {"host": h, "value": SECRET, "placeholder": PLACEHOLDER} for h in ("198.41.0.4", "lit.test")])
        gateway = self.other(proxy_host="127.0.0.90", proxy_port=3129, **more)

        def said(host):
            answer = gateway.plain().ask(host, "http://%s/" % host)
            return answer.status, answer.json.get("reason")
        self.assertEqual(said("169.254.169.254"), (403, "address-forbidden"))
        self.assertEqual(said("127.0.0.80"), (403, "address-forbidden"))
        self.assertEqual(said("198.41.0.4"), (403, "credential-in-clear"))
        self.assertEqual(said("lit.test"), (403, "credential-in-clear"))
        self.assertEqual(proxy.asked, [])
        self.assertEqual(said("plain.test")[0], 200)

    def test_new_resolver_files_are_used_at_once(self):
        gateway = self.other(hosts="127.0.0.66 api.test\n")
        self.assertEqual(gateway.ask("api.test").json["reason"], "origin-certificate")
        gateway.tell("nameserver 127.0.0.53\n", "127.0.0.1 localhost\n")
        answer = []

        def is_ours():
            answer[:] = [gateway.ask("api.test")]
            return answer[0].status == 200
        until(is_ours, "the new hosts file counts")

    def test_fixed_names_win_over_the_name_server(self):
        gateway = self.other(fixed_hosts="127.0.0.80 gone.test public.test\n")
        self.assertEqual(gateway.plain().ask("plain.test", "http://plain.test/v1").status, 200)
        self.assertEqual(gateway.ask("gone.test").json["reason"], "origin-certificate")
        self.assertEqual(gateway.ask("public.test").json["reason"], "address-forbidden")

    def test_connections_over_the_limit_wait_for_their_turn(self):
        gateway = self.other(limits={"connections": 2, "head_ms": 60000})
        held = [gateway.plain() for _ in range(2)]
        for client in held:
            self.assertEqual(client.ask("x", "/.well-known/bot-bottle").status, 200)
        third = gateway.plain()
        third.send("GET /.well-known/bot-bottle HTTP/1.1\r\nHost: x\r\n\r\n")
        third.sock.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            third.reader.more()
        held[0].close()
        third.sock.settimeout(room.DEADLINE)
        self.assertEqual(third.reader.message().status, 200)

    def test_a_quiet_exchange_ends_by_its_deadline(self):
        gateway = self.other(limits={"idle_ms": 300})
        STREAM_GO.clear()
        client = gateway.tunnel("api.test")
        client.send("GET /sse HTTP/1.1\r\nHost: api.test\r\n\r\n")
        client.reader.head()
        with self.assertRaises((ValueError, OSError, TypeError)):
            list(client.reader.chunks())
        gateway.record(path="/sse", reason="idle-timeout")
        STREAM_GO.set()

    def test_a_broken_configuration_is_refused_before_ready(self):
        for more, word in (({"routes": {"routes": [{"host": "a b"}]}}, "host"), ({"credentials": []}, "credential"),
                           ({"resolver": ["nonsense"]}, "resolver"),
                           ({"extra_ca": "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"}, "extra_ca")):
            gateway = Gateway(self.where, **{**self.config, "listen": {"proxy": 9299}, **more})
            self.assertIn(word, gateway.died or "it started")
            gateway.stop()

    def test_broken_roots_end_it_before_it_serves_anybody(self):
        """They are read after it said ready, by which a launch goes on, but before any request."""
        good = self.certs.ca
        bad = good + "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"
        for roots, ends in ((bad, True), (good, False)):
            gateway = Gateway(self.where, **{**self.config, "listen": {"proxy": 9299}, "roots": roots})
            answered = False
            try:
                answered = gateway.plain().ask("x", "/.well-known/bot-bottle").status == 200
            except (OSError, ValueError, AttributeError):
                pass
            self.assertEqual(answered, not ends)
            if ends:
                until(lambda: gateway.died, "its end")
                self.assertIn("trusted roots", gateway.died)
            gateway.stop()

    def test_the_gateway_is_caged(self):
        status = open("/proc/%d/status" % self.gateway.pid).read()
        self.assertRegex(status, r"Seccomp:\t2")
        self.assertRegex(status, r"NoNewPrivs:\t1")
        self.assertRegex(status, r"CapEff:\t0000000000000000")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], warnings="ignore", verbosity=1)
