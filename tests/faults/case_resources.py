"""What a launch needs and the host does not have: descriptors, room, places."""
import os
import resource
import shutil
import signal
import subprocess

from case_life import READY, running
from house import must, read, state_of, the, until

# In a mount namespace of its own, where the state directory is a file system that is made small
# when the keeper stands at the planted point, or when the program says that it is ready.
IN_A_SMALL_STATE = r"""
set -u
options=$1 size=$2 command=$3
state=$HOME/.local/state bottles=$HOME/.local/state/bot-bottle/bottles
pause() { read -rt 0.01 <> <(:) || true; }
stands() {
	keeper=$(cat /proc/$caller/task/$caller/children 2>/dev/null)
	[ -n "$keeper" ] && grep -q ') T' "/proc/${keeper% }/stat"
}
mkdir -p "$state"
mount -t tmpfs -o "$options,mode=0700" tmpfs "$state" || exit 99
bottle start --headless -- sh -c "$command" >"$HOME/said" </dev/null &
caller=$!
until stands || grep -q ready "$HOME/said" || ! kill -0 $caller 2>/dev/null; do pause; done
if [ "$size" != 0 ]; then mount -o "remount,size=$size" "$state" || exit 98; fi
stands && kill -CONT $keeper
keeper=${keeper:-$caller}
status=0
wait $caller || status=$?
while kill -0 $keeper 2>/dev/null && ! grep -q ') Z' /proc/${keeper% }/stat; do pause; done
echo "start $status"
rm -rf "$bottles"/*/home
bottle cleanup --yes
echo "cleanup $?"
for slug in $(ls "$bottles" 2>/dev/null); do
	bottle audit --verify "$slug"
	echo "verify $?"
	bottle rm "$slug"
	echo "rm $?"
done
echo "left $(ls -A "$bottles" "$HOME/.local/state/bot-bottle/run" 2>/dev/null | grep -vc ':$\|^$')"
"""
ROOM = "size=1200m"


def in_small_state(place, options, size, command):
    """The exit statuses of the script, by name, and all that it said."""
    if os.getuid() == 0 and place.user is None:
        into = ["unshare", "--mount"]
    else:
        into = ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"]
    who = {} if place.user is None else {"user": place.user, "group": place.user, "extra_groups": []}
    ran = subprocess.run([*into, "bash", "-c", IN_A_SMALL_STATE, "sh", options, size, command], timeout=120,
                         cwd=place.top + "/work", env=place.env, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **who)
    text = ran.stdout.decode("utf-8", "replace")
    must(ran.returncode < 98, "no small file system", text)
    words = [line.split() for line in text.splitlines()]
    found = {w[0]: int(w[1]) for w in words if len(w) == 2 and w[0] in ("start", "cleanup", "verify", "rm", "left")}
    place.all_gone()
    return found, text


def no_room_at_the_start(place):
    """Made small after the checks of the host, and before the first file."""
    place.plant("before", "stop", "recording the bottle")
    refused = 0
    for options, size in [(ROOM, s) for s in ("4k", "16k", "64k", "512k")] + [
            (ROOM + ",nr_inodes=%d" % n, "0") for n in (4, 6, 8, 11, 14)]:
        found, text = in_small_state(place, options, size, "exit 0")
        must(found["start"] in (0, 125), "start", options, size, found, text)
        must(found["start"] == 0 or "space" in text, "the cause is not told", options, size, text)
        must(found["cleanup"] == 0 and found["left"] == 0, "what was left is freed", options, size, found, text)
        refused += found["start"] != 0
    found, text = in_small_state(place, ROOM, "8m", "exit 0")
    whole = {"start": 0, "cleanup": 0, "verify": 0, "rm": 0, "left": 0}
    must(refused > 0 and found == whole, "the control", found, text)


def little_room_is_refused(place):
    found, text = in_small_state(place, "size=16m", "0", "exit 0")
    must(found["start"] == 125 and "disk space" in text and found["left"] == 0, "start", found, text)


def the_guest_fills_the_disk(place):
    fill = "echo ready; until [ $(df -k --output=size ~ | tail -1) -lt 9999 ]; do sleep 0.05; done; " \
           "cat /dev/zero >~/fill; exit 3"
    found, text = in_small_state(place, ROOM, "4m", fill)
    must(found["start"] in (3, 125), "start", found, text)
    must("can't be written" in text and "bottle cleanup" in text, "nobody is told", text)
    must(found["cleanup"] == 0 and found["verify"] == 0 and found["left"] == 0, "afterwards", found, text)


