"""test_workloads.py -- what plugins are written for runs behind every wall: libraries with threads and
processes of their own, in each of the three situations."""
import json
import os
import shutil
import sys
import unittest

from host import BUILD, BUNDLED, SAMPLES, TEST_PLUGINS, Host, HostCase, need_nobody

DENIED = os.path.join(BUILD, "tests", "test_plugin_sandbox", "without_namespaces")
IMAGE = os.path.join(SAMPLES, "sample.png")

PYTHON = """
import ctypes, mmap, multiprocessing, os, subprocess, tempfile, threading
import numpy


def square(x):
    return x * x


def product():
    a = numpy.arange(40000, dtype=float).reshape(200, 200)
    return float((a @ a.T)[0, 0]), float(numpy.linalg.norm(numpy.fft.fft(a[0])))


def threads():
    seen = []
    all_ = [threading.Thread(target=seen.append, args=(i,)) for i in range(16)]
    [t.start() for t in all_], [t.join() for t in all_]
    return sorted(seen) == list(range(16))


def run_command():
    try:
        return subprocess.run(["/bin/echo", "hello"], capture_output=True, text=True).stdout
    except PermissionError:
        return "not permitted"


def pool():
    try:
        with multiprocessing.Pool(2) as p:
            return p.map(square, range(8))
    except (PermissionError, FileNotFoundError) as error:
        return type(error).__name__


def scratch():
    try:
        with tempfile.TemporaryFile() as f:
            return f.write(b"x" * 4096)
    except FileNotFoundError:
        return "none"


def mapped():
    with mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE) as own:
        own[:4] = b"mine"
    try:
        with mmap.mmap(-1, 4096) as shared:
            shared[:4] = b"ours"
        return "shared"
    except PermissionError:
        return "not permitted"


def callback():  # libffi makes code for it
    values = (ctypes.c_int * 3)(3, 1, 2)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    ctypes.CDLL(None).qsort(values, 3, 4, compare(lambda a, b: a[0] - b[0]))
    return list(values)


class Plugin:
    name = "work"
    tools = {f.__name__: f for f in (product, threads, run_command, pool, scratch, mapped, callback)}
"""


class Workloads(HostCase):
    def setUp(self):
        super().setUp()
        shutil.copytree(os.path.join(BUNDLED, "ocr"), os.path.join(self.plugins, "ocr"))
        folder = os.path.join(self.plugins, "work")
        os.mkdir(folder)
        with open(os.path.join(folder, "plugin.py"), "w", encoding="utf-8") as f:
            f.write(PYTHON)
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as f:
            json.dump({"name": "work", "version": "1.0.0", "entrypoint": "plugin.py"}, f)
        if os.path.exists(os.path.join(TEST_PLUGINS, "openmp.so")):
            self.plugin("openmp", like="misfit", so="openmp", tools=[{"name": "sum"}])
        os.chmod(folder, 0o755)

    def start(self, **options):
        host = Host([self.plugins], **options)
        self.addCleanup(self._end, host, True)
        host.wait_ready()
        return host

    def check_threads(self, host):
        """Runs at every level."""
        self.assertEqual(host.run("work", "product").result[0], sum(i * i for i in range(200)))
        self.assertIs(host.run("work", "threads").result, True)
        self.assertEqual(host.run("work", "callback").result, [1, 2, 3])
        counted = host.health("work")["isolation"]["memory"] != "rlimit"
        self.assertEqual(host.run("work", "mapped").result, "shared" if counted else "not permitted")
        with open(IMAGE, "rb") as f:
            answer = host.request("POST", "/v1/plugins/ocr/tools/analyze/run", f.read(),
                                  {"Content-Type": "image/png"})
        self.assertTrue(answer.result["text"].strip())
        if os.path.exists(os.path.join(TEST_PLUGINS, "openmp.so")):
            self.assertEqual(host.run("openmp", "sum").result, {"sum": 500000500000, "threads": 4})
        else:
            print("# the compiler has no OpenMP", file=sys.stderr)

    def check_processes(self, host):
        """Needs a pid namespace, and a tree with a place to write to."""
        self.assertEqual(host.run("work", "run_command").result, "hello\n")
        self.assertEqual(host.run("work", "pool").result, [i * i for i in range(8)])
        self.assertEqual(host.run("work", "scratch").result, 4096)

    def test_everything_runs_as_it_is_here(self):
        host = self.start()
        self.check_threads(host)
        if host.health("work")["isolation"]["level"] in ("full", "namespaces"):
            self.check_processes(host)

    @need_nobody
    def test_everything_runs_for_an_ordinary_user(self):
        host = self.start(as_nobody=True)
        self.check_threads(host)
        if host.health("work")["isolation"]["level"] == "namespaces":
            self.check_processes(host)

    @need_nobody
    def test_threads_run_where_namespaces_are_denied_and_processes_are_refused(self):
        host = self.start(launcher=(DENIED,))
        isolation = host.health("work")["isolation"]
        self.assertEqual((isolation["level"], isolation["namespaces"]), ("filtered", []))
        self.check_threads(host)
        self.assertEqual(host.run("work", "run_command").result, "not permitted")
        self.assertEqual(host.run("work", "scratch").result, "none")

    @need_nobody
    def test_what_demands_more_than_there_is_does_not_run(self):
        host = self.start(launcher=(DENIED,), args=["--min-isolation", "namespaces"])
        health = host.health("work")
        self.assertEqual(health["state"], "UNAVAILABLE")
        self.assertIn("--min-isolation asks for 'namespaces'", health["reason"])
        self.assert_error(host.run("work", "threads"), 503, "PluginUnavailable", "filtered")


if __name__ == "__main__":
    unittest.main()
