"""test_template.py -- what `forgesyte new` writes builds with make, warns of nothing, and works."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness import HARNESS, ROOT, run_once

TEMPLATE = os.path.join(HERE, "..", "template-native")
FILES = {"plugin.c", "manifest.json.in", "Makefile", "README.md", "test.sh"}
NAMES = ("hello", "my-plugin_2", "7-of-9")

# Stands in for `forgesyte run --plugins DIR NAME TOOL ...`.
FORGESYTE = f"""#!/bin/sh
[ "$1 $2" = "run --plugins" ] || exit 2
so=$3/$4/$4.so
shift 4
exec {HARNESS} "$so" "$@"
"""


@unittest.skipUnless(shutil.which("make"), "needs make")
class Template(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def new(self, name):
        """As the command line writes it: placeholders filled in, .in left out."""
        plugin = os.path.join(self.folder.name, name)
        os.mkdir(plugin)
        for file in FILES:
            with open(os.path.join(TEMPLATE, file)) as source:
                text = source.read().replace("@NAME@", name)
            self.assertNotIn("@", text.replace("$@", "").replace('"$@"', ""), file)
            path = os.path.join(plugin, file.removesuffix(".in"))
            with open(path, "w") as out:
                out.write(text)
            shutil.copymode(os.path.join(TEMPLATE, file), path)
        return plugin

    def make(self, plugin, *words, **variables):
        environment = dict(os.environ, FORGESYTE_INCLUDE=os.path.join(ROOT, "include"), **variables)
        return subprocess.run(["make", "-C", plugin, *words], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_it_is_these_files(self):
        self.assertEqual(set(os.listdir(TEMPLATE)), FILES)

    def test_it_builds_without_a_warning(self):
        for compiler in filter(shutil.which, ("gcc", "clang")):
            with self.subTest(compiler):
                plugin = self.new("by-" + compiler)
                done = self.make(plugin, CC=compiler, CFLAGS="-Wall -Wextra -Werror -pedantic")
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_it_greets_under_any_name(self):
        for name in NAMES:
            with self.subTest(name):
                plugin = self.new(name)
                self.assertEqual(self.make(plugin).returncode, 0)
                with open(os.path.join(plugin, "manifest.json")) as file:
                    manifest = json.load(file)
                self.assertEqual(manifest["name"], name)
                done = run_once(os.path.join(plugin, manifest["entrypoint"]), "greet", "name=Ada")
                self.assertEqual(json.loads(done.stdout)["result"], {"greeting": "Hello, Ada!"})

    def test_its_own_test_passes(self):
        program = os.path.join(self.folder.name, "forgesyte")
        with open(program, "w") as file:
            file.write(FORGESYTE)
        os.chmod(program, 0o755)
        done = self.make(self.new("hello"), "test", FORGESYTE=program)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_its_own_test_notices_a_broken_plugin(self):
        program = os.path.join(self.folder.name, "forgesyte")
        with open(program, "w") as file:
            file.write("#!/bin/sh\nexit 3\n")
        os.chmod(program, 0o755)
        self.assertNotEqual(self.make(self.new("hello"), "test", FORGESYTE=program).returncode, 0)


if __name__ == "__main__":
    unittest.main()
