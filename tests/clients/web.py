"""curl, urllib, Node's fetch, git and npm."""
import json
import os
import subprocess
import unittest

import npm_registry
import origin
import room
from room import Tls

WWW = "https://www.clients.test"
# What each client of this file may do. One path and two methods: the rest of the host is refused.
ROUTES = [{"host": "www.clients.test", "plain": True, "matches": [
    {"paths": [{"type": "exact", "value": "/hello"}, {"type": "exact", "value": "/gone"}]},
    {"paths": [{"type": "prefix", "value": "/submit"}], "methods": ["POST"]}]}]


class Case(unittest.TestCase):
    once = False

    def start(self, *argv, **more):
        result = self.person.start(*argv, **more)
        self.addCleanup(self.person.run, "bottle", "rm", result.slug or "none")
        return result

    def outside(self, *argv, env=None):
        """The control: the same program, trusting the origins, without a bottle."""
        trust = {name: self.room.certificates.ca for name in
                 ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO")}
        return self.person.run(*argv, env={**trust, **(env or {})})

    def assertRefused(self, text, reason, host):
        """An answer of ours, in JSON, that says what and why."""
        body = json.loads(text[text.index("{"):text.rindex("}") + 1])
        self.assertEqual((body["error"], body["reason"], body["host"]), ("egress-denied", reason, host))
        self.assertTrue(body["message"] and body["request_id"] and body["ask"])

    def decisions(self, slug, **fields):
        return [r for r in self.person.audit(slug) if all(r.get(k) == v for k, v in fields.items())]


class Curl(Case):
    def setUp(self):
        self.person.bottle("curl", egress={"routes": ROUTES})

    def curl(self, *args):
        inside = self.start("--bottle", "curl", "--", "curl", "-sS", "-w", "%{http_code}\n", *args)
        outside = self.outside("curl", "-sS", "-w", "%{http_code}\n", *args)
        return inside, outside

    def test_allowed_over_tls(self):
        inside, outside = self.curl(WWW + "/hello")
        self.assertEqual(inside.out, "hello from nginx\n200\n", inside)
        self.assertEqual(outside.out, inside.out)
        self.assertEqual(len(self.decisions(inside.slug, path="/hello", verdict="allow")), 1)

    def test_over_plain_http(self):
        inside, _ = self.curl("http://www.clients.test/hello")
        self.assertEqual(inside.out, "hello from nginx\n200\n", inside)
        inside, outside = self.curl("http://www.clients.test/hidden")
        self.assertTrue(inside.out.endswith("403\n"), inside)
        self.assertRefused(inside.out, "no-match", "www.clients.test")
        self.assertEqual(outside.out, "hidden\n200\n")

    def test_without_the_proxy_variables_it_is_the_same(self):
        inside, _ = self.curl("--noproxy", "*", WWW + "/hello", "http://www.clients.test/hello")
        self.assertEqual(inside.out, "hello from nginx\n200\n" * 2, inside)
        inside, outside = self.curl("--noproxy", "*", WWW + "/hidden")
        self.assertRefused(inside.out, "no-match", "www.clients.test")
        self.assertEqual(outside.out, "hidden\n200\n")

    def test_a_path_that_is_not_allowed(self):
        inside, outside = self.curl(WWW + "/hidden")
        self.assertTrue(inside.out.endswith("403\n"), inside)
        self.assertRefused(inside.out, "no-match", "www.clients.test")
        self.assertEqual(outside.out, "hidden\n200\n")

    def test_a_method_that_is_not_allowed(self):
        inside, outside = self.curl("-d", "x=1", WWW + "/submit")
        self.assertEqual(inside.out, "taken\n200\n", inside)
        inside, outside = self.curl("-X", "DELETE", WWW + "/submit")
        self.assertTrue(inside.out.endswith("403\n"), inside)
        self.assertRefused(inside.out, "no-match", "www.clients.test")
        self.assertEqual(outside.out, "taken\n200\n")

    def test_a_host_without_a_route(self):
        inside, outside = self.curl("https://other.clients.test/hello")
        self.assertEqual(inside.status, 56, inside)
        self.assertIn("403", inside.err)
        self.assertEqual(outside.out, "hello from nginx\n200\n")
        inside, _ = self.curl("http://other.clients.test/hello")
        self.assertRefused(inside.out, "host-not-routed", "other.clients.test")

    def test_a_redirect_is_passed_back_and_judged_again(self):
        inside, outside = self.curl("-L", WWW + "/gone")
        self.assertEqual(inside.status, 56, inside)
        self.assertEqual(outside.out, "hello from nginx\n200\n")

    def test_a_private_address_needs_to_be_allowed_by_name(self):
        inner = origin.Origin((room.INNER, 443), Tls(self.room.certificates).context)
        self.addCleanup(inner.server_close)
        self.addCleanup(inner.shutdown)
        inner.doubles["inner.clients.test"] = lambda request: request.answer(200, b"inner\n")
        answers = []
        for name, more in (("closed", {}), ("open", {"allow_private": True})):
            self.person.bottle(name, egress={"routes": [{"host": "inner.clients.test", **more}]})
            answers.append(self.start("--bottle", name, "--", "curl", "-sS", "https://inner.clients.test/"))
        self.assertRefused(answers[0].out, "address-forbidden", "inner.clients.test")
        self.assertEqual(answers[1].out, "inner\n", answers[1])
        self.assertEqual(len(inner.requests), 1)


class Urllib(Case):
    def setUp(self):
        self.person.bottle("urllib", egress={"routes": ROUTES})

    def test_with_and_without_its_proxy_variables(self):
        urls = (WWW + "/hello", WWW + "/hidden")
        for how in ("proxy", "direct"):
            inside = self.start("--bottle", "urllib", "--", "/usr/bin/python3", "get.py", how, *urls)
            lines = inside.out.splitlines()
            self.assertEqual(lines[0], "200 hello from nginx", inside)
            self.assertTrue(lines[1].startswith("403 {"), inside)
            self.assertRefused(lines[1], "no-match", "www.clients.test")
        outside = self.outside("/usr/bin/python3", "get.py", "proxy", *urls)
        self.assertEqual(outside.out, "200 hello from nginx\n200 hidden\n")

    def test_a_name_without_a_route_is_no_name_at_all(self):
        inside = self.start("--bottle", "urllib", "--", "/usr/bin/python3", "get.py", "direct",
                            "https://other.clients.test/hello")
        self.assertRegex(inside.out, "^error .*(Name or service|name resolution)")
        inside = self.start("--bottle", "urllib", "--", "/usr/bin/python3", "get.py", "proxy",
                            "https://other.clients.test/hello")
        self.assertRegex(inside.out, "^error .*403")


class Node(Case):
    def setUp(self):
        self.person.bottle("node", egress={"routes": ROUTES})

    def test_fetch_which_takes_no_notice_of_proxies(self):
        urls = (WWW + "/hello", "http://www.clients.test/hello", WWW + "/hidden", "https://other.clients.test/hello")
        inside = self.start("--bottle", "node", "--", "node", "fetch.js", *urls)
        lines = inside.out.splitlines()
        self.assertEqual(lines[:2], ["200 hello from nginx"] * 2, inside)
        self.assertTrue(lines[2].startswith("403 {"), inside)
        self.assertRefused(lines[2], "no-match", "www.clients.test")
        # As a name (22 and before), or by a proxy that Node has learnt to use.
        self.assertRegex(lines[3], "^(error|403)")
        outside = self.outside("node", "fetch.js", *urls)
        self.assertEqual(outside.out.splitlines(), ["200 hello from nginx"] * 2 + ["200 hidden", "200 hello from nginx"])


class Git(Case):
    """Clone and push by smart HTTP."""
    URL = "https://git.clients.test/repo.git"

    def setUp(self):
        self.root = os.path.join(self.person.home, "git-root")
        identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
                    "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_NOSYSTEM": "1", "HOME": self.room.where}
        script = """git init -q --bare -b main repo.git; git -C repo.git config http.receivepack true
            git init -q -b main seed; cd seed; for i in $(seq 40); do echo $i >file-$i; done
            git add .; git commit -qm first; git push -q ../repo.git main; chmod -R go+rX ../repo.git"""
        os.makedirs(self.root)
        subprocess.run(("bash", "-ec", script), cwd=self.root, env={**os.environ, **identity}, check=True)
        self.addCleanup(subprocess.run, ("rm", "-rf", self.root))
        self.origin = origin.Origin((room.ORIGIN, 443), Tls(self.room.certificates).context, git_root=self.root)
        self.addCleanup(self.origin.server_close)
        self.addCleanup(self.origin.shutdown)

    PUSH = "cd repo; echo more >more; git add more; git -c user.name=a -c user.email=a@b commit -qm more; git push -q"

    def in_a_bottle(self, script, **route):
        self.person.bottle("git", egress={"routes": [{"host": "git.clients.test", **route}]})
        return self.start("--bottle", "git", "--", "sh", "-c", script)

    def test_a_clone_is_let_through_and_a_push_is_not(self):
        inside = self.in_a_bottle("git clone -q %s && ls repo | wc -l; %s; echo push $?" % (self.URL, self.PUSH),
                                  git={"fetch": True})
        self.assertEqual(inside.out, "40\npush 128\n", inside)
        self.assertIn("403", inside.err)
        # Not even the question what could be pushed.
        self.assertFalse([r for r in self.origin.requests if "git-receive-pack" in r[2]])
        self.assertEqual([r["reason"] for r in self.decisions(inside.slug, verdict="deny", host="git.clients.test")],
                         ["git-push"])

    def test_a_route_that_does_not_name_git_clones_nothing(self):
        inside = self.in_a_bottle("git clone -q %s; echo clone $?; curl -sS %s/HEAD" % (self.URL, self.URL))
        self.assertEqual(inside.out, "clone 128\nref: refs/heads/main\n", inside)
        self.assertEqual([r["reason"] for r in self.decisions(inside.slug, verdict="deny", host="git.clients.test")],
                         ["git-fetch"])

    def test_without_a_bottle_the_push_arrives(self):
        target = os.path.join(self.person.home, "cloned")
        os.mkdir(target)
        self.addCleanup(subprocess.run, ("rm", "-rf", target))
        self.person.own()
        script = "cd %s && git clone -q %s && %s; echo push $?" % (target, self.URL, self.PUSH)
        outside = self.outside("sh", "-c", script)
        self.assertEqual(outside.out, "push 0\n", outside)
        self.assertTrue(self.origin.asked(path="/repo.git/git-receive-pack"))


