"""test_frame.py -- the corpus's own promises: it runs nowhere but in its throw-away world, it has every
row, and docs/HOSTILE.md says what the rows expect."""
import os
import re
import subprocess
import sys
import unittest

from host import NOBODY, ROOT, need_nobody

RUN = os.path.join(ROOT, "tests", "hostile", "run")
ROWS = 110 + 28  # of the corpus, and of the family extra


def run(*args, env=None, before=()):
    return subprocess.run([*before, sys.executable, RUN, *args], stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})})


class Refusal(unittest.TestCase):
    def refused(self, done, *words):
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertIn("only run in a throw-away world", done.stderr)
        for each in words:
            self.assertIn(each, done.stderr)

    def test_rows_are_refused_outside_of_namespaces_of_their_own(self):
        self.refused(run("--inside", "--row", "C01"), "not in a mnt namespace")

    def test_being_told_that_all_is_well_does_not_help(self):
        """A pretended outside is not enough: the first process of a pid namespace, and the cgroup."""
        outside = ",".join(f"{name}={name}:[1]" for name in ("mnt", "pid", "net", "ipc", "uts"))
        done = run("--inside", "--row", "C01", env={
            "HOSTILE_OUTSIDE": outside, "HOSTILE_CGROUP": "memory=/sys/fs/cgroup,pids=/sys/fs/cgroup"})
        self.refused(done)

    @need_nobody
    def test_an_ordinary_user_is_refused(self):
        self.refused(run(before=["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                                 "--clear-groups", "--"]), "root")


class Rows(unittest.TestCase):
    def setUp(self):
        self.table = run("--table").stdout

    def test_every_row_of_the_corpus_is_there_once(self):
        names = re.findall(r"(?m)^\| ([A-Z]\d\d) \|", self.table)
        self.assertEqual((len(names), len(set(names))), (ROWS, ROWS), names)

    def test_the_document_says_what_the_rows_expect(self):
        with open(os.path.join(ROOT, "docs", "HOSTILE.md"), encoding="utf-8") as f:
            document = f.read()
        part = document.partition("<!-- begin rows -->\n")[2].partition("<!-- end -->")[0]
        self.assertEqual(part, self.table, "tests/hostile/run --table prints what belongs there")


if __name__ == "__main__":
    unittest.main()
