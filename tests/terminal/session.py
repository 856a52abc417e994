"""start, exec -it and attach lend the terminal to a program in a bottle, and give it back."""
import signal
import unittest

from terminal import wait_until

# Says its size whenever that changes, hears the keys that would end it, and ends with "q".
# What it says is not to be found in its text, which the summary shows.
PROGRAM = """
trap 'echo size-$(stty size | tr " " x)' WINCH
trap "echo hea''rd-int" INT
trap "echo hea''rd-quit; exit 7" QUIT
trap 'echo heard-hup >hup; exit 9' HUP
echo size-$(stty size | tr " " x)
echo rea''dy
while :; do sleep 0.05; done
"""
# Takes 256 bytes as they are and says them again.
ECHO = "stty raw -echo; printf rea''dy; head -c 256 >taken; printf '<''<'; cat taken; printf '>''>'"
BYTES = bytes(range(256))


class Bottled(unittest.TestCase):
    once = False  # an ordinary user's is no other

    def setUp(self):
        self.person = self.person_of()
        self.addCleanup(self.person.leave)

    def detached(self, *command):
        """A bottle whose program has a terminal, left alone."""
        t = self.person.on_terminal("start", "--yes", "--detach", "--", *command)
        self.assertEqual(t.status(), 0, t.shown)
        return t.shown.decode().split()[-1]

    def start(self, *command, **how):
        return self.person.on_terminal("start", "--yes", "--", *command, **how)

    def exec(self, slug, *command, **how):
        return self.person.on_terminal("exec", "-it", slug, "--", *command, **how)

    def each_way(self, script, **how):
        """The same program by start, by exec and by attach; attach waits until it looks on."""
        yield "start", self.start("sh", "-c", script, **how)
        for slug in self.person.slugs():
            self.person.run("stop", slug)
            self.person.run("rm", slug)
        slug = self.detached("sh", "-c", "until [ -e go ]; do sleep 0.05; done; " + script)
        yield "exec", self.exec(slug, "sh", "-c", script, **how)
        t = self.person.on_terminal("attach", slug, **how)
        t.wait_for("Ctrl-] leaves")
        wait_until(lambda: '"attached": 1' in self.person.run("info", "--json", slug)[1], "an attacher")
        self.assertEqual(self.person.run("exec", slug, "--", "touch", "/workspace/go")[0], 0)
        yield "attach", t


class Size(Bottled):
    once = True

    def test_the_program_has_the_terminals_size_and_hears_of_a_change(self):
        for way, t in self.each_way(PROGRAM, rows=33, columns=101):
            with self.subTest(way):
                t.wait_for("size-33x101")
                at = t.wait_for("ready")
                t.size(40, 90)
                t.wait_for("size-40x90", at)
                t.type("\x1c")
                self.assertEqual(t.status(), 7)

    def test_a_change_during_the_launch_is_not_lost(self):
        t = self.start("sh", "-c", "until [ \"$(stty size)\" = '50 132' ]; do sleep 0.05; done; echo se''en")
        t.wait_for("recording the bottle")
        t.size(50, 132)
        t.wait_for("seen")
        self.assertEqual(t.status(), 0)

    def test_a_terminal_without_a_size_is_one_of_24_by_80(self):
        for way, t in self.each_way(PROGRAM, rows=0, columns=0):
            with self.subTest(way):
                t.wait_for("size-24x80")
                t.wait_for("ready")
                t.type("\x1c")
                self.assertEqual(t.status(), 7)


class Keys(Bottled):
    once = True

    def test_ctrl_c_reaches_the_program_and_not_us(self):
        for way, t in self.each_way(PROGRAM):
            with self.subTest(way):
                t.wait_for("ready")
                t.type("\x03")
                at = t.wait_for("heard-int")
                t.type("\x03")
                t.wait_for("heard-int", at)
                self.assertIsNone(t.program.poll())
                t.type("\x1c")
                self.assertEqual(t.status(), 7)

    def test_ctrl_z_stops_a_job_inside_and_not_us(self):
        t = self.exec(self.detached("sleep", "1000"), "bash", "--norc", "-i")
        t.wait_for("bash-")
        t.type("PS1='in''> '\r")
        at = t.wait_for("in> ")
        t.type("sh -c 'echo be''gun; exec sleep 1000'\r")
        at = t.wait_for("begun", at)
        t.type("\x1a")
        t.wait_for("Stopped", at)
        self.assertFalse(t.is_stopped())
        t.type("kill -9 %1; exec sh -c 'exit 5'\r")
        self.assertEqual(t.status(), 5)

    def test_ctrl_z_does_not_hang_a_program_without_job_control(self):
        t = self.start("sh", "-c", "trap '' TSTP; " + PROGRAM)
        t.wait_for("ready")
        t.type("\x1a\x03")
        t.wait_for("heard-int")
        self.assertFalse(t.is_stopped())
        t.type("\x1c")
        self.assertEqual(t.status(), 7)

    def test_every_byte_passes_in_both_directions(self):
        for way, t in self.each_way(ECHO):
            with self.subTest(way):
                t.wait_for("ready")
                # At once: alone, the key that leaves would be taken by attach.
                t.type(BYTES)
                at = t.wait_for("<<")
                end = t.wait_for(">>", at + 256)
                self.assertEqual(t.shown[at:end - 2], BYTES)

    def test_ctrl_bracket_leaves_an_attached_bottle_which_runs_on(self):
        slug = self.detached("sh", "-c", PROGRAM)
        t = self.person.on_terminal("attach", slug)
        t.wait_for("Ctrl-] leaves")
        wait_until(lambda: not t.is_as_before(), "raw mode")
        t.type("\x1d")
        self.assertEqual(t.status(), 0)
        self.assertTrue(t.is_as_before())
        self.assertEqual(self.person.state(slug), "running")
        # And it can be come back to.
        t = self.person.on_terminal("attach", slug)
        wait_until(lambda: not t.is_as_before(), "raw mode")
        t.type("\x03")
        t.wait_for("heard-int")

    def test_a_program_without_a_terminal_is_looked_at_line_by_line(self):
        status, slug, _ = self.person.run("start", "--yes", "--detach", "--", "sh", "-c",
                                          "until [ -e go ]; do sleep 0.05; done; printf 'one\\ntwo\\n'; sleep 1000")
        self.assertEqual(status, 0)
        slug = slug.strip()
        t = self.person.on_terminal("attach", slug)
        t.wait_for("Ctrl-] leaves")
        wait_until(lambda: not t.is_as_before(), "its keys")
        self.person.run("exec", slug, "--", "touch", "/workspace/go")
        t.wait_for("one\r\ntwo\r\n")
        t.type("\x1d")
        self.assertEqual(t.status(), 0)
        self.assertTrue(t.is_as_before())
        self.assertEqual(self.person.state(slug), "running")


