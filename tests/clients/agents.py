"""Coding agents, as their makers ship them, against doubles of their services."""
import base64
import glob
import json
import os
import secrets
import subprocess
import time

import messages_api
import origin
import responses_api
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
        # Not as an argument: the agent may ask for two things at once, and each looks.
        done = subprocess.run(("grep", "-rlsF", "-f", "-", os.path.dirname(self.person.state)), input=value.encode(),
                              capture_output=True)
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

    def test_below_a_home_it_is_seen_only_where_tools_name_it(self):
        run = ("--", os.path.join(self.person.home, ".local/bin/claude"), "--version")
        self.person.bottle("claude-dev", agent_provider={"template": "claude"}, tools=self.tools)
        env = {"BOT_BOTTLE_CLAUDE_OAUTH_TOKEN": self.token}
        self.assertRegex(self.start("--bottle", "claude-dev", *run, env=env).out, "Claude Code")
        self.person.bottle("claude-dev", agent_provider={"template": "claude"})
        self.assertEqual(self.start("--bottle", "claude-dev", *run, env=env).status, 127)
        # Asked for as the agent it is an error that names the field, before anything starts.
        inside = self.start("--bottle", "claude-dev", "--prompt", "Hello.", env=env)
        self.assertEqual((inside.status, inside.slug), (125, None), inside)
        self.assertIn("`tools`", inside.err)

    def test_without_its_token_nothing_starts(self):
        self.person.bottle("claude-dev", agent_provider={"template": "claude"}, tools=self.tools)
        inside = self.start("--bottle", "claude-dev", "--prompt", "Hello.")
        self.assertEqual((inside.status, inside.slug), (125, None), inside)
        self.assertIn("BOT_BOTTLE_CLAUDE_OAUTH_TOKEN", inside.err)

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


def token(**claims):
    """As a login has it: three parts, of which the middle one can be read."""
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    text = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join(text + [secrets.token_urlsafe(48)])


def claims(token_text):
    part = token_text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Login(Agent):
    """Codex with the login of the host."""
    ACCOUNT = "0a1b2c3d-account"

    def log_in(self, **more):
        self.expires = int(time.time()) + 3600
        about = {"chatgpt_account_id": self.ACCOUNT, "chatgpt_plan_type": "pro"}
        self.tokens = {"id_token": token(email="somebody@clients.test", exp=self.expires),
                       "access_token": token(exp=self.expires, **{"https://api.openai.com/auth": about}),
                       "refresh_token": "rt_" + secrets.token_urlsafe(32), "account_id": self.ACCOUNT}
        self.store({"OPENAI_API_KEY": None, "tokens": {**self.tokens, **more}, "last_refresh": "2026-01-01T00:00:00Z"})

    def store(self, login):
        self.person.write(".codex/auth.json", login if isinstance(login, str) else json.dumps(login))
        self.addCleanup(subprocess.run, ("rm", "-rf", os.path.join(self.person.home, ".codex")))

    def codex(self, *argv, tools=()):
        self.person.bottle("codex-dev", agent_provider={"template": "codex", "forward_host_credentials": True},
                           tools=list(tools))
        return self.start("--bottle", "codex-dev", *argv)


