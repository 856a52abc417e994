"""Every case as whoever runs it and, where that is root, most as an ordinary user too."""
import os
import sys
import unittest

import ask
import hostile
import session
from terminal import Person

ORDINARY = 65000


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

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.say("FAILED ", test)


def cases(build, place, wanted):
    suite = unittest.TestSuite()
    for uid in [os.getuid()] + ([ORDINARY] if os.getuid() == 0 else []):
        for case in session.CASES + ask.CASES + hostile.CASES:
            if case.once and uid != os.getuid():
                continue
            kind = type("%s_as_%d" % (case.__name__, uid), (case,), {
                "person_of": lambda self, uid=uid: Person(build, place, uid, self.id().split(".")[-1] + str(uid)),
            })
            for name in unittest.TestLoader().getTestCaseNames(kind):
                if not wanted or any(w in "%s.%s" % (kind.__name__, name) for w in wanted):
                    suite.addTest(kind(name))
    return suite


def main():
    build, place = sys.argv[1:3]
    done = unittest.TextTestRunner(stream=sys.stdout, resultclass=Report).run(cases(build, place, sys.argv[3:]))
    sys.exit(not done.wasSuccessful() or done.testsRun == 0)


if __name__ == "__main__":
    main()
