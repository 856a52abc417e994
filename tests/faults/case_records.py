"""Verbs against each other, and records and logs that are not as they were left."""
import json
import os
import signal

from case_steps import held
from house import must, state_of, the, until

MANY = 5


def stopped(place):
    status, _, err = place.bottle("start", "--headless", "--", "true")
    must(status == 0, "start", status, err)
    slug, = place.slugs()
    return slug


def all_at_once(place, *args, many=MANY):
    """The same command several times at the same moment: (status, stderr) of each."""
    started = []
    for i in range(many):
        log = open("%s/err.%d" % (place.top, i), "w+b")
        started.append((place.spawn(*args, stdout=-3, stderr=log), log))
    results = []
    for process, log in started:
        status = place.finish(process)
        log.seek(0)
        results.append((status, log.read().decode()))
    return results


def stops_at_once(place):
    slug = place.detached("sleep", "1000")
    results = all_at_once(place, "stop", slug)
    for status, err in results:
        must(status == 0 or "is not running" in err, "stop", status, err)
    must(any(status == 0 for status, _ in results), "nobody stopped it", results)
    place.all_gone()
    place.cleaned(crashed=False)


def verbs_during_a_start(place):
    caller, keeper, _ = held(place, "during", "proving the walls")
    slug, = place.slugs()
    before = place.record(slug)
    for verb in (("rm", slug), ("cleanup", "--yes", slug), ("cleanup", "--yes", "--purge", slug)):
        status, _, err = place.bottle(*verb)
        must(status == 1 and "bottle stop " + slug in err, "a bottle that starts", verb, status, err)
    status, _, err = place.bottle("cleanup", "--yes")
    must(status == 0 and "nothing to clean up" in err, "cleanup of all", status, err)
    status, _, err = place.bottle("resume", slug)
    must(status == 125 and "starting" in err, "resume", status, err)
    must(place.record(slug) == before, "the record was changed")
    os.kill(keeper, signal.SIGCONT)
    must(place.finish(caller) == 0, "status", caller.returncode)
    place.all_gone()
    place.cleaned(crashed=False)


def stop_during_a_start(place):
    caller, keeper, _ = held(place, "during", "proving the walls")
    slug, = place.slugs()
    stop = place.spawn("stop", slug, stdout=-3, stderr=-3)
    # It has asked when its message waits in the keeper's queue: the keeper itself is stopped.
    until("the question", lambda: state_of(stop.pid) == "S" and stop.poll() is None)
    os.kill(keeper, signal.SIGCONT)
    must(place.finish(stop) == 0, "stop", stop.returncode)
    must(place.finish(caller) in (0, 125), "start", caller.returncode)
    place.all_gone()
    place.cleaned(crashed=False)


def resumes_at_once(place):
    place.bottle("start", "--headless", "--", "sh", "-c", "test -e again && exec sleep 1000; touch again")
    slug, = place.slugs()
    results = all_at_once(place, "resume", "--detach", slug)
    won = [r for r in results if r[0] == 0]
    must(len(won) == 1, "one resumes", results)
    must(all(r[0] == 125 and slug in r[1] for r in results if r not in won), "the others say why", results)
    status, _, err = place.bottle("resume", slug)
    must(status == 125 and "running" in err, "resume of one that runs", status, err)
    must(place.record(slug)["state"] == "running", "record", place.record(slug))
    must(place.bottle("stop", slug)[0] == 0, "stop")
    place.all_gone()
    place.cleaned(crashed=False)


def cleanups_and_rms_at_once(place):
    slug = place.detached("sleep", "1000")
    os.kill(the("keeper"), signal.SIGKILL)
    place.all_gone()
    must(any(status == 0 for status, _ in all_at_once(place, "cleanup", "--yes")), "cleanup")
    must(place.record(slug)["state"] == "stopped", "record", place.record(slug))
    results = all_at_once(place, "rm", slug)
    must([s for s, _ in results].count(0) >= 1 and all(s in (0, 1) for s, _ in results), "rm", results)
    must(place.slugs() == [], "rm", place.slugs())


