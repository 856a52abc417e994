"""A hundred launches at once; then the same while keepers are killed."""
import os
import random
import signal

from house import must, named, reap, until, WHO

MANY = 100
VICTIMS = 10


def launch_all(place):
    callers = []
    for i in range(MANY):
        log = open("%s/err.%d" % (place.top, i), "wb")
        callers.append(place.spawn("start", "--headless", "--", "/bin/true", stdout=-3, stderr=log))
    return callers


def said(place, i):
    with open("%s/err.%d" % (place.top, i)) as f:
        return f.read()[-300:]


def a_hundred(place):
    callers = launch_all(place)
    statuses = [place.finish(c) for c in callers]
    bad = [(s, said(place, i)) for i, s in enumerate(statuses) if s != 0]
    must(not bad, "%d launches failed" % len(bad), bad[:3])
    place.all_gone()
    slugs = place.slugs()
    must(len(slugs) == MANY, "slugs", len(slugs))
    for slug in slugs:
        record = place.record(slug)
        must(record["state"] == "stopped" and record["exit_status"] == 0, "record", record)
        must(record["slug"] == slug and record["resources"] == [], "record", record)
    must(place.runtime_files() == [], "runtime directory", place.runtime_files())


def a_hundred_with_murders(place):
    chance = random.Random(os.getpid())
    callers = launch_all(place)
    killed = set()

    def kill_one():
        reap(known={c.pid for c in callers})
        keepers = [p for p in named(WHO["keeper"]) if p not in killed]
        if keepers and chance.random() < 0.2:
            victim = chance.choice(keepers)
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
        return len(killed) == VICTIMS or all(c.poll() is not None for c in callers)
    until("the murders", kill_one, 60)
    statuses = [place.finish(c) for c in callers]
    bad = [(s, said(place, i)) for i, s in enumerate(statuses) if s not in (0, 125)]
    must(not bad, "launches failed", bad[:3])
    died = [i for i, s in enumerate(statuses) if s == 125]
    must(len(died) <= len(killed), "%d failed, %d were killed" % (len(died), len(killed)),
         [said(place, i) for i in died[:12]])
    place.all_gone()
    hidden = [s for s in place.slugs() if s.startswith(".")]
    must(len(place.slugs()) - len(hidden) <= MANY, "slugs")
    for name in hidden:  # a bottle in the making is left alone while it is young
        os.utime("%s/%s" % (place.bottles, name), (0, 0))
    status, out, err = place.bottle("cleanup", "--yes")
    must(status == 0, "cleanup", status, out, err)
    left = [s for s in place.slugs() if s.startswith(".") or place.record(s)["state"] != "stopped"]
    must(not left and place.runtime_files() == [], "left", left, place.runtime_files())
    status, out, err = place.bottle("rm", *place.slugs())
    must(status == 0 and place.slugs() == [], "rm", status, err)


def cases():
    yield "a hundred launches at once", a_hundred
    yield "a hundred launches, and keepers are killed", a_hundred_with_murders
