"""test_crashtest.py -- each tool does what its name says, seen from outside its process."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import HARNESS, Harness, plugin_so, run_once

SO = plugin_so("crashtest")
HERE = os.path.dirname(os.path.abspath(__file__))


def start(tool, *words):
    """A call in a session of its own, so that all of its processes can be counted and killed."""
    return subprocess.Popen([HARNESS, SO, tool, *words], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)


def session(pid):
    """Pids of the live processes of a session."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == pid and fields[0] != "Z":
            found.append(int(entry))
    return found


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def wait_for(what, seconds=10):
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.01)
    return what()


class Misbehaviours(unittest.TestCase):
    def stop(self, process):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.assertTrue(wait_for(lambda: not session(process.pid)))

    def test_segfault_dies_of_signal_11(self):
        self.assertEqual(run_once(SO, "segfault").returncode, -signal.SIGSEGV)

    def test_abort_dies_of_signal_6(self):
        self.assertEqual(run_once(SO, "abort").returncode, -signal.SIGABRT)

    def test_stack_overflow_dies_of_signal_11(self):
        self.assertEqual(run_once(SO, "stack_overflow").returncode, -signal.SIGSEGV)

    def test_exit_ends_with_the_asked_code_and_no_answer(self):
        for code in (0, 7, 255):
            done = run_once(SO, "exit", f"code={code}")
            self.assertEqual((done.returncode, done.stdout), (code, b""))

    def test_hang_uses_no_cpu_and_does_not_end(self):
        process = start("hang")
        self.addCleanup(self.stop, process)
        time.sleep(0.5)
        self.assertIsNone(process.poll())
        self.assertLess(cpu_ticks(process.pid), 10)

    def test_spin_uses_the_cpu_and_does_not_end(self):
        process = start("spin")
        self.addCleanup(self.stop, process)
        self.assertTrue(wait_for(lambda: cpu_ticks(process.pid) > 20))
        self.assertIsNone(process.poll())

    def test_allocate_touches_what_it_says(self):
        code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        done = subprocess.run([sys.executable, "-c", code, HARNESS, SO, "allocate", "mb=64"],
                              capture_output=True, check=True)
        answer, peak_kb = done.stdout.splitlines()
        self.assertEqual(json.loads(answer)["result"], {"mb": 64})
        self.assertGreater(int(peak_kb), 64 * 1024)

    def test_allocate_fails_undeclared_where_memory_ends(self):
        done = subprocess.run(["sh", "-c", 'ulimit -v 200000; exec "$@"', "sh", HARNESS, SO,
                               "allocate"], capture_output=True)
        self.assertEqual(json.loads(done.stdout)["error_type"], "PluginError")
        self.assertIn(b"no memory after", done.stderr)

    def test_fork_bomb_has_exactly_its_bounded_tree(self):
        process = start("fork_bomb", "depth=4")
        self.addCleanup(self.stop, process)
        self.assertTrue(wait_for(lambda: len(session(process.pid)) == 31))
        time.sleep(0.2)
        self.assertEqual(len(session(process.pid)), 1 + 2 + 4 + 8 + 16)

    def test_fork_bomb_refuses_more_than_its_bound(self):
        done = run_once(SO, "fork_bomb", "depth=10")
        self.assertEqual(json.loads(done.stdout)["error_type"], "BadDepth")

    def test_flood_writes_the_asked_number_of_bytes(self):
        done = run_once(SO, "flood_stdout", "bytes=1000000")
        flood, _, answer = done.stdout.rpartition(b"{\"ok\"")
        self.assertEqual(len(flood), 1000000)
        self.assertIn(b"1000000", answer)

    def test_garbage_reaches_every_open_descriptor(self):
        with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as two:
            done = run_once(SO, "garbage", pass_fds=(one.fileno(), two.fileno()),
                            stdin=subprocess.DEVNULL)
            sizes = [os.fstat(f.fileno()).st_size for f in (one, two)]
        self.assertEqual(sizes, [256, 256])
        self.assertEqual((len(done.stderr), done.stdout.count(b"\xa5")), (256, 1))


class GoodTools(unittest.TestCase):
    def setUp(self):
        self.harness = Harness(SO)
        self.addCleanup(self.harness.close)

    def test_echo_answers_its_arguments(self):
        for args in ({}, {"a": [1, None, True], "b": {"c": "ä\n"}}, {"n": 2 ** 53, "f": 1.5}):
            self.assertEqual(self.harness.call("echo", args), {"ok": True, "result": args})

    def test_echo_answers_bytes(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"\x00\x01\xffabc")
            file.flush()
            answer = self.harness.call("echo", {"a": 1}, data=file.name)
        self.assertEqual(answer["result"], {"a": 1, "data": {
            "content_type": "application/octet-stream", "base64": "AAH/YWJj"}})

    def test_error_declares_the_asked_error_and_the_next_call_works(self):
        answer = self.harness.call("error", {"type": "BadImage", "message": "100 % broken %s"})
        self.assertEqual(answer, {"ok": False, "error_type": "BadImage", "error": "100 % broken %s"})
        self.assertEqual(self.harness.call("error")["error_type"], "DeclaredError")
        self.assertTrue(self.harness.call("echo")["ok"])

    def test_fail_declares_nothing(self):
        self.assertEqual(self.harness.call("fail")["error_type"], "PluginError")

    def test_sleep_takes_its_time(self):
        begin = time.monotonic()
        answer = self.harness.call("sleep", {"ms": 120})
        self.assertGreaterEqual(time.monotonic() - begin, 0.12)
        self.assertEqual(answer["result"], {"slept_ms": 120})

    def test_the_manifest_lists_the_tools_of_the_code(self):
        with open(os.path.join(HERE, "manifest.json")) as file:
            names = [tool["name"] for tool in json.load(file)["tools"]]
        with open(os.path.join(HERE, "crashtest.c")) as file:
            code = [line.split('"')[1] for line in file if "    FORGE_TOOL(" in line]
        self.assertEqual(names, code)


if __name__ == "__main__":
    unittest.main()
