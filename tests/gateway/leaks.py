"""What may not come out of a route with a credential, and what may not go in: the credential itself,
whole, in pieces and in other spellings; and the credentials of others."""
import gzip
import json
import threading
import unittest

import room
from room import Gateway, Origin, respond

IP = "127.0.0.71"
SECRET = "s3cr3t-t0ken/with+signs"
PLACEHOLDER = "bot-bottle-placeholder-0a1b2c3d"
HIDDEN = b"*" * len(SECRET)
# Values of `auth: {header: ...}`, and what of each an origin may give back alone.
BOT = ("Bot ", "MTk4NjIyNDgzNDcx.Cl2FMQ.ZnCjm1XVW7vRze")
PAIRS = ("session=", "0f1e2d3c4b5a69788796", "; lang=en")


def path_of(request):
    return request.first.split()[1].split("?")[0]


def echo(conn, request, reader):
    room.respond_json(conn, {"first": request.first, "fields": request.fields})


def ranges(conn, request, reader):
    """A server that takes ranges by the name that only old clients use."""
    body = json.dumps(request.fields).encode()
    asked = request.get("Request-Range")
    if not asked:
        respond(conn, body)
        return
    first, last = (int(n) for n in asked.split("=")[1].split("-"))
    respond(conn, body[first:last + 1], "206 Partial Content", ["Content-Range: bytes %d-%d/%d" % (first, last, len(body))])


def part(status, *headers):
    def handler(conn, request, reader):
        respond(conn, b"a part", status, headers)
    return handler


def token(conn, request, reader):
    """What it found behind the scheme, or in the cookie."""
    value = request.get("Authorization") or request.get("Cookie").split(";")[0].split("=", 1)[1]
    room.respond_json(conn, {"token": value.split(" ")[-1], "lang": "lang=en"})


def truncated(conn, request, reader):
    respond(conn, b"bad token: " + request.get("Authorization")[len("Bearer "):-1].encode())


CODED = {"br": b"\x0b\x02\x80hello\x03", "gzip": gzip.compress(b"hello")}
GO = threading.Event()


def slow(conn, request, reader):
    """Half of an encoded body, and the rest when it is told to."""
    coding = request.first.split()[1].split("?")[1]
    body = CODED[coding]
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body)))
    conn.sendall(body[:5])
    GO.wait(room.DEADLINE)
    conn.sendall(body[5:])


def answer(conn, request, reader):
    return PATHS.get(path_of(request), echo)(conn, request, reader)


PATHS = {"/slow": slow, "/token": token, "/truncated": truncated, "/ranges": ranges, "/206": part("206 Partial Content", "Content-Range: bytes 0-5/9"),
         "/byteranges": part("200 OK", "Content-Type: Multipart/ByteRanges; boundary=x"),
         "/x-byteranges": part("200 OK", "Content-Type: text/plain", "Content-Type: multipart/x-byteranges"),
         "/mixed": part("200 OK", "Content-Type: multipart/mixed; boundary=x")}


