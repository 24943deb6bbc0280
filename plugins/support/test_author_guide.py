"""test_author_guide.py -- the author's guide's first example is 30 lines, builds, and counts."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness import ROOT, run_once

GUIDE = os.path.join(ROOT, "docs", "PLUGIN-AUTHOR.md")


def block(language):
    """The guide's first block of code in that language."""
    with open(GUIDE) as file:
        return re.search(rf"```{language}\n(.*?)```", file.read(), re.S).group(1)


class Guide(unittest.TestCase):
    def test_the_example_builds_and_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            source, so = os.path.join(folder, "count.c"), os.path.join(folder, "count.so")
            with open(source, "w") as file:
                file.write(block("c"))
            subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror",
                            "-I" + os.path.join(ROOT, "include"), "-o", so, source], check=True)
            done = run_once(so, "count", "file=@" + source)
            empty = run_once(so, "count")
        text = block("c")
        self.assertEqual(json.loads(done.stdout)["result"], {
            "lines": text.count("\n"), "words": len(text.split()), "bytes": len(text)})
        self.assertEqual(json.loads(empty.stdout)["error_type"], "EmptyFile")
        self.assertLessEqual(text.count("\n"), 30)

    def test_the_examples_manifest_belongs_to_it(self):
        manifest = json.loads(block("json"))
        self.assertEqual([tool["name"] for tool in manifest["tools"]],
                         re.findall(r'FORGE_TOOL\("(\w+)"', block("c")))


if __name__ == "__main__":
    unittest.main()
