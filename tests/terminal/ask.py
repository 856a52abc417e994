"""What a person is asked: whom to start, whether a stranger's file is believed, and secrets."""
import signal

from session import Bottled
from terminal import wait_until

SHELL = "---\nagent_provider: {template: shell}\n---\n"
UP, DOWN, TAB, ENTER, ESCAPE, CTRL_C = "\x1bOA", "\x1bOB", "\t", "\r", "\x1b", "\x03"


class Asked(Bottled):
    def manifests(self):
        self.person.write(".bot-bottle/bottles/first.md", SHELL.replace("---\n", "---\nenv: {WHO: one}\n", 1))
        self.person.write(".bot-bottle/bottles/second.md", SHELL.replace("---\n", "---\nenv: {WHO: two}\n", 1))
        self.person.write(".bot-bottle/agents/alpha.md", "---\nbottle: first\n---\n")
        self.person.write(".bot-bottle/agents/beta.md", "---\nbottle: second\n---\n")
        self.person.write(".bot-bottle/agents/gamma.md", "---\n{}\n---\n")

    def ask(self, *words):
        return self.person.on_terminal("start", "--rm", "--headless" if "--headless" in words else "--rm", *words)

    def in_the_shell(self, t, at):
        """The bottle's own shell says who it is; then it is left."""
        t.wait_for("Start? [y/N]", at)
        t.type("y\r")
        at = t.wait_for("proving", at) if b"proving" in t.shown else at
        t.type("echo I-am-$BOT_BOTTLE-$WHO; exit 6\r")

    def nothing_was_started(self, t):
        self.assertEqual(t.status(), 125)
        self.assertEqual(self.person.slugs(), [])
        self.assertTrue(t.is_as_before())


class Picker(Asked):
    def test_no_agent_on_a_terminal_is_a_picker(self):
        self.manifests()
        t = self.person.on_terminal("start")
        at = t.wait_for("Which agent?")
        at = t.wait_for("Esc leaves", at)
        t.type(DOWN + ENTER)
        self.in_the_shell(t, at)
        t.wait_for("I-am-1-two")
        self.assertEqual(t.status(), 6)
        self.assertTrue(t.is_as_before())
        slug, = self.person.slugs()
        self.assertEqual(self.person.record(slug)["agent"], "beta")

    def test_what_is_typed_filters(self):
        self.manifests()
        t = self.person.on_terminal("start", "--dry-run")
        t.wait_for("Esc leaves")
        t.type("alp" + ENTER)
        self.assertEqual(t.status(), 0)
        self.assertIn(b"agent: alpha", t.shown)

    def test_an_agent_that_names_no_bottle_gets_those_that_are_picked_in_their_order(self):
        self.manifests()
        t = self.person.on_terminal("start", "--dry-run")
        at = t.wait_for("Esc leaves")
        t.type("gam" + ENTER)
        at = t.wait_for("In which bottles?", at)
        t.wait_for("Esc leaves", at)
        t.type(DOWN + " " + UP + " " + ENTER)
        self.assertEqual(t.status(), 0)
        self.assertRegex(t.shown, rb"bottles:\s+- second\s+- first")
        # The same, named: nobody is asked for what was said.
        t = self.person.on_terminal("start", "gamma", "--dry-run", "--bottle", "first")
        self.assertEqual(t.status(), 0)
        self.assertNotIn(b"In which bottles?", t.shown)

    def test_a_terminal_without_a_cursor_gets_no_picker(self):
        self.manifests()
        t = self.person.on_terminal("start", TERM="dumb")
        t.wait_for("can't show a list")
        self.nothing_was_started(t)

    def test_giving_up_starts_nothing(self):
        self.manifests()
        for keys in (ESCAPE, CTRL_C):
            t = self.person.on_terminal("start", "--yes")
            t.wait_for("Esc leaves")
            t.type(keys)
            self.nothing_was_started(t)
        t = self.person.on_terminal("start", "--yes", "gamma")
        t.wait_for("Esc leaves")
        t.type(ENTER)
        self.nothing_was_started(t)
        self.assertIn(b"no bottle was chosen", t.shown)

    def test_where_there_is_nothing_to_choose_it_says_what_to_do(self):
        t = self.person.on_terminal("start")
        self.nothing_was_started(t)
        self.assertIn(b"bottle init", t.shown)

    def test_without_a_terminal_it_is_a_usage_error(self):
        self.manifests()
        status, out, error = self.person.run("start")
        self.assertEqual((status, out), (125, ""))
        self.assertIn("start needs an agent", error)
        status, out, _ = self.person.run("start", "--json")
        self.assertIn('"kind": "usage"', out)
        status, _, error = self.person.run("start", "gamma")
        self.assertEqual(status, 125)
        self.assertIn("give --bottle NAME", error)
        # Nor where one is there, but nobody is to be asked.
        for how in ("--headless", "--json"):
            t = self.person.on_terminal("start", how)
            self.nothing_was_started(t)
            self.assertNotIn(b"Which agent?", t.shown)

    def test_a_terminal_of_unknown_kind_is_said(self):
        self.manifests()
        t = self.person.on_terminal("start", TERM="no-such-kind")
        self.nothing_was_started(t)
        self.assertIn(b"TERM", t.shown)


