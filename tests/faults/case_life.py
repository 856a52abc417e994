"""While the program runs: who dies, who hangs, who goes away."""
import contextlib
import fcntl
import os
import pty
import signal
import termios

from case_steps import held
from house import Traces, must, named, state_of, the, until

READY = ("sh", "-c", "echo ready; exec sleep 1000")
STUBBORN = ("sh", "-c", "trap '' TERM HUP INT; echo ready; while :; do sleep 1000; done")


def running(place, command=READY):
    place.plant()
    caller = place.start(*command)
    until("the program", lambda: "ready" in place.out() or caller.poll() is not None)
    must(caller.poll() is None, "the bottle does not run")
    return caller, the("keeper"), Traces()


def ended(place, caller, traces, statuses, crashed=False):
    status = place.finish(caller)
    must(status in statuses, "status", status)
    place.all_gone()
    traces.check_gone()
    if not crashed:
        slug, = place.slugs()
        must(place.record(slug)["state"] == "stopped", "record", place.record(slug))
    place.cleaned(crashed)


def killed(who):
    def case(place):
        caller, _, traces = running(place)
        os.kill(caller.pid if who == "caller" else the(who), signal.SIGKILL)
        ended(place, caller, traces, [-signal.SIGKILL if who == "caller" else 125], who == "keeper")
        if who != "caller":
            words = {"keeper": "cleanup", "init": "init", "gateway": "egress"}
            must(words[who] in place.err(), "the cause is not told")
    return case


def a_dead_gateway_is_in_the_audit_log(place):
    caller, _, _ = running(place)
    os.kill(the("gateway"), signal.SIGKILL)
    place.finish(caller)
    place.all_gone()
    slug, = place.slugs()
    must(any("egress" == line.get("sidecar") for line in place.audit(slug)), "audit", place.audit(slug))


def caller_signalled(signo):
    def case(place):
        caller, _, traces = running(place)
        caller.send_signal(signo)
        # A hang-up ends the caller at once; any other is the program's.
        ended(place, caller, traces, [125] if signo == signal.SIGHUP else [128 + signo])
    return case


def keeper_signalled(signo):
    def case(place):
        caller, keeper, traces = running(place)
        os.kill(keeper, signo)
        ended(place, caller, traces, [128 + signal.SIGTERM])
    return case


def on_a_terminal(place):
    """The caller as the leader of a session on a terminal of its own."""
    ours, theirs = pty.openpty()

    def before():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    if place.user is not None:
        os.fchown(theirs, place.user, -1)
    place.plant()
    caller = place.spawn("start", "--yes", "--", *READY, stdin=theirs, stdout=theirs, before=before)
    os.close(theirs)
    os.set_blocking(ours, False)
    seen = b""

    def question():
        nonlocal seen
        with contextlib.suppress(OSError):
            seen += os.read(ours, 4096)
        return b"ready" in seen or caller.poll() is not None
    until("the program on the terminal", question)
    must(caller.poll() is None, "the bottle does not run", seen)
    return caller, ours


def terminal_hangs_up(place):
    caller, terminal = on_a_terminal(place)
    traces = Traces()
    os.close(terminal)
    ended(place, caller, traces, [125, -signal.SIGHUP])


def terminal_interrupts(place):
    """The control: the same terminal, and its interrupt key, which is the program's."""
    caller, terminal = on_a_terminal(place)
    traces = Traces()
    os.write(terminal, b"\x03")
    ended(place, caller, traces, [128 + signal.SIGINT])
    os.close(terminal)


def caller_dies_while_the_keeper_is_stopped(place):
    caller, keeper, traces = running(place)
    os.kill(keeper, signal.SIGSTOP)
    until("the stop", lambda: state_of(keeper) == "T")
    caller.kill()
    place.finish(caller)
    os.kill(keeper, signal.SIGCONT)
    ended(place, caller, traces, [-signal.SIGKILL])


def detached_keeper_killed(place):
    slug = place.detached("sleep", "1000")
    traces = Traces()
    os.kill(the("keeper"), signal.SIGKILL)
    place.all_gone()
    traces.check_gone()
    for verb in (("exec", slug, "--", "true"), ("attach", slug)):
        status, _, err = place.bottle(*verb)
        must(status == 125 and slug in err, "a dead bottle", verb, status, err)
    status, _, err = place.bottle("stop", slug)
    must(status == 1 and "cleanup" in err, "stop of a dead bottle", status, err)
    status, _, err = place.bottle("rm", slug)
    must(status == 1 and "cleanup" in err, "rm before cleanup", status, err)
    place.cleaned(crashed=True)


def hung(who, status_of_stop=0):
    """Stopped by a signal, so that it does nothing any more, and the bottle is to be stopped."""
    def case(place):
        slug = place.detached("sleep", "1000")
        traces = Traces()
        victim = the(who)
        os.kill(victim, signal.SIGSTOP)
        until("the stop", lambda: state_of(victim) == "T")
        status, _, err = place.bottle("stop", slug)
        must(status == status_of_stop, "stop", status, err)
        place.all_gone()
        traces.check_gone()
        place.cleaned(crashed=False)
    return case


