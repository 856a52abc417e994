"""Whatever fails or dies at whatever moment: nothing runs, nothing is reachable, and what is
left is a record that says so and that `bottle cleanup` frees."""
import os
import sys
import traceback

import house
import case_life
import case_records
import case_resources
import case_steps
import case_storm

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "machine"))
import case_machine  # noqa: E402
import misbehave  # noqa: E402

WORKERS = 2
MODULES = (case_steps, case_life, case_records, case_resources, case_storm)
WITH_A_MACHINE = (misbehave, case_machine)


def cases(machine):
    """As who runs the suite; root runs it as an ordinary user too."""
    users = [(None, "root" if os.getuid() == 0 else "user")]
    if os.getuid() == 0:
        users.append((house.ORDINARY, "user"))
    for module in WITH_A_MACHINE if machine else MODULES:
        for user, name in users:
            for title, function, *once in module.cases():
                if not once or (user, name) == users[0]:
                    yield "%s: %s" % (name, title), function, user
    for title, function in case_resources.cases_of_users() if not machine else ():
        yield "user: " + title, function, users[-1][0]


def run_one(tree, machine, title, function, user):
    place = house.Place(tree, user, machine)
    try:
        function(place)
        return "[       OK ] %s\n" % title
    except house.Failure as e:
        return "  %s\n  stderr: %s\n[  FAILED  ] %s\n" % (e, place.err()[-600:], title.replace(" ", "-"))
    except Exception:
        return "%s\n[  FAILED  ] %s\n" % (traceback.format_exc(), title.replace(" ", "-"))
    finally:
        place.remove()


def work(tree, machine, chosen, counter, results):
    """Takes the next case until there is none: the pipe holds one byte per case."""
    house.become_subreaper()
    while True:
        token = os.read(counter, 2)
        if len(token) < 2:
            return
        text = run_one(tree, machine, *chosen[int.from_bytes(token, "big")])
        os.write(results, text.encode()[-4000:])


def main(tree, patterns):
    machine = "--machine" in patterns
    patterns = [p for p in patterns if p != "--machine"]
    chosen = [c for c in cases(machine) if not patterns or any(p in c[0] for p in patterns)]
    counter_read, counter = os.pipe()
    os.write(counter, b"".join(i.to_bytes(2, "big") for i in range(len(chosen))))
    os.close(counter)
    pids = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            try:
                work(tree, machine, chosen, counter_read, sys.stdout.fileno())
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    return max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
