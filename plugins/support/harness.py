"""harness.py -- the plugin under test as a Python object; tests of plugins import it.

FORGESYTE_HARNESS is the harness program, FORGESYTE_PLUGINS the folder of built plugins; without
them the plain build in ./build is used.
"""
import json
import os
import resource
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "plugins")
PLUGINS = os.environ.get("FORGESYTE_PLUGINS", BUILD)
HARNESS = os.environ.get("FORGESYTE_HARNESS", os.path.join(BUILD, "support", "harness"))

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # crashes are the point of some tests


def plugin_so(name):
    return os.path.join(PLUGINS, name, name + ".so")


def run_once(so, tool, *words, **options):
    """One call in a process of its own: what a misbehaviour does to it is visible."""
    return subprocess.run([HARNESS, so, tool, *words], capture_output=True, timeout=60, **options)


class Harness:
    """One process, many calls."""

    def __init__(self, so, program=HARNESS, stderr=subprocess.DEVNULL, **options):
        self.process = subprocess.Popen([program, so], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=stderr, **options)

    def call(self, tool, args=None, **files):
        request = {"tool": tool, "args": args or {}, "files": files}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the harness died: {self.process.wait()}")
        return json.loads(line)

    def heap(self):
        """Bytes that malloc has given out and not taken back."""
        self.process.stdin.write(b"heap\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def close(self):
        """Ends the plugin in order; the exit status (a leak checker's verdict is in it)."""
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(60)