class HangUp(Bottled):
    def test_the_end_of_the_terminal_ends_a_bottle_that_was_not_detached(self):
        t = self.start("sh", "-c", PROGRAM)
        t.wait_for("ready")
        slug, = self.person.slugs()
        t.hang_up()
        self.assertEqual(t.status(), 125)
        wait_until(lambda: self.person.state(slug) == "stopped", "the bottle's end")
        self.assertEqual(self.person.changed(slug, "hup"), "heard-hup\n")

    def test_the_end_of_an_onlookers_terminal_ends_nothing(self):
        slug = self.detached("sh", "-c", PROGRAM)
        t = self.person.on_terminal("attach", slug)
        wait_until(lambda: not t.is_as_before(), "raw mode")
        t.hang_up()
        self.assertEqual(t.status(), 125)
        self.assertEqual(self.person.state(slug), "running")
        self.assertIsNone(self.person.changed(slug, "hup"))

    def test_the_end_of_the_terminal_hangs_up_what_exec_runs_and_nothing_else(self):
        slug = self.detached("sleep", "1000")
        t = self.exec(slug, "sh", "-c", PROGRAM)
        t.wait_for("ready")
        t.hang_up()
        self.assertEqual(t.status(), 125)
        wait_until(lambda: self.person.changed(slug, "hup"), "the program's SIGHUP")
        self.assertEqual(self.person.state(slug), "running")


class Restored(Bottled):
    """The terminal's settings after every kind of end, and that they were others before it."""

    def borrowed(self, t):
        wait_until(lambda: not t.is_as_before(), "raw mode")
        return t

    def given_back(self, t, status):
        self.assertEqual(t.status(), status, t.shown)
        self.assertTrue(t.is_as_before())

    def test_after_its_own_end(self):
        for way, t in self.each_way("echo rea''dy; read line; exit 3"):
            with self.subTest(way):
                t.wait_for("ready")
                self.borrowed(t).type("\r")
                self.given_back(t, 3)

    def test_after_a_signal_that_ended_it(self):
        for way, t in self.each_way("echo rea''dy; read line; kill -9 $$"):
            with self.subTest(way):
                t.wait_for("ready")
                self.borrowed(t).type("\r")
                self.given_back(t, 137)

    def test_after_our_own_signal(self):
        for way, t in self.each_way("trap 'exit 4' TERM; echo rea''dy; while :; do sleep 0.05; done"):
            with self.subTest(way):
                t.wait_for("ready")
                self.borrowed(t).program.send_signal(signal.SIGTERM)
                self.given_back(t, 4)

    def test_after_the_keepers_death(self):
        for verb in ("start", "exec", "attach"):
            with self.subTest(verb):
                if verb == "start":
                    t = self.start("sh", "-c", PROGRAM)
                    t.wait_for("ready")
                    slug, = self.person.slugs()
                else:
                    slug = self.detached("sh", "-c", PROGRAM)
                    t = self.exec(slug, "sh", "-c", PROGRAM) if verb == "exec" else \
                        self.person.on_terminal("attach", slug)
                self.borrowed(t)
                if verb != "attach":
                    t.wait_for("ready")
                self.person.kill_keeper(slug)
                self.given_back(t, 125)
                self.assertIn(b"%s is dead" % slug.encode(), t.shown)
                self.assertIn(b"`bottle cleanup %s`" % slug.encode(), t.shown)
                # In the person's own mode again: each line begins at its left.
                self.assertTrue(t.shown.rstrip(b" ").endswith(b"\r\n"))
                self.assertNotRegex(t.shown[t.shown.rfind(b"bottle:"):], b"[^\r]\n")
                self.person.run("cleanup", "--yes", slug)
                self.person.run("rm", slug)

    def test_after_a_stop_from_elsewhere(self):
        slug = self.detached("sleep", "1000")
        t = self.exec(slug, "sh", "-c", "echo rea''dy; exec sleep 1000")
        t.wait_for("ready")
        self.borrowed(t)
        self.assertEqual(self.person.run("stop", slug)[0], 0)
        self.assertNotEqual(t.status(), 0)
        self.assertTrue(t.is_as_before())

    def test_after_a_program_that_is_not_there(self):
        self.given_back(self.start("no-such-program"), 127)
        slug = self.detached("sleep", "1000")
        self.given_back(self.exec(slug, "no-such-program"), 127)


CASES = [Size, Keys, HangUp, Restored]