class Leaks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        room.bring_lo_up()
        cls.where = room.scratch()
        cls.certs = room.Certificates(cls.where)
        names = [n + ".test" for n in ("free", "auth", "bot", "cookie")]
        cls.origin = Origin(443, answer, cls.certs.leaf("good", names), ip=IP)
        cls.server = room.NameServer({n: [IP] for n in names}, "127.0.0.55")
        private = {"allow_private": True}
        auth = {"auth": {"scheme": "bearer", "token_ref": "T"}}
        cls.config = dict(
            extra_ca=cls.certs.ca, resolv_conf="nameserver 127.0.0.55\n", log=2,
            routes={"routes": [{"host": "free.test", **private}, {"host": "auth.test", **private, **auth},
                               {"host": "bot.test", "auth": {"header": "Authorization", "token_ref": "T"}, **private},
                               {"host": "cookie.test", "auth": {"header": "Cookie", "token_ref": "T"}, **private}]},
            credentials=[{"host": "auth.test", "scheme": 0, "value": SECRET, "placeholder": PLACEHOLDER},
                         {"host": "bot.test", "scheme": 3, "header": "Authorization", "value": "".join(BOT),
                          "placeholder": PLACEHOLDER + "bot"},
                         {"host": "cookie.test", "scheme": 3, "header": "Cookie", "value": "".join(PAIRS),
                          "placeholder": PLACEHOLDER + "cookie"}],
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
        record = self.gateway.record(id=answer.json["request_id"])
        self.assertEqual((record["verdict"], record["reason"]), ("deny", reason))

    def ok(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    # ---- in pieces ----

    def test_no_part_of_an_answer_can_be_asked_for(self):
        whole = self.ok(self.gateway.ask("auth.test", "/ranges")).body
        for field in ("Request-Range", "request_range", "Range"):
            answer = self.ok(self.gateway.ask("auth.test", "/ranges", headers=[field + ": bytes=40-49"]))
            self.assertEqual(answer.body, whole)
        self.assertIn(HIDDEN, whole)
        # The control: a route without a credential has nothing to look for.
        answer = self.gateway.ask("free.test", "/ranges", headers=["Request-Range: bytes=0-9"])
        self.assertEqual((answer.status, len(answer.body)), (206, 10))

    def test_a_part_that_nobody_asked_for_is_refused(self):
        for path in ("/206", "/byteranges", "/x-byteranges"):
            self.denied(self.gateway.ask("auth.test", path), 502, "origin-encoding")
            self.assertEqual(self.gateway.ask("free.test", path).body, b"a part")
        self.assertEqual(self.ok(self.gateway.ask("auth.test", "/mixed")).body, b"a part")

    def test_an_echo_that_the_end_cuts_short_is_overwritten(self):
        self.assertEqual(self.ok(self.gateway.ask("auth.test", "/truncated")).body, b"bad token: " + HIDDEN[:-1])

    def test_few_decoders_that_look_far_back_are_open_at_once(self):
        GO.clear()

        def begin(coding, host="auth.test"):
            client = self.gateway.tunnel(host)
            client.send("GET /slow?%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (coding, host))
            return client
        slow = [begin("br") for _ in range(8)]
        for client in slow:
            self.assertEqual(client.reader.head().status, 200)
        self.denied(begin("br").reader.message(), 503, "system")
        # The control: those that look back a little, and where nothing is decoded.
        others = [begin("gzip"), begin("br", "free.test")]
        for client in others:
            self.assertEqual(client.reader.head().status, 200)
        GO.set()
        for client in slow:
            self.assertEqual(b"".join(client.reader.chunks()), b"hello")
        self.assertEqual(begin("br").reader.message().body, b"hello")

    def test_a_part_of_a_field_that_an_origin_gives_back_alone_is_overwritten(self):
        for host, value in (("bot.test", BOT[1]), ("cookie.test", PAIRS[1])):
            answer = self.ok(self.gateway.ask(host, "/token"))
            self.assertEqual(answer.json, {"token": "*" * len(value), "lang": "lang=en"})
            # Nor does the record show it, of whichever route.
            self.gateway.ask("free.test", "/told/" + value)
            self.assertNotIn(value, json.dumps(self.gateway.record(host="free.test", path="/told/" + "*" * len(value))))

    # ---- of others ----

    def test_a_key_of_another_account_is_refused_in_whatever_place_a_service_takes_it(self):
        before = len(self.origin.requests)
        for query in ("private_token=x", "job_token=x", "oauth_token=x", "api_key=x", "access.token=x", "+access_token=x",
                      "%20access_token=x", "access[token=x", "%24httpHeaders=Authorization%3ABearer%20x"):
            self.denied(self.gateway.ask("auth.test", "/?" + query), 403, "foreign-credential")
        for field in ("Job-Token: x", "Deploy-Token: x", "Sec-WebSocket-Protocol: a, openai-insecure-api-key.x"):
            self.denied(self.gateway.ask("auth.test", headers=[field]), 403, "foreign-credential")
        self.assertEqual(len(self.origin.requests), before)
        self.ok(self.gateway.ask("auth.test", "/?q=private_token", headers=["Sec-WebSocket-Protocol: realtime"]))
        self.ok(self.gateway.ask("free.test", "/?private_token=x", headers=["Job-Token: x"]))

    def test_a_query_encoded_for_ever_is_refused(self):
        client = self.gateway.tunnel("free.test")
        self.ok(client.ask("free.test", "/?%" + "25" * 7 + "41"))
        self.denied(client.ask("free.test", "/?%" + "25" * 15000), 400, "bad-query")
