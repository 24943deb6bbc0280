"""test_demo.py -- `make demo` does all that it says, and fails when it does not."""
import os
import subprocess
import sys
import unittest

from host import BUILD, ROOT


class Demo(unittest.TestCase):
    def run_demo(self, **env):
        return subprocess.run([sys.executable, os.path.join(ROOT, "scripts", "demo")],
                              env={**os.environ, "FORGESYTE_BUILD": BUILD, "NO_COLOR": "1", **env},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240,
                              check=False)

    def test_it_reads_survives_and_reads_again(self):
        done = self.run_demo()
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 0, text)
        for words in ("PluginCrashed", "TimeoutError", "MemoryLimitExceeded",
                      "Plugin execution timed out after 2s. Increase timeout in manifest if needed.",
                      "Plugin exceeded 256MB memory limit. Reduce model size or increase limit.",
                      "FAILED", "INITIALIZED", "curl"):
            self.assertIn(words, text)

    def test_it_fails_where_the_host_cannot_start(self):
        done = self.run_demo(FORGESYTE_DEMO_LISTEN="192.0.2.1:1")
        self.assertNotEqual(done.returncode, 0, done.stdout.decode())


if __name__ == "__main__":
    unittest.main()
