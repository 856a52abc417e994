"""A machine's monitor that belongs wholly to somebody else: what runs here runs beside it, with
all that it has. Rows A, F, G and H; on the double of smolvm, whose guests are such processes."""
import json
import os
import re
import socket
import stat

from world import Attack, EVIL, LAN, METADATA, WALLS, room, run, unanswered

# Where the monitor's list is narrower than a guest's of the namespace backend: the errno is
# another, and all but one are refusals too.
OTHERWISE = {
    "fanotify": "ENOSYS", "finit_module": "ENOSYS", "kexec": "ENOSYS", "fsopen": "ENOSYS", "move_mount": "ENOSYS",
    "open_tree": "ENOSYS",                         # in no row
    "netlink-netfilter": "EAFNOSUPPORT", "netlink-route": "EAFNOSUPPORT", "netlink-uevent": "EAFNOSUPPORT",
    "own-mem": "EACCES", "uid-map": "EBADF",       # its /proc is not written
    "ptrace-own": "EPERM",                         # nothing in there is debugged
    "kvm": "ok",                                   # what it is for
}
NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
STATUS = {"NoNewPrivs": "1", "Seccomp": "2", "CapInh": "0" * 16, "CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16,
          "CapAmb": "0" * 16}
MOUNTS = (r"/|/b/(bin/bottle-guest|etc|home|workspace)|/dev(/(kvm|machine|null|zero|random|urandom|pts))?|"
          r"/etc/(ld\.so\.cache|mke2fs\.conf)|/lib(32|64|x32)?|/opt/smolvm|/proc(/(sys|keys|key-users|kallsyms|sched_debug|timer_list|latency_stats))?|/s|/tmp|/usr/lib(64)?|"
          r"/usr/sbin/(mkfs\.ext4|mke2fs|e2fsck|resize2fs)|/nix/store")


