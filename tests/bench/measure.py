"""What every benchmark needs: interleaved rounds, honest summaries, the state of the machine."""
import os
import platform
import shutil
import subprocess
import sys
import time


def summary(values, unit):
    """Every run is kept: a reader may doubt the median."""
    ordered = sorted(values)
    n = len(ordered)
    middle = ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) / 2
    return {"unit": unit, "n": n, "min": ordered[0], "median": middle, "max": ordered[-1], "runs": values}


def say(text):
    print(text, file=sys.stderr, flush=True)


def load():
    return round(os.getloadavg()[0], 2)


def version(*command):
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if lines else None


def machine():
    model = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {"cpus": os.cpu_count(), "cpu": model[0] if model else platform.machine(),
            "kernel": platform.release(), "user": "root" if os.getuid() == 0 else "an ordinary user"}


def timed(command, env):
    """Milliseconds from the start of a program to its end."""
    null = os.open(os.devnull, os.O_RDWR)
    path = shutil.which(command[0]) or command[0]
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    begin = time.perf_counter_ns()
    pid = os.posix_spawn(path, command, env, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter_ns() - begin) / 1e6
    os.close(null)
    if status != 0:
        raise SystemExit("bench: %s ends with status %d" % (" ".join(command), os.waitstatus_to_exitcode(status)))
    return took


def pss_kib(pid):
    for line in open("/proc/%d/smaps_rollup" % pid):
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def rss_kib(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


TICKS = os.sysconf("SC_CLK_TCK")


def cpu_us(pid):
    """What a process used of the processors so far, all its threads: other work on the machine does not count."""
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000000 // TICKS


def family(pid):
    """A process and everything below it."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = open("/proc/%s/stat" % name).read()
        except OSError:
            continue
        children.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children.get(one, [])
    return found


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("bench: never happened: " + what)
        time.sleep(0.01)
