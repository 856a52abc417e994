"""The steps that a machine adds to a launch: they fail, or somebody is killed, at each moment;
and smolvm or its monitor dies while the bottle runs. What is left, `cleanup` frees."""
import os
import signal

from case_steps import held
from house import Traces, descendants, must, named, read, state_of, the, until

STEPS = ["creating the machine", "booting the machine", "moving in"]
MOMENTS = ("before", "during", "after")


# One has its name a moment after it was started.
def monitors():
    return [p for p in descendants() if read("/proc/%d/comm" % p).startswith("libkrun VM") and state_of(p) != "Z"]


def machines(place):
    return [top for top, dirs, _ in os.walk(place.bottles) if "smolvm" in dirs]


def ended(place, traces, crashed):
    place.all_gone()
    traces.check_gone()
    if crashed:
        slug, = place.slugs()
        must(machines(place), "control: a killed keeper leaves the disks")
        must([r for r in place.record(slug)["resources"] if r["kind"] == "machine"], "the record does not name it",
             place.record(slug))
    else:
        must(not machines(place), "a machine is left")
    place.cleaned(crashed)
    must(not machines(place), "after cleanup a machine is left")


def fails(when, step, kind):
    def case(place):
        place.plant(when, kind, step)
        status = place.finish(place.start("true"))
        must(status == 125 and "planted %s %s" % (when, step) in place.err(), "status", status, place.err())
        must(not machines(place), "a machine is left")
        place.all_gone()
        if kind == "unconfined":
            slug, = place.slugs()
            must(any("planted" in (line.get("details", {}).get("why") or "") for line in place.audit(slug)), "no audit line")
        place.cleaned(crashed=False)
    return case


def passes(when, step):
    """The control: the same moment, and nobody is harmed."""
    def case(place):
        caller, keeper, traces = held(place, when, step)
        os.kill(keeper, signal.SIGCONT)
        must(place.finish(caller) == 0, "status", caller.returncode, place.err())
        ended(place, traces, False)
    return case


def killed(who, when, step):
    def case(place):
        caller, keeper, traces = held(place, when, step)
        victims = until("the monitor", monitors) if who == "monitor" else [caller.pid] if who == "caller" else [the(who)]
        must(len(victims) == 1, "not one " + who, victims)
        os.kill(victims[0], signal.SIGKILL)
        if who != "keeper":
            until("the victim's end", lambda: state_of(victims[0]) in ("", "Z"))
            os.kill(keeper, signal.SIGCONT)
        status = place.finish(caller)
        must(status == (-signal.SIGKILL if who == "caller" else 125), "status", status)
        must(who == "caller" or place.err().strip(), "no cause is told")
        ended(place, traces, crashed=who == "keeper")
    return case


def signalled(when, step):
    def case(place):
        caller, keeper, traces = held(place, when, step)
        caller.send_signal(signal.SIGTERM)
        os.kill(keeper, signal.SIGCONT)
        must(place.finish(caller) == 125, "status", caller.returncode)
        ended(place, traces, False)
    return case


def undoing(who):
    def case(place):
        caller, keeper, traces = held(place, "undoing", STEPS[0])
        for victim in monitors() if who == "monitor" else [the(who)]:
            os.kill(victim, signal.SIGKILL)
        if who != "keeper":
            os.kill(keeper, signal.SIGCONT)
        place.finish(caller)
        ended(place, traces, crashed=who == "keeper")
    return case


def smolvm_killed(command):
    """In the middle of a command of smolvm: it hangs as told, and is killed from outside."""
    def case(place):
        place.behave("hang-" + command)
        caller = place.start("true")
        words = ["/opt/smolvm/smolvm", "machine", command]
        one, = until("smolvm", lambda: named(words))
        traces = Traces()
        os.kill(one, signal.SIGKILL)
        status = place.finish(caller)
        must(status == 125 and "machine " + command in place.err(), "status", status, place.err())
        ended(place, traces, False)
    return case


def keeper_killed_in(command):
    def case(place):
        place.behave("hang-" + command)
        caller = place.start("true")
        until("smolvm", lambda: named(["/opt/smolvm/smolvm", "machine", command]))
        traces = Traces()
        os.kill(the("keeper"), signal.SIGKILL)
        must(place.finish(caller) == 125, "status", caller.returncode)
        ended(place, traces, True)
    return case


def running_killed(who):
    def case(place):
        place.detached("sleep", "1000")
        until("the program", lambda: named(["sleep", "1000"]))
        traces = Traces()
        victim = until("the monitor", monitors)[0] if who == "monitor" else the(who)
        os.kill(victim, signal.SIGKILL)
        ended(place, traces, crashed=who == "keeper")
    return case


def the_row_is_gone(place):
    """Somebody took it out of the database while the machine ran: nothing to delete, and nothing is left."""
    slug = place.detached("sleep", "1000")
    until("the program", lambda: named(["sleep", "1000"]))
    traces = Traces()
    database = "%s/%s/smolvm/.local/share/smolvm/server/smolvm.db" % (place.bottles, slug)
    must(os.path.exists(database), "control: the database is there")
    import sqlite3
    with sqlite3.connect(database) as db:
        must(db.execute("DELETE FROM vms").rowcount == 1, "control: the row was there")
    db.close()
    must(place.bottle("stop", slug)[0] == 0, "stop")
    ended(place, traces, False)


def resumed_after_a_crash(place):
    """What a killed keeper left is another machine's: the next start makes its own."""
    slug = place.detached("true")
    os.kill(the("keeper"), signal.SIGKILL)
    place.all_gone()
    must(machines(place), "control: the disks are left")
    status, out, err = place.bottle("resume", slug)
    must(status != 0 and "dead" in err, "resume of a dead one", status, err)
    must(place.bottle("cleanup", "--yes", slug)[0] == 0, "cleanup")
    must(not machines(place), "after cleanup a machine is left")
    status, out, err = place.bottle("resume", slug)
    must(status == 0, "resume", status, err)
    place.all_gone()
    place.cleaned(False)


ONCE = True


def cases():
    for step in STEPS:
        for when in MOMENTS:
            if (step, when) == (STEPS[2], "during"):
                continue
            at = "%s %s" % (when, step)
            yield "machine: goes on: " + at, passes(when, step), ONCE
            yield "machine: fails (unconfined): " + at, fails(when, step, "unconfined"), ONCE
            yield "machine: fails (fail): " + at, fails(when, step, "fail"), ONCE
            for who in ("caller", "keeper", "init", "gateway"):
                yield "machine: SIGKILL of the %s: %s" % (who, at), killed(who, when, step)
        yield "machine: SIGTERM to the caller: after " + step, signalled("after", step), ONCE
    for when, step in (("during", STEPS[1]), ("after", STEPS[1]), ("before", STEPS[2]), ("after", STEPS[2])):
        yield "machine: SIGKILL of the monitor: %s %s" % (when, step), killed("monitor", when, step)
    for who in ("keeper", "init", "gateway", "monitor"):
        yield "machine: SIGKILL of the %s: undoing" % who, undoing(who), ONCE
        yield "machine: SIGKILL of the %s while it runs" % who, running_killed(who), ONCE
    for command in ("create", "start", "exec"):
        yield "machine: SIGKILL of smolvm in " + command, smolvm_killed(command), ONCE
        yield "machine: SIGKILL of the keeper in " + command, keeper_killed_in(command), ONCE
    yield "machine: the row is gone", the_row_is_gone
    yield "machine: resumed after a crash", resumed_after_a_crash, ONCE
