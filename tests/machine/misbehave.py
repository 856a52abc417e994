"""A smolvm that does something else than it should (a double: tests/fakes/smolvm). Each way ends
as a refusal that says what was seen, with nothing running, nothing reachable, no disk and no row."""
import json
import os

from house import SECRET, Traces, descendants, must, named, read, until

RAN = "the agent r\"\"an"
# What it is told to do; what the refusal says, this or that. An empty value takes the field out.
REFUSED = [
    (["lie-version"], "1.9.3"), (["silent-version"], "only 1.8.1"), (["nonsense-version"], "1.8.1"),
    (["die-version"], "exited 1"), (["kill-version"], "1.8.1"), (["hang-version"], "gave no answer"),
    # Whoever answers well to the person may answer otherwise to the bottle.
    (["lie-inside"], 'says \\"smolvm 1.9.3'), (["silent-inside"], 'says \\"\\"'), (["nonsense-inside"], "only 1.8.1"),
    (["die-inside"], "status 1"), (["kill-inside"], "status 137"), (["hang-inside"], "`smolvm --version`"),
    (["die-create"], "machine create"), (["kill-create"], "machine create"), (["silent-create"], "database"),
    (["nonsense-create"], "database"), (["hang-create"], "`smolvm machine create`"), (["late-create"], "too late"),
    (["no-row"], "no machine"), (["text-row"], "BLOB"), (["add network_name \"others\""], "network_name is unknown"),
    (["rewrite"], "dns_filter_hosts"),
    (["die-start"], "machine start"), (["kill-start"], "machine start"), (["silent-start"], "state"),
    (["nonsense-start"], "state"), (["hang-start"], "`smolvm machine start`"), (["late-start"], "too late"),
    (["drop-at-start"], "allowed_cidrs"), (["open-dns-at-start"], "dns_filter_hosts"),
    (["launch-nothing"], "what smolvm launched"),
    (["link-home"], "no smolvm database"), (["link-launched"], "what smolvm launched"),
    (["hold-database"], "an answer from smolvm's database did not come"), (["cut-database"], "ended by signal 7"),
    (["lie-pid"], "the VMM"), (["lie-start"], "not the VMM"), (["vmm-dies"], "the VMM|the machine's monitor ended"),
    (["own-namespace"], "a namespace of its own: EPERM"),
    (["die-ready"], "machine exec"), (["hang-ready"], "`smolvm machine exec`"), (["kill-ready"], "machine exec"),
    (["late-ready"], "too late"),
    (["die-setup"], "machine exec"), (["hang-setup"], "`smolvm machine exec`"), (["kill-setup"], "machine exec"),
    (["silent-setup"], "probe"), (["nonsense-setup"], "probe"), (["late-setup"], "too late"),
    (["die-exec"], "machine exec"), (["kill-exec"], "machine exec"), (["silent-exec"], "probe"), (["nonsense-exec"], "probe"),
    (["hang-exec"], "`smolvm machine exec`"),
]
# A row that is wider than what was asked for, and one that lacks what it must say.
WIDER = {
    "name": '"another"', "mounts": '[["/","/host",false]]', "ports": "[[8080,80]]",
    "published_sockets": '[{"direction":"mount","host":"/run/docker.sock","guest":"/d"}]', "network": "null",
    "gpu": "true", "gpu_vram_mib": "1024", "rosetta": "true", "init": '["true"]', "env": '[["A","1"]]',
    "workdir": '"/"', "storage_gb": "900", "overlay_gb": "900", "network_backend": '"tsi"', "image": '"x:latest"',
    "entrypoint": '["/bin/sh"]', "cmd": '["/bin/sh"]', "health_cmd": '["true"]', "ssh_agent": "true", "cuda": "true",
    "docker_socket": "true", "ephemeral": "true", "runtime_managed": "true", "restart": '{"policy":"always"}',
}
# What such a machine's row leaves out.
MORE = {
    "secret_refs": '{"A":{"env":"HOME"}}', "user": '"root"', "dns": '"1.1.1.1"', "labels": '{"a":"b"}', "forkable": "true",
    "cuda_fork_pool_size": "2", "cuda_vram_limit_mib": "64", "cuda_preload_modules": "true", "golden": '"another"',
    "source_smolmachine": '"/s/x.smolmachine"', "forkpoint_held": "true", "fork_env": '[["A","1"]]', "cpus": "64",
}
LACKS = ["mounts", "ports", "network", "network_backend", "published_sockets", "ssh_agent", "docker_socket", "cuda"]
# What smolvm says that it launched.
LAUNCHED = {
    "version": "2", "mounts": '[{"source":"/","target":"/host","read_only":false}]', "ports": "[[8080,80]]",
    "cpus": "64", "memory_mib": "65536", "network": "false", "network_backend": '"tsi"', "gpu": "true",
    "gpu_vram_mib": "1024", "cuda": "true", "rosetta": "true", "storage_gib": "900", "overlay_gib": "900",
    "allowed_cidrs": "null", "dns": '"1.1.1.1"',
}
# It runs, as declared; what it did in vain, or too late, is undone all the same.
HARMLESS = [["drop-allowlist"], ["field allowed_cidrs [\"0.0.0.0/0\"]"], ["field allowed_cidrs null"], ["field cpus 64"],
            ["field mem 65536"], ["stray"]]