def hung_keeper(place):
    slug = place.detached("sleep", "1000")
    keeper = the("keeper")
    os.kill(keeper, signal.SIGSTOP)
    until("the stop", lambda: state_of(keeper) == "T")
    status, _, err = place.bottle("stop", slug)
    must(status == 1 and "kill -9 %d" % keeper in err, "stop", status, err)
    # What it says to do is enough.
    os.kill(keeper, signal.SIGKILL)
    place.all_gone()
    place.cleaned(crashed=True)


def hung_at_launch(who, step):
    def case(place):
        caller, keeper, traces = held(place, "during", step)
        os.kill(the(who), signal.SIGSTOP)
        os.kill(keeper, signal.SIGCONT)
        must(place.finish(caller) == 125, "status", caller.returncode)
        must("did not come within" in place.err() or "proof" in place.err(), "the cause")
        place.all_gone()
        traces.check_gone()
        place.cleaned(crashed=False)
    return case


def a_stubborn_program_is_killed(place):
    caller, _, traces = running(place, STUBBORN)
    status, _, err = place.bottle("stop", place.slugs()[0])
    must(status == 0, "stop", status, err)
    ended(place, caller, traces, [0, 125, 128 + signal.SIGKILL])


def killed_before_it_was_removed(place):
    """start --rm: its keeper had no time to remove it, so it is a bottle like any other."""
    status, out, err = place.bottle("start", "--headless", "--detach", "--rm", "--", "sh", "-c",
                                    "echo x >new; exec sleep 1000")
    must(status == 0, "start", status, err)
    slug = out.strip()
    until("the change", lambda: "new" in place.bottle("diff", slug)[1])
    os.kill(the("keeper"), signal.SIGKILL)
    place.all_gone()
    must(place.bottle("cleanup", "--yes")[0] == 0, "cleanup")
    status, _, err = place.bottle("resume", "--detach", slug)
    must(status == 0, "resume", status, err)
    status, out, err = place.bottle("exec", slug, "--", "cat", "new")
    must(status == 0 and out == "x\n", "the change is gone", status, out, err)
    must(place.bottle("stop", slug)[0] == 0, "stop")
    place.all_gone()
    place.cleaned(crashed=False)


def lookers_on_end_with_the_keeper(place):
    slug = place.detached("sh", "-c", "echo ready; exec sleep 1000")
    lookers = [place.spawn("attach", slug), place.spawn("exec", slug, "--", "sleep", "1000")]
    until("both", lambda: len(named(["sleep", "1000"])) == 2 and state_of(lookers[0].pid) == "S")
    os.kill(the("keeper"), signal.SIGKILL)
    for looker in lookers:
        must(place.finish(looker) == 125, "status", looker.returncode)
    place.all_gone()
    place.cleaned(crashed=True)


def attach_during_the_end(place):
    """Whoever comes while everything goes down gets an end, and not silence."""
    place.plant("undoing", "stop", "building the cage")
    caller = place.start(*READY)
    until("the program", lambda: "ready" in place.out())
    slug, = place.slugs()
    keeper = the("keeper")
    os.kill(keeper, signal.SIGTERM)
    until("the point", lambda: state_of(keeper) == "T")
    for verb in (("attach", slug), ("exec", slug, "--", "true")):
        status, _, err = place.bottle(*verb)
        must(status == 125 and slug in err, "a bottle that ends", verb, status, err)
    os.kill(keeper, signal.SIGCONT)
    place.finish(caller)
    place.all_gone()
    place.cleaned(crashed=False)


ONCE = True  # it takes a deadline of the program: as one user will do


def cases():
    for who in ("caller", "keeper", "init", "gateway"):
        yield "SIGKILL of the %s while the program runs" % who, killed(who)
    yield "a dead gateway is in the audit log", a_dead_gateway_is_in_the_audit_log
    for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        yield "%s to the caller while the program runs" % signo.name, caller_signalled(signo)
        yield "%s to the keeper while the program runs" % signo.name, keeper_signalled(signo)
    yield "the terminal hangs up", terminal_hangs_up
    yield "the terminal's interrupt key is the program's", terminal_interrupts
    yield "the caller dies while the keeper is stopped", caller_dies_while_the_keeper_is_stopped
    yield "SIGKILL of a detached bottle's keeper", detached_keeper_killed
    yield "a gateway that hangs does not keep the bottle", hung("gateway"), ONCE
    yield "an init that hangs does not keep the bottle", hung("init"), ONCE
    yield "a keeper that hangs is named", hung_keeper, ONCE
    yield "a gateway that hangs ends the launch", hung_at_launch("gateway", "starting the gateway"), ONCE
    yield "an init that hangs ends the launch", hung_at_launch("init", "starting the guest"), ONCE
    yield "a program that ignores signals is killed", a_stubborn_program_is_killed
    yield "a bottle that was to be removed is resumed after its keeper was killed", killed_before_it_was_removed
    yield "attach and exec end with a killed keeper", lookers_on_end_with_the_keeper
    yield "attach and exec while the bottle ends", attach_during_the_end