class Stranger(Asked):
    """An agent's file that comes with the directory only suggests its bottle."""

    def setUp(self):
        super().setUp()
        self.manifests()
        self.person.write("work/.bot-bottle/agents/guest.md", "---\nbottle: second\n---\n")

    def asked(self):
        t = self.person.on_terminal("start", "guest")
        t.wait_for("wants the bottle second. Use it? [y/N]")
        self.assertIn(b".bot-bottle/agents/guest.md", t.shown)
        return t

    def test_yes_is_yes(self):
        t = self.asked()
        t.type("y\r")
        self.in_the_shell(t, 0)
        t.wait_for("I-am-1-two")
        self.assertEqual(t.status(), 6)

    def test_everything_else_is_no(self):
        for answer in ("n\r", "\r", "maybe\r", "\x04"):
            t = self.asked()
            t.type(answer)
            self.nothing_was_started(t)
            self.assertIn(b"not confirmed", t.shown)

    def refused(self, status, error):
        self.assertEqual(status, 125)
        self.assertIn(".bot-bottle/agents/guest.md comes with this directory", error)
        self.assertIn("--bottle", error)
        self.assertEqual(self.person.slugs(), [])

    def test_without_a_terminal_it_is_no(self):
        status, _, error = self.person.run("start", "guest")
        self.refused(status, error)

    def test_saying_yes_beforehand_does_not_count(self):
        for how in ("--yes", "--headless"):
            t = self.person.on_terminal("start", how, "guest")
            self.refused(t.status(), t.shown.decode())

    def test_naming_the_bottle_does(self):
        status, out, error = self.person.run("start", "--yes", "--rm", "--bottle", "first", "guest", "--",
                                             "sh", "-c", "echo $WHO")
        self.assertEqual((status, out), (0, "one\n"), error)


class Secret(Asked):
    once = True

    def setUp(self):
        super().setUp()
        self.person.write(".bot-bottle/bottles/secret.md", '---\nenv: {TOKEN: "?the token"}\n---\n')

    def asked(self):
        t = self.person.on_terminal("start", "--yes", "--rm", "--bottle", "secret", "--",
                                    "sh", "-c", 'test "$TOKEN" = sesame && echo op''en')
        t.wait_for("the token")
        wait_until(lambda: not t.is_as_before(), "the echo to be off")
        return t

    def test_it_is_typed_unseen(self):
        t = self.asked()
        t.type("sesame\r")
        self.assertEqual(t.status(), 0)
        self.assertTrue(t.is_as_before())
        self.assertIn(b"open", t.shown)
        self.assertNotIn(b"sesame\r", t.shown)

    def test_giving_up_gives_the_echo_back(self):
        t = self.asked()
        t.type("ses" + CTRL_C)
        self.nothing_was_started(t)

    def test_a_signal_gives_the_echo_back_and_ends_us(self):
        for signo in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(signo):
                t = self.asked()
                t.program.send_signal(signo)
                self.assertEqual(t.status(), 128 + signo)
                self.assertTrue(t.is_as_before())
                self.assertEqual(self.person.slugs(), [])


class Agreed(Asked):
    """Whether to start is asked of whoever is at the terminal, wherever the streams lead."""
    once = True

    def asked(self):
        t = self.person.shell_on_terminal("bottle start --rm -- echo r''an </dev/null 2>notes | cat")
        wait_until(lambda: t.read(0.1) or b"Start? [y/N]" in t.shown, "the question")
        return t

    def test_yes_starts(self):
        t = self.asked()
        t.type("y\r")
        t.wait_for("ran\r\n")

    def test_no_does_not(self):
        t = self.asked()
        t.type("n\r")
        t.status()
        self.assertNotIn(b"ran\r\n", t.shown)
        self.assertEqual(self.person.slugs(), [])


CASES = [Picker, Stranger, Secret, Agreed]
