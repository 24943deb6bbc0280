"""test_run_tests.py -- the counting itself: nothing that failed may look as if it had not."""
import unittest

from run_tests import Tally, add_result, add_tap


def tap(text, ended_well=True):
    tally = Tally()
    add_tap(tally, "t", text, ended_well, "exit status 0" if ended_well else "signal 6")
    return tally


class Counting(unittest.TestCase):
    def numbers(self, tally):
        return tally.passed, len(tally.failed), len(tally.skipped)

    def test_counts_each_case_once(self):
        self.assertEqual(self.numbers(tap("1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no gpu\n",
                                          False)), (1, 1, 1))

    def test_reads_the_skips_of_cmocka(self):
        for words in ("# no cgroup here", "no cgroup here"):
            tally = tap(f"1..2\nok 1 - a\n{words}\nnot ok 2 # SKIP b\n")
            self.assertEqual(self.numbers(tally), (1, 0, 1))
            self.assertEqual(tally.skipped[0][1:], ("b", "no cgroup here"))

    def test_a_program_that_died_midway_has_failed(self):
        self.assertEqual(self.numbers(tap("1..3\nok 1 - a\n", False)), (1, 1, 0))

    def test_a_program_that_ran_nothing_has_failed(self):
        self.assertEqual(self.numbers(tap("", True)), (0, 1, 0))

    def test_an_exit_status_without_a_failed_case_is_a_failure(self):
        self.assertEqual(self.numbers(tap("1..1\nok 1 - a\n", False)), (1, 1, 0))

    def test_a_timeout_is_a_failure(self):
        tally = Tally()
        add_result(tally, "gcc", {"name": "x / t", "stdout": "1..1\nok 1 - a\n",
                                  "result": "TIMEOUT", "returncode": -15})
        self.assertEqual(self.numbers(tally), (1, 1, 0))

    def test_stray_output_between_cases_is_no_failure(self):
        tally = Tally()
        add_result(tally, "gcc", {"name": "x / t", "stdout": "1..1\nhello\nok 1 - a\n",
                                  "result": "ERROR", "returncode": 0})
        self.assertEqual(self.numbers(tally), (1, 0, 0))


if __name__ == "__main__":
    unittest.main()