AT_THE_END = ["die-stop", "kill-stop", "hang-stop", "late-stop", "die-delete", "kill-delete", "hang-delete", "late-delete",
              "delete-lies", "silent-delete", "nonsense-stop"]


def nothing_left(place, traces=None):
    place.all_gone()
    if traces:
        traces.check_gone()
    left = [top for top, dirs, _ in os.walk(place.bottles) if "smolvm" in dirs]
    must(not left, "a machine is left", left)
    for slug in place.slugs():
        record = place.record(slug)
        must(record["state"] == "stopped" and record["resources"] == [], "record", record)
    place.cleaned(crashed=False)


def refused(ways, says):
    def case(place):
        place.behave(*ways)
        status, out, err = place.bottle("start", "--json", "--headless", *place.options, "--", "sh", "-c", "echo " + RAN)
        must(status == 125, "status", status, out, err)
        must("the agent ran" not in out, "the agent ran")
        told = out + err
        must(any(one in told for one in says.split("|")), "it does not say " + says, told)
        kind = json.loads(out)["error"]["kind"]
        must(kind == "unconfined", "kind", kind, told)
        nothing_left(place)
    return case


def runs(ways):
    def case(place):
        place.behave(*ways)
        status = place.finish(place.start("sh", "-c", "echo " + RAN + "; exit 3"))
        must(status == 3 and "the agent ran" in place.out(), "status", status, place.err())
        nothing_left(place)
    return case


def stays(place):
    slug = place.detached("sleep", "1000")
    until("the program", lambda: named(["sleep", "1000"]))
    return slug


def hangs_while_it_runs(place):
    """Each later command is another smolvm: one that hangs holds nobody but who waits for it."""
    place.behave()
    slug = stays(place)
    traces = Traces()
    place.behave("hang-exec")
    one = place.spawn("exec", slug, "--", "true")
    until("its smolvm", lambda: any("exec" in read("/proc/%d/cmdline" % p).split("\0") and "true" in read("/proc/%d/cmdline" % p)
                                    for p in named(["/opt/smolvm/smolvm"])))
    place.behave()
    status, out, err = place.bottle("exec", slug, "--", "sh", "-c", "echo still here")
    must(status == 0 and out == "still here\n", "another command", status, out, err)
    one.kill()
    one.wait()
    status, _, err = place.bottle("stop", slug)
    must(status == 0, "stop", status, err)
    nothing_left(place, traces)


def copies_through_the_machine(place):
    """`cp` is no command of smolvm's here: it goes through exec and our own program in the guest."""
    slug = stays(place)
    for ways, expected in ((["die-exec"], False), ([], True), (["silent-exec"], False)):
        place.behave(*ways)
        to = place.top + "/home/copy"
        status, out, err = place.bottle("cp", slug + ":/workspace/a.txt", to)
        must((status == 0) == expected and (read(to) == "first\n") == expected, "cp", ways, status, out, err)
        if expected:
            os.unlink(to)
    place.behave()
    must(place.bottle("stop", slug)[0] == 0, "stop")
    nothing_left(place)


