"""test_wall_docs.py -- docs/SANDBOX.md has a section on every wall, and the tests that it names exist."""
import glob
import os
import re
import unittest

from host import ROOT


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


class WallDocs(unittest.TestCase):
    def setUp(self):
        self.doc = read("docs", "SANDBOX.md")
        self.walls = re.findall(r'^        X\([A-Z_]+, "([a-z]+)",',
                                read("src", "sandbox", "wall_table.h"), re.M)

    def test_each_wall_has_its_section(self):
        self.assertGreater(len(self.walls), 30)
        part = self.doc.split("\n## Walls and switches")[1].split("\n## ")[0]
        for wall in self.walls:
            self.assertIn(f"`{wall}`", part)

    def test_each_section_says_how_it_is_tested(self):
        part = self.doc.split("\n## Walls and switches")[1].split("\n## ")[0]
        for section in part.split("\n### ")[1:]:
            self.assertIn("*Tests*:", section, section.partition("\n")[0])

    def test_the_tests_that_are_named_exist(self):
        folder = os.path.join(ROOT, "tests", "test_plugin_sandbox")
        code = "".join(read(path) for path in glob.glob(os.path.join(folder, "*.[ch]")) +
                       glob.glob(os.path.join(folder, "*.py")))
        files = {os.path.splitext(name)[0] for name in os.listdir(folder)}
        named = re.findall(r"`(test_[a-z0-9_]+)`", self.doc)
        self.assertGreater(len(named), 20)
        for name in named:
            self.assertTrue(name in files or f"{name}(" in code, name)

    def test_a_switch_that_is_named_is_one(self):
        switches = re.findall(r'X\([A-Z0-9]+, "([a-z0-9]+)"',
                              read("src", "sandbox", "wall_switch.h"))
        for switch in switches:
            self.assertIn(f"`{switch}`", self.doc)


if __name__ == "__main__":
    unittest.main()