def comm(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read()
    except OSError:  # it has ended meanwhile
        return ""


class Machine(Attack):
    def monitor(self, slug):
        found = []

        def is_there():  # it has its name a moment after it was started
            inits = self.world.children(self.world.record(slug)["keeper_pid"])
            found[:] = [p for i in inits for p in self.world.children(i) if comm(p).startswith("libkrun VM")]
            return found
        room.until(is_there, "the monitor")
        self.assertEqual(len(found), 1)
        return found[0]

    def outside(self, *argv, text=""):
        """The same double with no cage around it, and a program in its "machine"."""
        w = self.world
        data = os.path.join(w.where, "uncaged")
        env = {"SMOLVM_DATA_DIR": data, "PATH": w.path}
        smolvm = os.path.join(w.smolvm, "smolvm")
        if not os.path.exists(data):
            for words in (("create", "--name", "m", "--net", "--net-backend", "virtio-net"), ("start", "--name", "m")):
                got = run(smolvm, "machine", *words, env=env)
                self.assertEqual(got.returncode, 0, got.stderr)
            row = json.loads(run("sqlite3", data + "/.local/share/smolvm/server/smolvm.db",
                                 "SELECT CAST(data AS TEXT) FROM vms").stdout)
            self.addClassCleanup(lambda: (os.kill(row["pid"], 9)))
        return run(smolvm, "machine", "exec", "--name", "m", "-i", "--", *argv, env=env, input=text).stdout

    def free_try(self, *lines):
        return self.outside("inside_attempt", text="".join(line + "\n" for line in lines)).splitlines()

    def test_every_attempt_of_the_cages_table_is_refused_beside_the_monitor(self):
        text = open("tests/cage/attempts.bats").read()
        expected = dict(line.split() for line in re.search(r"<<-'TABLE'\n(.*?)\tTABLE", text, re.S)[1].splitlines())
        expected.update(OTHERWISE)
        w = self.world
        got = dict(line.split() for line in w.inside(self.main, "inside_attempts").stdout.splitlines())
        self.assertEqual({k: v for k, v in got.items() if k in expected}, expected)
        # Control: the double is no wall; what the table's own attempts do outside is shown in tests/cage.
        lines = ["socket 16 3 0", "socket 40 1 0", "read /proc/1/cmdline", "read " + w.attempt]
        self.assertEqual(self.free_try(*lines), [line + " ok" for line in lines])
        for line in w.inside_try(self.main, *lines[:2], "read /proc/1/environ", *lines[3:]):
            self.assertNotEqual(line.split()[-1], "ok", line)

    def test_nothing_but_its_own_network_is_reached_beside_the_monitor(self):
        w = self.world
        lines = ["tcp %s 80" % a for a in [EVIL] + LAN + METADATA] + ["udp %s 53" % EVIL, "tcp 127.0.0.1 8443", "tcp ::1 8443"]
        self.assertEqual(unanswered(self.free_try, lines), [])  # control: without a cage
        before = len(w.evil.visits)
        for line in w.inside_try(self.main, *lines):
            self.assertIn(line.split()[-1], WALLS, line)
        self.silent(before)

    def test_the_monitor_binds_no_port(self):
        bind = ("import socket\ns = socket.socket()\ntry:\n s.bind(('127.0.0.1', 7777)); s.listen(); print('listens')\n"
                "except OSError as e: print(e.errno)")
        self.assertEqual(self.outside("python3", "-c", bind), "listens\n")  # control
        said = self.world.inside(self.main, "python3", "-c", bind).stdout
        # From Landlock's fourth ABI on it is refused; before, it is a port of a network that holds nothing.
        self.assertIn(said, ("13\n", "listens\n"))
        ports = open("/proc/%d/net/tcp" % self.monitor(self.main)).read().splitlines()[1:]
        listening = sorted(line.split()[1] for line in ports if line.split()[3] == "0A")
        self.assertEqual(listening, ["0100007F:0050", "0100007F:01BB", "0100007F:238B"])  # the sidecars', made before
        self.assertEqual(self.world.outside_try("tcp 127.0.0.1 7777"), ["tcp 127.0.0.1 7777 ECONNREFUSED"])

    def test_an_image_directory_brings_neither_sockets_nor_mounts_of_the_host(self):
        w = self.world
        image = os.path.join(w.where, "image")
        for name in ("bin", "etc", "run", "mnt"):
            os.makedirs(os.path.join(image, name))
        w.write("image/etc/issue", "an image\n")
        self.assertEqual(run("mount", "-t", "tmpfs", "none", image + "/mnt").returncode, 0)
        self.addCleanup(lambda: run("umount", image + "/mnt"))
        w.write("image/mnt/below", "of the host\n")
        server = socket.socket(socket.AF_UNIX)
        server.bind(image + "/run/host.sock")
        server.listen(8)
        os.chmod(image + "/run/host.sock", 0o777)
        self.addCleanup(server.close)
        w.bottle_file("imaged", " []", "image: %s\n" % json.dumps(image))
        self.assertEqual(w.outside_try("read %s/mnt/below" % image, "unix %s/run/host.sock" % image),  # control: it listens
                         ["read %s/mnt/below ok" % image, "unix %s/run/host.sock silent" % image])
        if os.getuid():  # the kernel takes no mount apart that a more privileged user put together
            got = w.start("imaged")
            self.assertEqual(got.returncode, 125)
            self.assertIn("mounted below it", got.stderr)
            run("umount", image + "/mnt")
        slug = w.detach("imaged", "imaged")
        self.assertEqual(w.inside_try(slug, "read /image/etc/issue", "read /image/mnt/below", "unix /image/run/host.sock"),
                         ["read /image/etc/issue ok", "read /image/mnt/below ENOENT", "unix /image/run/host.sock ECONNREFUSED"])

    def test_names_of_its_share_lead_nowhere(self):
        """As of a guest whose kernel sends names that no kernel sends (F04): the monitor may open what it likes."""
        w = self.world
        secret = w.write("home/outside.txt", "host-only\n")
        os.chmod(secret, 0o644)
        w.inside(self.main, "sh", "-c", "ln -sf %s /home/agent/absolute; ln -sf ../../../../../../..%s /home/agent/relative; "
                 "echo mine >/home/agent/plain" % (secret, secret))
        lines = ["read " + secret, "read /b/home/../../../../.." + secret, "read /b/home/absolute", "read /b/home/relative",
                 "read /proc/1/root" + secret, "read /proc/self/root" + secret, "read /proc/self/cwd/../../.." + secret]
        for line in w.inside_try(self.main, *lines):
            self.assertIn(line.split()[-1], ("ENOENT", "EACCES", "ENOTDIR"), line)
        self.assertEqual(w.inside_try(self.main, "read /b/home/plain"), ["read /b/home/plain ok"])  # control: the share is
        self.assertEqual(self.free_try(lines[0]), [lines[0] + " ok"])  # control: no cage

    def test_what_it_must_not_change_is_read_only_or_not_there(self):
        w = self.world
        places = ["/b/bin/bottle-guest", "/b/etc/ca.pem", "/b/hosts", "/opt/smolvm/smolvm", "/usr/lib/attempt", "/etc/passwd",
                  "/etc/resolv.conf"]
        for line in w.inside_try(self.main, *("write " + p for p in places)):
            self.assertIn(line.split()[-1], ("EROFS", "EACCES", "ETXTBSY"), line)
        self.assertEqual(w.inside_try(self.main, "write /s/mine", "write /b/home/mine"),
                         ["write /s/mine ok", "write /b/home/mine ok"])  # control: its disks and its share are
        seen = w.inside(self.main, "sh", "-c", "ls / /s").stdout.split()
        for name in ("smolvm", "keeper", "record.json", "audit.jsonl", "root", "home", "var", "run", "b/workspace"):
            self.assertNotIn(name, seen)
        self.assertIn("mine", seen)  # control

    def test_the_share_runs_nothing_beside_the_monitor(self):
        got = self.world.inside(self.main, "sh", "-c", "cp /opt/smolvm/guest/true /b/home/t; cp /b/home/t /s/t; chmod 755 /b/home/t /s/t; "
                                "/b/home/t; echo $?; /s/t; echo $?; /opt/smolvm/guest/true; echo $?")
        self.assertEqual(got.stdout.split(), ["126", "126", "0"], got.stderr)  # the last one is the control

    def test_the_monitor_seen_from_the_host(self):
        """H01, H11: namespaces, capabilities, filters, mounts, descriptors; and every process beside it."""
        w = self.world
        vmm = self.monitor(self.main)
        fields = dict(line.split(":\t", 1) for line in open("/proc/%d/status" % vmm).read().splitlines() if ":\t" in line)
        self.assertEqual({k: fields[k] for k in STATUS}, STATUS)
        mine = {line.split(":")[0]: line.split()[1] for line in open("/proc/self/status") if line.startswith(("NoNew", "Seccomp:"))}
        self.assertEqual(mine["Seccomp"], "0")  # control: a process that is in no cage says otherwise
        self.assertNotIn("0", fields["Uid"].split())
        for name in NAMESPACES:
            self.assertNotEqual(os.readlink("/proc/%d/ns/%s" % (vmm, name)), os.readlink("/proc/self/ns/" + name), name)
        mounts = [line.split()[4] for line in open("/proc/%d/mountinfo" % vmm)]
        self.assertEqual([m for m in mounts if not re.fullmatch(MOUNTS, m)], [])
        self.assertIn("/opt/smolvm", mounts)  # control: that is what was looked at
        if not os.getuid():
            for name in os.listdir("/proc/%d/fd" % vmm):
                path = "/proc/%d/fd/%s" % (vmm, name)
                self.assertRegex(os.readlink(path), r"^(/dev/(kvm|null|urandom)|anon_inode:|socket:|/s/|/memfd:)")
                self.assertFalse(stat.S_ISDIR(os.stat(path).st_mode), path)

    def test_a_machine_sees_no_other(self):
        w = self.world
        theirs = os.path.join(w.state, "bottles", self.sibling)
        self.assertTrue(os.path.isdir(theirs + "/smolvm"))  # control: it is there, outside
        self.assertEqual(w.inside_try(self.main, "read %s/record.json" % theirs), ["read %s/record.json ENOENT" % theirs])
        names = w.inside(self.main, "sh", "-c", "grep -a -o 'bot-bottle-[a-z0-9-]*' /s/.local/share/smolvm/server/smolvm.db").stdout
        self.assertIn("bot-bottle-" + self.main, names)  # control
        self.assertNotIn(self.sibling, names)
        other = self.monitor(self.sibling)
        self.assertEqual(w.inside(self.main, "sh", "-c", "kill -0 %d" % other).returncode, 1)
