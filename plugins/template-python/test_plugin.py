"""python3 -m unittest tries @NAME@: its code by itself, and in its box where forgesyte is."""
import json
import os
import shutil
import subprocess
import sys
import types
import unittest

try:
    import forgesyte
except ImportError:  # no host on PYTHONPATH: here is what plugin.py uses of it
    class ToolError(Exception):
        def __init__(self, type, message=""):
            super().__init__(message)
            self.type = type

    forgesyte = sys.modules["forgesyte"] = types.SimpleNamespace(BasePlugin=object,
                                                                 ToolError=ToolError)
import plugin

HERE = os.path.dirname(os.path.abspath(__file__))
FORGESYTE = os.environ.get("FORGESYTE") or shutil.which("forgesyte")


class Code(unittest.TestCase):
    def setUp(self):
        self.plugin = plugin.Plugin()

    def test_hello_greets_by_name(self):
        self.assertEqual(self.plugin.hello(name="Ada"), {"greeting": "Hello, Ada!"})
        self.assertEqual(self.plugin.hello(), {"greeting": "Hello, world!"})

    def test_hello_to_nobody_is_declined(self):
        with self.assertRaises(forgesyte.ToolError) as caught:
            self.plugin.hello(name=" ")
        self.assertEqual(caught.exception.type, "NoName")

    def test_the_manifest_lists_these_tools(self):
        with open(os.path.join(HERE, "manifest.json"), encoding="utf-8") as file:
            listed = {tool["name"] for tool in json.load(file)["tools"]}
        self.assertEqual(listed, set(self.plugin.tools))


@unittest.skipUnless(FORGESYTE, "no forgesyte on PATH or in $FORGESYTE")
class InItsBox(unittest.TestCase):
    def run_tool(self, *words):
        command = [FORGESYTE, "run", "--plugins", os.path.dirname(HERE), "@NAME@", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def test_hello(self):
        done = self.run_tool("hello", "name=Ada")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), {"greeting": "Hello, Ada!"})

    def test_a_declared_error_exits_5(self):
        done = self.run_tool("hello", "name= ")
        self.assertEqual(done.returncode, 5, done.stderr)


if __name__ == "__main__":
    unittest.main()
