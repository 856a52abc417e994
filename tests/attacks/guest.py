"""What a guest tries: the network, names, the gateway, its own walls. Rows A, B, D and G."""
import os
import re
import signal
import socket

from world import Attack, EVIL, LAN, MACHINE, METADATA, TOKEN, WALLS, of_namespaces, room, run, unanswered


class Guest(Attack):
    def test_nothing_but_the_sidecars_is_reached(self):
        lines = ["%s %s %d" % place for place in self.world.evil.places]
        self.assertEqual(unanswered(self.world.outside_try, lines), [])  # control
        before = len(self.world.evil.visits)
        inside = self.world.inside_try(self.main, *lines)
        self.assertEqual(len(inside), len(lines))
        for line in inside:
            kind, address, port, came = line.split()
            if kind == "tcp" and (address, port) == ("127.0.0.1", "9099"):
                self.assertIn(came, ("silent", "reached"))  # the bottle's own gateway, in its own network
            else:
                self.assertIn(came, WALLS, line)
        self.silent(before)

    def test_without_the_proxy_variables_there_is_no_way(self):
        url = "http://%s/" % EVIL
        self.assertEqual(run("curl", "-sS", "--noproxy", "*", url).stdout, "evil")
        before = len(self.world.evil.visits)
        for extra in (["env", "-u", "HTTP_PROXY", "-u", "http_proxy", "-u", "ALL_PROXY", "-u", "all_proxy"],
                      ["env", "NO_PROXY=*", "no_proxy=*"], ["env", "ALL_PROXY=", "all_proxy=", "http_proxy="]):
            got = self.world.inside(self.main, *extra, "curl", "-sS", "-m", "30", url)
            self.assertEqual(got.returncode, 7, got.stderr)  # could not connect: the kernel's word
        self.silent(before)

    def test_the_gateway_resolves_by_itself(self):
        before = len(self.world.evil.visits)
        url = "https://api.test/v1/x"
        outside = run("curl", "-sSk", "-m", "5", "--noproxy", "*", "--resolve", "api.test:443:" + EVIL, url)
        self.assertNotEqual(outside.returncode, 0)
        self.assertGreater(len(self.world.evil.visits), before)  # control: the client alone is led astray
        before = len(self.world.evil.visits)
        self.assertEqual(self.world.curl(self.main, "--resolve", "api.test:443:" + EVIL, url)["status"], 200)
        answer = self.world.curl(self.main, "--connect-to", "api.test:443:%s:443" % EVIL, url)
        self.assertEqual(answer["status"], 403, answer)
        self.silent(before)

    @of_namespaces("a monitor may bind no port: machine.py")
    def test_a_sibling_is_not_there(self):
        w = self.world
        pid = w.inside(self.sibling, "sh", "-c", "echo 'listen 7777' | /workspace/inside_attempt >/tmp/l & "
                       "until grep -q ok /tmp/l 2>/dev/null; do :; done; echo $!").stdout.strip()
        self.assertEqual(w.inside_try(self.sibling, "tcp 127.0.0.1 7777"), ["tcp 127.0.0.1 7777 reached"])
        for slug_try in (lambda line: w.inside_try(self.main, line), w.outside_try):
            for n in (1, 2, 16, 17, 31):
                line = "tcp 127.0.0.%d 7777" % n
                self.assertEqual(slug_try(line), [line + " ECONNREFUSED"])
        for n in (2, 16, 17, 31):
            line = "tcp 127.0.0.%d 9099" % n
            self.assertEqual(w.inside_try(self.main, line), [line + " ECONNREFUSED"])
        w.inside(self.sibling, "kill", pid)

    def test_magic_names_do_not_resolve(self):
        names = ["host.docker.internal", "host.containers.internal", "gateway.docker.internal", "metadata.google.internal",
                 "host.lima.internal", "evil.test", "lan.test.evil.test"]
        asked = len(self.world.names.asked)
        for name in names:
            got = self.world.inside(self.main, "getent", "ahosts", name)
            self.assertEqual((got.returncode, got.stdout), (2, ""), name)
        self.assertEqual(self.world.names.asked[asked:], [])
        if not MACHINE:  # control; a machine's names stand in the machine
            self.assertIn("127.0.0.1", self.world.inside(self.main, "getent", "ahosts", "api.test").stdout)

    def test_addresses_in_every_spelling_are_refused_by_the_gateway(self):
        self.works()
        before = len(self.world.evil.visits)
        for host in METADATA + LAN + [EVIL, "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0",
                                      "[::1]", "[::ffff:169.254.169.254]", "[::a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]",
                                      "[::ffff:0:127.0.0.1]", "[fd00:ec2::254]", "[fe80::66]"]:
            for url in ("http://%s/" % host, "https://%s/" % host):
                answer = self.world.curl(self.main, "-g", "--noproxy", "", "--request-target",
                                         url if url.startswith("http:") else "/", url)
                self.assertIn(answer["status"], (400, 403), (url, answer))
        self.silent(before)

    def test_routed_names_of_private_and_metadata_addresses_are_refused(self):
        before = len(self.world.evil.visits)
        self.denied(self.world.curl(self.main, "http://lan.test/"), 403, "address-forbidden")
        self.denied(self.world.curl(self.main, "http://meta.test/"), 403, "address-forbidden")
        self.assertEqual(self.world.curl(self.main, "http://plain.test/")["status"], 200)  # control: allow_private
        self.silent(before)

    def test_the_sidecars_own_ports_are_not_behind_the_proxy(self):
        w = self.world
        before = len(w.evil.visits)  # what listens there outside is the test's
        for target in ("127.0.0.1:9099", "localhost:9099", "[::1]:9099", "127.0.0.1:9420", "127.0.0.1:443", "main:9099"):
            answer = w.curl(self.main, "-p", "--noproxy", "", "-x", "http://127.0.0.1:9099", "http://%s/" % target)
            self.assertIn(answer["status"], (400, 403), (target, answer))
        self.silent(before)
        self.works()

    def test_the_self_test_address_leads_nowhere_after_the_launch(self):
        asked = len(self.world.names.asked)
        for url in ("https://proof.bot-bottle.invalid/", "http://x.proof.bot-bottle.invalid/",
                    "https://denied.bot-bottle.invalid/"):
            self.assertEqual(self.world.curl(self.main, url)["status"], 403, url)
        self.assertEqual(self.world.curl(self.main, "http://proof.bot-bottle.invalid/")["status"], 200)  # control
        self.assertEqual(self.world.names.asked[asked:], [])

    def test_no_family_but_the_allowed_ones(self):
        lines = ["socket %d %d %d" % row for row in (
            (2, 5, 132), (2, 1, 132), (2, 6, 33), (2, 2, 136), (2, 3, 1), (2, 3, 255), (10, 3, 58), (17, 3, 768),
            (40, 1, 0), (38, 5, 0), (16, 3, 12), (16, 3, 15), (16, 3, 9), (16, 3, 16), (31, 3, 1), (29, 3, 1), (44, 3, 0),
            (15, 3, 2), (30, 5, 0), (21, 5, 0), (39, 1, 0), (43, 1, 0), (2, 1, 262),
            (2, 4, 0), (2, 5, 0), (2, 6, 0), (10, 5, 0), (10, 6, 0), (2, 10, 0), (2, 10, 768), (2, 2054, 0))]
        for line, came in zip(lines, self.world.inside_try(self.main, *lines)):
            self.assertIn(came.split()[-1], ("EPERM", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"), came)
        self.assertEqual(self.world.inside_try(self.main, "socket 2 1 0"), ["socket 2 1 0 ok"])  # control
        outside = self.world.outside_try("socket 17 3 768", "socket 2 3 1", "socket 16 3 12")
        self.assertEqual([line.split()[-1] for line in outside], ["ok"] * 3)

    @of_namespaces("a monitor may bind no port: machine.py")
    def test_what_a_guest_listens_on_is_not_the_hosts(self):
        w = self.world
        w.inside(self.main, "sh", "-c", "for p in 7001 7002; do echo listen $p | /workspace/inside_attempt >/tmp/p$p & done; "
                 "until grep -q ok /tmp/p7001 && grep -q ok /tmp/p7002; do :; done")
        lines = ["tcp 127.0.0.1 7001", "tcp 127.0.0.1 7002"]
        self.assertEqual(w.inside_try(self.main, *lines), [line + " reached" for line in lines])  # control
        self.assertEqual(w.outside_try(*lines), [line + " ECONNREFUSED" for line in lines])
        w.inside(self.main, "pkill", "-x", "inside_attempt")

    def test_the_network_can_not_be_changed_from_inside(self):
        self.assertEqual(self.world.outside_try("address 203.0.113.99"), ["address 203.0.113.99 ok"])
        self.assertEqual(self.world.inside_try(self.main, "address 203.0.113.99"), ["address 203.0.113.99 " + ("EAFNOSUPPORT" if MACHINE else "EPERM")])

    def test_names_of_the_guest_are_asked_of_nobody(self):
        w = self.world
        self.works()
        self.assertIn("api.test", w.names.asked)  # control: what is routed is resolved, by the gateway
        asked = len(w.names.asked)
        for name in ("6b6579.evil.test", "x.api.test", "intranet", "API.TEST.evil.test", "1.1.1.1.evil.test"):
            w.inside(self.main, "getent", "ahosts", name)
            self.assertEqual(w.curl(self.main, "https://%s/" % name)["status"], 403, name)
            self.assertEqual(w.curl(self.main, "http://%s/" % name)["status"], 403, name)
        self.assertEqual(w.names.asked[asked:], [])
        self.denied(w.curl(self.main, "http://dns.google/dns-query?dns=AAAA"), 403, "host-not-routed")

    def test_the_authoritys_key_is_not_inside(self):
        w = self.world
        find = "grep -rl 'PRIVATE KEY' /etc /home /workspace /tmp /run /var 2>/dev/null; cat /etc/bot-bottle/ca.pem"
        mine, theirs = (w.inside(slug, "sh", "-c", find).stdout for slug in (self.main, self.sibling))
        self.assertRegex(mine, r"\A-----BEGIN CERTIFICATE")  # control: the certificate is; of keys no file was listed
        self.assertNotEqual(mine, theirs)

    def test_the_token_is_nowhere_inside_and_in_no_log(self):
        w = self.world
        self.assertNotIn(TOKEN, str(self.works()))  # the origin echoes it: overwritten on the way back
        self.assertEqual(w.origin.requests[-1].get("Authorization"), "Bearer " + TOKEN)  # control: it was there
        look = ("env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; "
                "grep -rs 'attack-tok[e]n-' / --exclude-dir=proc --exclude-dir=usr --exclude-dir=opt --exclude-dir=dev; "
                "grep -rs 'attack-tok[e]n-' /dev/shm /dev/mqueue")
        seen = w.inside(self.main, "sh", "-c", look).stdout
        self.assertIn("ATTACK_TOKEN=", seen)  # the placeholder stands in its place
        self.assertNotIn("attack-token-", seen)
        w.curl(self.main, "-H", "Authorization: Bearer " + TOKEN, "https://plain.test/" + TOKEN)
        # The record of that request, which is written a moment later, has stars in the path.
        room.until(lambda: any("*" * len(TOKEN) in r.get("path", "") for r in w.audit(self.main)), "the record of it")
        found = run("grep", "-rl", "attack-token-", w.state).stdout
        self.assertEqual(found, "")

    def test_only_its_own_processes_are_there(self):
        w = self.world
        gateway = w.gateway(self.main)
        self.assertTrue(os.path.isdir("/proc/%d" % gateway))  # control
        names = w.inside(self.main, "sh", "-c", "cat /proc/[0-9]*/comm").stdout
        self.assertNotIn("bottle-egress", names)
        self.assertEqual(w.inside(self.main, "sh", "-c", "kill -0 %d" % gateway).returncode, 1)
        if os.getuid():
            with self.assertRaises(PermissionError):
                open("/proc/%d/mem" % gateway, "rb")
        ids = {open("/proc/%d/status" % p).read().split("Uid:")[1].split()[0]
               for p in w.children(w.record(self.main)["keeper_pid"])}
        self.assertEqual(len(ids), 1 if os.getuid() else 2, ids)  # as root each cage has an id of its own
        self.assertNotIn("0", ids)

    @of_namespaces("the monitor's own table: machine.py")
    def test_every_attempt_of_the_cages_table_gets_the_same_here(self):
        text = open("tests/cage/attempts.bats").read()
        expected = dict(line.split() for line in re.search(r"<<-'TABLE'\n(.*?)\tTABLE", text, re.S)[1].splitlines())
        got = dict(line.split() for line in self.world.inside(self.main, "/workspace/inside_attempts").stdout.splitlines())
        got = {k: v for k, v in got.items() if k in expected}
        self.assertEqual(got, expected)

    def test_sockets_of_the_host_are_not_dialled_by_any_name(self):
        w = self.world
        path, name = os.path.join(w.work, "host.sock"), "@attack-%d" % os.getpid()
        places = [path, os.path.join(w.home, "agent.sock"), "\0" + name[1:]]
        listeners = [socket.socket(socket.AF_UNIX) for _ in places]
        for s, place in zip(listeners, places):
            s.bind(place)
            s.listen()
        pipe = os.path.join(w.work, "host.pipe")
        os.mkfifo(pipe)
        lines = ["unix " + path, "unix " + places[1], "unix " + name, "unix /workspace/host.sock"]
        self.assertEqual([line.split()[-1] for line in w.outside_try(*lines[:3])], ["silent"] * 3)  # control: connected
        inside = w.inside_try(self.main, *lines)
        self.assertEqual([line.split()[-1] for line in inside], ["ENOENT", "ENOENT", "ECONNREFUSED", "ECONNREFUSED"])
        shared = w.start("shared", "sh", "-c", "printf 'unix /workspace/host.sock\\nread /workspace/host.pipe\\n' | "
                         + ("inside_attempt" if MACHINE else "/workspace/inside_attempt"), options=("--rm",))
        self.assertEqual(shared.stdout.replace("/b/", "/").split(), ["unix", "/workspace/host.sock", "EACCES", "read", "/workspace/host.pipe",
                                                 "EACCES"], shared.stderr)
        known = ["/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock",
                 "/run/libvirt/libvirt-sock", "/run/user/%d/bus" % os.getuid(), "/run/dbus/system_bus_socket",
                 "/tmp/.X11-unix/X0", "@/tmp/.X11-unix/X0", "/run/systemd/private", "/nix/var/nix/daemon-socket/socket"]
        for line in w.inside_try(self.main, *("unix " + k for k in known)):
            self.assertIn(line.split()[-1], ("ENOENT", "ECONNREFUSED"), line)
        for s in listeners:
            s.close()
        for place in (path, pipe):
            os.unlink(place)

    def test_a_shared_file_gets_no_set_id_bit(self):
        w = self.world
        path = os.path.join(w.work, "lent")
        got = w.start("shared", "sh", "-c", "cd /workspace; touch lent; chmod 4755 lent; chmod 2755 lent; "
                      "python3 -c 'import os; os.open(\"lent2\", os.O_CREAT | os.O_WRONLY, 0o4755)'; chmod 711 lent",
                      options=("--rm",))
        self.assertEqual(got.stderr.count("not permitted"), 3, got.stderr)
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o711)  # control: it is shared, and other modes are set
        self.assertEqual(os.stat(path).st_uid, os.getuid())      # whose rights it would have lent
        os.unlink(path)

    def test_streams_carry_no_descriptors_and_none_leaks(self):
        w = self.world
        leak = os.open("/etc/passwd", os.O_RDONLY)
        ask = "descriptors\nkinds\n"
        outside = run(w.attempt, input=ask, pass_fds=(leak,)).stdout
        self.assertIn(str(leak), outside.split())  # control
        for got in (w.inside(self.main, "/workspace/inside_attempt", input=ask, pass_fds=(leak,)),
                    w.start("empty", "/workspace/inside_attempt", input=ask, pass_fds=(leak,), options=("--rm",))):
            self.assertEqual(got.stdout, "descriptors 0 1 2\nkinds pipe pipe pipe\n", got.stderr)
        os.close(leak)

    def test_terminals_disciplines_and_overlay_attributes_are_out_of_reach(self):
        w = self.world
        lines = ["ldisc 3", "ldisc 21", "xattr /workspace/inside_attempt trusted.overlay.redirect",
                 "xattr /workspace/inside_attempt security.capability", "read /proc/self/root/etc/shadow",
                 "read /proc/1/root/etc/passwd", "read /proc/1/environ", "read /proc/1/maps", "read /proc/kcore",
                 "write /proc/sys/kernel/core_pattern", "write /proc/sysrq-trigger", "read /dev/mem",
                 "write /usr/bin/attempt", "write /etc/passwd", "write /etc/bot-bottle/ca.pem"]
        lines += [] if MACHINE else ["read /dev/kvm"]  # what is for the monitor; tests/vm/machine asks in the guest
        for line in w.inside_try(self.main, *lines):
            self.assertIn(line.split()[-1], ("EPERM", "EACCES", "ENOENT", "EROFS", "EOPNOTSUPP", "EINVAL", "EIO"), line)
        self.assertNotEqual(w.outside_try("read /proc/self/root/etc/passwd")[0].split()[-1], "ENOENT")  # control
        self.assertEqual(w.inside_try(self.main, "write /workspace/new"), ["write /workspace/new ok"])

    def test_init_can_not_be_killed_from_inside(self):
        w = self.world
        w.inside(self.sibling, "sh", "-c", "kill -9 1; kill -STOP 1; kill -TERM 1; kill -SEGV 1")
        got = w.inside(self.sibling, "sh", "-c", "sleep 3600 & kill -9 $!; wait $!; echo $?")
        self.assertEqual(got.stdout, "137\n")  # control: killing works; and init still starts programs

    def test_many_connections_leave_the_gateway_alive(self):
        w = self.world
        flood = ("import socket\nall=[]\nfor i in range(3000):\n s=socket.socket(); s.setblocking(False)\n"
                 " s.connect_ex(('127.0.0.1',9099)); all.append(s)\nprint(len(all))")
        self.assertEqual(w.inside(self.sibling, "python3", "-c", flood).stdout, "3000\n")
        answer = w.curl(self.sibling, "https://api.test/v1/after")
        self.assertEqual(answer["status"], 200, answer)
        self.works()

    def test_a_stopped_gateway_lets_nothing_out(self):
        w = self.world
        gateway, before = w.gateway(self.sibling), len(w.origin.requests)
        os.kill(gateway, signal.SIGSTOP)
        try:
            got = w.inside(self.sibling, "curl", "-sS", "-m", "1", "https://api.test/v1/hung")
            self.assertEqual(got.returncode, 28, got.stderr)  # nobody answers, and nobody else is there
            got = w.inside(self.sibling, "curl", "-sS", "-m", "10", "--noproxy", "*", "http://%s/" % EVIL)
            self.assertEqual(got.returncode, 7, got.stderr)
            self.assertEqual(len(w.origin.requests), before)
        finally:
            os.kill(gateway, signal.SIGCONT)
        self.assertEqual(w.curl(self.sibling, "https://api.test/v1/again")["status"], 200)  # control

    def test_a_client_that_pins_the_origins_key_is_not_fooled(self):
        w = self.world
        run("sh", "-c", "openssl pkey -in good.key -pubout -outform DER | openssl dgst -sha256 -binary | base64 >pin", cwd=w.where)
        pin = "sha256//" + open(w.certs.path("pin")).read().strip()
        argv = ["-sS", "-m", "30", "--pinnedpubkey", pin, "https://api.test/v1/pinned"]
        to = ["--noproxy", "*", "--cacert", w.certs.path("ca.pem"), "--resolve", "api.test:443:" + room.ORIGIN_IP]
        self.assertEqual(run("curl", *to, *argv).returncode, 0)  # control: the pin is the origin's
        before = len(w.origin.requests)
        self.assertEqual(w.inside(self.main, "curl", *argv).returncode, 90)
        self.assertEqual(len(w.origin.requests), before)

    def test_an_encrypted_client_hello_ends_the_connection(self):
        w = self.world
        script = w.write("work/hello.py", """import socket, ssl, struct, sys
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
context = ssl.create_default_context()
try:
    context.wrap_bio(incoming, outgoing, server_hostname="api.test").do_handshake()
except ssl.SSLWantReadError:
    pass
hello = bytearray(outgoing.read())
if sys.argv[1] == "ech":
    hello += struct.pack(">HH", 0xfe0d, 8) + bytes(8)
at = 5 + 4 + 2 + 32
at += 1 + hello[at]
at += 2 + int.from_bytes(hello[at:at + 2], "big")
at += 1 + hello[at]
hello[at:at + 2] = struct.pack(">H", len(hello) - at - 2)
hello[6:9] = (len(hello) - 9).to_bytes(3, "big")
hello[3:5] = struct.pack(">H", len(hello) - 5)
s = socket.create_connection(("127.0.0.1", 443))
s.settimeout(30)
s.sendall(hello)
answer = s.recv(4096)
print("none" if not answer else "alert" if answer[0] == 21 else "handshake")
""")
        said = [w.inside(self.main, "python3", "/workspace/" + os.path.basename(script), how).stdout.strip()
                for how in ("plain", "ech")]
        self.assertEqual(said[0], "handshake")  # control
        self.assertIn(said[1], ("none", "alert"))
        room.until(lambda: any("ech" in str(r.get("reason")) or "encrypted" in str(r.get("reason"))
                               for r in w.audit(self.main)), "an audit line about it")

    def test_the_rules_are_the_same_for_plain_http_and_every_denial_is_recorded(self):
        w = self.world
        self.works()
        for argv, reason in ((["-X", "POST", "https://api.test/v1/x"], "no-match"), (["https://api.test/v2"], "no-match"),
                             (["--path-as-is", "https://api.test/v1/../v2"], "path-dots"),
                             (["http://api.test/v1/x"], "port-not-routed"),
                             (["-H", "X-Api-Key: evil", "https://api.test/v1/x"], "foreign-credential"),
                             (["-H", "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x/s3/aws4_request, Signature=0",
                               "https://api.test/v1/x"], "foreign-credential"),
                             (["-H", "Cookie: session=evil", "https://api.test/v1/x"], "foreign-credential"),
                             (["-H", "X-HTTP-Method-Override: DELETE", "https://api.test/v1/x"], "method-override")):
            answer = w.curl(self.main, *argv)
            self.assertIn(answer["status"], (400, 403), argv)
            self.assertEqual(answer["reason"], reason, argv)
            room.until(lambda: any(r.get("reason") == reason for r in w.audit(self.main)), "an audit line of " + reason)
        placeholder = w.inside(self.main, "sh", "-c", "echo $ATTACK_TOKEN").stdout.strip()
        self.denied(w.curl(self.main, "-H", "X-Any: " + placeholder, "http://plain.test/"), 403, "placeholder-elsewhere")
        room.until(lambda: w.bottle("audit", "--verify", self.main).returncode == 0, "the chain verifies")
