"""Each step of a launch: it fails, or somebody is killed, before, during and after it."""
import os
import signal

from house import Traces, must, named, read, state_of, the, until, WHO

STEPS = ["recording the bottle", "building the cage", "starting the gateway", "placing certificates",
         "starting the guest", "proving the walls", "preparing the home", "starting the program"]
PROGRAM = STEPS[-1]
UNDONE = ["starting the gateway", "building the cage", "recording the bottle"]
# From which moment on a process is there.
BORN = {"keeper": ("recording the bottle", "before"), "init": ("building the cage", "during"),
        "gateway": ("starting the gateway", "during")}


def moments():
    for step in STEPS:
        for when in ("before", "during", "after"):
            if step != PROGRAM or when != "during":
                yield step, when


def exists(who, step, when):
    order = list(moments())
    return who == "caller" or order.index((step, when)) >= order.index(BORN[who])


def held(place, when, step):
    """A launch that waits at that point, its keeper, and what it holds there."""
    place.plant(when, "stop", step)
    caller = place.start("/bin/true")
    keeper = until("the keeper at the point", lambda: next(
        (p for p in named(WHO["keeper"]) if state_of(p) == "T"), None))
    return caller, keeper, Traces()


def fails(when, step, kind):
    def case(place):
        place.plant(when, kind, step)
        status = place.finish(place.start("/bin/true"))
        must(status == 125, "status", status)
        must("planted %s %s" % (when, step) in place.err(), "the cause is not told")
        place.all_gone()
        if kind == "fail" and step != PROGRAM:
            must(place.slugs() == [], "a record of nothing worth it", place.slugs())
        if kind == "unconfined":
            slug, = place.slugs() or [None] if (step, when) != (STEPS[0], "before") else [None]
            if slug:
                must(place.record(slug)["state"] == "stopped", "record", place.record(slug))
                audited = (step, when) != (STEPS[0], "during")  # the log is opened after that
                must(not audited or any("planted" in (line.get("details", {}).get("why") or "")
                                        for line in place.audit(slug)), "the audit log does not say why")
        place.cleaned(crashed=False)
    return case


def passes(when, step):
    def case(place):
        caller, keeper, traces = held(place, when, step)
        os.kill(keeper, signal.SIGCONT)
        must(place.finish(caller) == 0, "status", caller.returncode)
        place.all_gone()
        traces.check_gone()
        slug, = place.slugs()
        must(place.record(slug)["exit_status"] == 0, "record")
        place.cleaned(crashed=False)
    return case


def killed(who, when, step):
    def case(place):
        caller, keeper, traces = held(place, when, step)
        victim = caller.pid if who == "caller" else the(who)
        os.kill(victim, signal.SIGKILL)
        if who != "keeper":
            until("the victim's end", lambda: state_of(victim) in ("", "Z"))
            os.kill(keeper, signal.SIGCONT)
        status = place.finish(caller)
        if who == "caller":
            must(status == -signal.SIGKILL, "status", status)
        else:
            # A program that has ended before its cage was missed has a status of its own.
            late = step == PROGRAM and when == "after" and status == 0 and who != "keeper"
            must(status == 125 or late, "status", status)
            must(late or len(place.err().strip()) > 0, "no cause is told")
        place.all_gone()
        traces.check_gone()
        if who == "keeper":
            must("cleanup" in place.err(), "the remedy is not named")
        place.cleaned(crashed=who == "keeper")
    return case


def has_taken(pid, signo):
    """It has read the signal, and waits again; or it has ended of it."""
    fields = dict(line.split(":\t", 1) for line in read("/proc/%d/status" % pid).splitlines() if ":\t" in line)
    pending = int(fields.get("ShdPnd", "0"), 16) >> (signo - 1) & 1
    return state_of(pid) in ("", "Z") or (state_of(pid) == "S" and not pending)


def signalled(signo, when, step):
    """To the caller, while the keeper is at that point."""
    def case(place):
        caller, keeper, traces = held(place, when, step)
        caller.send_signal(signo)
        until("the caller to pass it on", lambda: has_taken(caller.pid, signo))
        os.kill(keeper, signal.SIGCONT)
        status = place.finish(caller)
        # At the last point the program may have it, or have ended.
        late = step == PROGRAM and status in (0, 128 + signo)
        must(status == 125 or late, "status", status)
        place.all_gone()
        traces.check_gone()
        place.cleaned(crashed=False)
    return case


def killed_undoing(who, step):
    """While everything is being taken down again."""
    def case(place):
        caller, keeper, traces = held(place, "undoing", step)
        victims = named(WHO[who]) if who != "caller" else [caller.pid]
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        if who != "keeper":
            os.kill(keeper, signal.SIGCONT)
        status = place.finish(caller)
        must(status in (0, 125, -signal.SIGKILL), "status", status)
        place.all_gone()
        traces.check_gone()
        place.cleaned(crashed=who == "keeper")
    return case


ONCE = True  # whose launch it is makes no difference


def cases():
    for step, when in moments():
        yield "goes on: %s %s" % (when, step), passes(when, step)
        yield "fails (unconfined): %s %s" % (when, step), fails(when, step, "unconfined")
        yield "fails (fail): %s %s" % (when, step), fails(when, step, "fail"), ONCE
        for who in ("caller", "keeper", "init", "gateway"):
            if exists(who, step, when):
                yield "SIGKILL of the %s: %s %s" % (who, when, step), killed(who, when, step)
    for step in STEPS:
        when = "during" if step != PROGRAM else "before"
        for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            yield "%s to the caller: %s %s" % (signo.name, when, step), signalled(signo, when, step), ONCE
    for step in UNDONE:
        for who in ("caller", "keeper", "init", "gateway"):
            yield "SIGKILL of the %s: undoing %s" % (who, step), killed_undoing(who, step)