class CodexLogin(Login):
    """What is made of the login, whatever runs."""

    def test_the_guest_gets_a_hollow_twin_and_the_gateway_the_token(self):
        self.log_in()
        api = responses_api.ResponsesApi(self.tokens["access_token"], self.ACCOUNT, ["hello"])
        self.origin.doubles["chatgpt.com"] = api
        script = "cat ~/.codex/auth.json; T=$(sed -n 's/.*\"access_token\": *\"\\([^\"]*\\)\".*/\\1/p' ~/.codex/auth.json); " \
                 "curl -sS -o /dev/null -H \"Authorization: Bearer $T\" https://chatgpt.com/backend-api/x; " + LOOK_AROUND
        inside = self.codex("--", "sh", "-c", script)
        self.assertEqual(inside.status, 0, inside)
        twin = json.loads(inside.out[:inside.out.rindex("}") + 1])
        self.assertEqual(set(twin["tokens"]), set(self.tokens))
        self.assertEqual(twin["tokens"]["account_id"], self.ACCOUNT)
        self.assertEqual(claims(twin["tokens"]["access_token"])["exp"], self.expires)
        self.assertEqual(claims(twin["tokens"]["id_token"])["exp"], self.expires)
        seen = read(os.path.join(self.person.state, inside.slug, "workspace/upper/seen.txt"))
        for name in ("id_token", "access_token", "refresh_token"):
            self.assertNotIn(self.tokens[name], seen)
            self.assertEqual(self.on_host(self.tokens[name]), [])
        self.assertIn(twin["tokens"]["access_token"], seen)
        self.assertEqual([a for _, _, a, _ in api.seen], ["Bearer " + self.tokens["access_token"]])
        # Resumed, it has other placeholders.
        again = self.person.run("bottle", "resume", inside.slug)
        self.assertNotEqual(json.loads(again.out[:again.out.rindex("}") + 1])["tokens"], twin["tokens"])
        self.assertEqual({a for _, _, a, _ in api.seen}, {"Bearer " + self.tokens["access_token"]})
        self.assertEqual(len(api.seen), 2)

    def test_a_login_that_cannot_work_is_refused_before_anything_starts(self):
        past, ahead = int(time.time()) - 10, int(time.time()) + 3600
        cases = ((None, "codex login"), ({"OPENAI_API_KEY": "sk-proj-" + "k" * 40}, "API key"), ("no JSON", "JSON"),
                 ({"tokens": {}}, "no access token"), ({"tokens": {"access_token": "opaque"}}, "form"),
                 ({"tokens": {"access_token": token(exp=past)}}, "ran out"), ({"tokens": {"access_token": token(sub="x")}}, "until when"),
                 ({"tokens": {"access_token": "a.b!.c"}}, "form"), ({"tokens": {"access_token": "a.bm8.c"}}, "nothing that can be read"))
        for login, word in cases:
            with self.subTest(word):
                before = self.person.slugs()
                if login is not None:
                    self.store(login)
                inside = self.codex("--", "true")
                self.assertEqual(inside.status, 125, inside)
                self.assertIn(word, inside.err)
                self.assertEqual(self.person.slugs(), before)
                if isinstance(login, dict) and login.get("tokens"):
                    self.assertNotIn(login["tokens"]["access_token"], inside.err + inside.out)
        self.log_in(access_token=token(exp=ahead))
        self.assertEqual(self.codex("--", "true").status, 0)


class Codex(Login):
    def setUp(self):
        super().setUp()
        self.tools = self.install("codex", "vendor/x86_64-unknown-linux-musl/codex/codex")

    def test_works_headless_without_ever_holding_its_token(self):
        self.log_in()
        access = self.tokens["access_token"]
        api = responses_api.ResponsesApi(access, self.ACCOUNT, [
            (LOOK_AROUND,), ("echo written in a bottle >note.txt",), "The note is written."])
        api.during = lambda: self.on_host(access)
        self.origin.doubles["chatgpt.com"] = api
        inside = self.codex("--prompt", "Write a note.", tools=self.tools)
        self.assertEqual(inside.status, 0, inside)
        self.assertIn("The note is written.", inside.out)
        self.assertEqual({a for _, _, a, _ in api.seen}, {"Bearer " + access})
        self.assertIn(self.ACCOUNT, {account for _, _, _, account in api.seen})
        upper = os.path.join(self.person.state, inside.slug, "workspace/upper")
        seen = read(os.path.join(upper, "seen.txt"))
        self.assertIn("CODEX_CA_CERTIFICATE=", seen)
        for name in ("id_token", "access_token", "refresh_token"):
            self.assertNotIn(self.tokens[name], seen)
        self.assertEqual(api.found, [[]] * len(api.results + [1]))
        self.assertEqual(self.on_host(access), [])
        self.assertEqual(read(os.path.join(upper, "note.txt")), "written in a bottle\n")


CASES = [Claude, CodexLogin, Codex]
