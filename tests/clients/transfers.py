"""What takes long or is large: streams of events, WebSockets, a gibibyte in either direction."""
import origin
import room
from room import Tls
from web import Case

LARGE = 1 << 30
# What the gateway may grow by while a gibibyte passes through it.
GROWTH_KIB = 8 * 1024


class Streaming(Case):
    BASE = "https://stream.clients.test"

    def setUp(self):
        self.origin = origin.Origin((room.ORIGIN, 443), Tls(self.room.certificates).context)
        self.addCleanup(self.origin.server_close)
        self.addCleanup(self.origin.shutdown)

    def route(self, **fields):
        self.person.bottle("stream", egress={"routes": [{"host": "stream.clients.test", **fields}]})

    def prefixes(self, *values):
        return [{"paths": [{"type": "prefix", "value": v} for v in values]}]


class Events(Streaming):
    def test_each_event_arrives_before_the_next_is_sent(self):
        self.route(matches=self.prefixes("/events", "/seen"))
        inside = self.start("--bottle", "stream", "--", "/usr/bin/python3", "stream.py", self.BASE)
        self.assertEqual(inside.out, "saw 200\n", inside)

    def test_a_stream_that_is_not_allowed(self):
        self.route(matches=self.prefixes("/seen"))
        inside = self.start("--bottle", "stream", "--", "/usr/bin/python3", "stream.py", self.BASE)
        self.assertIn("403", inside.err)
        self.assertEqual(inside.out, "")
        self.assertFalse(self.origin.requests)
        outside = self.outside("/usr/bin/python3", "stream.py", self.BASE)
        self.assertEqual(outside.out, "saw 200\n", outside)


class WebSocket(Streaming):
    CLIENT = ("/usr/bin/python3", "echo.py", "wss://stream.clients.test/socket")

    def test_every_frame_comes_back(self):
        self.route(websocket=True)
        inside = self.start("--bottle", "stream", "--", *self.CLIENT)
        self.assertEqual(inside.out, "echoed 14\n", inside)

    def test_a_route_that_does_not_allow_it(self):
        self.route()
        inside = self.start("--bottle", "stream", "--", *self.CLIENT)
        self.assertEqual((inside.status, inside.out), (3, "refused\n"), inside)
        self.assertFalse(self.origin.requests)
        outside = self.outside(*self.CLIENT)
        self.assertEqual(outside.out, "echoed 14\n", outside)


class Large(Streaming):
    """The gateway holds what is on its way, not what passes."""
    once = True

    def setUp(self):
        if "address" in self.room.build:
            self.skipTest("the address sanitizer holds what has been given back")
        super().setUp()

    def bottle(self):
        self.person.bottle("large", egress={"routes": [
            {"host": "stream.clients.test", "matches": [{"paths": [{"type": "exact", "value": "/sink"}]}]},
            {"host": "www.clients.test", "matches": [{"paths": [{"type": "exact", "value": p} for p in ("/large", "/hello")]}]}]})
        result = self.person.detach("--bottle", "large", "--", "sleep", "1000")
        self.assertEqual(result.status, 0, result)
        self.addCleanup(self.person.run, "bottle", "rm", result.slug)
        self.addCleanup(self.person.run, "bottle", "stop", result.slug)
        return result.slug

    def peak(self, slug):
        """The most that the gateway ever held, in KiB."""
        for line in open("/proc/%d/status" % self.person.gateway(slug)):
            if line.startswith("VmHWM:"):
                return int(line.split()[1])

    def test_a_gibibyte_down_and_up_in_constant_memory(self):
        slug = self.bottle()
        run = lambda *argv: self.person.run("bottle", "exec", slug, "--", *argv)
        self.assertEqual(run("curl", "-sS", "https://www.clients.test/hello").out, "hello from nginx\n")
        before = self.peak(slug)
        down = run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "https://www.clients.test/large")
        self.assertEqual(down.out, "200 %d" % LARGE, down)
        after_down = self.peak(slug)
        up = run("sh", "-c", "truncate -s %d /tmp/large && curl -sS -T /tmp/large %s/sink" % (LARGE, self.BASE))
        self.assertEqual(up.out, "%d\n" % LARGE, up)
        after_up = self.peak(slug)
        print("gateway's peak: %d KiB before, %d after 1 GiB down, %d after 1 GiB up" % (before, after_down, after_up))
        self.assertLess(max(after_down, after_up) - before, GROWTH_KIB)

    def test_a_gibibyte_that_is_not_allowed_is_not_sent(self):
        slug = self.bottle()
        up = self.person.run("bottle", "exec", slug, "--", "sh", "-c",
                             "truncate -s %d /tmp/large && curl -sS -T /tmp/large %s/elsewhere" % (LARGE, self.BASE))
        self.assertRefused(up.out, "no-match", "stream.clients.test")
        self.assertFalse(self.origin.requests)


CASES = [Events, WebSocket, Large]