class Npm(Case):
    BASE = "https://registry.clients.test"

    def setUp(self):
        self.origin = origin.Origin((room.ORIGIN, 443), Tls(self.room.certificates).context)
        self.addCleanup(self.origin.server_close)
        self.addCleanup(self.origin.shutdown)
        self.origin.doubles["registry.clients.test"] = npm_registry.Registry(
            self.BASE, ("left-side", "@acme/inner-side", "right-side"))
        self.person.bottle("npm", env={"npm_config_registry": self.BASE, "npm_config_audit": "false",
                                       "npm_config_update_notifier": "false", "npm_config_fund": "false",
                                       "npm_config_fetch_retries": "0"},
                           egress={"routes": [{"host": "registry.clients.test", "matches": [
                               {"methods": ["GET"], "paths": [{"type": "prefix", "value": "/left-side"},
                                                              {"type": "prefix", "value": "/@acme"},
                                                              {"type": "prefix", "value": "/@acme%2Finner-side"}]}]}]})

    def test_install(self):
        script = "npm install --silent left-side @acme/inner-side && " \
                 "node -p 'require(\"left-side\") + \", \" + require(\"@acme/inner-side\")'; npm install right-side"
        inside = self.start("--bottle", "npm", "--", "sh", "-c", script)
        self.assertEqual(inside.out.splitlines()[-1:], ["this is left-side, this is @acme/inner-side"], inside)
        self.assertIn("403", inside.err)
        self.assertFalse(self.origin.asked(path="/right-side"))
        self.assertTrue(self.decisions(inside.slug, verdict="deny", path="/right-side"))
        changes = self.person.run("bottle", "diff", inside.slug)
        self.assertIn("node_modules/left-side/index.js", changes.out)

    def test_without_a_bottle_the_other_package_is_there(self):
        self.assertEqual(self.outside("curl", "-sSo", "/dev/null", "-w", "%{http_code}", self.BASE + "/right-side").out, "200")


CASES = [Curl, Urllib, Node, Git, Npm]