def change(text, **more):
    record = json.loads(text)
    record.update(more)
    return json.dumps(record)


BROKEN = {
    "empty": lambda text: "",
    "cut": lambda text: text[:len(text) // 2],
    "no JSON": lambda text: "{]",
    "not an object": lambda text: "[]",
    "a name twice": lambda text: text.replace("{", '{"slug": "other-aaaaa", "slug": "other-aaaaa",', 1),
    "of the future": lambda text: change(text, schema=2),
    "with an unknown member": lambda text: change(text, colour="red"),
    "of another bottle": lambda text: change(text, slug="other-aaaaa"),
    "with a keeper that is no number": lambda text: change(text, keeper_pid="1"),
    "deep": lambda text: "[" * 100000,
}


def broken_record(make):
    def case(place):
        slug = stopped(place)
        path = "%s/%s/record.json" % (place.bottles, slug)
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(make(text))
        for verb in ("rm", "info", "stop", "diff", "resume", "cleanup --yes", "audit"):
            status, _, err = place.bottle(*verb.split(), slug)
            # The log itself is whole: showing it needs no record.
            must(status == (125 if verb == "resume" else 1) or verb == "audit", "a broken record", verb, status, err)
            must(slug in err or verb == "audit", "the bottle is not named", verb, err)
        must(os.path.exists(path), "it was removed")
        # Everybody else goes on: it is listed, and others start and are cleared up.
        status, out, err = place.bottle("ls")
        must(slug in out + err, "ls", status, out, err)
        must(place.bottle("cleanup", "--yes")[0] == 0, "cleanup of all")
        must(place.bottle("start", "--headless", "--rm", "--", "true")[0] == 0, "start")
        with open(path, "w") as f:
            f.write(text)
        place.cleaned(crashed=False)
    return case


def lines_of(text):
    return text.splitlines(keepends=True)


TAMPERED = {
    "cut in its last line": lambda t: t[:-10],
    "without its last line": lambda t: "".join(lines_of(t)[:-1]),
    "without its first line": lambda t: "".join(lines_of(t)[1:]),
    "with a changed word": lambda t: t.replace("unreachable", "reachable!!", 1),
    "with two lines swapped": lambda t: "".join([lines_of(t)[1], lines_of(t)[0]] + lines_of(t)[2:]),
    "with a line twice": lambda t: t + lines_of(t)[-1],
    "with a line that is no JSON": lambda t: t + "hello\n",
    "empty": lambda t: "",
}


def tampered_log(make):
    def case(place):
        slug = stopped(place)
        must(place.bottle("audit", "--verify", slug)[0] == 0, "the control")
        path = "%s/%s/audit.jsonl" % (place.bottles, slug)
        with open(path) as f:
            text = f.read()
        changed = make(text)
        must(changed != text, "nothing was changed")
        with open(path, "w") as f:
            f.write(changed)
        status, _, err = place.bottle("audit", "--verify", slug)
        must(status == 1 and "audit log" in err, "audit --verify", status, err)
        status, _, err = place.bottle("resume", slug)
        must(status == 125 and "audit log" in err, "resume", status, err)
        place.all_gone()
        must(place.record(slug)["state"] == "stopped", "record", place.record(slug))
        status, _, err = place.bottle("audit", "--verify", slug)
        must(status == 1, "audit --verify after the refusal", status, err)
        with open(path, "w") as f:
            f.write(text)
        must(place.bottle("resume", slug)[0] == 0, "the control: resume")
        place.all_gone()
        place.cleaned(crashed=False)
    return case


def cases():
    yield "several stops at once", stops_at_once
    yield "rm, cleanup and resume during a start", verbs_during_a_start
    yield "stop during a start", stop_during_a_start
    yield "several resumes at once", resumes_at_once
    yield "several cleanups, then several rms at once", cleanups_and_rms_at_once
    for name, make in BROKEN.items():
        yield "a record that is %s" % name, broken_record(make)
    for name, make in TAMPERED.items():
        yield "an audit log %s" % name, tampered_log(make)
