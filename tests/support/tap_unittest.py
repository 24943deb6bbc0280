"""tap_unittest.py -- runs a unittest file and speaks TAP: python3 tap_unittest.py FILE.py

One `ok N - name` or `not ok N - name` a test, `# SKIP reason` where one was skipped, the traceback
of a failure as `#` lines under it, and the plan at the end.
"""
import importlib.util
import os
import sys
import unittest


class TapResult(unittest.TestResult):
    """Prints as it goes. A test with several failures (subtests, tearDown) is one `not ok`."""

    count = 0
    skipped_now = False
    before = None  # how many failures and errors there were when the test began

    def report(self, test, bad, note=""):
        self.count += 1
        name = test.id().removeprefix("__tap__.")
        print(f"{'not ok' if bad else 'ok'} {self.count} - {name}{note}", flush=True)
        for trace in bad:
            print("".join(f"# {line}\n" for line in trace.splitlines()), end="", flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.skipped_now = True
        self.report(test, (), f" # SKIP {reason}")

    def addError(self, test, err):
        super().addError(test, err)
        if not isinstance(test, unittest.TestCase):  # setUpClass failed: no test will start
            self.report(test, (self.errors[-1][1],))

    def startTest(self, test):
        super().startTest(test)
        self.skipped_now = False
        self.before = len(self.failures), len(self.errors)

    def stopTest(self, test):
        super().stopTest(test)
        if self.before is None:  # Python 3.12.1 does not start the tests of a class that is skipped
            return
        new = self.failures[self.before[0]:] + self.errors[self.before[1]:]
        self.before = None
        if new or not self.skipped_now:
            self.report(test, tuple(trace for _, trace in new))


def main(path):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location("__tap__", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["__tap__"] = module
    spec.loader.exec_module(module)
    result = TapResult()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    print(f"1..{result.count}")
    print(f"# Ran {result.testsRun} tests, {len(result.skipped)} skipped")
    return 0 if result.wasSuccessful() and result.count else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
