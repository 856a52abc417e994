"""Unmodified clients in real bottles, each beside what is refused and beside the control: the
same client without a bottle reaches what the bottle's may not."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fakes"))

import agents
import room
import transfers
import web
from room import Room


class Report(unittest.TextTestResult):
    """In the words that tests/run counts."""

    def __init__(self, stream, descriptions, verbosity):
        super().__init__(stream, descriptions, 0)

    @staticmethod
    def say(what, test):
        print("[  %s ] %s" % (what, test.id().split(".", 1)[-1]), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say("     OK", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("FAILED ", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.say("FAILED ", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say("SKIPPED", test)
        print("skipped: %s: %s" % (test.id().split(".")[-1], reason), flush=True)


def cases(place, wanted):
    """Every case for each person that this machine lets us be, but what is told to run once."""
    suite = unittest.TestSuite()
    for person in place.people:
        for module in (web, transfers, agents):
            for case in module.CASES:
                if case.once and person is not place.people[0]:
                    continue
                kind = type("%s_as_%d" % (case.__name__, person.uid), (case,), {"room": place, "person": person})
                for name in unittest.TestLoader().getTestCaseNames(kind):
                    if not wanted or any(w in "%s.%s" % (kind.__name__, name) for w in wanted):
                        suite.addTest(kind(name))
    return suite


def main():
    build, where, cache = sys.argv[1:4]
    place = Room(build, where, cache)
    try:
        done = unittest.TextTestRunner(stream=sys.stdout, resultclass=Report).run(cases(place, sys.argv[4:]))
    finally:
        place.close()
    sys.exit(not done.wasSuccessful() or done.testsRun == 0)


if __name__ == "__main__":
    main()