def a_dead_machine_ends_what_runs_in_it(place):
    slug = stays(place)
    traces = Traces()
    os.kill(the_vmm(), 9)
    until("the end", lambda: place.record(slug)["state"] == "stopped" and not place.record(slug)["resources"])
    audit = read(os.path.join(place.bottles, slug, "audit.jsonl"))
    must("the machine's monitor ended" in audit, "audit", audit)
    status, _, err = place.bottle("exec", slug, "--", "true")
    must(status != 0 and "is not running" in err, "exec in a dead machine", status, err)
    nothing_left(place, traces)


def the_end_of_a_machine_is_none_of_its_program(place):
    """The engine's command ends with 1 then, as the program could have by itself (the control)."""
    status = place.finish(place.start("sh", "-c", "exit 1"))
    must(status == 1, "control", status, place.err())
    running = place.start("sh", "-c", "echo " + RAN + "; sleep 1000")
    until("the program", lambda: "the agent ran" in place.out())
    os.kill(the_vmm(), 9)
    status = place.finish(running)
    must(status == 125 and "the machine's monitor ended" in place.err(), "status", status, place.err())
    nothing_left(place)


def the_vmm():
    # One has its name a moment after it was started.
    found = until("the VMM", lambda: [p for p in descendants() if read("/proc/%d/comm" % p).startswith("libkrun VM")])
    must(len(found) == 1, "not one VMM", found)
    return found[0]


def no_secret_is_anywhere(place):
    """In argument lists, environments but the program's own, the database, logs, records, disks."""
    slug = stays(place)
    program = named(["sleep", "1000"])
    must(len(program) == 1 and SECRET in read("/proc/%d/environ" % program[0]), "control: the program has it", program)
    for pid in descendants():
        for what in ("cmdline", "environ"):
            if (pid, what) != (program[0], "environ"):
                must(SECRET not in read("/proc/%d/%s" % (pid, what)), "a secret", what, read("/proc/%d/cmdline" % pid))
    looked = 0
    for top, _, files in os.walk(place.top + "/home/.local"):
        for name in files:
            path = os.path.join(top, name)
            if not os.path.islink(path):
                looked += name in ("smolvm.db", "record.json", "audit.jsonl", "agent.config.json")
                must(SECRET not in read(path), "a secret on disk", path)
    must(looked == 4, "control: the files are there", looked)
    must(place.bottle("stop", slug)[0] == 0, "stop")
    nothing_left(place)


ONCE = True  # whose launch it is makes no difference


def cases():
    yield "machine: as it should (control)", runs([])
    for ways, says in REFUSED:
        yield "machine: refused: " + ways[0], refused(ways, says), ONCE
    for key, value in WIDER.items():
        yield "machine: refused: %s is %s" % (key, value), refused(["field %s %s" % (key, value)], key), ONCE
    for key, value in MORE.items():
        yield "machine: refused: %s is added" % key, refused(["add %s %s" % (key, value)], key), ONCE
    for key, value in LAUNCHED.items():
        yield "machine: refused: launched with %s %s" % (key, value), refused(["launched %s %s" % (key, value)], key), ONCE
    for key in LACKS:
        yield "machine: refused: no " + key, refused(["field %s " % key], key), ONCE
    for ways in HARMLESS:
        yield "machine: undone: " + ways[0], runs(ways)
    for way in AT_THE_END:
        yield "machine: does not keep it: " + way, runs([way]), ONCE
    yield "machine: a command that hangs holds nobody else", hangs_while_it_runs
    yield "machine: files go through it", copies_through_the_machine
    yield "machine: a VMM that dies", a_dead_machine_ends_what_runs_in_it
    yield "machine: its end is none of its program", the_end_of_a_machine_is_none_of_its_program
    yield "machine: no secret is in any list, database, log or file", no_secret_is_anywhere
