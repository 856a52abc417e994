"""What reaches the operator, and what the launcher must not be talked into. Rows F, I, J and L."""
import json
import os
import signal

from world import Attack, BACKEND, EVIL, TOKEN, room, run

OSC52 = "\x1b]52;c;ZXZpbA==\x07"
CLEAR = "\x1b[2J\x1b[1;1H\x1b[32mAPPROVED\x1b[0m"


class Launcher(Attack):
    def slugs(self):
        path = os.path.join(self.world.state, "bottles")
        return sorted(os.listdir(path))

    def refused(self, got, *words):
        """125, with the cause named, and nothing acquired."""
        self.assertEqual(got.returncode, 125, got.stdout + got.stderr)
        for word in words:
            self.assertIn(word, got.stderr)

    # ---- what a file may do ----

    def test_links_lead_nowhere_on_the_way_out(self):
        w = self.world
        secret = w.write("home/secret.txt", "host-only\n")
        slug = w.detach("main", "links")
        w.inside(slug, "sh", "-c", "cd /workspace; ln -s %s absolute; ln -s ../home/secret.txt relative; "
                 "mkdir d; ln -s %s d/up; echo mine >plain.txt; ln -s / root" % (secret, w.home))
        to = os.path.join(w.where, "out")
        os.makedirs(to)
        got = w.bottle("export", slug, "--to", to, "--include-executable-config")
        self.assertTrue(os.path.exists(to + "/plain.txt"), got.stderr)  # control: what is plain comes out
        self.assertNotIn("host-only", run("grep", "-rsh", "", to).stdout)
        self.assertEqual([f for f in os.listdir(to) if not os.path.islink(os.path.join(to, f)) and
                          f in ("absolute", "relative", "root")], [])
        self.assertNotIn("host-only", w.bottle("diff", slug).stdout)
        os.makedirs(to + "2")
        got = w.bottle("cp", slug + ":/workspace", to + "2")
        self.assertTrue(os.path.exists(to + "2/workspace/plain.txt"), got.stderr)  # control
        self.assertNotIn("host-only", run("grep", "-rsh", "", to + "2").stdout)
        w.bottle("stop", slug)

    def test_a_swap_in_the_middle_of_an_export_wins_nothing(self):
        w = self.world
        w.write("home/secret.txt", "host-only\n")
        slug = w.detach("main", "swap")
        w.inside(slug, "sh", "-c", "cd /workspace; mkdir -p d; echo mine >d/secret.txt; (while :; do mv d e; ln -s %s d; "
                 "rm d; mv e d; done) >/dev/null 2>&1 &" % w.home)
        for i in range(20):
            to = os.path.join(w.where, "swap%d" % i)
            os.makedirs(to)
            w.bottle("export", slug, "--to", to)
            w.bottle("diff", slug)
            self.assertNotIn("host-only", run("grep", "-rsh", "", to).stdout)
        w.bottle("stop", slug)

    def test_links_in_a_shared_directory_bind_nothing_of_the_host(self):
        w = self.world
        work = os.path.join(w.where, "links-shared")
        w.write("links-shared/plain.txt", "mine\n")
        secret = w.write("home/.ssh/id", "host-only\n")
        slug = w.detach("shared", "shared", cwd=work)
        w.inside(slug, "ln", "-s", os.path.dirname(secret), "/workspace/.config")
        self.assertEqual(open(work + "/.config/id").read(), "host-only\n")  # control: on the host it leads there
        w.bottle("stop", slug)
        # The next bottle would have had it bound at the place that it leads to.
        got = w.start("shared", "cat", "/workspace/.config/id", secret, cwd=work)
        self.refused(got, ".config is a symbolic link")
        self.assertNotIn("host-only", got.stdout)
        os.unlink(work + "/.config")
        got = w.start("shared", "cat", "/workspace/plain.txt", cwd=work, options=("--rm",))
        self.assertEqual(got.stdout, "mine\n", got.stderr)  # control

    def test_a_swap_while_another_bottle_starts_wins_nothing(self):
        w = self.world
        work = os.path.join(w.where, "swap-shared")
        secret = w.write("home/.ssh/id", "host-only\n")
        w.write("home/.profile", ":\n")
        w.write("swap-shared/plain.txt", "mine\n")
        swap = ("import ctypes\nlibc = ctypes.CDLL(None)\nwhile True: libc.renameat2(-100, b'/workspace/x', -100, b'/workspace/y', 2)")
        # What was there at the start of the first is held in it: so it makes its own.
        slug = w.detach("shared", "swap", "sh", "-c", "mkdir /workspace/x; echo : >/workspace/x/.profile; ln -s %s /workspace/y; exec python3 -c \"%s\"" % (w.home, swap), cwd=work)
        room.until(lambda: os.path.islink(work + "/x"), "the exchange goes on")  # control: it is the host's that is swapped
        for _ in range(12):
            got = w.start("shared", "sh", "-c", "cat /workspace/[xy]/.ssh/id; echo x >>/workspace/x/.ssh/id; echo x >>/workspace/y/.ssh/id",
                          cwd=work, options=("--rm",))
            self.assertNotIn("host-only", got.stdout)
        self.assertEqual(open(secret).read(), "host-only\n")
        w.bottle("stop", slug)
        os.unlink(work + "/x" if os.path.islink(work + "/x") else work + "/y")
        self.assertEqual(w.start("shared", cwd=work, options=("--rm",)).returncode, 0)  # control

    def test_what_is_excluded_by_its_path_is_not_moved_out_of_it(self):
        w = self.world
        work = os.path.join(w.where, "excluded")
        for name in ("sub/secret/x", "a/b/key", "free/.env"):
            w.write("excluded/" + name, "host-only\n")
        w.bottle_file("excluding", " []", "workspace: mount\nworkspace_exclude: [.env, sub/secret, a/*/key]\n")
        move = ("cd /workspace; mkdir -p z; mv sub s2; mv a z/a; mv a/b z/b; mv free z/free; "
                "cat s2/secret/x z/a/b/key z/b/key z/free/.env sub/secret/x a/b/key")
        for _ in range(2):  # it is what the second sees that the first would have prepared
            got = w.start("excluding", "sh", "-c", move, cwd=work, options=("--rm",))
            self.assertEqual(got.stderr.count("Device or resource busy"), 2, got.stderr)
            self.assertNotIn("host-only", got.stdout)
        # The controls: what a pattern without a slash hides is hidden anywhere, and nothing else is.
        self.assertTrue(os.path.exists(work + "/z/free/.env"))
        got = w.start("shared", "sh", "-c", "cd /workspace; mv sub s2; cat s2/secret/x", cwd=work, options=("--rm",))
        self.assertEqual(got.stdout, "host-only\n", got.stderr)

    def test_what_a_tool_of_the_host_would_run_stays_in_the_copy(self):
        w = self.world
        slug = w.detach("main", "tools")
        planted = [".claude/settings.json", ".vscode/tasks.json", ".mcp.json", ".git/hooks/post-checkout", ".envrc",
                   "rust-toolchain.toml", "sub/rust-toolchain", "lefthook-local.yml"]
        w.inside(slug, "sh", "-c", "cd /workspace; for f in %s; do mkdir -p $(dirname $f); echo evil >$f; done; echo x >code.c"
                 % " ".join(planted))
        for name in planted:
            self.assertFalse(os.path.exists(os.path.join(w.work, name)), name)
        to = os.path.join(w.where, "planted")
        os.makedirs(to)
        got = w.bottle("export", slug, "--to", to)
        self.assertTrue(os.path.exists(to + "/code.c"), got.stderr)  # control
        for name in planted:
            self.assertFalse(os.path.exists(os.path.join(to, name)), name)
        w.bottle("stop", slug)

    def test_hostile_names_and_words_reach_no_terminal(self):
        w = self.world
        slug = w.start("main", "sh", "-c", "cd /workspace; printf '%s'; printf '%s\\n'; touch \"$(printf 'a\\033[2Jb')\" "
                       "\"$(printf 'c\\nfake line')\"" % (OSC52.replace("\x1b", "\\033").replace("\x07", "\\007"),
                                                         CLEAR.replace("\x1b", "\\033")),
                       options=("--label", "words"))
        self.assertIn("\x1b]52", slug.stdout)  # control: raw on the caller's own stream, as with any command
        name = [s for s in self.slugs() if s.startswith("words-")][-1]
        w.curl(self.main, "http://evil.test/%1b[2J", "-H", "X: \x1b[2J")
        for argv in (("logs", name), ("logs", "--keeper", name), ("diff", name), ("diff", "--json", name), ("ls",),
                     ("info", name), ("audit", self.main), ("policy", "suggest", self.main), ("export", name, "--to", w.where)):
            got = w.bottle(*argv)
            self.assertNotIn("\x1b", got.stdout + got.stderr, argv)
            self.assertNotIn("\nfake line", got.stdout + got.stderr, argv)
        self.assertIn("x1b", w.bottle("logs", name).stdout)
        os.path.exists(w.where + "/c\nfake line") and os.unlink(w.where + "/c\nfake line")
        w.bottle("rm", name)

    def test_nobody_inside_holds_the_operators_program(self):
        w = self.world
        # A program that takes its input only when all its output has been taken.
        got = w.inside(self.main, "python3", "-c", "import os,sys\nfor i in range(64): os.write(1, b'x' * 65536)\n"
                       "print(len(sys.stdin.buffer.read()))", input="y" * 3000000, timeout=30)
        self.assertTrue(got.stdout.endswith("x3000000\n"))
        # And one that leaves somebody behind who keeps the pipes open.
        got = w.inside(self.main, "sh", "-c", "sleep 3600 & echo done", timeout=30)
        self.assertEqual((got.returncode, got.stdout), (0, "done\n"))
        w.inside(self.main, "pkill", "-x", "sleep", "-n")

    def test_the_control_socket_is_out_of_reach(self):
        w = self.world
        sockets = [os.path.join(d, f) for d, _, files in os.walk(w.state) for f in files if f.endswith(".sock")]
        self.assertTrue(sockets)  # control: they are there, outside
        for line in w.inside_try(self.main, *("unix " + s for s in sockets)):
            self.assertEqual(line.split()[-1], "ENOENT", line)
        if not os.getuid():
            plain = ("setpriv", "--reuid", "65004", "--regid", "65004", "--clear-groups")
            self.assertEqual(run(*plain, "ls", w.state).returncode, 2)

    # ---- what a configuration may do ----

    def test_a_policy_in_the_workspace_counts_for_nothing(self):
        w = self.world
        work = os.path.join(w.where, "clone")
        w.write("clone/.bot-bottle/bottles/evil.md", "---\negress:\n  routes: [{host: evil.test, plain: true}]\n---\n")
        w.write("clone/.bot-bottle/bottles/main.md", "---\negress:\n  routes: [{host: evil.test, plain: true}]\n---\n")
        w.write("clone/.bot-bottle/agents/sly.md", "---\nbottle: main\n---\nhello\n")
        self.refused(w.start("evil", cwd=work), "evil")
        self.refused(w.bottle("start", "--backend", BACKEND, "--headless", "--yes", "sly", cwd=work), "--bottle")
        before = len(w.evil.visits)
        got = w.start("main", "curl", "-sS", "http://evil.test/", cwd=work, options=("--rm",))
        self.assertIn("host-not-routed", got.stdout)
        got = w.start("main", "curl", "-sS", "http://plain.test/", cwd=work, options=("--rm",))
        self.assertIn("GET / HTTP/1.1", got.stdout)  # control: the person's own bottle of that name was taken
        self.silent(before)

    def test_a_policy_that_is_not_whole_starts_nothing(self):
        w = self.world
        before = self.slugs()
        cases = {"missing": None, "nothing": "", "no-frontmatter": "# words\n", "unknown": "---\negres: {}\n---\n",
                 "type": "---\negress: 7\n---\n", "routes": "---\negress:\n  routes: all\n---\n",
                 "route-key": "---\negress:\n  routes: [{host: a.test, allow_all: true}]\n---\n",
                 "wildcard": "---\negress:\n  routes: [{host: '*.a.test'}]\n---\n",
                 "cut": "---\negress:\n  routes: [{host: a",
                 "auth": "---\negress:\n  routes: [{host: a.test, auth: {}}]\n---\n",
                 "newline": "---\negress:\n  routes: [{host: \"a.test\\n1.2.3.4 b.test\"}]\n---\n"}
        for name, text in cases.items():
            path = w.write("home/.bot-bottle/bottles/%s.md" % name, text or "")
            if text is None:
                os.unlink(path)
            self.refused(w.start(name))
        path = w.write("home/.bot-bottle/bottles/closed.md", "---\n---\n")
        os.chmod(path, 0)
        if os.getuid():
            self.refused(w.start("closed"))
        w.write("home/.bot-bottle/bottles/control.md", "---\nagent_provider: {template: shell}\negress:\n"
                "  routes: [{host: '*.a.test', wildcard: true}]\n---\n")
        self.assertEqual(w.start("control", options=("--rm",)).returncode, 0)  # control
        config = os.path.join(w.home, ".config/bot-bottle/config.json")
        good = open(config).read()
        try:
            for text in ("", "{", "[]", '{"bakcend": "namespace"}', '{"limits": "none"}', '{"resolver": ["nobody"]}'):
                w.write("home/.config/bot-bottle/config.json", text)
                self.refused(w.start("control"))
        finally:
            w.write("home/.config/bot-bottle/config.json", good)
        self.assertEqual(self.slugs(), before)

    def test_an_empty_allowlist_lets_nothing_out(self):
        w = self.world
        before = len(w.origin.requests) + len(w.plain.requests)
        got = w.start("empty", "sh", "-c", "curl -sS http://plain.test/; curl -sS https://api.test/v1; curl -sS --noproxy '*' "
                      "http://%s/" % EVIL, options=("--rm",))
        self.assertIn("reaches      nothing", got.stderr)
        self.assertIn("host-not-routed", got.stdout)
        self.assertEqual(len(w.origin.requests) + len(w.plain.requests), before)
        self.works()  # control: with the routes the same request passes

    def test_names_are_no_options_paths_or_commands(self):
        w = self.world
        before = self.slugs()
        for name in ("--", "-x", "a\nb", "a;id", "%n%n", "../main", "a/../main", "/etc/passwd", "", "a" * 41, "A", "a--b", "main "):
            self.refused(w.start(name))
            for verb in ("rm", "stop", "logs", "info", "diff", "exec"):
                got = w.bottle(verb, name, *(("--", "true") if verb == "exec" else ()))
                self.assertNotEqual(got.returncode, 0, (verb, name))
        got = w.start("empty", options=("--rm", "--label", "../../etc;$(id) %n\n--x"))
        if got.returncode == 0:  # a label is made into a name
            self.assertNotIn("..", got.stderr.split("a bottle")[-1])
        self.assertEqual(self.slugs(), before)

    def test_a_missing_backend_is_never_another(self):
        w = self.world
        before = self.slugs()
        got = w.bottle("start", "--backend", "smolmachines", "--bottle", "empty", "--headless", "--yes", "--", "true",
                       env=w.environment(PATH="/usr/bin:/bin"))
        self.refused(got, "--backend namespace")
        self.refused(w.bottle("start", "--backend", "namespacer", "--bottle", "empty", "--headless", "--yes", "--", "true"))
        self.assertEqual(self.slugs(), before)
        self.assertEqual(w.start("empty", options=("--rm",)).returncode, 0)  # control

    def test_proxy_variables_of_anybody_do_not_move_the_gateway(self):
        w = self.world
        before = len(w.evil.visits)
        proxy = "http://%s:9099" % EVIL
        env = w.environment(HTTP_PROXY=proxy, HTTPS_PROXY=proxy, ALL_PROXY=proxy, http_proxy=proxy, https_proxy=proxy,
                            LD_PRELOAD="", SSL_CERT_FILE="/nonexistent", OPENSSL_CONF="/nonexistent")
        self.assertEqual(run("curl", "-sS", "http://plain.test/", env=env).stdout, "evil")  # control: such a variable leads
        before = len(w.evil.visits)
        got = w.start("main", "sh", "-c", "HTTPS_PROXY=http://127.0.0.1:9099 curl -sS https://api.test/v1/x; env", env=env,
                      options=("--rm",))
        self.assertIn("GET /v1/x", got.stdout, got.stderr)
        self.assertNotIn(EVIL, got.stdout)
        self.silent(before)
        if not os.getuid():
            names = [v.split(b"=")[0] for v in open("/proc/%d/environ" % w.gateway(self.main), "rb").read().split(b"\0") if v]
            self.assertEqual([n for n in names if not n.startswith((b"LISTEN_", b"BOTTLE_"))], [])

    def test_the_launchers_surroundings_stay_outside(self):
        w = self.world
        env = w.environment(DBUS_SESSION_BUS_ADDRESS="unix:path=/x", DISPLAY=":0", SSH_AUTH_SOCK="/x", WAYLAND_DISPLAY="x",
                            GPG_AGENT_INFO="x", AWS_SECRET_ACCESS_KEY="x", GITHUB_TOKEN="x", LD_PRELOAD="", BASH_ENV="/x")
        got = w.start("empty", "env", env=env, options=("--rm",))
        names = {line.split("=")[0] for line in got.stdout.splitlines()}
        self.assertIn("BOT_BOTTLE", names)  # control
        self.assertEqual(names & {"DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "SSH_AUTH_SOCK", "WAYLAND_DISPLAY", "GPG_AGENT_INFO",
                                  "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "LD_PRELOAD", "BASH_ENV"}, set())

    def test_a_killed_gateway_ends_the_bottle(self):
        w = self.world
        slug = w.detach("main", "killed")
        self.assertEqual(w.curl(slug, "http://plain.test/")["status"], 200)  # control
        os.kill(w.gateway(slug), signal.SIGKILL)
        room.until(lambda: w.record(slug)["state"] == "stopped", "the bottle is stopped")
        self.assertNotEqual(w.inside(slug, "true").returncode, 0)
        self.assertIn("end", [r.get("kind") for r in w.audit(slug)])

    def test_a_resumed_bottle_has_new_placeholders_and_a_new_authority(self):
        w = self.world
        shown = ("sh", "-c", "echo $ATTACK_TOKEN; sha256sum /etc/bot-bottle/ca.pem")
        first = w.start("main", *shown, options=("--label", "again"))
        slug = [s for s in self.slugs() if s.startswith("again-")][-1]
        second = w.bottle("resume", slug)
        self.assertEqual((first.returncode, second.returncode), (0, 0), second.stderr)
        self.assertEqual(len(first.stdout.split()), 3)  # control: both were there
        self.assertFalse(set(first.stdout.split()[:2]) & set(second.stdout.split()), (first.stdout, second.stdout))
        old = first.stdout.split()[0]
        answer = w.curl(self.main, "-H", "Authorization: Bearer " + old, "https://api.test/v1/x")
        self.denied(answer, 403, "foreign-credential")  # another bottle's placeholder is nobody's here
        w.bottle("rm", slug)
