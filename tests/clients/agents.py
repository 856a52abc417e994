"""Coding agents, as their makers ship them, against doubles of their services."""
import glob
import json
import os
import secrets
import subprocess

import messages_api
import origin
import room
from messages_api import text, tool
from room import BIND, Tls, mount
from web import Case

# What the agent is made to run: everything that a guest can read, in one file of the workspace.
LOOK_AROUND = "(env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; " \
              "find ~ /tmp /run /etc/ /var/tmp /dev/shm -type f -exec cat {} +) >seen.txt 2>/dev/null; echo looked"


class Agent(Case):
    def setUp(self):
        self.origin = origin.Origin((room.ORIGIN, 443), Tls(self.room.certificates).context)
        self.addCleanup(self.origin.server_close)
        self.addCleanup(self.origin.shutdown)

    def install(self, agent, program):
        """Where a person's own programs are: ~/.local/share/NAME, and a link in ~/.local/bin."""
        source = os.path.join(self.room.agents, agent) if self.room.agents else ""
        if not os.path.exists(source):
            self.skipTest("no package registry is reached, and the cache has no %s" % agent)
        place = os.path.join(self.person.home, ".local/share", agent)
        link = os.path.join(self.person.home, ".local/bin", agent)
        if not os.path.islink(link):
            os.makedirs(place)
            os.makedirs(os.path.dirname(link), exist_ok=True)
            self.person.own()
            mount(os.path.realpath(source), place, flags=BIND)
            os.symlink("../share/%s/%s" % (agent, program), link)
        return ["~/.local/bin", "~/.local/share/" + agent]

    def on_host(self, value):
        """Where on the host a value stands: arguments, environments of a bottle's processes, state."""
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            found += [path] if value in read(path) else []
        for slug in self.person.slugs():
            keeper = self.person.record(slug)["keeper_pid"]
            for pid in [keeper] + descendants(keeper):
                found += ["environ of %d" % pid] if value in read("/proc/%d/environ" % pid) else []
        done = subprocess.run(("grep", "-rlsF", value, os.path.dirname(self.person.state)), capture_output=True)
        return found + done.stdout.decode().split()


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def descendants(pid):
    children = [int(c) for path in glob.glob("/proc/%d/task/*/children" % pid) for c in read(path).split()]
    return children + [d for c in children for d in descendants(c)]


class Claude(Agent):
    def setUp(self):
        super().setUp()
        self.token = "sk-ant-oat01-" + secrets.token_hex(24)
        self.tools = self.install("claude", "cli.js")

    def api(self, *turns):
        api = messages_api.MessagesApi(self.token, turns)
        self.origin.doubles["api.anthropic.com"] = api
        return api

    def claude(self, prompt, **fields):
        self.person.bottle("claude-dev", agent_provider={"template": "claude"}, tools=self.tools, **fields)
        self.person.agent("writer", "You write files.", bottle="claude-dev")
        return self.start("writer", "--prompt", prompt, env={"BOT_BOTTLE_CLAUDE_OAUTH_TOKEN": self.token})

    def test_works_headless_without_ever_holding_its_token(self):
        api = self.api(tool("Bash", 1, command=LOOK_AROUND, description="Look around"),
                       tool("Write", 2, file_path="/workspace/note.txt", content="written in a bottle\n"),
                       text("The note is written."))
        api.during = lambda: self.on_host(self.token)
        inside = self.claude("Write a note.")
        self.assertEqual(inside.status, 0, inside)
        self.assertIn("The note is written.", inside.out)
        # The service got the real token, each time; and the guest had something else.
        self.assertTrue(api.seen)
        self.assertEqual({a for _, _, a in api.seen}, {"Bearer " + self.token})
        upper = os.path.join(self.person.state, inside.slug, "workspace/upper")
        seen = read(os.path.join(upper, "seen.txt"))
        self.assertNotIn(self.token, seen)
        self.assertIn("CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-", seen)
        # Nor does it stand anywhere on the host, while the bottle runs or after.
        self.assertEqual(api.found, [[]] * len(api.found))
        self.assertTrue(api.found)
        self.assertEqual(self.on_host(self.token), [])
        self.assertTrue(self.on_host("written in a bottle"), "the control: what stands there is found")
        self.assertEqual(read(os.path.join(upper, "note.txt")), "written in a bottle\n")
        self.assertIn("note.txt", self.person.run("bottle", "diff", inside.slug).out)
        self.assertIn("You write files.", "".join(b.decode() for b in api.bodies))

    def test_what_its_tools_try_is_judged_like_everything(self):
        api = self.api(tool("Bash", 1, command="curl -sS http://other.clients.test/hello", description="Fetch"),
                       text("It was refused."))
        inside = self.claude("Fetch a page.")
        self.assertEqual(inside.status, 0, inside)
        self.assertIn("host-not-routed", json.dumps(api.results))
        self.assertIn("It was refused.", inside.out)

    def test_a_key_that_is_not_ours_goes_nowhere(self):
        api = self.api(text("hello"))
        foreign = {"ANTHROPIC_API_KEY": "sk-ant-api03-" + "f" * 80, "CLAUDE_CODE_MAX_RETRIES": "0"}
        inside = self.claude("Say hello.", env=foreign)
        self.assertNotEqual(inside.status, 0, inside)
        self.assertEqual(api.seen, [])
        self.assertTrue(self.decisions(inside.slug, reason="foreign-credential"), self.person.audit(inside.slug))
        claude = os.path.join(self.person.home, ".local/bin/claude")
        self.outside(claude, "-p", "Say hello.", env={**foreign, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"})
        self.assertTrue(api.seen)


CASES = [Claude]
