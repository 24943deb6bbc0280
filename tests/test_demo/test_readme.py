"""test_readme.py -- what the README shows is true: its plugin builds and runs, its links lead somewhere."""
import json
import os
import re
import subprocess
import unittest

from host import FORGESYTE, ROOT, HostCase, environment


class Readme(HostCase):
    def setUp(self):
        super().setUp()
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            self.text = f.read()

    def block(self, language, containing):
        """The code block of that language with these words in it."""
        blocks = re.findall(rf"```{language}\n(.*?)```", self.text, re.DOTALL)
        return next(block for block in blocks if containing in block)

    def test_its_plugin_builds_and_counts_words(self):
        code = self.block("c", "FORGE_PLUGIN")
        manifest = self.block("json", '"wordcount"')
        self.assertLessEqual(len(code.splitlines()) + len(manifest.splitlines()), 32,
                             "a plugin in 30 lines")
        folder = os.path.join(self.plugins, "wordcount")
        os.mkdir(folder)
        with open(os.path.join(folder, "wordcount.c"), "w", encoding="utf-8") as f:
            f.write(code)
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as f:
            f.write(manifest)
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I",
                        os.path.join(ROOT, "include"), "-o",
                        os.path.join(folder, "wordcount.so"),
                        os.path.join(folder, "wordcount.c")], check=True)
        done = subprocess.run([FORGESYTE, "run", "--plugins", self.plugins, "wordcount", "count",
                               "text=one two three"], stdout=subprocess.PIPE, check=True,
                              env=environment())
        self.assertEqual(json.loads(done.stdout), {"words": 3})
        host = self.serve()
        self.assertEqual(host.run("wordcount", "count", {"text": " a  b "}).result, {"words": 2})

    def test_its_links_lead_somewhere(self):
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md"):
            with open(os.path.join(ROOT, name), encoding="utf-8") as f:
                links = re.findall(r"\]\(([^)#:]+)\)", f.read())
            for link in links:
                self.assertTrue(os.path.exists(os.path.join(ROOT, link)), f"{name}: {link}")

    def test_its_make_targets_and_commands_exist(self):
        with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as f:
            targets = set(re.findall(r"(?m)^([a-z-]+):", f.read()))
        self.assertLessEqual(set(re.findall(r"(?m)^make ([a-z-]+)", self.text)), targets)
        out = subprocess.run([FORGESYTE, "help"], stdout=subprocess.PIPE, check=True,
                             env=environment()).stdout.decode()
        for command in set(re.findall(r"`forgesyte ([a-z]+)", self.text)):
            self.assertIn(command, out)


if __name__ == "__main__":
    unittest.main()