def few_descriptors(place):
    refused = 0
    for limit in (4, 8, 12, 16, 20, 24, 28, 32, 40, 64, 100, 128, 132, 136, 140, 144, 150, 160, 200, 1024):
        def before():
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        caller = place.spawn("start", "--headless", "--rm", "--", "true", before=before)
        status = place.finish(caller)
        must(status in (0, 125) or limit < 8, "status", limit, status)
        must(status == 0 or place.err().strip(), "no cause", limit)
        refused += status != 0
        place.all_gone()
        must(place.runtime_files() == [], "a socket", limit)
        must(place.slugs() == [] or status != 0, "a record", limit)
    must(status == 0 and refused > 0, "the control", status, refused)
    place.cleaned(crashed=True)


def state_that_is_read_only(place):
    must(place.bottle("start", "--headless", "--rm", "--", "true")[0] == 0, "the control")
    os.chmod(place.bottles, 0o500)
    status, _, err = place.bottle("start", "--headless", "--", "true")
    must(status == 125 and "denied" in err.lower(), "start", status, err)
    place.all_gone()
    os.chmod(place.bottles, 0o700)
    must(place.slugs() == [] and place.runtime_files() == [], "something is left", place.slugs())


def state_that_becomes_read_only(place):
    caller, _, traces = running(place)
    slug, = place.slugs()
    os.chmod("%s/%s" % (place.bottles, slug), 0o500)
    status, _, err = place.bottle("stop", slug)
    must(status == 1 and "cleanup" in err, "stop", status, err)
    place.all_gone(caller)
    traces.check_gone()
    os.chmod("%s/%s" % (place.bottles, slug), 0o700)
    place.cleaned(crashed=True)


def runtime_directory_that_goes(place):
    caller, keeper, traces = running(place)
    shutil.rmtree(place.runtime)
    slug, = place.slugs()
    status, _, err = place.bottle("exec", slug, "--", "true")
    must(status == 125, "exec", status, err)
    status, _, err = place.bottle("stop", slug)
    must(status == 0, "stop", status, err)
    must(place.finish(caller) == 128 + signal.SIGTERM, "status", caller.returncode)
    place.all_gone()
    traces.check_gone()
    place.cleaned(crashed=False)


def runtime_directory_that_can_not_be(place):
    place.env["XDG_RUNTIME_DIR"] = place.top + "/work/a.txt/nowhere"
    status, _, err = place.bottle("start", "--headless", "--", "true")
    must(status == 125 and "nowhere" in err, "start", status, err)
    place.all_gone()
    del place.env["XDG_RUNTIME_DIR"]
    must(place.slugs() == [], "a record", place.slugs())


ASK = r"""exec 3<>/dev/tcp/127.0.0.1/9099
printf 'GET /.well-known/bot-bottle HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3
head -1 <&3"""


def no_descriptors_in(who, ask, answers):
    """It runs out of descriptors: it waits, without spinning, and answers when it has some again."""
    def case(place):
        slug = place.detached(*READY)
        victim = the(who)
        must(answers(place.bottle(*ask(slug))), "the control")
        before = resource.prlimit(victim, resource.RLIMIT_NOFILE)
        resource.prlimit(victim, resource.RLIMIT_NOFILE, (3, before[1]))  # those that it has stay
        out = open(place.top + "/answer", "wb")
        asker = place.spawn(*ask(slug), stdout=out, stderr=out)
        calm = 0

        def settles():
            nonlocal calm
            calm = calm + 1 if state_of(victim) == "S" else 0
            return calm >= 40 or asker.poll() is not None
        until("calm", settles)
        resource.prlimit(victim, resource.RLIMIT_NOFILE, before)
        place.finish(asker)
        # It sees to the asker's end, too.
        until("calm, or its end", lambda: state_of(victim) in ("S", "Z", ""))
        must(state_of(victim) not in ("Z", ""), "it has ended", read(place.top + "/answer"))
        must(answers(place.bottle(*ask(slug))), "it does not answer any more")
        must(place.bottle("stop", slug)[0] == 0, "stop")
        place.all_gone()
        place.cleaned(crashed=False)
    return case


def asks_the_gateway(slug):
    return "exec", slug, "--", "bash", "-c", ASK


def cases():
    yield "no room at the start", no_room_at_the_start
    yield "little room is refused", little_room_is_refused, True
    yield "the guest fills the disk", the_guest_fills_the_disk
    yield "few descriptors", few_descriptors
    yield "a runtime directory that goes", runtime_directory_that_goes
    yield "a runtime directory that can't be made", runtime_directory_that_can_not_be
    yield "no descriptors in the gateway", no_descriptors_in(
        "gateway", asks_the_gateway, lambda r: "200" in r[1]), True
    yield "no descriptors in the keeper", no_descriptors_in(
        "keeper", lambda slug: ("exec", slug, "--", "true"), lambda r: r[0] == 0), True


def cases_of_users():
    """Root may write whatever the mode says."""
    yield "a state directory that is read-only", state_that_is_read_only
    yield "a state directory that becomes read-only", state_that_becomes_read_only
